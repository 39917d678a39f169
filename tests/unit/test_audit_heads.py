"""An audit of heads: cuts are exact, names become concepts, a repair lasts on disk, and the planted cue is proved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from microtome.core.concept import unique_concepts
from microtome.core.errors import ModelError
from microtome.data.groups import WorldBirds
from microtome.methods.decompose.terms import decompose, expand_heads
from microtome.models.load import load
from microtome.models.model import Model, wrap
from microtome.models.output_repair import OutputRepair, pack_output, unpack_output
from microtome.models.repaired import write_repaired
from microtome.models.repaired_output import attach_output
from microtome.models.towers.find import tower_of
from microtome.recipes.answering import answering
from microtome.recipes.audit.asked import AskedModel
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.nouns import Change, LastLayer, Named
from microtome.recipes.audit.others import other_model
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.run import audit
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.term_model import TermModel
from microtome.recipes.audit.term_sources import HeadTerms
from microtome.recipes.audit.text_detectors import TextsDetector, said_in, words_of
from tests.support.towers import SMALL, images, shaken
from tests.unit.test_recipes_ablate import model as letters_model

CLASSES = ("landbird", "waterbird", "tree")
PARTS = (1, 2)


def pictures(count: int, *, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return list(generator.integers(0, 256, size=(count, 64, 64, 3), dtype=np.uint8))


def asked_of(model: Model, classes: tuple[str, ...] = CLASSES) -> TermModel:
    answers = answering(model, classes)
    assert answers is not None
    tower = tower_of(model)
    names = {
        n: Named(n, f"head {n // tower.heads}.{n % tower.heads}", "", "", float("nan"), False)
        for n in range(len(tower.layers) * tower.heads)
    }
    return TermModel(model, HeadTerms(tower), answers, names, {}, batch_size=5)


@pytest.fixture(scope="module")
def asked() -> TermModel:
    return asked_of(letters_model())


def literal_terms(asked: TermModel, pixels: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Outputs [item, d_out] and terms [item, part, d_out], from the tower itself."""
    terms = decompose(asked.tower, asked.model.prepared(asked.model.preprocess(pixels)))
    expanded = expand_heads(asked.tower, terms.heads).flatten(1, 2)
    return terms.output.double().numpy(), expanded.double().numpy()


def cosines(asked: TermModel, outputs: np.ndarray) -> np.ndarray:
    assert asked.model.texts is not None
    unit = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    return asked.model.texts.scale * unit @ asked.answers.directions.T + asked.model.texts.bias


def test_it_is_what_the_recipe_asks_for(asked: TermModel) -> None:
    assert isinstance(asked, AskedModel)
    assert not asked.erasable


def test_without_a_change_it_answers_as_the_model_does(asked: TermModel) -> None:
    pixels = pictures(12)
    outputs = asked.model.logits(asked.model.preprocess(pixels)).double().numpy()
    held = asked.read(pixels)
    np.testing.assert_allclose(asked.answer(held), cosines(asked, outputs), atol=1e-5)
    assert (asked.answer(held).argmax(axis=1) == asked.answers.answers(outputs)).all()


@pytest.mark.parametrize(("how", "keep"), [("mean", 0.0), ("mean", 0.5), ("zero", 0.0), ("zero", 0.25)])
def test_cut_heads_are_the_output_less_their_terms(asked: TermModel, how: str, keep: float) -> None:
    pixels, others = pictures(12), pictures(20, seed=1)
    asked.settle(asked.read(others), np.ones(20, bool))
    outputs, terms = literal_terms(asked, pixels)
    means = literal_terms(asked, others)[1].mean(axis=0) if how == "mean" else np.zeros(terms.shape[1:])
    without = outputs.copy()
    for part in PARTS:
        without -= (1 - keep) * (terms[:, part] - means[part])
    held = asked.read(pixels)
    change = Change(parts=PARTS, keep=keep, how=how)
    np.testing.assert_allclose(asked.answer(held, change), cosines(asked, without), atol=1e-4)
    assert not np.allclose(asked.answer(held, change), asked.answer(held), atol=1e-3), "the cut must do something"


def test_heads_that_keep_everything_change_nothing(asked: TermModel) -> None:
    held = asked.read(pictures(6))
    asked.settle(held, np.ones(6, bool))
    np.testing.assert_allclose(asked.answer(held, Change(parts=PARTS, keep=1.0)), asked.answer(held), atol=1e-12)


def test_resampled_heads_get_the_terms_of_images_of_the_data(asked: TermModel) -> None:
    pixels, others = pictures(12), pictures(20, seed=1)
    asked.settle(asked.read(others), np.arange(20) % 2 > 0)
    outputs, terms = literal_terms(asked, pixels)
    lent = literal_terms(asked, [others[row] for row in range(1, 20, 2)])[1]
    chosen = np.random.default_rng([0, 89]).integers(0, 10, 12)
    without = outputs - sum(terms[:, part] - lent[chosen][:, part] for part in PARTS)
    found = asked.answer(asked.read(pixels), Change(parts=PARTS, how="resample"))
    np.testing.assert_allclose(found, cosines(asked, without), atol=1e-4)


def test_a_direction_over_heads_is_refused(asked: TermModel) -> None:
    with pytest.raises(ModelError, match="no direction over them"):
        asked.answer(asked.read(pictures(2)), Change(direction=np.ones(asked.parts)))


def test_what_heads_add_and_carry_is_their_share_of_the_cosine(asked: TermModel) -> None:
    before, after = pictures(9), pictures(9, seed=3)
    truth = np.array([0, 1, 0, 0, 1, 1, 0, 0, 1])
    assert asked.model.texts is not None
    grown = np.zeros(asked.parts)
    for row in range(9):
        way = asked.model.texts.scale * (asked.answers.directions[2] - asked.answers.directions[truth[row]])
        for sign, pixels in ((1, after), (-1, before)):
            output, terms = literal_terms(asked, [pixels[row]])
            grown += sign * terms[0] @ way / np.linalg.norm(output)
    found = asked.carried(asked.read(before), asked.read(after), truth, 2)
    np.testing.assert_allclose(found, grown / 9, atol=1e-4)


def test_a_head_speaks_for_a_class_where_it_adds_more_on_its_images(asked: TermModel) -> None:
    held, truth = asked.read(pictures(9)), np.array([0, 1, 0, 0, 1, 1, 0, 0, 1])
    weight = asked.last().weight
    added = [asked.adds(held, weight[target] - weight.mean(axis=0)) for target in (1, 2)]
    own = added[0][truth == 1].mean(axis=0) - added[0].mean(axis=0)
    np.testing.assert_allclose(asked.speaks(held, truth, 1), own)
    np.testing.assert_allclose(asked.speaks(held, truth, 2), added[1].mean(axis=0), err_msg="no image is of class 2")


def test_values_and_mass_are_lengths_of_what_a_cut_takes_away(asked: TermModel) -> None:
    pixels = pictures(8)
    held = asked.read(pixels)
    asked.settle(held, np.ones(8, bool))
    _, terms = literal_terms(asked, pixels)
    lengths = np.linalg.norm(terms - terms.mean(axis=0), axis=2)
    np.testing.assert_allclose(asked.values(held), lengths, atol=1e-4)
    np.testing.assert_allclose(asked.mass(held), lengths.mean(axis=0), atol=1e-4)


def test_a_last_layer_reads_the_features(asked: TermModel) -> None:
    held = asked.read(pictures(4))
    last = asked.last()
    np.testing.assert_allclose(asked.features(held) @ last.weight.T + last.bias, asked.answer(held))
    other = LastLayer(last.weight[::-1].copy(), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(
        asked.answer(held, Change(last=other)), asked.features(held) @ other.weight.T + other.bias
    )


def test_no_image_is_read_as_none(asked: TermModel) -> None:
    held = asked.read([])
    assert asked.answer(held, Change(parts=PARTS)).shape == (0, 3)
    assert asked.values(held).shape == (0, asked.parts)


@pytest.mark.parametrize(("make", "size"), SMALL.values(), ids=SMALL.keys())
def test_every_family_is_repaired_for_good(make: Callable[[], nn.Module], size: int) -> None:
    pytest.importorskip("transformers")
    model = wrap(shaken(make()).double(), size=size, mean=(0.5,) * 3, std=(0.5,) * 3, device="cpu")
    x, heads = images(size, count=3), ((0, 1), (2, 0), (2, 3))
    tower = tower_of(model)
    terms = decompose(tower, x)
    expanded = expand_heads(tower, terms.heads)
    means = torch.randn(len(heads), tower.d_out, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gone = sum(expanded[:, layer, head] - means[n] for n, (layer, head) in enumerate(heads))
    before = model.fingerprint()
    repaired = attach_output(model, OutputRepair(heads, 0.25, means))
    for _ in range(2):
        torch.testing.assert_close(repaired.logits(x), terms.output - 0.75 * gone, rtol=1e-8, atol=1e-8)
    assert repaired.fingerprint() != before
    with pytest.raises(ModelError, match="is repaired"):
        tower_of(repaired)


def test_a_repair_of_other_heads_is_refused() -> None:
    for heads, width in (((5, 0),), 8), (((0, 0),), 9):
        with pytest.raises(ModelError, match="does not fit"):
            attach_output(letters_model(), OutputRepair(heads, 0.0, torch.zeros(1, width)))


def test_a_damaged_repair_is_refused() -> None:
    packed = pack_output(OutputRepair(((0, 1),), 0.0, torch.zeros(1, 8)))
    assert unpack_output({}) is None
    for damaged in (
        {**packed, "microtome_repair.heads.means": torch.zeros(2, 8)},
        {**packed, "microtome_repair.heads.plan": torch.zeros(3, dtype=torch.uint8)},
        {name: value for name, value in packed.items() if not name.endswith("means")},
    ):
        with pytest.raises(ModelError, match="damaged"):
            unpack_output(damaged)


@pytest.mark.parametrize(("parts", "trained"), [((44, 24, 46), False), ((44, 24, 46), True), ((), True)])
def test_a_written_repair_answers_as_the_audit_did(tmp_path: Path, parts: tuple[int, ...], trained: bool) -> None:
    birds = WorldBirds("shift", count=24)
    pixels, classes = [birds.read(n).pixels for n in range(24)], birds.classes
    asked = asked_of(load("world:clip"), classes)
    held = asked.read(pixels)
    asked.settle(held, np.ones(24, bool))
    last = LastLayer(asked.last().weight[::-1].copy(), np.array([0.5, -0.5])) if trained else None
    change = Change(parts=parts, last=last)
    path = tmp_path / "repaired.safetensors"
    write_repaired(path, asked.model, changed=pack_output(asked.repair(change)))
    loaded = load("world:clip", weights=path)
    outputs = loaded.logits(loaded.preprocess(pixels)).double().numpy()
    if trained:
        assert loaded.classes == classes
        assert loaded.texts is None
        np.testing.assert_allclose(outputs, asked.answer(held, change), atol=1e-3)
        return
    answers = answering(loaded, classes)
    assert answers is not None
    assert (answers.answers(outputs) == asked.answer(held, change).argmax(axis=1)).all()
    assert (answers.answers(outputs) != asked.answer(held).argmax(axis=1)).any(), "the repair must do something"
    np.testing.assert_allclose(outputs, asked.outputs(held, change), atol=1e-4)


def test_a_repair_by_chance_is_not_written(asked: TermModel) -> None:
    with pytest.raises(ModelError, match="another image"):
        asked.repair(Change(parts=(0,), how="resample"))


def test_a_clip_beside_another_model_is_asked_in_texts() -> None:
    birds = WorldBirds("shift", count=12)
    pixels, clip = [birds.read(n).pixels for n in range(12)], load("world:clip")
    other = other_model(clip, birds.classes)
    asked = asked_of(clip, birds.classes)
    assert other.answers(pixels).tolist() == asked.answer(asked.read(pixels)).argmax(axis=1).tolist()
    assert other.knows(1)
    assert len(other.answers([])) == 0


CONCEPTS = unique_concepts(
    (("water", "surface"), ("grass", "surface"), ("blue", "color"), ("tree", "object"), ("cactus", "object"),
     ("street lamp", "object"), ("gull", "object"))
)  # fmt: skip


def detector(texts: list[tuple[str, float]], label: str = "") -> TextsDetector:
    return TextsDetector(texts, label, words_of(CONCEPTS), {concept.name: concept.category for concept in CONCEPTS})


def test_texts_name_concepts_in_singular_and_plural() -> None:
    words = words_of(CONCEPTS)
    assert said_in("Some trees, on water", words) == {"tree", "water"}
    assert said_in("cacti and street lamps", words) == {"cactus", "street lamp"}
    assert said_in("watery grasses", words) == {"grass"}
    assert said_in("a thing", words) == frozenset()


def test_a_head_detects_what_its_texts_say_by_what_they_explain() -> None:
    found = [str(f) for f in detector([("on grass", 0.2), ("on water", 0.7), ("a gull", 0.001)]).formulas(frozenset())]
    assert found == ["water", "grass"], "what explains next to nothing is left out"
    assert [str(f) for f in detector([("on water", 1.0)]).formulas(frozenset({"water"}))] == []


def test_a_label_stands_for_every_concept_of_its_category() -> None:
    found = [str(f) for f in detector([("on water", 1.0)], "surface").formulas(frozenset({"water"}))]
    assert found == ["grass"]


def test_colours_join_what_is_no_colour() -> None:
    found = [str(f) for f in detector([("blue", 0.3), ("on water", 0.7), ("a tree", 0.5)]).formulas(frozenset())]
    assert found[:3] == ["water", "tree", "blue"]
    assert found[3:] == ["blue AND tree", "blue AND water"]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Audit, Path]:
    folder = tmp_path_factory.mktemp("audit")
    settings = AuditSettings(images=200, suspects=1, cases=30, price=25.0)
    inputs = AuditInputs(write=folder / "repaired.safetensors", classes=("waterbird",))
    return audit("world:clip", data="birds:heldout@200", out=folder / "audit", inputs=inputs, settings=settings), folder


def test_water_is_proved_to_make_a_landbird_a_waterbird(audited: tuple[Audit, Path]) -> None:
    found = {row["concept"]: row for row in audited[0].findings}
    water = found["water"]
    assert water["verdict"] == "proved"
    assert (water["source"], water["target"]) == ("landbird", "waterbird")
    assert water["rate"] > water["control"] + 0.2
    assert "head 5.4" in water["carriers"]
    assert water["without"] < water["rate"] - 0.2
    assert water["without"] < water["without_random"] - 0.2, "as many other heads carry it not"
    assert not any("gull" in concept for concept in found), "what makes a waterbird is no suspect"


def test_heads_cut_lift_the_worst_group_and_the_file_answers_so(audited: tuple[Audit, Path]) -> None:
    found, folder = audited
    rows = {row["kind"]: row for row in found.rows("repairs")}
    assert "erase" not in rows
    assert rows["ablate"]["worst_low"] > 0.1
    repaired, shift = load("world:clip", weights=folder / "repaired.safetensors"), WorldBirds("shift", count=160)
    pixels, truth = [shift.read(n).pixels for n in range(160)], shift.groups.labels
    shares = []
    for model in (load("world:clip"), repaired):
        outputs = model.logits(model.preprocess(pixels)).double().numpy()
        if model.texts is not None:
            answers = answering(model, shift.classes)
            assert answers is not None
            outputs = answers.scores(outputs)
        shares.append(float((outputs.argmax(axis=1) == truth).mean()))
    assert shares[1] > shares[0] + 0.1


def test_the_run_says_what_each_head_does(audited: tuple[Audit, Path]) -> None:
    found, _ = audited
    effects = found.rows("part_effects")
    assert len(effects) == 48
    assert all(row["loss_low"] <= row["loss"] <= row["loss_high"] for row in effects)
    assert {row["sign"] for row in found.rows("class_parts")} == {"for", "against"}
    curve = {row["cut"]: row["accuracy"] for row in found.rows("effect_curves") if row["order"] == "best"}
    assert curve[0] - 0.2 > curve[48], "without all heads there is little left to answer by"
    assert found.rows("finding_images")
    assert found.manifest["summary"]["part"] == "head"
    assert found.report.exists()
