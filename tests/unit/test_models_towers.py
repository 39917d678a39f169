"""Vision transformers laid open: the terms add up to the model's own output, in every family and variant."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest
import torch
from torch import nn

from microtome.core.errors import ModelError
from microtome.methods.decompose.terms import (
    check_exact,
    decompose,
    places_of,
    relative_error,
    take_apart,
    total,
)
from microtome.models.load import load
from microtome.models.model import wrap
from microtome.models.towers.base import Tower
from microtome.models.towers.find import FAMILIES, tower_of
from microtome.models.towers.streams import run_tower
from tests.support.towers import FULL, SMALL, images, open_clip_vit, shaken, timm_vit

pytest.importorskip("transformers")
pytest.importorskip("timm")
pytest.importorskip("open_clip")


def only_tower(module: nn.Module) -> Tower:
    """The tower of the one family that recognises the module."""
    found = [tower for tower in (recognise(module) for recognise in FAMILIES) if tower is not None]
    assert len(found) == 1
    return found[0]


@torch.no_grad()
def error_of(module: nn.Module, size: int, dtype: torch.dtype) -> float:
    tower = only_tower(module.to(dtype))
    return relative_error(tower, take_apart(tower, run_tower(tower, images(size).to(dtype), places_of(tower))))


@pytest.mark.parametrize("name", FULL)
def test_published_sizes_add_up(name: str) -> None:
    make, size = FULL[name]
    module = shaken(make())
    assert error_of(module, size, torch.float32) <= 1e-5
    assert error_of(module, size, torch.float64) <= 1e-10
    del module
    gc.collect()


@pytest.mark.parametrize("name", SMALL)
def test_every_variant_adds_up(name: str) -> None:
    make, size = SMALL[name]
    torch.manual_seed(0)
    module = shaken(make())
    assert error_of(module, size, torch.float32) <= 1e-5
    assert error_of(module, size, torch.float64) <= 1e-12


@pytest.mark.parametrize("name", SMALL)
def test_no_hook_stays(name: str) -> None:
    module = shaken(SMALL[name][0]()).double()
    decompose(only_tower(module), images(SMALL[name][1]))
    for part in module.modules():
        assert not part._forward_hooks
        assert not part._forward_pre_hooks


@pytest.mark.parametrize("name", ["CLIP", "DINOv2 with registers", "timm mean, then norm", "SigLIP", "open_clip"])
@torch.no_grad()
def test_the_sum_misses_what_a_part_adds(name: str) -> None:
    """Control for the tests above: each kind of term is large enough for its absence to show."""
    make, size = SMALL[name]
    module = shaken(make()).double()
    tower = only_tower(module)
    terms = take_apart(tower, run_tower(tower, images(size), places_of(tower)))
    whole = total(tower, terms)
    parts = [terms.embedding, terms.biases.sum(1), terms.mlps.sum(1), terms.constant.expand_as(whole)]
    parts += [whole - total(tower, replace(terms, heads=torch.zeros_like(terms.heads)))]
    for part in parts if terms.tail is None else [*parts, terms.tail]:
        assert float((part.norm(dim=1) / whole.norm(dim=1)).min()) > 1e-3


def test_a_network_without_attention_says_what_is_supported() -> None:
    for spec in ("world:scenes", "torchvision:resnet18@random"):
        model = load(spec, device="cpu")
        with pytest.raises(ModelError, match="no known vision transformer") as caught:
            tower_of(model)
        assert spec in str(caught.value)
        assert "SiglipModel" in str(caught.value)


def test_a_part_between_the_blocks_is_an_error() -> None:
    module = shaken(timm_vit()).double()
    tower = only_tower(module)
    assert check_exact(tower, decompose(tower, images(32))) < 1e-12
    handle = module.get_submodule("blocks.1").register_forward_hook(lambda block, inputs, output: output * 1.01)
    with pytest.raises(ModelError, match="do not add up"):
        decompose(tower, images(32))
    handle.remove()


def test_weights_that_are_no_numbers_are_an_error() -> None:
    module = shaken(timm_vit())
    with torch.no_grad():
        module.get_parameter("blocks.1.mlp.fc1.weight")[0, 0] = torch.nan
    with pytest.raises(ModelError, match="NaN"):
        decompose(only_tower(module), images(32).float())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"qk_norm": True}, "norm of queries and keys"),
        ({"scale_attn_norm": True}, "norm of what heads mix"),
        ({"global_pool": "max"}, "pooling 'max'"),
        ({"global_pool": "avgmax"}, "pooling 'avgmax'"),
        ({"global_pool": ""}, "returns every token"),
        ({"global_pool": "map"}, "classifier after attention pooling"),
    ],
)
def test_parts_of_timm_that_are_no_sum_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        tower_of(wrap(timm_vit(**options), size=32, device="cpu"))


def test_all_parts_that_are_no_sum_are_named_at_once() -> None:
    from timm.layers import RmsNorm
    from timm.models.vision_transformer import ParallelScalingBlock

    odd = timm_vit(block_fn=ParallelScalingBlock, norm_layer=RmsNorm, global_pool="max", fc_norm=False)
    with pytest.raises(ModelError) as caught:
        tower_of(wrap(odd, size=32, device="cpu"))
    for words in ("ParallelScalingBlock", "RmsNorm", "pooling 'max'"):
        assert words in str(caught.value)


def test_parts_of_open_clip_that_are_no_sum_are_named() -> None:
    for options, words in (
        ({"attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 3}, "attention pooling"),
        ({"scale_heads": True}, "CustomResidualAttentionBlock"),
    ):
        with pytest.raises(ModelError, match=words):
            tower_of(wrap(open_clip_vit(**options), size=32, device="cpu"))


@pytest.mark.parametrize(("name", "size"), [("DINOv2", (40, 56)), ("SigLIP 2", (24, 48))])
def test_the_grid_follows_the_input(name: str, size: tuple[int, int]) -> None:
    module = shaken(SMALL[name][0]()).double()
    tower = tower_of(wrap(module, size=size, device="cpu"))
    assert tower.grid == (size[0] // 8, size[1] // 8)
    terms = decompose(tower, images(size))
    streams = run_tower(tower, images(size), [tower.end])
    assert streams.at(tower.end).shape[1] == tower.first_patch + tower.grid[0] * tower.grid[1]
    assert terms.output.shape[0] == 2


def test_the_grid_of_timm_follows_the_input_where_its_positions_do() -> None:
    tower = tower_of(wrap(shaken(timm_vit(dynamic_img_size=True)).double(), size=(48, 24), device="cpu"))
    assert tower.grid == (6, 3)
    decompose(tower, images((48, 24)))


def test_timm_builds_the_size_that_is_asked_for() -> None:
    tower = tower_of(load("timm:vit_tiny_patch16_224@random", size=(64, 96), device="cpu"))
    assert tower.grid == (4, 6)
    decompose(tower, images((64, 96)).float())


@pytest.mark.parametrize("name", ["CLIP", "SigLIP", "SigLIP classifier", "ViT", "timm token", "open_clip"])
def test_positions_of_one_size_refuse_others(name: str) -> None:
    make, size = SMALL[name]
    module = shaken(make())
    assert tower_of(wrap(module, size=size, device="cpu")).grid == (4, 4)
    # As many patches in another shape: SigLIP runs on it, with positions of other places.
    for other in ((16, 64), (48, 48)):
        with pytest.raises(ModelError, match="4 x 4 patches"):
            tower_of(wrap(module, size=other, device="cpu"))
