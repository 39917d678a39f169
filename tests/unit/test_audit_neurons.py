"""An audit of a CLIP-like model's neurons: cuts are exact, their texts become concepts, a repair lasts on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from microtome.core.concept import unique_concepts
from microtome.core.errors import MicrotomeError, ModelError, OptionError, RunError
from microtome.data.groups import WorldBirds
from microtome.methods.decompose.second_order import directions_of, effects
from microtome.models.load import load
from microtome.models.model import Model, wrap
from microtome.models.output_repair import NeuronCut, OutputRepair, pack_output, unpack_output
from microtome.models.repaired import write_repaired
from microtome.models.repaired_output import attach_output
from microtome.models.towers.find import tower_of
from microtome.models.towers.reading import coefficients, places_after
from microtome.models.towers.streams import run_tower
from microtome.recipes.answering import answering
from microtome.recipes.audit.asked import AskedModel
from microtome.recipes.audit.explain import opened_run
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.nouns import Change, Named
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.run import audit
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.term_model import TermModel
from microtome.recipes.audit.term_runs import layer_number
from microtome.recipes.audit.term_sources import NeuronTerms, TermSource
from microtome.recipes.audit.text_detectors import neurons_of
from microtome.recipes.decomposition import Decomposition
from tests.support.towers import SMALL, images, shaken

LAYER, PARTS = 3, tuple(range(1, 640, 3))


def ways(model: Model, layer: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Some unit direction of each neuron [neuron, d_out], and the reader along it [neuron, k]."""
    fixed = directions_of(tower_of(model), layer).double().numpy()
    drawn = np.random.default_rng(seed).normal(size=(len(fixed), fixed.shape[2]))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn, np.einsum("nko,no->nk", fixed, drawn)


def asked_of(model: Model, classes: tuple[str, ...], layer: int = LAYER) -> TermModel:
    answers = answering(model, classes)
    assert answers is not None
    directions, readers = ways(model, layer)
    source = NeuronTerms(tower_of(model), layer, readers, directions)
    names = {n: Named(n, source.title(n), "", "", float("nan"), False) for n in range(len(directions))}
    return TermModel(model, source, answers, names, {}, batch_size=5)


@pytest.fixture(scope="module")
def birds() -> WorldBirds:
    return WorldBirds("shift", count=24)


@pytest.fixture(scope="module")
def pixels(birds: WorldBirds) -> list[np.ndarray]:
    return [birds.read(n).pixels for n in range(24)]


@pytest.fixture(scope="module")
def asked(birds: WorldBirds, pixels: list[np.ndarray]) -> TermModel:
    found = asked_of(load("world:clip"), birds.classes)
    found.settle(found.read(pixels[:12]), np.ones(12, bool))
    return found


def literal_terms(asked: TermModel, pixels: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Outputs, and of every neuron its whole effect through later heads, projected onto its direction."""
    with torch.no_grad():
        x = asked.model.prepared(asked.model.preprocess(pixels))
        streams = run_tower(asked.tower, x, places_after(asked.tower, LAYER))
        phi = effects(coefficients(asked.tower, streams, LAYER), directions_of(asked.tower, LAYER)).double().numpy()
    directions, _ = ways(asked.model, LAYER)
    return streams.output.double().numpy(), np.einsum("ino,no->in", phi, directions)[:, :, None] * directions


def test_it_is_what_the_recipe_asks_for(asked: TermModel) -> None:
    assert isinstance(asked, AskedModel)
    assert isinstance(asked.source, TermSource)
    assert asked.erasable
    assert (asked.kind, asked.title(7), asked.parts) == ("neurons", "neuron 3.7", 640)


@pytest.mark.parametrize(("how", "keep"), [("mean", 0.0), ("mean", 0.5), ("zero", 0.0)])
def test_cut_neurons_are_the_output_less_their_effects(
    asked: TermModel, pixels: list[np.ndarray], how: str, keep: float
) -> None:
    outputs, terms = literal_terms(asked, pixels)
    means = terms[:12].mean(axis=0) if how == "mean" else np.zeros(terms.shape[1:])
    without = outputs - sum((1 - keep) * (terms[:, part] - means[part]) for part in PARTS)
    held = asked.read(pixels)
    change = Change(parts=PARTS, keep=keep, how=how)
    np.testing.assert_allclose(asked.outputs(held, change), without, atol=1e-4)
    assert np.abs(without - outputs).max() > 1e-3, "the cut must do something"


def test_a_direction_taken_out_leaves_the_effects_across_it(asked: TermModel, pixels: list[np.ndarray]) -> None:
    outputs, terms = literal_terms(asked, pixels)
    directions, _ = ways(asked.model, LAYER)
    along = np.einsum("ino,no->in", terms, directions)
    way = np.random.default_rng(5).normal(size=len(directions))
    unit = way / np.linalg.norm(way)
    gone = ((along - along[:12].mean(axis=0)) @ unit)[:, None] * unit
    found = asked.outputs(asked.read(pixels), Change(direction=way))
    np.testing.assert_allclose(found, outputs - gone @ directions, atol=2e-5)


def test_values_have_a_sign_and_mass_has_none(asked: TermModel, pixels: list[np.ndarray]) -> None:
    held = asked.read(pixels)
    values = asked.values(held)
    assert (values < 0).any()
    assert (values > 0).any()
    np.testing.assert_allclose(asked.mass(held), np.abs(values).mean(axis=0))
    np.testing.assert_allclose(values[:12].mean(axis=0), 0.0, atol=1e-5)


@pytest.mark.parametrize("direction", [False, True])
def test_a_written_repair_answers_as_the_audit_did(
    tmp_path: Path, birds: WorldBirds, pixels: list[np.ndarray], asked: TermModel, *, direction: bool
) -> None:
    held = asked.read(pixels)
    way = np.random.default_rng(5).normal(size=asked.parts) if direction else None
    change = Change(parts=() if direction else PARTS, keep=0.0 if direction else 0.25, direction=way)
    path = tmp_path / "repaired.safetensors"
    write_repaired(path, asked.model, changed=pack_output(asked.repair(change)))
    loaded = load("world:clip", weights=path)
    said = "a direction over the neurons of layer 3 on the output is cut." if direction else "neurons 3.1, 3.4, 3.7"
    assert said in " ".join(loaded.notes)
    assert direction or " on the output is cut by 75 %." in " ".join(loaded.notes)
    outputs = loaded.logits(loaded.preprocess(pixels)).double().numpy()
    np.testing.assert_allclose(outputs, asked.outputs(held, change), atol=2e-5)
    assert np.abs(outputs - held.outputs).max() > 5e-4, "the repair must do something"
    with pytest.raises(ModelError, match="is repaired"):
        tower_of(loaded)


@pytest.mark.parametrize(("make", "size"), SMALL.values(), ids=SMALL.keys())
def test_every_family_is_repaired_for_good(make: Callable[[], nn.Module], size: int) -> None:
    pytest.importorskip("transformers")
    model = wrap(shaken(make()).double(), size=size, mean=(0.5,) * 3, std=(0.5,) * 3, device="cpu")
    x, neurons, tower = images(size, count=3), [1, 4], tower_of(model)
    directions, readers = (torch.from_numpy(each[neurons]) for each in ways(model, 0))
    means = torch.tensor([0.3, -0.2], dtype=torch.float64)
    with torch.no_grad():
        streams = run_tower(tower, x, places_after(tower, 0))
        phi = effects(coefficients(tower, streams, 0), directions_of(tower, 0))[:, neurons]
    gone = (torch.einsum("bno,no->bn", phi, directions) - means) @ directions
    repair = OutputRepair((), 0.25, torch.zeros(0, tower.d_out), neurons=NeuronCut(
        0, tuple(neurons), readers, directions, means)
    )  # fmt: skip
    repaired = attach_output(model, repair)
    for _ in range(2):
        torch.testing.assert_close(repaired.logits(x), streams.output - 0.75 * gone, rtol=1e-8, atol=1e-8)


def test_a_repair_of_other_neurons_is_refused_and_a_damaged_one() -> None:
    model = load("world:clip")
    tower = tower_of(model)
    wide = tower.readouts * 2 * tower.heads

    def repair(layer: int, neuron: int, width: int) -> OutputRepair:
        cut = NeuronCut(layer, (neuron,), torch.zeros(1, width), torch.zeros(1, tower.d_out), torch.zeros(1))
        return OutputRepair((), 0.0, torch.zeros(0, tower.d_out), neurons=cut)

    for layer, neuron, width in ((3, 640, wide), (3, 0, wide - 1), (5, 0, wide)):
        with pytest.raises(ModelError, match="does not fit"):
            attach_output(model, repair(layer, neuron, width))
    packed = pack_output(repair(3, 0, wide))
    again = unpack_output(packed)
    assert again is not None
    assert again.neurons is not None
    assert again.neurons.neurons == (0,)
    for name in ("readers", "means"):
        damaged = {key: value for key, value in packed.items() if not key.endswith(f"neurons.{name}")}
        with pytest.raises(ModelError, match="damaged"):
            unpack_output(damaged)
        with pytest.raises(ModelError, match="damaged"):
            unpack_output({**damaged, f"microtome_repair.neurons.{name}": torch.zeros(2, 1)})


class _Run(Decomposition):
    """What `neurons_of` reads of a run."""

    def __init__(self) -> None:
        self.manifest: dict[str, Any] = {"summary": {"layer": 3}}

    def rows(self, name: str) -> list[dict]:
        if name == "neurons":
            return [{"neuron": 2, "score": 0.5, "score_chance": 0.2}, {"neuron": 4, "score": 0.1, "score_chance": 0.2}]
        return [
            {"neuron": 2, "rank": 1, "text": "on grass", "coefficient": -0.6},
            {"neuron": 2, "rank": 0, "text": "on water", "coefficient": 0.8},
        ]


def test_a_neuron_detects_what_its_texts_speak_for_and_not_what_they_speak_against() -> None:
    names, detectors = neurons_of(_Run(), unique_concepts((("water", "surface"), ("grass", "surface"))), 6)
    assert sorted(names) == list(range(6))
    assert (names[2].title, names[2].words, names[2].named) == ("neuron 3.2", "on water", True)
    assert (names[0].words, names[4].named) == ("", False)
    assert [str(f) for f in detectors[2].formulas(frozenset())] == ["water"]
    assert detectors[4].formulas(frozenset()) == []
    assert 0 not in detectors


@pytest.mark.parametrize("layer", ["blocks.3", "-1", "5", "6", "³"])
def test_a_layer_without_heads_after_it_is_refused(layer: str) -> None:
    with pytest.raises(OptionError, match=r"0 to 4"):
        layer_number(layer, tower_of(load("world:clip")))


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    settings = AuditSettings(images=160, suspects=1, cases=20, repair=False)
    audit("world:clip", "3", "birds:heldout@160", out=folder / "audit", settings=settings,
        inputs=AuditInputs(classes=("landbird",)),
    )  # fmt: skip
    return folder


def test_grass_is_proved_to_make_a_waterbird_a_landbird_and_neurons_are_cut(audited: Path) -> None:
    found = Audit(audited / "audit")
    (row,) = found.findings
    assert "grass" in row["concept"]
    assert row["verdict"] == "proved"
    assert (row["source"], row["target"]) == ("waterbird", "landbird")
    assert all(title.startswith("neuron 3.") for title in [*row["parts"], *row["carriers"]])
    assert len(row["parts"]) >= 1
    assert row["without"] <= row["rate"]
    assert row["carried"] < 1, "the neurons of one layer are not all that the margin is made of"
    assert row["without_random"] is not None
    assert row["without_direction"] is not None
    assert "passes through these neurons" in row["sentence"]
    with pytest.raises(RunError, match="an audit of a CLIP-like model's neurons"):
        opened_run(found)
    assert found.manifest["summary"]["part"] == "neuron"
    effects_of = found.rows("part_effects")
    assert len(effects_of) == 640
    assert {row["named"] for row in effects_of} == {True, False}


def test_the_run_that_names_them_can_be_given_again(audited: Path, tmp_path: Path) -> None:
    run = audited / "audit-neurons-3"
    assert Decomposition(run).manifest["kind"] == "decompose neurons"
    (tmp_path / "c-neurons-3").mkdir()
    shutil.copytree(audited / "audit-neurons-3", tmp_path / "c-neurons-3", dirs_exist_ok=True)
    with pytest.raises(RunError, match="is in the way"):
        audit("world:clip", "3", "birds:heldout@170", out=tmp_path / "c")
    shutil.rmtree(tmp_path / "c-neurons-3")
    with pytest.raises(RunError, match="neurons of layer 2"):
        audit("world:clip", "2", "birds:heldout@160", out=tmp_path / "a", inputs=AuditInputs(run=run))
    heads = AuditInputs(run=audited / "audit")
    with pytest.raises(MicrotomeError):
        audit("world:clip", None, "birds:heldout@160", out=tmp_path / "b", inputs=heads)
    assert list(tmp_path.iterdir()) == []
