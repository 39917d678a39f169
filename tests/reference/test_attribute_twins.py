"""Heatmap methods against literal twins: loops in float64 over the maps that the libraries' own code shows.

The towers run fused attention, whose maps are in no graph; the twins take maps and gradients from the same weights run
with attention written out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from microtome.methods.attribute.base import score_of
from microtome.methods.attribute.lrp import row_relevance
from microtome.methods.attribute.registry import HeatmapSettings, make_method
from microtome.models.adapters.hf_clip import ClipImages
from microtome.models.towers.base import Place, Tower
from microtome.models.towers.hf_clip import hf_clip_tower
from microtome.models.towers.hf_siglip import hf_siglip_tower
from microtome.models.towers.hf_vit import hf_vit_tower
from microtome.models.towers.streams import run_tower
from microtome.models.towers.timm_vit import timm_vit_tower

VISION: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 12,
    "patch_size": 4,
}  # fmt: skip
TEXT: dict[str, Any] = {
    "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 9,
    "bos_token_id": 7, "eos_token_id": 8, "pad_token_id": 0,
}  # fmt: skip
CLASSES: dict[str, Any] = {"num_labels": 5}
Maps = Callable[[Tensor], tuple[Tensor, Sequence[Tensor]]]
"""Images -> output and every block's attention [batch head pos key], in one graph."""


@dataclass(frozen=True, eq=False)
class Case:
    """A tower that runs fused attention, and the same weights with attention written out."""

    tower: Tower
    maps: Maps


def shaken(module: nn.Module) -> Any:
    torch.manual_seed(3)
    module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    return module


def written_out(module: nn.Module, q: Tensor, k: Tensor, v: Tensor, mask: None, *, scaling: float, **rest: object):
    """Attention for transformers whose maps are in the graph; its own eager one takes CLIP's softmax in float32."""
    assert mask is None
    attention = (q @ k.mT * scaling).softmax(-1)
    return (attention @ v).transpose(1, 2), attention


def fused_and_written_out(build: Callable[[str], nn.Module], inner: str = "") -> tuple[Any, Maps]:
    """A model of transformers under sdpa, and its twin."""
    from transformers import AttentionInterface

    AttentionInterface.register("written-out", written_out)
    fast, slow = build("sdpa"), build("written-out")
    shaken(fast)
    shaken(slow).load_state_dict(fast.state_dict())
    body: Any = slow.get_submodule(inner)

    def maps(x: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        answer = body(pixel_values=x.clone().requires_grad_(), output_attentions=True)
        if not inner:
            return answer.logits, answer.attentions
        both: Any = slow.get_submodule("both")
        return both.visual_projection(answer.pooler_output), answer.attentions

    return fast, maps


def clip() -> Case:
    from transformers import CLIPConfig, CLIPModel

    def build(kind: str) -> nn.Module:
        config = CLIPConfig(vision_config=VISION, text_config=TEXT, projection_dim=6)
        return ClipImages(CLIPModel._from_config(config, attn_implementation=kind))

    fast, maps = fused_and_written_out(build, "both.vision_model")
    return Case(found(hf_clip_tower(fast)), maps)


def clip_classifier() -> Case:
    """It reads the patches' mean, without a norm."""
    from transformers import CLIPConfig, CLIPForImageClassification

    def build(kind: str) -> nn.Module:
        config = CLIPConfig(vision_config=VISION, text_config=TEXT, **CLASSES)
        return CLIPForImageClassification._from_config(config, attn_implementation=kind)

    fast, maps = fused_and_written_out(build)
    return Case(found(hf_clip_tower(fast)), maps)


def dino() -> Case:
    """Registers, LayerScale, and two readouts."""
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersForImageClassification

    own = {key: value for key, value in VISION.items() if key != "intermediate_size"}

    def build(kind: str) -> nn.Module:
        config = Dinov2WithRegistersConfig(**own, num_register_tokens=2, **CLASSES)
        return Dinov2WithRegistersForImageClassification._from_config(config, attn_implementation=kind)

    fast, maps = fused_and_written_out(build)
    return Case(found(hf_vit_tower(fast)), maps)


def timm_vit() -> Case:
    """Query, key and value in one matrix, and LayerScale."""
    from timm.models.vision_transformer import VisionTransformer

    def build() -> VisionTransformer:
        return VisionTransformer(12, 4, num_classes=5, embed_dim=16, depth=3, num_heads=2, init_values=0.1)

    fast, slow = shaken(build()), shaken(build())
    slow.load_state_dict(fast.state_dict())

    def maps(x: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        kept: list[Tensor] = []
        for block in slow.blocks:
            block.attn.fused_attn = False
            block.attn.attn_drop.register_forward_hook(lambda module, inputs, output: kept.append(output))
        return slow(x.clone().requires_grad_()), kept

    return Case(found(timm_vit_tower(fast)), maps)


def siglip() -> Tower:
    """Pooling by an attention, then an MLP."""
    from transformers import SiglipConfig, SiglipModel

    config = SiglipConfig(vision_config=VISION, text_config={**TEXT, "projection_size": 16})
    return found(hf_siglip_tower(shaken(ClipImages(SiglipModel(config)))))


def found(tower: Tower | None) -> Tower:
    assert tower is not None
    return tower


CASES = {"clip": clip, "clip classifier": clip_classifier, "dinov2": dino, "timm": timm_vit}
TOWERS = {**{key: lambda make=make: make().tower for key, make in CASES.items()}, "siglip": siglip}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


def inputs(tower: Tower) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(2, 3, 12, 12, generator=generator, dtype=torch.float64)
    return x, torch.randn(2, tower.d_out, generator=generator, dtype=torch.float64)


def maps_and_gradients(case: Case, x: Tensor, along: Tensor, *, cosine: bool) -> tuple[list[np.ndarray], ...]:
    """Attention of every block, and the gradient of the score by it."""
    output, maps = case.maps(x)
    if cosine:
        output = torch.nn.functional.normalize(output, dim=1)
    gradients = torch.autograd.grad((output * along).sum(), maps)
    return [m.detach().numpy() for m in maps], [g.numpy() for g in gradients]


def read_rows(tower: Tower, x: Tensor) -> np.ndarray:
    """[batch, pos]: what the output reads of each row, to a sum of 1."""
    end = run_tower(tower, x, [tower.end]).at(tower.end).detach()
    rho = tower.pooling.rows(end).numpy()
    weights = np.zeros(end.shape[:2])
    for n in range(len(x)):
        for r in range(rho.shape[0]):
            for i in range(rho.shape[2]):
                weights[n, i] += rho[r, n, i]
        weights[n] /= weights[n].sum()
    return weights


def laid_out(tower: Tower, row: np.ndarray) -> np.ndarray:
    down, across = tower.grid
    grid = np.zeros(tower.grid)
    for a in range(down):
        for b in range(across):
            grid[a, b] = row[tower.first_patch + a * across + b]
    return grid


def head_mean(attention: np.ndarray) -> np.ndarray:
    heads, rows, _ = attention.shape
    mean = np.zeros((rows, rows))
    for h in range(heads):
        mean += attention[h] / heads
    return mean


def literal_raw(maps: list[np.ndarray], gradients: list[np.ndarray], w: np.ndarray, tower: Tower) -> np.ndarray:
    return w @ head_mean(maps[-1])


def literal_rollout(maps: list[np.ndarray], gradients: list[np.ndarray], w: np.ndarray, tower: Tower) -> np.ndarray:
    joint = np.eye(len(w))
    for attention in maps:
        joint = (0.5 * head_mean(attention) + 0.5 * np.eye(len(w))) @ joint
    return w @ joint


def literal_gradcam(maps: list[np.ndarray], gradients: list[np.ndarray], w: np.ndarray, tower: Tower) -> np.ndarray:
    attention, gradient = maps[-1], gradients[-1]
    heads, rows, _ = attention.shape
    cam = np.zeros(rows)
    for h in range(heads):
        weight = 0.0
        for j in range(tower.first_patch, rows):
            for i in range(rows):
                weight += gradient[h, i, j] / (rows - tower.first_patch)
        for j in range(rows):
            for i in range(rows):
                cam[j] += weight * w[i] * attention[h, i, j] / heads
    return np.maximum(cam, 0)


def literal_chefer(maps: list[np.ndarray], gradients: list[np.ndarray], w: np.ndarray, tower: Tower) -> np.ndarray:
    relevance = np.eye(len(w))
    for attention, gradient in zip(maps, gradients, strict=True):
        raising = np.zeros_like(relevance)
        for h in range(len(attention)):
            raising += np.maximum(attention[h] * gradient[h], 0) / len(attention)
        relevance = relevance + raising @ relevance
    return w @ relevance


TWINS = {
    "raw-attention": literal_raw,
    "rollout": literal_rollout,
    "gradcam": literal_gradcam,
    "gradient-rollout": literal_chefer,
}


@pytest.mark.parametrize("cosine", [True, False])
@pytest.mark.parametrize("name", TWINS)
def test_a_heatmap_is_its_twins(case: Case, name: str, cosine: bool) -> None:
    x, along = inputs(case.tower)
    got = make_method(name, HeatmapSettings(cosine)).run(case.tower, x, along).numpy()
    maps, gradients = maps_and_gradients(case, x, along, cosine=cosine)
    weights = read_rows(case.tower, x)
    for n in range(len(x)):
        row = TWINS[name]([m[n] for m in maps], [g[n] for g in gradients], weights[n], case.tower)
        np.testing.assert_allclose(got[n], laid_out(case.tower, row), rtol=1e-9, atol=1e-13)
    assert got.max() > 1e-6


def test_the_class_row_alone_is_read_where_it_should_be() -> None:
    weights = {key: read_rows(tower, inputs(tower)[0])[0] for key, tower in ((k, make()) for k, make in TOWERS.items())}
    for key in ("clip", "timm"):
        assert weights[key].tolist() == [1.0] + [0.0] * 9
    np.testing.assert_allclose(weights["clip classifier"], [0.0] + [1 / 9] * 9)
    assert (weights["dinov2"] > 0).tolist() == [True, False, False] + [True] * 9
    assert len(weights["siglip"]) == 9
    assert weights["siglip"].std() > 1e-3


class FrozenClip:
    """A CLIP's image side in numpy with A, sigma and f(z) / z as they are for one image: affine in the embedding."""

    def __init__(self, module: Any, x: np.ndarray) -> None:
        self.weights = {key: value.numpy() for key, value in module.state_dict().items()}
        self.constants: dict[str, np.ndarray] = {}
        self.output = self.run(x)

    def run(self, x: np.ndarray) -> np.ndarray:
        """The first call takes the constants, the later ones keep them."""
        for n in range(3):
            name = f"both.vision_model.encoder.layers.{n}"
            x = x + self.attention(f"{name}.self_attn", self.norm(f"{name}.layer_norm1", x))
            z = self.linear(f"{name}.mlp.fc1", self.norm(f"{name}.layer_norm2", x))
            # x sigmoid(1.702 x), over x
            slope = self.constants.setdefault(f"{name}.slope", 1 / (1 + np.exp(-1.702 * z)))
            x = x + self.linear(f"{name}.mlp.fc2", z * slope)
        read = self.norm("both.vision_model.post_layernorm", x)[0]
        return self.weights["both.visual_projection.weight"] @ read

    def linear(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, name: str, x: np.ndarray) -> np.ndarray:
        sigma = self.constants.setdefault(name, np.sqrt(x.var(axis=1, keepdims=True) + 1e-5))
        return (x - x.mean(axis=1, keepdims=True)) / sigma * self.weights[f"{name}.weight"] + self.weights[
            f"{name}.bias"
        ]

    def attention(self, name: str, y: np.ndarray) -> np.ndarray:
        q, k, v = (self.linear(f"{name}.{part}_proj", y) for part in "qkv")
        mixed = np.zeros_like(v)
        for h in range(2):
            own = slice(8 * h, 8 * h + 8)
            scores = np.exp(q[:, own] @ k[:, own].T / np.sqrt(8))
            attention = self.constants.setdefault(f"{name}.{h}", scores / scores.sum(axis=1, keepdims=True))
            mixed[:, own] = attention @ v[:, own]
        return self.linear(f"{name}.out_proj", mixed)


@pytest.mark.parametrize("cosine", [True, False])
def test_relevance_is_what_a_row_alone_brings_to_the_frozen_network(cosine: bool) -> None:
    """Without gradients: frozen(row i, zeros elsewhere) - frozen(zeros), along the direction."""
    tower = clip().tower
    x, along = inputs(tower)
    got = row_relevance(tower, x, along, cosine=cosine).numpy()
    seen = run_tower(tower, x, [tower.start])
    for n in range(len(x)):
        start = seen.at(tower.start)[n].detach().numpy()
        frozen = FrozenClip(tower.module, start)
        np.testing.assert_allclose(frozen.output, seen.output[n].detach().numpy(), rtol=1e-10)
        unit = along[n].numpy() / (np.linalg.norm(frozen.output) if cosine else 1.0)
        nothing = frozen.run(np.zeros_like(start)) @ unit
        assert abs(nothing) > 1e-3
        for i in range(len(start)):
            alone = np.zeros_like(start)
            alone[i] = start[i]
            np.testing.assert_allclose(got[n, i], frozen.run(alone) @ unit - nothing, rtol=1e-8, atol=1e-11)
        # What the biases write is all that is left of the score.
        np.testing.assert_allclose(got[n].sum() + nothing, frozen.output @ unit, rtol=1e-9)


@pytest.mark.parametrize("cosine", [True, False])
@pytest.mark.parametrize("make", TOWERS.values(), ids=TOWERS)
def test_without_biases_relevance_adds_up_to_the_score_less_the_tail(make: Callable[[], Tower], cosine: bool) -> None:
    module = make().module
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
    recognised = (recognise(module) for recognise in (hf_clip_tower, hf_siglip_tower, hf_vit_tower, timm_vit_tower))
    tower = next(known for known in recognised if known is not None)
    x, along = inputs(tower)
    seen = run_tower(tower, x, [])
    shared = seen.output.detach()
    if tower.tail is not None:
        shared = shared - seen.at(Place(tower.tail.module, "output")).detach().reshape(shared.shape)
    score = (shared * along).sum(1) / (seen.output.detach().norm(dim=1) if cosine else 1.0)
    got = row_relevance(tower, x, along, cosine=cosine)
    torch.testing.assert_close(got.sum(1), score, rtol=1e-9, atol=1e-12)
    assert score.abs().min() > 1e-4


def test_the_plain_gradient_times_input_does_not_add_up() -> None:
    """What the constants are for: of a cosine it adds up to nothing like the score."""
    tower = clip().tower
    x, along = inputs(tower)
    seen = run_tower(tower, x.requires_grad_(), [tower.start])
    score = score_of(seen.output, along, cosine=True)
    start = seen.at(tower.start)
    (gradient,) = torch.autograd.grad(score.sum(), start)
    plain = (gradient * start).sum((1, 2)).detach()
    kept = row_relevance(tower, x.detach(), along).sum(1)
    assert (plain - kept).abs().min() > 1e-2
