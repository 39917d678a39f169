"""Repairs on disk: what is written comes back as the same answers, folded or beside the weights, and damage is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from microtome.core.errors import ModelError
from microtome.core.intervention import Intervention, ablate, add, clamp, project, replace, resample, scale
from microtome.methods.edit.fold import fold, with_weights
from microtome.models.intervene import intervene
from microtome.models.load import load, load_any, load_text
from microtome.models.model import Model, wrap
from microtome.models.repaired import PREFIX, attach, pack, unpack, write_repaired
from microtome.models.trace import trace
from tests.support.networks import OverTuple, TwiceRelu, hooks, images, seeded

UNITS = [5, 90, 2]
KEPT: dict[str, list[Intervention]] = {
    "zero": [ablate("layer3.0", UNITS)],
    "mean": [ablate("layer3.0", UNITS, mean=np.array([0.1, 0.7, 0.3]))],
    "scale": [scale("layer3.0", 0.4, UNITS), add("layer3.0", torch.tensor([0.1, 0.2, 0.3]), UNITS)],
    "project": [project("layer3.0", np.arange(96.0)), add("layer3.0", np.full(96, 0.05))],
    "clamp": [clamp("layer3.0", UNITS, low=0.1, high=[0.2, 0.3, 0.4])],
    "replace": [replace("layer3.0", 0.5, UNITS)],
    "two layers": [ablate("layer3.0", UNITS), scale("layer1.0", 0.5)],
}


@pytest.fixture(scope="module")
def scenes() -> Model:
    return load("world:scenes", device="cpu")


@pytest.fixture(scope="module")
def x(scenes: Model) -> Tensor:
    blocks = np.random.default_rng(3).integers(0, 256, size=(4, 8, 8, 3), dtype=np.uint8)
    return scenes.preprocess(blocks.repeat(12, 1).repeat(12, 2))


def read(path: Path) -> Model:
    return load("world:scenes", weights=path, device="cpu")


@pytest.mark.parametrize("which", KEPT)
def test_a_repair_beside_the_weights_comes_back_to_the_last_bit(
    scenes: Model, x: Tensor, which: str, tmp_path: Path
) -> None:
    steps, path, plain = KEPT[which], tmp_path / "mended.safetensors", scenes.logits(x)
    write_repaired(path, scenes, changed={}, interventions=steps)
    with intervene(scenes, steps):
        wanted = scenes.logits(x)
    assert not torch.allclose(wanted, plain, atol=1e-3), "the repair does something"
    back = read(path)
    assert torch.equal(back.logits(x), wanted)
    assert torch.equal(scenes.logits(x), plain), "the model that was written stays as it was"
    assert not hooks(scenes.module)
    assert list(back.sites()) == list(scenes.sites())
    assert back.site("layer3.0") == scenes.site("layer3.0")
    own, theirs = scenes.module.state_dict(), back.module.state_dict()
    assert list(own) == list(theirs)
    assert all(torch.equal(own[name], theirs[name]) for name in own)
    assert back.fingerprint() != scenes.fingerprint()
    assert back.classes == scenes.classes
    assert any("Repaired" in note and "layer3.0" in note for note in back.notes)


def test_two_repairs_have_two_fingerprints_and_one_has_one(scenes: Model, tmp_path: Path) -> None:
    prints = []
    for number, step in enumerate([scale("layer4", 0.5), scale("layer4", 0.25), scale("layer4", 0.5, [1])] * 2):
        write_repaired(tmp_path / f"{number}.safetensors", scenes, changed={}, interventions=[step])
        prints.append(read(tmp_path / f"{number}.safetensors").fingerprint())
    assert len(set(prints)) == 3
    assert prints[:3] == prints[3:]


def test_a_folded_repair_is_an_ordinary_weight_file(scenes: Model, x: Tensor, tmp_path: Path) -> None:
    steps, path = [project("layer4", np.arange(128.0)), add("layer4", np.full(128, 0.2))], tmp_path / "w.safetensors"
    folded = fold(scenes, steps)
    assert folded is not None
    write_repaired(path, scenes, changed=folded)
    state = load_file(path)
    assert not [name for name in state if name.startswith(PREFIX)]
    assert set(state) == set(scenes.module.state_dict())
    back = read(path)
    assert torch.equal(back.logits(x), with_weights(scenes, folded).logits(x))
    with intervene(scenes, steps):
        assert torch.allclose(back.logits(x), scenes.logits(x), atol=1e-4)
    assert not torch.allclose(back.logits(x), scenes.logits(x), atol=1e-2)
    assert back.notes == scenes.notes
    assert not hooks(back.module)


def test_a_file_without_a_repair_loads_as_before(scenes: Model, x: Tensor, tmp_path: Path) -> None:
    save_file(scenes.module.state_dict(), tmp_path / "plain.safetensors")
    write_repaired(tmp_path / "written.safetensors", scenes, changed={})
    for name in ("plain", "written"):
        back = read(tmp_path / f"{name}.safetensors")
        assert back.fingerprint() == scenes.fingerprint()
        assert torch.equal(back.logits(x), scenes.logits(x))
        assert not hooks(back.module)
    own, steps = unpack(scenes.module.state_dict())
    assert steps == ()
    assert list(own) == list(scenes.module.state_dict())


def test_a_repair_and_new_weights_go_into_one_file(scenes: Model, x: Tensor, tmp_path: Path) -> None:
    path, bias = tmp_path / "both.safetensors", scenes.module.state_dict()["fc.bias"] + 3.0
    write_repaired(path, scenes, changed={"fc.bias": bias}, interventions=KEPT["zero"])
    with intervene(scenes, KEPT["zero"]):
        assert torch.allclose(read(path).logits(x), scenes.logits(x) + 3.0, atol=1e-5)


def test_a_repaired_model_is_traced_and_changed_like_any_other(scenes: Model, x: Tensor, tmp_path: Path) -> None:
    """`trace` sees the repaired output, and an intervention acts on what comes out of the layer before the repair."""
    path = tmp_path / "w.safetensors"
    write_repaired(path, scenes, changed={}, interventions=[scale("layer3.0", 0.5)])
    back = read(path)
    with trace(scenes, ["layer3.0"], stop=True) as cache:
        plain = cache.run(x)["layer3.0"]
    with trace(back, ["layer3.0"], stop=True) as cache:
        assert torch.equal(cache.run(x)["layer3.0"], 0.5 * plain)
        with intervene(back, ablate("layer3.0", [1])):
            assert not cache.run(x)["layer3.0"][:, 1].any()
    other = torch.nn.functional.interpolate(x, size=(64, 64))
    with intervene(scenes, scale("layer3.0", 0.5)):
        assert torch.allclose(back.logits(other), scenes.logits(other)), "another input size, another map"


@pytest.mark.parametrize("which", KEPT)
def test_packed_and_unpacked_it_is_the_same_plan(which: str) -> None:
    state = {"w": torch.ones(2), **pack(KEPT[which])}
    own, found = unpack(state)
    assert list(own) == ["w"]
    for mine, given in zip(found, KEPT[which], strict=True):
        assert (mine.layer, mine.kind, mine.units) == (given.layer, given.kind, given.units)
        for name in ("value", "low", "high"):
            wanted, got = getattr(given, name), getattr(mine, name)
            assert (got is None) == (wanted is None)
            if got is not None:
                assert torch.equal(got, torch.as_tensor(wanted))


@pytest.mark.parametrize(
    "step",
    [
        ablate("relu#0", [1]),
        ablate("layer4", positions=np.ones((12, 12), bool)),
        resample("layer4", [1], seed=3),
        ablate("layer4", [1], side="input"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_no_file_is_left(scenes: Model, step: Intervention, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(ModelError, match="cannot be kept"):
        write_repaired(path, scenes, changed={}, interventions=[scale("layer4", 0.5), step])
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_runs_twice_cannot_be_kept(tmp_path: Path) -> None:
    """Attached, a change of the last call would act on the first as well."""
    model, x = wrap(seeded(TwiceRelu), size=8), images()
    with intervene(model, ablate("relu", [1])):
        wanted = model.logits(x)
    before = hooks(model.module)
    with pytest.raises(ModelError, match="'relu' runs more than once"):
        write_repaired(tmp_path / "w.safetensors", model, changed={}, interventions=[ablate("relu", [1])])
    with pytest.raises(ModelError, match="'relu' runs more than once"):
        attach(model, [ablate("conv2", [0]), ablate("relu", [1])])
    assert hooks(model.module) == before
    assert list(tmp_path.iterdir()) == []
    attached = attach(model, [ablate("conv2", [1])])
    assert torch.allclose(attached.logits(x), wanted), "the convolution before it can"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (ablate("layer9", [0]), "no layer 'layer9'"),
        (ablate("layer4", [400]), "no unit 400"),
        (add("layer4", np.ones(3)), "has shape"),
        (project("layer4", np.zeros(128)), "direction is zero"),
    ],
)
def test_a_repair_of_another_model_is_refused_on_loading(
    scenes: Model, step: Intervention, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    save_file({**scenes.module.state_dict(), **pack([step])}, path)
    with pytest.raises(ModelError, match=message):
        read(path)


def plan(entries: Any) -> Tensor:
    """A plan as bytes."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return torch.frombuffer(bytearray(text), dtype=torch.uint8).clone()


@pytest.mark.parametrize(
    "entries",
    [
        b"{",
        b"\xff\xfe",
        5,
        {"layer": "layer4"},
        [["layer4"]],
        [{"layer": "layer4", "kind": "ablate-zero"}],
        [{"layer": "layer4", "kind": "turn", "units": None}],
        [{"layer": "layer4", "kind": "scale", "units": None}],
        [{"layer": "layer4", "kind": "ablate-zero", "units": [1, 1]}],
        [{"layer": "layer4", "kind": "ablate-zero", "units": 3}],
    ],
)
def test_a_damaged_plan_is_said(scenes: Model, entries: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({**scenes.module.state_dict(), f"{PREFIX}plan": plan(entries)}, path)
    with pytest.raises(ModelError, match="is damaged"):
        read(path)
    good = [{"layer": "layer4", "kind": "ablate-zero", "units": [3]}]
    save_file({**scenes.module.state_dict(), f"{PREFIX}plan": plan(good)}, path)
    assert any("Repaired" in note for note in read(path).notes)


def test_a_text_model_takes_no_repair_beside_its_weights(tmp_path: Path) -> None:
    model, path = load_text("world:nli", device="cpu"), tmp_path / "w.safetensors"
    write_repaired(path, model, changed={}, interventions=[scale("fc", 0.5)])
    for opened in (load_text, load_any):
        with pytest.raises(ModelError, match="hold a repair beside them"):
            opened("world:nli", weights=path, device="cpu")
    write_repaired(path, model, changed={})
    assert load_text("world:nli", weights=path, device="cpu").fingerprint() == model.fingerprint()


def test_load_any_carries_a_repair_of_an_image_model(scenes: Model, x: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_repaired(path, scenes, changed={}, interventions=KEPT["zero"])
    back = load_any("world:scenes", weights=path, device="cpu")
    assert isinstance(back, Model)
    assert torch.equal(back.logits(x), read(path).logits(x))


def test_a_tuple_keeps_its_other_items() -> None:
    model = wrap(seeded(OverTuple), size=8)
    bias = model.module.get_parameter("fc.bias")
    assert not torch.allclose(model.logits(images()), bias.expand(4, 3))
    assert torch.allclose(attach(model, [ablate("pair")]).logits(images()), bias.expand(4, 3))
