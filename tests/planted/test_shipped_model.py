"""The shipped model is what its card says."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest
import torch

from microtome.core.errors import ModelError
from microtome.data.world.dataset import WORLD_VERSION, World
from microtome.data.world.shortcuts import SHORTCUTS, shows_first_cue
from microtome.models import scenes
from microtome.models.scenes import load_scenes, scenes_card, scenes_card_text

CHECKED = 208  # thirteen of each class
MISLED = 112


def _says(world: World) -> np.ndarray:
    card = scenes_card()
    net = load_scenes()
    pixels = np.stack([world.read(index).pixels for index in range(len(world))])
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    batch = (batch - torch.tensor(card.mean)[:, None, None]) / torch.tensor(card.std)[:, None, None]
    with torch.inference_mode():
        return np.concatenate([net(part).argmax(1).numpy() for part in batch.split(52)])


def _classes(world: World) -> np.ndarray:
    return np.array([world.classes.index(world.scene(index).scene) for index in range(len(world))])


def test_weights_and_world_are_of_one_version() -> None:
    card = scenes_card()
    assert card.world_version == WORLD_VERSION
    assert card.classes == World("train", count=1).classes
    assert card.size == 96


def test_it_reaches_its_stated_accuracy_on_heldout_images() -> None:
    world = World("heldout", count=CHECKED)
    accuracy = (_says(world) == _classes(world)).mean()
    assert accuracy > scenes_card().accuracy["heldout"] - 0.03
    assert accuracy > 0.9


def test_the_shortcuts_mislead_it_as_its_card_says() -> None:
    world = World("shift", count=MISLED)
    right = _says(world) == _classes(world)
    assert right.mean() == pytest.approx(scenes_card().accuracy["shift"], abs=0.12)
    water = SHORTCUTS["water-color"]
    pair = [index for index in range(MISLED) if world.scene(index).scene in water.classes]
    agrees = np.array(
        [shows_first_cue(water.name, world.scene(i)) == (world.scene(i).scene == water.classes[0]) for i in pair]
    )
    # Colour is all that it could learn: right where the colour is, wrong where the colour misleads.
    assert right[pair][agrees].mean() > 0.9
    assert right[pair][~agrees].mean() < 0.1


def test_the_card_covers_every_split_and_shortcut() -> None:
    card = json.loads(scenes_card_text())
    assert {"train", "validation", "heldout", "shift", "heldout, shortcuts off"} == set(card["accuracy"])
    assert set(card["shortcuts"]) == set(SHORTCUTS)
    net = load_scenes()
    assert card["parameters"] == sum(value.numel() for value in net.parameters())
    assert 600_000 <= card["parameters"] <= 1_300_000


def test_it_is_small_and_has_torchvisions_names() -> None:
    weights = resources.files("microtome.models").joinpath("weights", "scenes.safetensors")
    assert len(weights.read_bytes()) < 3_000_000
    net = load_scenes()
    assert not net.training
    assert {value.dtype for value in net.parameters()} == {torch.float32}
    names = [name for name, _ in net.named_children()]
    for name in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"):
        assert name in names
    with torch.inference_mode():
        maps = net.get_submodule("layer4")(torch.zeros(1, 96, 12, 12))
    assert maps.shape == (1, 128, 12, 12)


def test_missing_weights_are_named(monkeypatch) -> None:
    monkeypatch.setattr(scenes, "_WEIGHTS", "nowhere.safetensors")
    with pytest.raises(ModelError, match=r"weights/nowhere.safetensors"):
        load_scenes()
