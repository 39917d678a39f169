"""Tracing: the right values, early, in place, twice-called, with gradients; and no hook left behind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.models.model import Model, wrap
from microtome.models.trace import trace
from tests.support.networks import Crashing, OverTuple, TwiceRelu, hooks, images, seeded


@pytest.fixture
def net() -> TwiceRelu:
    made = seeded(TwiceRelu)
    assert isinstance(made, TwiceRelu)
    return made


@pytest.fixture
def model(net: TwiceRelu) -> Model:
    return wrap(net, size=8)


def by_hand(net: TwiceRelu, x: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        conv1 = net.conv1(x)
        relu0 = conv1.clamp(min=0)
        conv2 = net.conv2(relu0)
        relu1 = conv2.clamp(min=0)
    return {"conv1": conv1, "relu#0": relu0, "conv2": conv2, "relu#1": relu1, "relu": relu1}


def test_values_are_those_of_the_layer_though_a_later_one_works_in_place(model: Model, net: TwiceRelu) -> None:
    x = images()
    truth = by_hand(net, x)
    assert (truth["conv1"] < 0).any()
    with trace(model, list(truth)) as cache:
        got = cache.run(x)
    for layer, values in truth.items():
        assert torch.equal(got[layer], values), layer
        assert not got[layer].requires_grad
    assert torch.allclose(cache.output, model.logits(x))


@pytest.mark.parametrize("bare", [False, True])
def test_stop_skips_the_rest_of_the_network(model: Model, net: TwiceRelu, bare: bool) -> None:
    x = images()
    with trace(net if bare else model, ["relu"], stop=True) as cache:
        first = cache.run(x)["relu"]
        net.fc.calls = 0
        second = cache.run(x)["relu"]
    assert net.fc.calls == 0
    assert cache.output is None
    assert torch.equal(first, second)
    assert torch.equal(second, by_hand(net, x)["relu#1"])
    model.logits(x)
    assert net.fc.calls == 1, "control: a whole pass reaches the last layer"


def test_stop_at_a_call_of_its_own_and_at_the_latest_of_several(model: Model, net: TwiceRelu) -> None:
    x = images()
    seen: list[str] = []
    model.sites()
    handle = net.conv2.register_forward_hook(lambda *_: seen.append("conv2"))
    with trace(model, ["relu#0", "conv1"], stop=True) as cache:
        assert set(cache.run(x)) == {"relu#0", "conv1"}
    assert seen == []
    with trace(model, ["conv2", "relu#0"], stop=True) as cache:
        cache.run(x)
    assert seen == ["conv2"]
    handle.remove()


def test_the_model_may_be_called_in_ones_own_way(model: Model, net: TwiceRelu) -> None:
    with trace(model, ["conv2"], stop=True) as cache:
        with torch.no_grad():
            y = model.module(images())
        assert y.shape == (4, 6), "stop concerns run() alone"
        assert torch.equal(cache["conv2"], by_hand(net, images())["conv2"])
        model.logits(images(seed=2))
        assert torch.equal(cache["conv2"], by_hand(net, images(seed=2))["conv2"]), "the last pass counts"


def test_keep_grad_gives_the_gradient_by_the_activation(model: Model, net: TwiceRelu) -> None:
    x = images()
    for frozen in (False, True):
        net.requires_grad_(not frozen)
        with trace(model, ["relu#1", "conv2"], keep_grad=True) as cache:
            cache.run(x)
        loss = cache.output[:, 2].sum()
        by_conv, by_relu = torch.autograd.grad(loss, [cache["conv2"], cache["relu#1"]])
        expected = (net.fc.weight[2] / 64).view(1, 5, 1, 1).expand(4, 5, 8, 8)
        assert torch.allclose(by_relu, expected)
        assert torch.allclose(by_conv, expected * (cache["conv2"] > 0))
        assert (cache["conv2"] < 0).any(), "the layer in place did not overwrite what is kept"


def test_a_tuple_counts_by_its_first_item() -> None:
    net = seeded(OverTuple)
    model = wrap(net, size=8)
    with trace(model, ["pair"]) as cache:
        cache.run(images())
    assert torch.equal(cache["pair"], net.get_submodule("pair.conv")(images()))
    with trace(model, ["pair"], keep_grad=True) as cache:
        cache.run(images())
    assert torch.autograd.grad(cache.output.sum(), cache["pair"])[0].abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_runs_in_its_type_and_comes_out_as_float32(dtype: torch.dtype) -> None:
    model = wrap(seeded(TwiceRelu).to(dtype), size=8)
    with trace(model, ["conv2"], stop=True) as cache:
        assert cache.run(images())["conv2"].dtype == torch.float32
    assert model.module.get_submodule("conv2").weight.dtype == dtype
    assert model.logits(images()).dtype == torch.float32
    exact = wrap(seeded(TwiceRelu), size=8).logits(images())
    assert torch.allclose(model.logits(images()), exact, atol=0.05)


def test_no_hook_is_left_after_success_a_bad_argument_or_a_crash(model: Model, net: TwiceRelu) -> None:
    before = hooks(net)
    with trace(model, ["conv1"]) as outer:
        assert hooks(net) > before, "control: the count sees the hooks"
        with trace(model, ["conv2"], stop=True) as inner:
            inner.run(images())
        outer.run(images())
    assert hooks(net) == before
    with pytest.raises(ModelError), trace(model, ["conv1", "conv9"]):
        pass
    with pytest.raises(ZeroDivisionError), trace(model, ["conv1"]):
        _ = 1 / 0
    assert hooks(net) == before
    broken = seeded(Crashing)
    assert isinstance(broken, Crashing)
    whole = wrap(broken, size=8)
    whole.sites()
    broken.crash = True
    with pytest.raises(RuntimeError, match="broke"), trace(whole, ["conv", "fc"]) as cache:
        cache.run(images())
    assert hooks(broken) == 0


def test_unknown_layers_are_answered_with_the_nearest(model: Model, net: TwiceRelu) -> None:
    for subject in (model, net):
        with pytest.raises(ModelError, match="'conv1'"), trace(subject, ["conv_1"]):
            pass
        with pytest.raises(ModelError), trace(subject, [""]):
            pass
    with pytest.raises(ModelError, match="relu#0"), trace(model, ["relu#2"]):
        pass
    with pytest.raises(ModelError, match="no layer"), trace(model, []):
        pass


def test_what_was_not_reached_is_said(model: Model, net: TwiceRelu) -> None:
    with trace(model, ["conv1"]) as cache:
        with pytest.raises(ModelError, match="did not run"):
            cache["conv1"]
        with pytest.raises(ModelError, match="not traced"):
            cache["conv2"]
    with trace(net, ["relu#5"]) as cache, pytest.raises(ModelError, match="ran 2 times"):
        cache.run(images())


def test_a_module_without_images_is_traced_too() -> None:
    net = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2))
    with trace(net, ["0"], stop=True) as cache:
        assert cache.run(torch.tensor([[1, 2, 3]]))["0"].shape == (1, 3, 4)
