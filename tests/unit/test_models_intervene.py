"""Interventions do what they say to the units named, and to nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from microtome.core.errors import ModelError
from microtome.core.intervention import Intervention, ablate, add, clamp, project, replace, resample, scale
from microtome.core.site import Site
from microtome.models.intervene import apply, donors, intervene
from microtome.models.model import Model, wrap
from microtome.models.trace import trace
from tests.support.networks import Crashing, OverTuple, TwiceRelu, hooks, images, seeded


@pytest.fixture
def model() -> Model:
    return wrap(seeded(TwiceRelu), size=8)


def conv2(model: Model, *interventions: Intervention, x: Tensor | None = None) -> Tensor:
    """The output of conv2 under the interventions."""
    with intervene(model, list(interventions)), trace(model, ["conv2"], stop=True) as cache:
        return cache.run(images() if x is None else x)["conv2"]


def test_zero_mean_replace_add_and_clamp(model: Model) -> None:
    plain = conv2(model)
    units, others = [1, 3], [0, 2, 4]
    per_unit = np.array([0.25, -2.0])
    spread = torch.tensor(per_unit, dtype=torch.float32).view(1, 2, 1, 1)
    cases = {
        ablate("conv2", units): torch.zeros_like(plain[:, units]),
        ablate("conv2", units, mean=per_unit): spread.expand(4, 2, 8, 8),
        replace("conv2", 7.0, units): torch.full_like(plain[:, units], 7.0),
        add("conv2", per_unit, units): plain[:, units] + spread,
        clamp("conv2", units, low=-0.1, high=0.2): plain[:, units].clamp(-0.1, 0.2),
        clamp("conv2", units, high=per_unit): torch.minimum(plain[:, units], spread),
    }
    for intervention, expected in cases.items():
        changed = conv2(model, intervention)
        assert torch.allclose(changed[:, units], expected), intervention.kind
        assert not torch.allclose(changed[:, units], plain[:, units]), intervention.kind
        assert torch.equal(changed[:, others], plain[:, others]), intervention.kind
    assert torch.equal(conv2(model), plain), "nothing lasts"


def test_values_of_chosen_units_follow_the_order_of_the_units(model: Model) -> None:
    changed = conv2(model, replace("conv2", [30.0, 10.0], [3, 1]))
    assert (changed[:, 3] == 30).all()
    assert (changed[:, 1] == 10).all()


def test_replacing_with_anothers_activations_gives_the_others_output(model: Model) -> None:
    other = images(seed=9)
    donor = conv2(model, x=other)
    with intervene(model, replace("conv2", donor)):
        assert torch.allclose(model.logits(images()), model.logits(other))
    with intervene(model, replace("conv2", donor, [2])):
        mixed = model.logits(images())
    assert not torch.allclose(mixed, model.logits(images()))
    single = conv2(model, replace("conv2", donor[0], [2]))
    assert torch.equal(single[3, 2], donor[0, 2])
    assert torch.equal(conv2(model, replace("conv2", donor[:1], [2])), single)


def test_resampling_pairs_each_example_with_another_by_the_seed(model: Model) -> None:
    plain = conv2(model)
    changed = conv2(model, resample("conv2", [0], seed=5))
    assert torch.equal(changed[:, 0], plain[donors(4, 5), 0])
    assert torch.equal(changed[:, 1:], plain[:, 1:])
    assert torch.equal(conv2(model, resample("conv2", [0], value=plain.flip(0)))[:, 0], plain.flip(0)[:, 0])
    with pytest.raises(ModelError, match="holds one"):
        conv2(model, resample("conv2", seed=5), x=images(batch=1))


@pytest.mark.parametrize("batch", [2, 3, 17])
def test_donors_are_a_permutation_without_fixed_points(batch: int) -> None:
    found = {tuple(donors(batch, seed)) for seed in range(20)}
    for permutation in found:
        assert sorted(permutation) == list(range(batch))
        assert all(here != there for here, there in enumerate(permutation))
    assert len(found) > 1 or batch == 2


def test_positions_limit_the_change(model: Model) -> None:
    plain = conv2(model)
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:4, 5] = True
    changed = conv2(model, ablate("conv2", [1], positions=mask))
    expected = plain.clone()
    expected[:, 1, 2:4, 5] = 0
    assert torch.equal(changed, expected)
    each = torch.zeros(4, 8, 8, dtype=torch.bool)
    each[2, 0, 0] = True
    expected = plain.clone()
    expected[2, :, 0, 0] = 0
    assert torch.equal(conv2(model, ablate("conv2", positions=each)), expected)


def test_the_call_of_a_module_that_runs_twice(model: Model) -> None:
    x = images()
    with trace(model, ["relu#0", "relu#1"]) as cache:
        plain = cache.run(x)
        with intervene(model, ablate("relu")):
            last = cache.run(x)
        with intervene(model, ablate("relu#0", [1])):
            first = cache.run(x)
    assert torch.equal(last["relu#0"], plain["relu#0"])
    assert not last["relu#1"].any()
    assert plain["relu#1"].any()
    assert not first["relu#0"][:, 1].any()
    assert torch.equal(first["relu#0"][:, 0], plain["relu#0"][:, 0])
    with pytest.raises(ModelError, match="more than once"), intervene(model.module, ablate("relu")):
        model.module(x)
    with intervene(model.module, ablate("relu#1")):
        assert torch.allclose(model.logits(x), model.module.get_parameter("fc.bias").expand(4, 6))


def test_trace_sees_the_change_whichever_context_is_outside(model: Model) -> None:
    with trace(model, ["conv2"]) as cache, intervene(model, ablate("conv2")):
        assert not cache.run(images())["conv2"].any()
    assert not conv2(model, ablate("conv2")).any()


def test_order_within_one_and_nesting(model: Model) -> None:
    assert (conv2(model, replace("conv2", 1.0), add("conv2", 2.0)) == 3).all()
    assert (conv2(model, add("conv2", 2.0), replace("conv2", 1.0)) == 1).all()
    with intervene(model, add("conv2", 2.0)):
        assert (conv2(model, replace("conv2", 1.0)) == 3).all(), "the inner one acts first"


def test_tuples_keep_their_other_items_and_gradients_flow() -> None:
    model = wrap(seeded(OverTuple), size=8)
    with intervene(model, ablate("pair")):
        assert torch.allclose(model.logits(images()), model.module.get_parameter("fc.bias").expand(4, 3))
    x = images().requires_grad_()
    with intervene(model, ablate("pair", [0])):
        model.module(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_no_hook_is_left_and_misfits_are_said(model: Model) -> None:
    before = hooks(model.module)
    for bad, message in [
        (ablate("conv2", [5]), "from 0 to 4"),
        (ablate("conv_2"), "'conv2'"),
        (replace("conv2", np.zeros(3)), "has shape"),
        (replace("conv2", np.zeros((9, 5, 8, 8))), "has shape"),
        (ablate("conv2", positions=np.zeros((4, 4), bool)), "positions"),
    ]:
        with pytest.raises(ModelError, match=message):
            conv2(model, bad)
        assert hooks(model.module) == before
    with intervene(model, ablate("conv2")):
        assert hooks(model.module) > before
        with intervene(model, ablate("conv1")):
            model.logits(images())
    assert hooks(model.module) == before
    broken = seeded(Crashing)
    assert isinstance(broken, Crashing)
    whole = wrap(broken, size=8)
    whole.sites()
    broken.crash = True
    with pytest.raises(RuntimeError, match="broke"), intervene(whole, ablate("conv")):
        whole.logits(images())
    assert hooks(broken) == 0


def test_half_precision_keeps_its_type() -> None:
    model = wrap(seeded(TwiceRelu).half(), size=8)
    assert (conv2(model, replace("conv2", np.float64(0.5))) == 0.5).all()
    with intervene(model, add("conv2", torch.ones(5))):
        assert model.module(images().half()).dtype == torch.float16


def test_units_on_the_last_axis() -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(2), torch.nn.Linear(64, 7), torch.nn.Flatten())
    model = wrap(net, size=8)
    assert model.site("1").shape == (3, 7)
    with intervene(model, replace("1", 5.0, [6])), trace(model, ["1"], stop=True) as cache:
        changed = cache.run(images())["1"]
    assert (changed[..., 6] == 5).all()
    assert not (changed[..., :6] == 5).any()


def test_scaling_by_nothing_ablates_by_one_keeps_and_each_unit_takes_its_own_factor(model: Model) -> None:
    plain = conv2(model)
    assert torch.equal(conv2(model, scale("conv2", 0.0, [1, 3])), conv2(model, ablate("conv2", [1, 3])))
    assert not torch.equal(conv2(model, scale("conv2", 0.0, [1, 3])), plain), "the cut does something"
    assert torch.equal(conv2(model, scale("conv2", 1.0)), plain)
    changed = conv2(model, scale("conv2", [2.0, -0.5], [3, 1]))
    assert torch.equal(changed[:, 3], 2.0 * plain[:, 3])
    assert torch.equal(changed[:, 1], -0.5 * plain[:, 1])
    assert torch.equal(changed[:, [0, 2, 4]], plain[:, [0, 2, 4]])
    with pytest.raises(ModelError, match="has shape"):
        conv2(model, scale("conv2", [2.0, 1.0, 3.0], [3, 1]))


@pytest.mark.parametrize("length", [1e-9, 1.0, 3e7])
@pytest.mark.parametrize("units", [None, [4, 0, 2]])
def test_project_takes_out_the_component_along_a_direction_and_nothing_else(
    model: Model, length: float, units: list[int] | None
) -> None:
    generator = np.random.default_rng(3)
    rows = list(range(5)) if units is None else units
    others = [u for u in range(5) if u not in rows]
    direction = generator.normal(size=len(rows))
    direction *= length / np.linalg.norm(direction)
    unit = torch.from_numpy(direction / np.linalg.norm(direction)).float()
    plain, changed = conv2(model), conv2(model, project("conv2", direction, units))
    along = torch.einsum("bu...,u->b...", plain[:, rows], unit)
    assert along.abs().max() > 0.1, "the component was there before"
    assert torch.einsum("bu...,u->b...", changed[:, rows], unit).abs().max() < 1e-6
    literal = plain[:, rows] - along[:, None] * unit.view(1, -1, 1, 1)
    assert torch.allclose(changed[:, rows], literal, atol=1e-6)
    assert torch.equal(changed[:, others], plain[:, others])
    basis = np.linalg.qr(np.stack([direction / length, *generator.normal(size=(len(rows) - 1, len(rows)))], axis=1))[0]
    for beside in torch.from_numpy(basis[:, 1:].T).float():
        before, after = (torch.einsum("bu...,u->b...", acts[:, rows], beside) for acts in (plain, changed))
        assert torch.allclose(before, after, atol=1e-6), "what stands at right angles stays"
    assert torch.allclose(conv2(model, *[project("conv2", direction, units)] * 2), changed, atol=1e-6)


def test_project_on_other_axes_in_double_precision_and_at_some_positions() -> None:
    """Tokens [batch token unit]: the unit axis is the last."""
    acts = torch.randn(3, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    site = Site("block", 2, (6, 4), 4)
    direction = torch.tensor([3, -1, 0, 2])
    changed = apply(project("block", direction), acts, site)
    assert changed.dtype == torch.float64
    assert (changed @ direction.double()).abs().max() < 1e-12
    assert (acts @ direction.double()).abs().max() > 1.0
    some = torch.zeros(6, dtype=torch.bool)
    some[[1, 4]] = True
    masked = apply(Intervention("block", "project", value=direction, positions=some), acts, site)
    assert torch.equal(masked[:, some], changed[:, some])
    assert torch.equal(masked[:, ~some], acts[:, ~some])


@pytest.mark.parametrize(
    ("direction", "units", "message"),
    [
        (np.zeros(5), None, "zero, or holds NaN"),
        (np.array([1.0, np.nan, 0, 0, 0]), None, "zero, or holds NaN"),
        (np.array([1.0, np.inf, 0, 0, 0]), None, "zero, or holds NaN"),
        (np.ones(4), None, r"has shape \(4,\)"),
        (np.ones(5), [0, 1], r"has shape \(5,\)"),
        (np.ones((5, 1)), None, "one number for each unit"),
        (1.0, None, "one number for each unit"),
        (np.ones(2), [3, 5], "no unit 5"),
    ],
)
def test_a_direction_that_is_none_is_refused(model: Model, direction, units, message: str) -> None:
    before = hooks(model.module)
    with pytest.raises(ModelError, match=message):
        conv2(model, project("conv2", direction, units))
    assert hooks(model.module) == before
