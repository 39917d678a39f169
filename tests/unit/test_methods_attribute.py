"""Heatmap methods: what each of them must keep, closed forms, and what the relevance of rows adds up to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import MicrotomeError, ModelError, OptionError
from microtome.core.source import Source
from microtome.methods.attribute.base import HeatmapMethod, attention_gradient, graded_pass, score_of
from microtome.methods.attribute.lrp import row_relevance
from microtome.methods.attribute.registry import METHODS, HeatmapSettings, make_method
from microtome.models.towers.base import (
    AttentionPart,
    LayerPart,
    NormPart,
    Place,
    Tower,
    centred,
    norm_part,
    plain_mlp,
    split_bias,
    split_heads,
    split_output,
)
from microtome.models.towers.world_clip import world_clip_tower
from microtome.models.world_clip import ClipSizes, WorldClip

NAMES = list(METHODS)
BY_GRADIENT = ["gradcam", "gradient-rollout", "lrp"]
WIDTH, HEADS, LAYERS, CLASSES = 8, 2, 2, 5


class ScaledBlock(nn.Module):
    """A block with nn.MultiheadAttention and LayerScale; `literal` writes the attention out and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 12), nn.GELU(), nn.Linear(12, WIDTH))
        self.scale1, self.scale2 = nn.Parameter(torch.ones(WIDTH)), nn.Parameter(torch.ones(WIDTH))
        self.literal, self.kept = False, torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.scale1 * (self.written_out(y) if self.literal else self.attention(y, y, y, need_weights=False)[0])
        return x + self.scale2 * self.mlp(self.norm2(x))

    def written_out(self, y: Tensor) -> Tensor:
        qkv = y @ self.attention.in_proj_weight.T + self.attention.in_proj_bias
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
        self.kept = (q @ k.mT / math.sqrt(WIDTH / HEADS)).softmax(-1)
        return self.attention.out_proj((self.kept @ v).transpose(1, 2).flatten(2))


class ScaledVit(nn.Module):
    """A classifier of the class row and of the patches' mean, with a register, on a grid of 2 by 3 patches."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 4, stride=4)
        self.extra = nn.Parameter(torch.zeros(2, WIDTH))
        self.blocks = nn.ModuleList(ScaledBlock() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.classifier = nn.Linear(2 * WIDTH, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.patches(pixels).flatten(2).mT
        x = torch.cat((self.extra.expand(len(x), -1, -1), x), dim=1)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.classifier(torch.cat((x[:, 0], x[:, 2:].mean(1)), dim=1))


@dataclass(frozen=True, eq=False)
class ClassAndMean:
    """Its pooling; see `Pooling`."""

    norm: NormPart
    matrices: Float[Tensor, "readout d_out d_model"]
    constant: Float[Tensor, " d_out"]
    first_row_only: bool = field(default=False, init=False)

    def rows(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "readout batch pos"]:
        inverse = 1.0 / self.norm.sigma(x)
        rho = torch.zeros(2, *x.shape[:2], dtype=x.dtype)
        rho[0, :, 0] = inverse[:, 0]
        rho[1, :, 2:] = inverse[:, 2:] / (x.shape[1] - 2)
        return rho


def scaled_part(name: str, block: ScaledBlock) -> LayerPart:
    own = block.attention
    wq, wk, wv = (split_heads(weight, HEADS) for weight in own.in_proj_weight.chunk(3))
    bq, bk, bv = (split_bias(bias, wq) for bias in own.in_proj_bias.chunk(3))
    wo, bo = split_output(own.out_proj.weight, HEADS, block.scale1), (own.out_proj.bias * block.scale1).detach()
    attention = AttentionPart(
        f"{name}.attention", Place(f"{name}.attention"), wq, wk, wv, bq, bk, bv, wo, bo, math.sqrt(HEADS / WIDTH)
    )
    last = block.mlp[2]
    assert isinstance(last, nn.Linear)
    mlp = plain_mlp(f"{name}.mlp", neurons=f"{name}.mlp.2", last=last, layer_scale=block.scale2)
    return LayerPart(norm_part(f"{name}.norm1", block.norm1), attention, mlp)


def scaled_tower(module: ScaledVit) -> Tower:
    norm = norm_part("norm", module.norm)
    weight = module.classifier.weight.detach()
    matrices = torch.stack([centred(half, norm.scale) for half in weight.chunk(2, dim=1)])
    constant = weight @ norm.shift.repeat(2) + module.classifier.bias.detach()
    layers = tuple(
        scaled_part(f"blocks.{n}", block) for n, block in enumerate(module.blocks) if isinstance(block, ScaledBlock)
    )
    return Tower(
        module, "a small ViT with LayerScale", Place("blocks.0"), Place(f"blocks.{LAYERS - 1}", "output"),
        layers, ClassAndMean(norm, matrices, constant), 2, (2, 3),
    )  # fmt: skip


def shaken(module: nn.Module, *, seed: int = 0) -> nn.Module:
    """The module in float64 with random weights everywhere, biases and norms included."""
    torch.manual_seed(seed)
    module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.6)
    return module


def world(*, biases: bool = True) -> Tower:
    sizes = ClipSizes(
        image=16, patch=8, width=16, layers=2, heads=2, text_width=8, text_layers=1, text_heads=2, words=9, shared=6
    )
    return laid_open(shaken(WorldClip(sizes)), biases=biases)


def scaled(*, biases: bool = True) -> Tower:
    return laid_open(shaken(ScaledVit()), biases=biases)


def laid_open(module: nn.Module, *, biases: bool = True) -> Tower:
    tower = scaled_tower(module) if isinstance(module, ScaledVit) else world_clip_tower(module)
    assert tower is not None
    return tower if biases else without(tower, ("bias",))


TOWERS = {"world": world, "scaled": scaled}


@pytest.fixture(params=TOWERS)
def tower(request: pytest.FixtureRequest) -> Tower:
    return TOWERS[request.param]()


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def method_of(name: str, *, cosine: bool = True) -> HeatmapMethod:
    return make_method(name, HeatmapSettings(cosine))


def images(tower: Tower, batch: int = 3) -> Tensor:
    side = 4 if tower.first_patch == 2 else 8
    generator = torch.Generator().manual_seed(1)
    shape = (batch, 3, tower.grid[0] * side, tower.grid[1] * side)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def directions(tower: Tower, batch: int = 3, *, seed: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, tower.d_out, generator=generator, dtype=torch.float64)


def hooks_on(module: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def without(tower: Tower, endings: tuple[str, ...]) -> Tower:
    """The tower with the parameters whose names end so set to zero."""
    with torch.no_grad():
        for parameter_name, parameter in tower.module.named_parameters():
            if parameter_name.endswith(endings):
                parameter.zero_()
    return laid_open(tower.module)


def test_the_registry_holds_the_methods_and_names_them_on_a_miss() -> None:
    assert NAMES == ["raw-attention", "rollout", "gradcam", "gradient-rollout", "lrp"]
    with pytest.raises(OptionError, match="heatmap method 'roll-out'"):
        make_method("roll-out", HeatmapSettings())


def test_every_method_states_its_name_and_source(name: str) -> None:
    method = method_of(name)
    assert isinstance(method, HeatmapMethod)
    assert method.name == name
    assert isinstance(method.source, Source)


def test_a_heatmap_has_the_grids_shape_and_each_image_its_own(tower: Tower, name: str) -> None:
    x, along = images(tower), directions(tower)
    whole = method_of(name).run(tower, x, along)
    assert whole.shape == (3, *tower.grid)
    assert whole.dtype == x.dtype
    assert not whole.requires_grad
    single = torch.cat([method_of(name).run(tower, x[n : n + 1], along[n : n + 1]) for n in range(3)])
    torch.testing.assert_close(whole, single, rtol=1e-9, atol=1e-12)
    assert (whole[0] - whole[1]).abs().max() > 1e-6


def test_gradients_off_outside_change_nothing_and_none_are_left_behind(tower: Tower, name: str) -> None:
    x, along = images(tower), directions(tower)
    plain = method_of(name).run(tower, x, along)
    with torch.no_grad():
        assert torch.equal(method_of(name).run(tower, x, along), plain)
    with torch.inference_mode():
        assert torch.equal(method_of(name).run(tower, images(tower), directions(tower)), plain)
    assert not x.requires_grad
    assert all(parameter.grad is None for parameter in tower.module.parameters())


def test_the_model_computes_what_it_always_does(tower: Tower, name: str) -> None:
    x = images(tower)
    with torch.set_grad_enabled(name in BY_GRADIENT):
        # nn.MultiheadAttention has another path, with another rounding, where no gradients are recorded.
        plain = tower.module(x)
    seen: list[Tensor] = []
    handle = tower.module.register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
    method_of(name).run(tower, x, directions(tower))
    handle.remove()
    assert len(seen) == 1
    assert torch.equal(seen[0], plain)


def test_no_hook_is_left_behind(tower: Tower, name: str) -> None:
    x, along = images(tower), directions(tower)
    method_of(name).run(tower, x, along)
    assert hooks_on(tower.module) == 0
    with pytest.raises(RuntimeError):
        method_of(name).run(tower, x[..., :3], along)
    assert hooks_on(tower.module) == 0


def test_directions_move_the_methods_by_gradient_alone(tower: Tower, name: str) -> None:
    x = images(tower)
    first, second = (method_of(name).run(tower, x, directions(tower, seed=seed)) for seed in (2, 3))
    assert torch.equal(first, second) == (name not in BY_GRADIENT)


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_a_cosine_is_another_score(tower: Tower, name: str) -> None:
    x, along = images(tower), directions(tower)
    as_cosine, as_product = (method_of(name, cosine=cosine).run(tower, x, along) for cosine in (True, False))
    assert not torch.allclose(as_cosine, as_product)


def test_bad_directions_images_and_weights_are_named(tower: Tower, name: str) -> None:
    x, along = images(tower), directions(tower)
    method = method_of(name)
    for wrong in (along[:, :-1], along.repeat(1, 2)):
        with pytest.raises(OptionError, match=r"The directions have shape \(") as caught:
            method.run(tower, x, wrong)
        assert f"(3, {tower.d_out})" in caught.value.expected
    with pytest.raises(OptionError, match="not finite"):
        method.run(tower, x, along * float("nan"))
    with pytest.raises(ModelError, match="is not finite"):
        method.run(tower, x * float("nan"), along)
    with pytest.raises(ModelError, match="rows of patches") as caught:
        method.run(replace(tower, grid=(1, 7)), x, along)
    assert "1 x 7" in caught.value.expected


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_a_model_without_gradients_is_named(tower: Tower, name: str) -> None:
    forward = tower.module.forward
    tower.module.forward = torch.no_grad()(forward)
    with pytest.raises(ModelError, match="carries no gradient"):
        method_of(name).run(tower, images(tower), directions(tower))


def test_even_attention_gives_the_closed_form() -> None:
    """1 / rows for raw attention; (1 - 2^-layers) / rows for rollout from the class row."""
    tower = without(world(), ("query.weight", "query.bias"))
    x, along = images(tower), directions(tower)
    rows = 1 + tower.grid[0] * tower.grid[1]
    torch.testing.assert_close(
        method_of("raw-attention").run(tower, x, along), torch.full((3, 2, 2), 1 / rows).double()
    )
    expected = torch.full((3, 2, 2), (1 - 0.5 ** len(tower.layers)) / rows).double()
    torch.testing.assert_close(method_of("rollout").run(tower, x, along), expected)


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_attention_that_carries_nothing_gives_nothing(name: str) -> None:
    tower = world()
    x, along = images(tower), directions(tower)
    assert method_of(name).run(tower, x, along).abs().max() > 1e-3
    silent = without(tower, ("value.weight", "value.bias"))
    assert method_of(name).run(silent, x, along).abs().max() == 0
    assert method_of("rollout").run(silent, x, along).min() > 0


@pytest.mark.parametrize("cosine", [True, False])
def test_the_gradient_by_attention_is_that_of_attention_written_out(cosine: bool) -> None:
    """Through nn.MultiheadAttention, which has no map in its graph, and LayerScale."""
    tower = scaled()
    x, along = images(tower), directions(tower)
    layers = range(LAYERS)
    seen = graded_pass(tower, x, along, layers=layers, cosine=cosine)
    blocks = [block for block in tower.module.modules() if isinstance(block, ScaledBlock)]
    for block in blocks:
        block.literal = True
    score = score_of(tower.module(x), along, cosine=cosine)
    expected = torch.autograd.grad(score.sum(), [block.kept for block in blocks])
    torch.testing.assert_close(seen.score, score.detach())
    for n in layers:
        got = attention_gradient(tower, tower.layers[n].attention, seen.inputs[n], seen.gradients[n])
        assert expected[n].abs().max() > 1e-3
        torch.testing.assert_close(got, expected[n], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cosine", [True, False])
@pytest.mark.parametrize("make", TOWERS.values(), ids=TOWERS)
def test_without_biases_the_relevance_of_all_rows_is_the_score(make, cosine: bool) -> None:
    for biases in (False, True):
        tower = make(biases=biases)
        x, along = images(tower), directions(tower)
        score = score_of(tower.module(x), along, cosine=cosine).detach()
        relevance = row_relevance(tower, x, along, cosine=cosine)
        assert relevance.shape == (3, tower.first_patch + tower.grid[0] * tower.grid[1])
        gap = (relevance.sum(1) - score).abs() / score.abs()
        # With biases it is not: they keep a share of the score.
        assert (gap.min() > 1e-3) if biases else (gap.max() < 1e-11)


class Gated(nn.Module):
    """An MLP whose neurons are products."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.out = nn.Linear(WIDTH, 12), nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.act(self.left(x)) * self.right(x))


def test_an_mlp_that_is_no_activation_between_linear_layers_is_named() -> None:
    module = ScaledVit()
    block = module.blocks[1]
    assert isinstance(block, ScaledBlock)
    gated = Gated()
    tower = laid_open(shaken(module))
    block.mlp = nn.Sequential(gated.double())
    layer = tower.layers[1]
    mlp = plain_mlp("blocks.1.mlp", neurons="blocks.1.mlp.0.out", last=gated.out, layer_scale=block.scale2)
    tower = replace(tower, layers=(tower.layers[0], replace(layer, mlp=mlp)))
    with pytest.raises(ModelError, match=r"'blocks\.1\.mlp\.0\.out'.* is not the output of an activation"):
        method_of("lrp").run(tower, images(tower), directions(tower))
    assert hooks_on(module) == 0
    assert method_of("gradient-rollout").run(tower, images(tower), directions(tower)).shape == (3, 2, 3)


def test_an_mlp_that_never_runs_is_named() -> None:
    tower = scaled()
    block = tower.module.get_submodule("blocks.1")
    block.spare = nn.Linear(12, WIDTH).double()
    layer = tower.layers[1]
    unused = replace(layer.mlp, neurons=Place("blocks.1.spare"))
    with pytest.raises(MicrotomeError, match=r"'blocks\.1\.spare'"):
        method_of("lrp").run(
            replace(tower, layers=(tower.layers[0], replace(layer, mlp=unused))), images(tower), directions(tower)
        )


def test_an_attention_whose_input_is_not_seen_is_named() -> None:
    tower = world()
    layer = tower.layers[0]
    odd = replace(layer, attention=replace(layer.attention, at=Place("vision.norm_after")))
    with pytest.raises(ModelError, match=r"Nothing passed the input of 'vision\.norm_after'"):
        method_of("lrp").run(replace(tower, layers=(odd, tower.layers[1])), images(tower), directions(tower))
    assert hooks_on(tower.module) == 0


def test_float32_gives_the_same_heatmap(tower: Tower, name: str) -> None:
    x, along = images(tower), directions(tower)
    exact = method_of(name).run(tower, x, along)
    single = method_of(name).run(laid_open(tower.module.float()), x.float(), along.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), exact, rtol=1e-3, atol=1e-4)
