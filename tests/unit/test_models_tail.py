"""What comes after a layer, run alone, is what the whole network does; ablation is an edit of the weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torchvision
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.intervention import ablate, add, replace
from microtome.models.intervene import apply, intervene
from microtome.models.linear_tail import linear_tail
from microtome.models.load import load
from microtome.models.model import Model, wrap
from microtome.models.tail import Tail, logits_of_each
from microtome.models.trace import trace
from tests.support.networks import Crashing, OverTuple, TwiceRelu, hooks, seeded
from tests.support.squeezenet import SqueezeNet


class Residual(nn.Module):
    """A block that adds its input in place and rectifies in place, twice with the same module, as torchvision does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(6, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.conv1(x))
        out = self.conv2(out)
        out += x
        return self.relu(out)


class Shared(nn.Module):
    """The same block twice, a skip that is written into after the second, and a module that returns its input.

    It writes into its own input too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.same = nn.Identity()
        self.block = Residual()
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x -= 0.5
        skip = self.stem(x)
        first = self.block(self.same(skip))
        second = self.block(first)
        skip += second.tanh() + x.mean((1, 2, 3), keepdim=True)
        return self.fc(skip.mean((2, 3)))


class Discarded(nn.Module):
    """Rectifies in place without taking what the rectifier returns."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.last = nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x)
        self.relu(maps)
        return (self.last(maps) + maps[:, :4]).mean((2, 3))


class Seldom(nn.Module):
    """Calls its first layer, then only sometimes writes into what that returned."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.last = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv(x)
        second = self.last(first)
        if second.max() > 1000:
            first += 1
        return (first + second).mean((2, 3))


class Pair(NamedTuple):
    """What `Several` hands on."""

    maps: Tensor
    extra: list[Tensor]


class Several(nn.Module):
    """Returns a dictionary, or a named tuple with a list."""

    def __init__(self, mapping: bool) -> None:
        super().__init__()
        self.conv, self.mapping = nn.Conv2d(3, 3, 3, padding=1), mapping

    def forward(self, x: Tensor) -> Any:
        maps = self.conv(x)
        return {"maps": maps, "extra": x} if self.mapping else Pair(maps, [x, maps.tanh()])


class Structured(nn.Module):
    """Modules that return more than a tensor, all of which is used, and written into, later."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = Several(True), Several(False), Several(True)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(first["maps"])
        third = self.third(second.maps)
        second.extra[1].add_(third["maps"])
        return (first["extra"] + second.extra[0] * second.extra[1] + third["extra"]).mean((2, 3))


class Encoder(nn.Module):
    """Two transformer layers of PyTorch's, which run without their submodules unless one of these has a hook."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, stride=2)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.encoder(self.patches(x).flatten(2).mT).mean(1))


def small(kind: type[nn.Module]) -> Model:
    return wrap(seeded(kind), size=8, device="cpu")


def scenes() -> Model:
    return load("world:scenes", device="cpu")


def squeezenet() -> Model:
    return wrap(seeded(SqueezeNet), size=64, device="cpu")


def resnet() -> Model:
    torch.manual_seed(0)
    return wrap(torchvision.models.resnet18(weights=None), size=64, device="cpu")


def pixels(model: Model, batch: int = 3, seed: int = 1) -> Tensor:
    shape = (batch, 3, model.preprocess.height, model.preprocess.width)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=model.dtype)


def forwards(module: nn.Module) -> list[str]:
    """Modules with a forward of their own, beside their class's."""
    return [name for name, part in module.named_modules() if "forward" in vars(part)]


CASES = (
    (scenes, "layer4"), (scenes, "layer3"), (scenes, "layer4.0.relu1"), (scenes, "avgpool"),
    (lambda: small(Shared), "stem"), (lambda: small(Shared), "block#0"), (lambda: small(Shared), "block"),
    (lambda: small(Shared), "block.relu#1"),
    (lambda: small(Shared), "block.relu#2"), (lambda: small(Shared), "block.conv2#1"), (lambda: small(Shared), "fc"),
    (lambda: small(TwiceRelu), "relu#0"), (lambda: small(TwiceRelu), "relu"), (lambda: small(OverTuple), "pair"),
    (lambda: small(Structured), "second"), (lambda: small(Structured), "third"), (lambda: small(Structured), "first"),
    (squeezenet, "features.12"), (squeezenet, "features.5"), (squeezenet, "features.9.squeeze"),
    (resnet, "layer4"), (resnet, "layer3"), (resnet, "layer3.1.conv1"),
)  # fmt: skip


@pytest.mark.parametrize(("make", "layer"), CASES)
def test_the_rest_run_alone_gives_the_logits_of_the_whole_network(make: Callable[[], Model], layer: str) -> None:
    model = make()
    x = pixels(model)
    plain, before = model.logits(x.clone()), x.clone()
    tail, site = Tail(model, layer), model.site(layer)
    acts = tail.begin(x)
    with trace(model, [layer]) as cache:
        assert torch.equal(cache.run(x.clone())[layer], acts)
    kept, value = acts.clone(), torch.linspace(-1, 1, site.units)
    assert torch.equal(tail.finish(acts), plain)
    changes = [ablate(layer, [0]), ablate(layer, [site.units - 1, 1], mean=0.25), add(layer, value), replace(layer, 3)]
    for change in changes:
        with intervene(model, change):
            whole = model.logits(x.clone())
        # A single unit may be silent on these images.
        assert change.units is not None or not torch.equal(whole, plain), "the change matters"
        changed = apply(change, acts, site)
        given = changed.clone()
        assert torch.equal(tail.finish(changed), whole)
        assert torch.equal(tail.finish(changed), whole), "a second time"
        assert torch.equal(changed, given), "what was given is not written into"
    assert torch.equal(tail.finish(acts), plain), "nothing of the changes lasts"
    assert torch.equal(acts, kept)
    assert torch.equal(x, before)
    assert hooks(model.module) == 0
    assert forwards(model.module) == []


@pytest.mark.parametrize("layer", ["patches", "encoder.layers.0", "encoder.layers.1.linear1", "encoder.layers.0.norm2"])
def test_transformer_layers_that_have_a_fast_path(layer: str) -> None:
    model = small(Encoder)
    x, site, tail = pixels(model), model.site(layer), Tail(model, layer)
    change = ablate(layer, [2], mean=1.5)
    alone = tail.finish(apply(change, tail.begin(x), site))
    with intervene(model, change):
        whole = model.logits(x)
    assert torch.allclose(alone, whole, atol=1e-6)
    assert not torch.allclose(whole, model.logits(x), atol=1e-4)


def test_a_new_batch_may_have_another_length() -> None:
    model = small(Shared)
    tail = Tail(model, "block#0")
    for batch, seed in ((3, 1), (1, 2), (5, 3)):
        x = pixels(model, batch, seed)
        acts = tail.begin(x)
        with intervene(model, ablate("block#0", [2])):
            whole = model.logits(x.clone())
        assert torch.equal(tail.finish(apply(ablate("block#0", [2]), acts, model.site("block#0"))), whole)


def test_only_what_comes_after_the_layer_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    model, ran = scenes(), []
    tail, names = Tail(model, "layer3.0"), {part: name for name, part in model.module.named_modules()}
    acts, convolve = tail.begin(pixels(model)), nn.Conv2d.forward

    def noting(self: nn.Conv2d, x: Tensor) -> Tensor:
        ran.append(names[self])
        return convolve(self, x)

    monkeypatch.setattr(nn.Conv2d, "forward", noting)
    tail.finish(acts)
    after = ["layer3.1.conv1", "layer3.1.conv2", "layer4.0.conv1", "layer4.0.conv2", "layer4.0.downsample.0"]
    assert ran == after
    model.logits(pixels(model))
    assert len(ran) > 2 * len(after), "the whole network runs more"
    tail = Tail(model, "layer3.1.conv1")
    acts = tail.begin(pixels(model))
    ran.clear()
    tail.finish(acts)
    assert ran == after[1:]
    tail = Tail(model, "layer3.1.conv2")
    acts = tail.begin(pixels(model))
    ran.clear()
    tail.finish(acts)
    assert ran == after[2:]


@pytest.mark.parametrize("layer", ["layer4", "layer3.1.relu1"])
def test_hooks_of_others_act_once_and_stay(layer: str) -> None:
    model = scenes()
    x, site = pixels(model), model.site(layer)
    others = [add("layer2", 0.5), add(layer, -0.25), ablate("layer4", [1]), add("layer3.0", 1.0)]
    with intervene(model, others):
        tail, there = Tail(model, layer), hooks(model.module)
        acts = tail.begin(x)
        changed = apply(ablate(layer, [3]), acts, site)
        alone = tail.finish(changed)
        assert hooks(model.module) == there
        inner = intervene(model, ablate(layer, [3]))
        with inner:
            whole = model.logits(x)
    assert torch.equal(alone, whole)
    assert hooks(model.module) == 0


def test_a_forward_that_a_user_had_put_there_is_put_back() -> None:
    model = small(Shared)
    plain = model.module.get_submodule("stem").forward

    def doubled(x: Tensor) -> Tensor:
        return 2 * plain(x)

    vars(model.module.get_submodule("stem"))["forward"] = doubled
    x = pixels(model)
    tail = Tail(model, "block#0")
    assert torch.equal(tail.finish(tail.begin(x)), model.logits(x.clone()))
    assert vars(model.module.get_submodule("stem"))["forward"] is doubled
    assert forwards(model.module) == ["stem"]


def test_a_crash_leaves_nothing_behind() -> None:
    model = small(Crashing)
    assert isinstance(model.module, Crashing)
    x, tail = pixels(model), Tail(model, "conv")
    acts = tail.begin(x)
    model.module.crash = True
    for run in (lambda: tail.finish(acts), lambda: Tail(model, "conv").begin(x)):
        with pytest.raises(RuntimeError, match="the network broke"):
            run()
        assert hooks(model.module) == 0
        assert forwards(model.module) == []
    model.module.crash = False
    acts = tail.begin(x)
    assert torch.equal(tail.finish(acts), model.logits(x))


def test_a_network_that_writes_into_what_was_returned_is_refused() -> None:
    model = small(Discarded)
    with pytest.raises(ModelError, match=r"cannot be run apart.*own logits") as caught:
        Tail(model, "last").begin(pixels(model))
    assert "top level" in caught.value.next_step
    assert hooks(model.module) == 0
    assert forwards(model.module) == []
    tail = Tail(model, "relu")
    with pytest.raises(ModelError, match="cannot be run apart"):
        tail.begin(pixels(model))
    with pytest.raises(ModelError, match="before begin"):
        tail.finish(pixels(model))


def test_a_network_that_starts_to_write_later_is_refused() -> None:
    model = small(Seldom)
    tail = Tail(model, "last")
    acts = tail.begin(pixels(model))
    with pytest.raises(ModelError, match="wrote into outputs"):
        tail.finish(acts + 5000)
    assert forwards(model.module) == []
    tail.begin(pixels(model))


def test_wrong_calls_say_what_is_expected() -> None:
    model = small(Shared)
    with pytest.raises(ModelError, match="no layer 'blok'"):
        Tail(model, "blok")
    tail = Tail(model, "block")
    with pytest.raises(ModelError, match="before begin"):
        tail.finish(torch.zeros(3, 6, 8, 8))
    tail.begin(pixels(model))
    with pytest.raises(ModelError, match=r"shape \(2, 6, 8, 8\)"):
        tail.finish(torch.zeros(2, 6, 8, 8))
    x = pixels(model)
    with pytest.raises(ModelError, match="one number for each unit"):
        logits_of_each(model, "block", x, torch.zeros(5), linear=None)
    with pytest.raises(ModelError, match="Unit 6"):
        logits_of_each(model, "block", x, torch.zeros(6), [6], linear=None)


def test_images_with_nan_do_not_hinder_the_others() -> None:
    model = scenes()
    x, plain = pixels(model), model.logits(pixels(model))
    x[1, 0, 0] = float("nan")
    tail = Tail(model, "layer3")
    found = tail.finish(tail.begin(x))
    assert torch.allclose(found[[0, 2]], plain[[0, 2]])
    assert found[1].isnan().all()


def test_gradients_are_off_and_inference_mode_is_no_obstacle() -> None:
    model = small(Shared)
    x, tail = pixels(model), Tail(model, "block#0")
    value = torch.ones(6).requires_grad_()
    for linear in (None, linear_tail(small(TwiceRelu), "relu")):
        of = model if linear is None else small(TwiceRelu)
        layer, given = ("block#0", value) if linear is None else ("relu", value[:5])
        assert not any(logits.requires_grad for _, logits in logits_of_each(of, layer, x, given, linear=linear))
    acts = tail.begin(x.clone().requires_grad_())
    assert not acts.requires_grad
    assert not tail.finish(acts.clone().requires_grad_()).requires_grad
    with torch.inference_mode():
        again = tail.begin(x * 1)
        inside = tail.finish(again * 2)
    assert torch.equal(inside, tail.finish(acts * 2))


@pytest.mark.parametrize("exact", [False, True], ids=["running", "product"])
def test_each_units_logits_are_those_of_its_ablation(exact: bool) -> None:
    model = scenes()
    x, value = pixels(model), torch.rand(model.site("layer4").units)
    linear = linear_tail(model, "layer4") if exact else None
    found = list(logits_of_each(model, "layer4", x, value, [7, 0, 127], linear=linear))
    assert [unit for unit, _ in found] == [7, 0, 127]
    for unit, logits in found:
        with intervene(model, ablate("layer4", [unit], mean=value[unit])):
            whole = model.logits(x)
        assert torch.allclose(logits, whole, atol=1e-4)
        assert not torch.allclose(logits, model.logits(x), atol=1e-2)
    assert len(list(logits_of_each(model, "layer4", x, value, linear=linear_tail(model, "layer4")))) == 128
    tail = Tail(model, "layer4")
    shared = [next(logits_of_each(model, "layer4", x, value, [7], linear=None, tail=tail))[1] for _ in range(2)]
    assert torch.equal(shared[0], shared[1])
    assert torch.allclose(shared[0], found[0][1], atol=1e-4)


def test_a_linear_tail_is_found_where_there_is_one() -> None:
    model = scenes()
    for layer in ("layer4", "layer4.0", "layer4.0.relu2", "avgpool"):
        tail = linear_tail(model, layer)
        assert tail is not None, layer
        assert tail.module == "fc"
        with trace(model, [layer]) as cache:
            pooled = tail.pooled(cache.run(pixels(model))[layer], model.site(layer))
        assert torch.allclose(tail.logits(pooled), model.logits(pixels(model)), atol=1e-4)
    assert hooks(model.module) == 0
    assert linear_tail(resnet(), "layer4") is not None
    assert linear_tail(small(OverTuple), "pair") is not None


def test_none_where_the_tail_is_not_linear() -> None:
    model = scenes()
    # bn2: the skip and a rectifier follow. bn1, layer3: other widths, or modules in between. fc: nothing follows.
    for layer in ("layer4.0.bn2", "layer4.0.bn1", "layer3", "fc"):
        assert linear_tail(model, layer) is None, layer
    assert linear_tail(squeezenet(), "features.12") is None
    assert linear_tail(small(TwiceRelu), "conv2") is None
    assert linear_tail(small(TwiceRelu), "relu") is not None


class Pooled(nn.Module):
    """A rectified layer, `between` on its map, and a 1 x 1 convolution before or after an average."""

    def __init__(self, between: nn.Module, *, bias: bool = True) -> None:
        super().__init__()
        self.conv, self.relu, self.between = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), between
        self.last = nn.Conv2d(6, 4, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.between(self.relu(self.conv(x)))).mean((2, 3))


@pytest.mark.parametrize(
    ("between", "is_linear"),
    [
        (nn.Identity(), True), (nn.AdaptiveAvgPool2d(1), True), (nn.Dropout(), True),
        # The layer is never negative: only other outputs than its own tell.
        (nn.ReLU(), False), (nn.ReLU6(), False), (nn.AdaptiveMaxPool2d(1), False), (nn.Hardtanh(-10, 10), False),
        (nn.MaxPool2d(2), False), (nn.BatchNorm2d(6), False), (nn.AvgPool2d(3, stride=4), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)  # fmt: skip
def test_linear_means_linear_for_any_output_of_the_layer(between: nn.Module, is_linear: bool) -> None:
    torch.manual_seed(0)
    if isinstance(between, nn.BatchNorm2d):
        assert between.running_mean is not None
        between.running_mean += 0.1
    for bias in (True, False):
        model = wrap(Pooled(between, bias=bias), size=8, device="cpu")
        assert (linear_tail(model, "relu") is not None) == is_linear


def test_a_layer_that_is_silent_on_noise_is_tested_all_the_same() -> None:
    for between, is_linear in ((nn.Identity(), True), (nn.ReLU(), False)):
        module = Pooled(between)
        with torch.no_grad():
            assert module.conv.bias is not None
            module.conv.bias -= 100
        model = wrap(module, size=8, device="cpu")
        assert (linear_tail(model, "relu") is not None) == is_linear


def test_half_precision() -> None:
    model = wrap(seeded(TwiceRelu).bfloat16(), size=8, device="cpu")
    tail, linear = Tail(model, "relu"), linear_tail(model, "relu")
    acts = tail.begin(pixels(model))
    assert acts.dtype == torch.bfloat16
    assert tail.finish(acts).dtype == torch.float32
    assert linear is not None
    assert linear.weight.dtype == torch.float32


def test_ablating_a_pooled_unit_is_an_edit_of_the_classifier() -> None:
    model, unit = scenes(), 17
    x = pixels(model)
    for mean in (None, 0.7):
        edited = copy.deepcopy(model.module)
        fc = edited.get_submodule("fc")
        with torch.no_grad():
            fc.bias += fc.weight[:, unit] * (mean or 0)
            fc.weight[:, unit] = 0
            by_hand = edited(x)
        with intervene(model, ablate("layer4", [unit], mean=mean)):
            ablated = model.logits(x)
        assert torch.allclose(ablated, by_hand, atol=1e-4)
        assert not torch.allclose(ablated, model.logits(x), atol=1e-2)


def test_ablating_a_normalised_unit_is_an_edit_of_its_normalisation() -> None:
    model, unit = scenes(), 5
    x, edited = pixels(model), copy.deepcopy(model.module)
    bn = edited.get_submodule("layer4.0.bn1")
    with torch.no_grad():
        bn.weight[unit] = bn.bias[unit] = 0
        by_hand = edited(x)
    tail = Tail(model, "layer4.0.bn1")
    alone = tail.finish(apply(ablate("layer4.0.bn1", [unit]), tail.begin(x), model.site("layer4.0.bn1")))
    with intervene(model, ablate("layer4.0.bn1", [unit])):
        assert torch.equal(model.logits(x), by_hand)
    assert torch.equal(alone, by_hand)
    assert not torch.allclose(by_hand, model.logits(x), atol=1e-3)
