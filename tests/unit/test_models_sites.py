"""Which sites a network has, and where their units lie."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError, OptionError
from microtome.models.model import Model, wrap
from microtome.models.preprocess import Preprocess
from tests.support.networks import OverTuple, TwiceRelu, hooks, images, seeded


def test_every_module_that_ran_is_a_site_and_calls_are_numbered() -> None:
    model = wrap(seeded(TwiceRelu), size=8)
    assert list(model.sites()) == ["conv1", "relu", "relu#0", "relu#1", "conv2", "fc"]
    assert model.site("relu#0").shape == (4, 8, 8)
    assert model.site("relu").shape == model.site("relu#1").shape == (5, 8, 8)
    assert model.default_site().layer == "relu"
    assert hooks(model.module) == 0


def test_a_tuple_is_a_site_by_its_first_item_and_what_does_not_run_is_none() -> None:
    net = seeded(OverTuple)
    net.add_module("idle", nn.Linear(2, 2))
    sites = wrap(net, size=8).sites()
    assert sites["pair"].shape == (4, 8, 8)
    assert "idle" not in sites


class ChannelLast(nn.Module):
    """Conv, then a stage in [batch height width unit] as in Swin, then back."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 2, stride=2)
        self.norm = nn.LayerNorm(6)
        self.up = nn.Linear(6, 12)
        self.act = nn.GELU()
        self.down = nn.Linear(12, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).permute(0, 2, 3, 1)
        x = x + self.down(self.act(self.up(self.norm(x))))
        return self.head(x.mean((1, 2)))


def test_units_on_the_last_of_four_axes_are_found() -> None:
    sites = wrap(seeded(ChannelLast), size=10).sites()
    assert {name: (site.unit_axis, site.units) for name, site in sites.items()} == {
        "stem": (1, 6),
        "norm": (3, 6),
        "up": (3, 12),
        "act": (3, 12),
        "down": (3, 6),
        "head": (1, 3),
    }
    assert sites["act"].spatial


class Attention(nn.Module):
    """Tokens, with the heads' values as a four-axis output."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 4, stride=4)
        self.norm = nn.LayerNorm(6)
        self.split = nn.Identity()
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.embed(x).flatten(2).transpose(1, 2))
        heads = self.split(x.unflatten(-1, (2, 3)).transpose(1, 2))
        return self.head(heads.transpose(1, 2).flatten(2).mean(1))


def test_the_heads_of_attention_are_no_map_of_the_image() -> None:
    model = wrap(seeded(Attention), size=(8, 12))
    assert model.site("norm").shape == (6, 6)
    assert model.site("norm").unit_axis == 2
    assert model.site("split").units == 2
    assert not model.site("split").spatial
    assert model.default_site().layer == "embed"


def test_unknown_layers_and_networks_without_maps() -> None:
    model = wrap(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 5)), size=4)
    with pytest.raises(ModelError, match="'1'"):
        model.site("2")
    with pytest.raises(ModelError, match="spatial map"):
        model.default_site()


def test_a_network_that_does_not_take_the_input_is_a_clear_error() -> None:
    model = wrap(nn.Conv2d(1, 4, 3), size=8)
    with pytest.raises(ModelError, match=r"\(2, 3, 8, 8\)"):
        model.sites()
    assert hooks(model.module) == 0


def test_logits_must_be_one_number_a_class() -> None:
    with pytest.raises(ModelError, match="batch class"):
        wrap(nn.Conv2d(3, 4, 3), size=8).logits(images())


def test_wrap_prepares_the_network_and_says_what_it_was_not_told() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 2), nn.Dropout(0.9)).train()
    model = wrap(net, size=4, classes=["cat", "dog"])
    assert isinstance(model, Model)
    assert not net.training
    assert model.classes == ("cat", "dog")
    assert "mean and std" in model.notes[0]
    x = images(size=4)
    assert torch.equal(model.logits(x), model.logits(x))
    assert wrap(net, size=4, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)).notes == ()
    for arguments in ({}, {"size": 4, "preprocess": Preprocess(4)}):
        with pytest.raises(OptionError, match="size"):
            wrap(net, **arguments)
    for device in ("tpu", "cuda:77"):
        with pytest.raises(OptionError, match=device):
            wrap(net, size=4, device=device)


def test_the_fingerprint_sees_values_types_and_names() -> None:
    def prints(net: nn.Module) -> str:
        return wrap(net, size=8).fingerprint()

    plain = prints(seeded(TwiceRelu))
    assert len(plain) == 64
    assert plain == prints(seeded(TwiceRelu))
    assert plain != prints(seeded(TwiceRelu, seed=1))
    assert plain != prints(seeded(TwiceRelu).half())
    one_bit = seeded(TwiceRelu)
    with torch.no_grad():
        one_bit.get_parameter("fc.bias")[0] += 1e-6
    assert plain != prints(one_bit)
    norm = nn.BatchNorm2d(3)
    before = prints(norm)
    norm.get_buffer("running_mean")[0] = 1
    assert before != prints(norm)
