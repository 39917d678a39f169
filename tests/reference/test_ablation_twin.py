"""Ablation against literal twins: stored terms replaced by their mean, and heads taken out of the attention by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError, OptionError
from microtome.core.intervention import Intervention, ablate, add
from microtome.data.world.arrangements import Arrangements
from microtome.methods.decompose.ablation import Deviations, Parts, TermSums
from microtome.methods.decompose.choose_heads import CellSums
from microtome.methods.decompose.terms import Terms, decompose, expand_heads, head_matrices
from microtome.models.intervene import intervene
from microtome.models.model import wrap
from microtome.models.towers.base import Tower
from microtome.models.towers.find import tower_of
from microtome.models.towers.streams import run_tower
from microtome.models.world_clip import ClipSizes, WorldClip
from microtome.recipes.direct_pass import Opened
from microtome.recipes.total_effect import Sample, can_hold_heads, held_at, outputs_held, position_means
from tests.support.networks import hooks
from tests.support.towers import SMALL, images, shaken

pytest.importorskip("transformers")
pytest.importorskip("timm")
pytest.importorskip("open_clip")

HALF, QUARTER = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
PARTS = (
    Parts(mlps=(0, 2)), Parts(attention=(0, 1)), Parts(heads=((0, 1), (2, 3), (2, 0))), Parts(embedding=True),
    Parts(mlps=(0, 1, 2), attention=(1,), heads=((1, 0), (2, 2)), embedding=True),
)  # fmt: skip


def tower(kind: str) -> Tower:
    make, size = SMALL[kind]
    return tower_of(wrap(shaken(make()).double(), size=size, mean=HALF, std=HALF, device="cpu"))


def literal(tower: Tower, terms: Terms, parts: Parts, searched: slice) -> np.ndarray:
    """Every term stored and expanded, those of the parts overwritten by their mean, all added up again."""
    layers, heads = terms.heads.shape[1:3]
    named: dict[Any, Tensor] = {("embedding",): terms.embedding, ("constant",): terms.constant.expand_as(terms.output)}
    if terms.tail is not None:
        named["tail",] = terms.tail
    expanded = expand_heads(tower, terms.heads)
    for n in range(layers):
        named["mlp", n], named["bias", n] = terms.mlps[:, n], terms.biases[:, n]
        named |= {("head", n, h): expanded[:, n, h] for h in range(heads)}
    gone = {("mlp", n) for n in parts.mlps} | {("head", n, h) for n in parts.attention for h in range(heads)}
    gone |= {("head", n, h) for n, h in parts.heads} | ({("embedding",)} if parts.embedding else set())
    total = torch.zeros_like(terms.output)
    for name, term in named.items():
        total = total + (term[searched].mean(0).expand_as(term) if name in gone else term)
    return total.numpy()


@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "DINOv2 with registers", "timm mean, then norm"])
def test_direct_effects_equal_stored_terms_replaced(kind: str) -> None:
    one = tower(kind)
    terms = decompose(one, images(SMALL[kind][1], count=6))
    arrays = {name: getattr(terms, name).numpy() for name in ("heads", "mlps", "embedding")}
    sums = TermSums(3, one.heads, one.space, one.d_out)
    for block in (slice(0, 1), slice(1, 4)):
        sums.add(*(arrays[name][block] for name in ("heads", "mlps", "embedding")))
    away = Deviations.of(arrays, sums.means(), [head_matrices(one, n).numpy() for n in range(3)])
    for parts in PARTS:
        expected = literal(one, terms, parts, slice(0, 4))
        assert np.allclose(terms.output.numpy() - away.removed(parts), expected, atol=1e-9, rtol=1e-9), parts.words
        assert not np.allclose(terms.output.numpy(), expected, atol=1e-3), "something was removed"


@contextmanager
def heads_taken(module: nn.Module, project: nn.Linear, units: list[int], mean: Tensor) -> Iterator[None]:
    """Take heads out of an attention's output by hand: less W_O (z - mean z) of their rows."""
    seen: list[Tensor] = []

    def correct(_: nn.Module, inputs: Any, output: Any) -> Any:
        away = (seen[-1] - mean)[:, :, units] @ project.weight[:, units].T
        return (output[0] - away, *output[1:]) if isinstance(output, tuple) else output - away

    handles = [
        project.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach())),
        module.register_forward_hook(correct),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("kind", ["CLIP", "timm mean, then norm", "DINOv2"])
def test_single_heads_in_the_model_equal_the_correction_of_the_attentions_output(kind: str) -> None:
    """Among them models with LayerScale, which comes after the attention and must not be applied twice."""
    one = tower(kind)
    x = images(SMALL[kind][1], count=5)
    part = one.layers[1].attention
    assert part.mixed is not None
    project = one.module.get_submodule(part.mixed.module)
    assert isinstance(project, nn.Linear)
    seen: list[Tensor] = []
    handle = project.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    plain = run_tower(one, x, ()).output
    handle.remove()
    mean = seen[0].mean(0)
    width = part.d_head
    units = [*range(width), *range(2 * width, 3 * width)]
    with heads_taken(one.module.get_submodule(part.name), project, units, mean):
        expected = run_tower(one, x, ()).output
    held = held_at(one, Parts(heads=((1, 0), (1, 2))), {part.mixed: mean})
    with intervene(one.module, held):
        found = run_tower(one, x, ()).output
    assert torch.allclose(found, expected, atol=1e-11)
    assert not torch.allclose(found, plain, atol=1e-4)
    assert torch.equal(run_tower(one, x, ()).output, plain), "nothing lasts"
    assert not hooks(one.module)


def small_clip() -> Opened:
    torch.manual_seed(0)
    sizes = ClipSizes(width=24, layers=3, heads=4, text_width=8, text_layers=1, text_heads=2, words=20, shared=12)
    model = wrap(shaken(WorldClip(sizes)).double(), size=64, mean=HALF, std=QUARTER, device="cpu")
    return Opened(model, tower_of(model), Arrangements("heldout", count=12))


def test_total_effects_equal_a_forward_pass_written_out() -> None:
    opened = small_clip()
    assert can_hold_heads(opened.tower)
    searched, asked = (Sample.of(opened, np.arange(*span), 4) for span in ((0, 6), (6, 12)))
    means = position_means(opened, searched)
    vision: Any = opened.model.module.vision  # type: ignore[union-attr]

    def written(x: Tensor, middles: Any, parts: Parts) -> tuple[Tensor, dict[Any, Tensor]]:
        patches = vision.patches(x).flatten(2).transpose(1, 2)
        first = vision.class_row.expand(len(patches), 1, -1)
        x = vision.norm_before(torch.cat((first, patches), dim=1) + vision.places)
        kept: dict[Any, Tensor] = {"embedding": x}
        if parts.embedding:
            x = middles["embedding"].expand_as(x)
        for n, block in enumerate(vision.blocks):
            added = block.attention(block.norm1(x))
            kept["attention", n] = added
            x = x + (middles["attention", n] if n in parts.attention else added)
            added = block.mlp(block.norm2(x))
            kept["mlp", n] = added
            x = x + (middles["mlp", n] if n in parts.mlps else added)
        return vision.project(vision.norm_after(x[:, 0])), kept

    with torch.no_grad():
        middles = {k: v.mean(0) for k, v in written(torch.cat(searched.batches).double(), {}, Parts())[1].items()}
        for parts in (Parts(mlps=(0, 1)), Parts(attention=(0,), mlps=(2,)), Parts(embedding=True)):
            expected = written(torch.cat(asked.batches).double(), middles, parts)[0].numpy()
            found = outputs_held(opened, asked, held_at(opened.tower, parts, means))
            assert np.allclose(found, expected, atol=1e-10), parts.words
    whole = outputs_held(opened, asked, [])
    every = Parts(heads=tuple((0, h) for h in range(4)))
    one_layer = outputs_held(opened, asked, held_at(opened.tower, Parts(attention=(0,)), means))
    assert np.allclose(outputs_held(opened, asked, held_at(opened.tower, every, means)), one_layer, atol=1e-10)
    assert np.abs(whole - one_layer).max() > 1e-3
    assert not hooks(opened.model.module)


def test_an_input_is_changed_by_position_keyword_and_not_by_call() -> None:
    first = nn.Linear(3, 3)
    net = nn.Sequential(first, nn.ReLU())
    x = torch.randn(2, 3)
    with intervene(net, [add("0", 1.0, [1]), Intervention("0", "replace", value=torch.zeros(3), side="input")]):
        assert torch.allclose(net(x), torch.relu(first.bias + torch.tensor([0.0, 1.0, 0.0])).expand(2, 3))
    with pytest.raises(OptionError, match="every call"):
        ablate("0#0", side="input")
    with pytest.raises(ModelError, match=r"no unit 3"), intervene(net, ablate("0", [3], side="input")):
        net(x)
    assert not hooks(net)


def test_shares_equal_sums_of_squares_of_a_balanced_table_by_hand() -> None:
    generator = np.random.default_rng(5)
    label, value = (axis.ravel() for axis in np.meshgrid(range(3), range(2), indexing="ij"))
    label, value = np.repeat(label, 4), np.repeat(value, 4)
    x = generator.normal(size=(24, 2, 3)) + label[:, None, None] * np.array([1.0, 0.2])[:, None]
    x[:, 1, 0] += 2.0 * value * (label == 1)
    sums = CellSums(3, 2, 2, 3)
    sums.add(x, label, value)
    shares = sums.shares()
    for head in range(2):
        own = x[:, head]
        grand = own.mean(0)
        within = np.mean([own[(label == y) & (value == a)].var(0, ddof=1).sum() for y in range(3) for a in range(2)])
        by_y = np.mean([((own[label == y].mean(0) - grand) ** 2).sum() for y in range(3)]) - 2 / 3 * within / 8
        by_a = np.mean([((own[value == a].mean(0) - grand) ** 2).sum() for a in range(2)]) - 1 / 2 * within / 12
        rest = 0.0
        for y in range(3):
            for a in range(2):
                cell = own[(label == y) & (value == a)].mean(0)
                rest += ((cell - own[label == y].mean(0) - own[value == a].mean(0) + grand) ** 2).sum() / 6
        both = rest - (2 / 3) * (1 / 2) * within / 4
        whole = within + by_y + by_a + both
        found = [shares.label[head], shares.attribute[head], shares.both[head], shares.variance[head]]
        assert found == pytest.approx([by_y / whole, by_a / whole, both / whole, whole])
