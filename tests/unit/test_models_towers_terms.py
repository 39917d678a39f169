"""Each term by itself, against loops over tokens that use the model's own layers and its own attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from microtome.methods.decompose.terms import Terms, decompose, expand_heads, places_of, take_apart
from microtome.models.towers.base import Place, Tower
from microtome.models.towers.find import FAMILIES
from microtome.models.towers.streams import run_tower
from tests.support.towers import SMALL, TINY, images, shaken

pytest.importorskip("transformers")
pytest.importorskip("timm")
pytest.importorskip("open_clip")

Readout = Callable[[Any, Tensor, Tensor], Tensor]
"""From the model, the last residual stream and what a part added to it [batch, pos, d_model] to that part's term: the
model's own end, with means removed and divided by the sigma of the whole stream."""


def normed(norm: Any, x: Tensor, part: Tensor) -> Tensor:
    """What a part of row x becomes in a LayerNorm whose sigma is that of x; the shift is nobody's."""
    sigma = (((x - x.mean()) ** 2).mean() + norm.eps).sqrt()
    return (part - part.mean()) / sigma * norm.weight


def class_row(norm: Any, project: Tensor | None, x: Tensor, part: Tensor) -> Tensor:
    rows = [normed(norm, image[0], own[0]) for image, own in zip(x, part, strict=True)]
    return torch.stack([row if project is None else project @ row for row in rows])


def row_mean(norm: Any, project: Tensor, x: Tensor, part: Tensor, first: int) -> Tensor:
    terms = []
    for image, own in zip(x, part, strict=True):
        rows = [own[i] if norm is None else normed(norm, image[i], own[i]) for i in range(first, len(image))]
        terms.append(project @ (sum(rows) / len(rows)))
    return torch.stack(terms)


def mean_then_norm(norm: Any, project: Tensor, x: Tensor, part: Tensor, first: int) -> Tensor:
    return torch.stack(
        [project @ normed(norm, i[first:].mean(0), p[first:].mean(0)) for i, p in zip(x, part, strict=True)]
    )


def dinov2(m: Any, x: Tensor, part: Tensor) -> Tensor:
    body = m.dinov2_with_registers
    head, tail = m.classifier.weight.chunk(2, dim=1)
    first = 1 + body.config.num_register_tokens
    return class_row(body.layernorm, head, x, part) + row_mean(body.layernorm, tail, x, part, first)


def siglip(m: Any, x: Tensor, part: Tensor) -> Tensor:
    vision = m.both.vision_model
    pool, norm, d = vision.head.attention, vision.post_layernorm, x.shape[2]
    probe = vision.head.probe.expand(len(x), -1, -1)
    looks = pool(probe, norm(x), norm(x), average_attn_weights=False)[1]
    value = pool.in_proj_weight[2 * d :]
    terms = []
    for image, own, look in zip(x, part, looks, strict=True):
        mixed = []
        for head, rows in enumerate(value.chunk(pool.num_heads)):
            mixed.append(sum(look[head, 0, i] * (rows @ normed(norm, image[i], own[i])) for i in range(len(image))))
        terms.append(pool.out_proj.weight @ torch.cat(mixed))
    return torch.stack(terms)


READOUTS: dict[str, Readout] = {
    "CLIP": lambda m, x, p: class_row(m.both.vision_model.post_layernorm, m.both.visual_projection.weight, x, p),
    "CLIP classifier": lambda m, x, p: row_mean(None, m.classifier.weight, x, p, 1),
    "SigLIP": siglip,
    "SigLIP classifier": lambda m, x, p: row_mean(m.vision_model.post_layernorm, m.classifier.weight, x, p, 0),
    "ViT": lambda m, x, p: class_row(m.vit.layernorm, m.classifier.weight, x, p),
    "bare DINOv2": lambda m, x, p: class_row(m.body.layernorm, None, x, p),
    "DINOv2 with registers": dinov2,
    "timm token": lambda m, x, p: class_row(m.norm, m.head.weight, x, p),
    "timm mean, then norm": lambda m, x, p: mean_then_norm(m.fc_norm, m.head.weight, x, p, 3),
    "timm norm, then mean": lambda m, x, p: row_mean(m.norm, m.head.weight, x, p, 1),
    "open_clip": lambda m, x, p: class_row(m.both.visual.ln_post, m.both.visual.proj.T, x, p),
    "open_clip with LayerScale": lambda m, x, p: class_row(m.both.visual.ln_post, m.both.visual.proj.T, x, p),
}


def softmax_rows(query: Tensor, key: Tensor) -> Tensor:
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    return scores.exp() / scores.exp().sum(-1, keepdim=True)


def heads_of(block: Any, y: Tensor) -> tuple[list[Tensor], Tensor, Tensor | float]:
    """What each head writes [batch, pos, d_model], the output bias and LayerScale, from a block's own layers."""
    attention: Any = next(getattr(block, name) for name in ("self_attn", "attn", "attention") if hasattr(block, name))
    d = y.shape[2]
    if hasattr(attention, "q_proj"):
        triple = [layer(y) for layer in (attention.q_proj, attention.k_proj, attention.v_proj)]
        out = attention.out_proj if hasattr(attention, "out_proj") else attention.o_proj
    elif hasattr(attention, "qkv"):
        triple, out = list(attention.qkv(y).chunk(3, dim=-1)), attention.proj
    else:
        triple = list((y @ attention.in_proj_weight.T + attention.in_proj_bias).chunk(3, dim=-1))
        out = attention.out_proj
    count = 4
    width = d // count
    scale: Any = next((getattr(block, n) for n in ("layer_scale1", "ls1", "ls_1") if hasattr(block, n)), nn.Identity())
    factor = next((getattr(scale, n) for n in ("lambda1", "gamma") if hasattr(scale, n)), 1.0)
    written = []
    for head in range(count):
        query, key, value = (part[..., head * width : (head + 1) * width] for part in triple)
        mixed = softmax_rows(query, key) @ value
        written.append(mixed @ out.weight[:, head * width : (head + 1) * width].T * factor)
    return written, out.bias, factor


def mlp_scale(block: Any) -> Tensor | float:
    scale: Any = next((getattr(block, n) for n in ("layer_scale2", "ls2", "ls_2") if hasattr(block, n)), nn.Identity())
    return next((getattr(scale, n) for n in ("lambda1", "gamma") if hasattr(scale, n)), 1.0)


def laid_open(name: str) -> tuple[nn.Module, Tower, Terms, Tensor]:
    make, size = SMALL[name]
    module = shaken(make()).double()
    tower = next(t for t in (recognise(module) for recognise in FAMILIES) if t is not None)
    return module, tower, decompose(tower, images(size)), images(size)


@pytest.mark.parametrize("name", READOUTS)
@torch.no_grad()
def test_every_term_by_itself(name: str) -> None:
    module, tower, terms, x = laid_open(name)
    streams = run_tower(tower, x, places_of(tower))
    end = streams.at(tower.end)

    def term(part: Tensor) -> Tensor:
        return READOUTS[name](module, end, part)

    assert torch.allclose(terms.embedding, term(streams.at(tower.start)), rtol=0, atol=1e-10)
    expanded = expand_heads(tower, terms.heads)
    for n, layer in enumerate(tower.layers):
        block = module.get_submodule(layer.attention.name.rpartition(".")[0])
        written, bias, factor = heads_of(block, streams.at(layer.attention.at))
        for head, own in enumerate(written):
            assert torch.allclose(expanded[:, n, head], term(own), rtol=0, atol=1e-10)
        assert torch.allclose(terms.biases[:, n], term((bias * factor).expand_as(end)), rtol=0, atol=1e-10)
        own = streams.at(layer.mlp.at) * mlp_scale(block)
        assert torch.allclose(terms.mlps[:, n], term(own), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", SMALL)
@torch.no_grad()
def test_neurons_write_what_the_mlp_writes(name: str) -> None:
    _, tower, _, x = laid_open(name)
    places = [place for layer in tower.layers for place in (layer.mlp.neurons, layer.mlp.at)]
    streams = run_tower(tower, x, places)
    for layer in tower.layers:
        part = layer.mlp
        wrote = streams.at(part.at) if part.scale is None else streams.at(part.at) * part.scale
        assert torch.allclose(streams.at(part.neurons) @ part.w_out.T + part.b_out, wrote, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", SMALL)
@torch.no_grad()
def test_norms_and_mixed_heads_are_where_the_tower_says(name: str) -> None:
    module, tower, _, x = laid_open(name)
    for layer in tower.layers:
        attention, norm = layer.attention, layer.norm
        wanted = [attention.at, norm.at, Place(attention.name, "output")]
        streams = run_tower(tower, x, [*wanted, *([attention.mixed] if attention.mixed else [])])
        before = streams.at(norm.at)
        centred = before - before.mean(-1, keepdim=True)
        after = centred / norm.sigma(before)[..., None] * norm.scale + norm.shift
        assert torch.allclose(after, streams.at(attention.at), rtol=0, atol=1e-10)
        if attention.mixed is None:
            assert "open_clip" in name
            continue
        block: Any = module.get_submodule(attention.name.rpartition(".")[0])
        mixed = streams.at(attention.mixed).unflatten(-1, (attention.heads, attention.d_head))
        wrote = torch.einsum("bphe,hme->bpm", mixed, attention.wo) + attention.bo
        factor = heads_of(block, streams.at(attention.at))[2]
        own = streams.at(Place(attention.name, "output")) * factor
        assert torch.allclose(wrote, own, rtol=0, atol=1e-10)


@torch.no_grad()
def test_attention_is_the_one_that_the_model_reports() -> None:
    """Eager attention returns its weights, rounded to float32: the head's term is made from them."""
    import transformers

    config = transformers.CLIPVisionConfig(**TINY, projection_dim=10, attn_implementation="eager")
    module: Any = shaken(transformers.CLIPVisionModelWithProjection(config)).double()
    tower = next(t for t in (recognise(module) for recognise in FAMILIES) if t is not None)
    x = images(32)
    streams = run_tower(tower, x, places_of(tower))
    terms = take_apart(tower, streams)
    attention = module(pixel_values=x, output_attentions=True).attentions
    assert float(attention[0].amax(-1).mean()) > 2 / attention[0].shape[-1]
    vision, end = module.vision_model, streams.at(tower.end)
    for n, layer in enumerate(tower.layers):
        own, y = vision.encoder.layers[n].self_attn, streams.at(layer.attention.at)
        value = own.v_proj(y)
        for head in range(4):
            cut = slice(6 * head, 6 * head + 6)
            written = sum(
                attention[n][:, head, 0, j, None] * (value[:, j, cut] @ own.out_proj.weight[:, cut].T)
                for j in range(y.shape[1])
            )
            assert isinstance(written, Tensor)
            expected = class_row(vision.post_layernorm, module.visual_projection.weight, end, written[:, None])
            assert torch.allclose(expand_heads(tower, terms.heads)[:, n, head], expected, rtol=0, atol=1e-6)
