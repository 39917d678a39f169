"""Heatmaps in closed form: what a direction sees of a head that is made to look and to write in a known way."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from microtome.methods.decompose.heatmap import fold, head_heatmaps, heatmaps
from microtome.methods.decompose.terms import decompose
from microtome.models.towers.base import AttentionPart, Tower
from microtome.models.towers.mixing import first_row_attention, full_attention, weighted_attention
from tests.support.decompose_worlds import SIDE, blended, tiny_clip, tiny_tower
from tests.support.towers import images


def part(heads: int = 2, width: int = 6, *, seed: int = 0) -> AttentionPart:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    base = tiny_tower().layers[0].attention
    return replace(
        base, wq=draw(heads, 3, width), wk=draw(heads, 3, width), wv=draw(heads, 3, width), bq=draw(heads, 3),
        bk=10.0 * draw(heads, 3), bv=draw(heads, 3), wo=draw(heads, width, 3), bo=draw(width), temperature=0.7,
    )  # fmt: skip


def rows(seed: int = 1) -> Tensor:
    return torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_first_row_is_that_of_the_whole_attention() -> None:
    found = first_row_attention(part(), rows())
    assert torch.allclose(found, full_attention(part(), rows())[:, :, 0], rtol=0, atol=1e-14)
    assert torch.allclose(found.sum(-1), torch.ones(2, 2, dtype=torch.float64), rtol=0, atol=1e-14)
    assert found.std() > 0.05


def test_a_key_bias_changes_nothing() -> None:
    plain = replace(part(), bk=torch.zeros(2, 3, dtype=torch.float64))
    own = part()
    query = torch.einsum("bd,hed->bhe", rows()[:, 0], own.wq) + own.bq
    scores = torch.einsum("bhe,bjhe->bhj", query, torch.einsum("bjd,hed->bjhe", rows(), own.wk) + own.bk) * 0.7
    assert torch.allclose(first_row_attention(plain, rows()), scores.softmax(-1), rtol=0, atol=1e-13)


def test_row_weights_mix_the_rows_of_attention() -> None:
    rho = torch.tensor([[[0.0, 1.0, 0.0, 0.0, 0.0]] * 2, [[0.5, 0.0, 0.0, 0.0, -2.0]] * 2], dtype=torch.float64)
    whole = full_attention(part(), rows())
    found = weighted_attention(part(), rows(), rho)
    assert found.shape == (2, 2, 2, 5)
    assert torch.allclose(found[0], whole[:, :, 1], rtol=0, atol=1e-14)
    assert torch.allclose(found[1], 0.5 * whole[:, :, 0] - 2.0 * whole[:, :, 4], rtol=0, atol=1e-14)
    one = weighted_attention(part(), rows(), torch.full((1, 2, 1), 3.0, dtype=torch.float64))
    assert torch.allclose(one[0], 3.0 * whole[:, :, 0], rtol=0, atol=1e-14)


def changed_head(tower: Tower, layer: int, **parts: Tensor) -> Tower:
    own = tower.layers[layer]
    layers = list(tower.layers)
    layers[layer] = replace(own, attention=replace(own.attention, **parts))
    return replace(tower, layers=tuple(layers))


def test_a_head_that_looks_everywhere_and_writes_its_bias_alone_is_flat() -> None:
    tower = tiny_tower()
    own = tower.layers[1].attention
    flat = changed_head(tower, 1, wq=0 * own.wq, bq=0 * own.bq, wv=0 * own.wv)
    direction = torch.randn(tower.d_out, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = head_heatmaps(flat, images(SIDE), direction, layer=1, head=2)
    written = tower.pooling.matrices[0] @ (own.wo[2] @ own.bv[2])
    rho = tower.pooling.rows(end_of(tower))[0, :, 0]
    assert torch.allclose(found, (rho * (direction @ written) / 17)[:, None, None].expand(2, 4, 4), rtol=0, atol=1e-12)


def end_of(tower: Tower) -> Tensor:
    from microtome.models.towers.streams import run_tower

    with torch.no_grad():
        return run_tower(tower, images(SIDE), [tower.end]).at(tower.end)


def test_heat_is_linear_in_the_direction() -> None:
    tower, x = tiny_tower(), images(SIDE)
    one, two = torch.eye(tower.d_out, dtype=torch.float64)[:2]
    both = heatmaps(tower, x, torch.stack([one, two, 2.0 * one - 3.0 * two, 0 * one]))
    assert torch.allclose(both[:, 2], 2.0 * both[:, 0] - 3.0 * both[:, 1], rtol=0, atol=1e-12)
    assert not both[:, 3].any()
    assert both[:, :2].std() > 1e-3


def test_a_direction_that_no_head_writes_is_cold() -> None:
    tower = blended(tiny_tower())
    outside = torch.linalg.svd(tower.pooling.matrices.transpose(0, 1).flatten(1), full_matrices=True)[0][:, -1]
    matrices = tower.pooling.matrices - torch.einsum("o,p,rpd->rod", outside, outside, tower.pooling.matrices)
    cold = replace(tower, pooling=replace(tower.pooling, matrices=matrices))  # type: ignore[type-var]
    assert heatmaps(cold, images(SIDE), outside[None]).abs().max() < 1e-12
    assert heatmaps(tower, images(SIDE), outside[None]).abs().max() > 1e-3


def test_the_layers_that_are_counted() -> None:
    tower, x = tiny_tower(), images(SIDE)
    directions = torch.eye(tower.d_out, dtype=torch.float64)[:2]
    first, second = (heatmaps(tower, x, directions, layers=[n]) for n in (0, 1))
    assert torch.allclose(first + second, heatmaps(tower, x, directions), rtol=0, atol=1e-13)
    assert not heatmaps(tower, x, directions, layers=[]).any()
    assert torch.allclose(second, heatmaps(tower, x, directions, layers=[1], folded=[fold(tower, directions, 1)]))
    with pytest.raises(ValueError, match="zip"):
        heatmaps(tower, x, directions, layers=[0, 1], folded=[fold(tower, directions, 1)])


def test_nothing_is_left_on_the_model_and_nothing_needs_gradients() -> None:
    model = tiny_clip()
    from microtome.models.towers.find import tower_of

    tower, x = tower_of(model), images(SIDE).float()
    before = model.module(x)
    found = heatmaps(tower, x, torch.eye(tower.d_out)[:1])
    decompose(tower, x)
    assert not found.requires_grad
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.module.modules())
    assert torch.equal(model.module(x), before)


def test_every_image_is_seen_by_itself() -> None:
    tower, x = tiny_tower(), images(SIDE, count=5)
    directions = torch.eye(tower.d_out, dtype=torch.float64)[:2]
    alone = torch.cat([heatmaps(tower, image[None], directions) for image in x])
    assert torch.allclose(alone, heatmaps(tower, x, directions), rtol=0, atol=1e-12)
