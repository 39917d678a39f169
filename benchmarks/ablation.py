"""Ablation of every unit of a layer: what one unit costs beside a whole forward pass, both in turn in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks import resnet18
from benchmarks.decompose import Found, in_turn
from microtome.core.intervention import ablate
from microtome.models.intervene import apply
from microtome.models.linear_tail import linear_tail
from microtome.models.load import load
from microtome.models.model import Model, wrap
from microtome.models.tail import Tail, logits_of_each

SIZE, BATCH, CLASSES = 224, 16, 1000
FEW = 4
SQUEEZENET = f"{Path(__file__).parent.parent}/tests/support/squeezenet.py:make_model"


def _images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, SIZE, SIZE, generator=generator)
    return images, torch.randint(CLASSES, (BATCH,), generator=generator)


def _loss_and_right(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Each image's loss, and whether it is named rightly."""
    return cross_entropy(logits, labels, reduction="none"), (logits.argmax(-1) == labels).float()


def _by_product(model: Model, layer: str) -> Callable[[], object]:
    """The pass up to the layer, then loss and accuracy without each unit beside those of the whole."""
    (x, labels), value, linear = _images(), torch.zeros(model.site(layer).units), linear_tail(model, layer)
    assert linear is not None
    loss, right = _loss_and_right(model.logits(x), labels)

    def run() -> object:
        effects = []
        for _, logits in logits_of_each(model, layer, x, value, linear=linear):
            without, still = _loss_and_right(logits, labels)
            effects.append((float((without - loss).mean()), float((still - right).mean())))
        return effects

    return run


def _at_once(model: Model, layer: str) -> Callable[[], object]:
    """The same from known means, in one array of all logits."""
    (x, labels), value, linear = _images(), torch.zeros(model.site(layer).units), linear_tail(model, layer)
    assert linear is not None
    pooled = linear.pooled(Tail(model, layer).begin(x), model.site(layer))
    repeated = labels.repeat_interleave(model.site(layer).units)
    return lambda: _loss_and_right(linear.logits_without(pooled, value).flatten(0, 1), repeated)


def _share(got: Found, units: int) -> str:
    """The cost of one unit as a share of a pass."""
    return (
        f"1/{units / got['ratio']:,.0f} of a pass (1/{units / got['most']:,.0f} to 1/{units / got['least']:,.0f} "
        f"in {got['pairs']:.0f} pairs)"
    )


def _by_tail(model: Model, name: str, layer: str, pairs: int) -> tuple[str, str, str]:
    """The row of a layer whose rest has to run for each unit."""
    (x, labels), tail, site = _images(), Tail(model, layer), model.site(layer)
    begun = in_turn(lambda: model.logits(x), lambda: tail.begin(x), pairs)
    activations = tail.begin(x)

    def units() -> object:
        changes = (ablate(layer, [unit]) for unit in range(FEW))
        return [_loss_and_right(tail.finish(apply(it, activations, site)), labels) for it in changes]

    got = in_turn(lambda: model.logits(x), units, pairs)
    return (
        f"{name} {layer}, each of {site.units} units by the Tail",
        f"{_share(got, FEW)}; begin() {begun['ratio']:.2f} passes; a pass {got['plain']:.2f} s", "",
    )  # fmt: skip


def run(*, quick: bool = False) -> Iterator[tuple[str, str, str]]:
    """Rows (what, measured, target), in processor time on one thread."""
    threads, pairs = torch.get_num_threads(), 3 if quick else 7
    torch.set_num_threads(1)
    try:
        model = wrap(resnet18.make_model(), size=SIZE, device="cpu")
        x, units = _images()[0], model.site("layer4").units
        got = in_turn(lambda: model.logits(x), _by_product(model, "layer4"), pairs)
        yield (
            f"ResNet-18 layer4, logits, loss and accuracy without each of {units} units, with the pass itself",
            f"{_share(got, units)}; a pass of {BATCH} images {got['plain']:.2f} s", "<= 1/50",
        )  # fmt: skip
        got = in_turn(lambda: model.logits(x), _at_once(model, "layer4"), pairs)
        yield "the same from known means, all units at once", _share(got, units), ""
        yield _by_tail(model, "ResNet-18", "layer3", pairs)
        yield _by_tail(load(SQUEEZENET, size=SIZE, device="cpu"), "SqueezeNet", "features.12", pairs)
    finally:
        torch.set_num_threads(threads)
