"""Channels of a layer, asked about: read once, then answered with parts cut, a direction taken out, another last layer.

Where the logits are linear in the layer's mean over positions (`models/linear_tail.py`) a change costs one matrix
product, since every change here is the same at each position and so commutes with the mean. Elsewhere what comes after
the layer runs again (`models/tail.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.intervention import Intervention, add, project, scale
from microtome.core.site import Site
from microtome.models.hooks import looking
from microtome.models.intervene import apply
from microtome.models.linear_tail import LinearTail, linear_tail
from microtome.models.model import Model
from microtome.models.outputs import first_tensor, full_precision
from microtome.models.tail import Tail
from microtome.models.trace import trace
from microtome.recipes.audit.asked import Detector, Pixels
from microtome.recipes.audit.lending import lenders
from microtome.recipes.audit.nouns import NO_CHANGE, Change, LastLayer, Named

GRADED = 32
"""Images whose gradients are taken where the model is not linear after the layer."""
KEPT = 64
"""Images whose layer's output is kept for further cuts where the model is not linear after the layer."""


@dataclass(frozen=True, eq=False)
class Held:
    """What is kept of images.

    Attributes
    ----------
    pooled:
        Mean of each unit over positions.
    logits:
        Of the model as it is.
    pixels:
        The images, where the model must run again.
    features:
        What its last linear layer read; None without one.
    """

    pooled: Float[Tensor, "item unit"]
    logits: Float[np.ndarray, "item klass"]
    pixels: tuple[Pixels, ...]
    features: Float[np.ndarray, "item feature"] | None

    def __len__(self) -> int:
        return len(self.pooled)


@final
class UnitModel:
    """See `asked.AskedModel`.

    Parameters
    ----------
    model, layer:
        Whose units.
    names, detectors:
        Of every unit that has a name.
    batch_size:
        Images in a forward pass.
    """

    kind = "units"
    erasable = True

    def __init__(
        self, model: Model, layer: str, names: Mapping[int, Named], detectors: Mapping[int, Detector], *,
        batch_size: int = 64, seed: int = 0,
    ) -> None:  # fmt: skip
        self.model, self.site = model, model.site(layer)
        self.classes, self.names, self.detectors = model.classes, names, detectors
        self.notes: list[str] = []
        self.tail: LinearTail | None = linear_tail(model, layer)
        self._batch, self._seed = batch_size, seed
        self._last = None if self.tail is not None else _last_linear(model)
        self._kept_of: Held | None = None
        self._whole: WeakKeyDictionary[Held, np.ndarray] = WeakKeyDictionary()
        self._kept: dict[int, tuple[Tail, Tensor]] = {}
        self._pooled_site = Site(layer, 1, (self.site.units,), self.site.units)
        self._means: Float[Tensor, " unit"] = torch.zeros(self.site.units, dtype=torch.float64)
        self._lending: Held | None = None
        self._lent_acts: Tensor | None = None
        if self.tail is None:
            self.notes.append(
                f"What follows layer '{layer}' is not linear, so what units add to a class is their activation times "
                "its gradient, and every cut runs what follows again."
            )

    def read(self, pixels: Sequence[Pixels]) -> Held:
        """One forward pass of each image."""
        pooled, logits, features = [], [], []
        for first in range(0, len(pixels), self._batch):
            x = self.model.preprocess(pixels[first : first + self._batch])
            values, output, taken = self._run(x)
            pooled.append(values)
            logits.append(output)
            features.append(taken)
        if not pooled:
            return Held(
                torch.zeros(0, self.site.units, dtype=torch.float64), np.zeros((0, len(self.classes))), (),
                None if self._last is None else np.zeros((0, self._last[1].in_features)),
            )  # fmt: skip
        found = np.concatenate(logits)
        if not np.isfinite(found).all():
            raise ModelError(
                f"{self.model.spec} gives NaN or infinite numbers.",
                expected="finite class scores",
                next_step="check the weights and the preprocessing",
            )
        again = () if self.tail is not None else tuple(pixels)
        kept = None if self._last is None else np.concatenate([part for part in features if part is not None])
        return Held(torch.cat(pooled), found, again, kept)

    def _run(self, x: Tensor) -> tuple[Tensor, np.ndarray, np.ndarray | None]:
        taken: list[Tensor] = []

        def look(name: str, value: Tensor) -> None:
            taken.append(value.detach())

        names = [] if self._last is None else [self._last[0]]
        with torch.no_grad(), looking(self.model.module, names, look), trace(self.model, [self.site.layer]) as cache:
            acts = cache.run(x)[self.site.layer]
        output = first_tensor(getattr(cache.output, "logits", cache.output))
        assert output is not None
        features = taken[-1].double().cpu().numpy() if taken else None
        return _pooled(acts, self.site).double().cpu(), full_precision(output).double().cpu().numpy(), features

    def take(self, held: Held, rows: Int[np.ndarray, " row"]) -> Held:
        """Some of what was read."""
        return Held(
            held.pooled[torch.from_numpy(rows)], held.logits[rows],
            tuple(held.pixels[row] for row in rows) if held.pixels else (),
            None if held.features is None else held.features[rows],
        )  # fmt: skip

    def settle(self, held: Held, rows: Bool[np.ndarray, " item"]) -> None:
        """The means that ablated units are set to, and the images that lend where units are resampled."""
        self._means = held.pooled[torch.from_numpy(rows)].mean(dim=0)
        self._lending, self._lent_acts = self.take(held, np.flatnonzero(rows)), None

    def centre(self, means: Float[np.ndarray, " unit"]) -> None:
        """Set the means that ablated units are set to, where they are known from elsewhere."""
        self._means = torch.from_numpy(means.astype(np.float64))

    @property
    def means(self) -> Float[np.ndarray, " unit"]:
        """Mean of each unit over the images of `settle`."""
        return self._means.numpy()

    def interventions(self, change: Change, lent: Tensor | None = None) -> list[Intervention]:
        """A change as interventions on the layer; those of weights are none.

        Parameters
        ----------
        lent:
            The layer's output for the images that lend, where units are resampled.

        Raises
        ------
        ModelError
            Where units are resampled and nothing is lent.
        """
        layer, found = self.site.layer, []
        if change.parts and change.how == "resample" and lent is None:
            raise ModelError(
                "A change that gives units the values of other images is drawn anew for each image.",
                next_step="set units to their mean or to zero",
            )
        if change.parts:
            rows = list(change.parts)
            found.append(scale(layer, change.keep, rows))
            if change.how != "zero" and change.keep != 1.0:
                value = self._means[rows] if lent is None else lent
                found.append(add(layer, (1.0 - change.keep) * value, rows))
        if change.direction is not None:
            d = torch.from_numpy(change.direction.astype(np.float64))
            found.append(project(layer, d))
            found.append(add(layer, d * (d @ self._means) / (d @ d)))
        return found

    def answer(self, held: Held, change: Change = NO_CHANGE) -> Float[np.ndarray, "item klass"]:
        """Logits of the model, changed."""
        if change.nothing or not len(held):
            return held.logits
        if self.tail is not None and change.last is None and change.direction is None:
            return self._without(held, change)
        if self.tail is not None:
            pooled = held.pooled
            lent = (
                None
                if change.how != "resample"
                else torch.from_numpy(self._lent(len(held), list(range(self.site.units))))
            )
            for step in self.interventions(change, lent):
                pooled = apply(step, pooled, self._pooled_site)
            last = change.last or self.last()
            assert last is not None
            return pooled.numpy() @ last.weight.T + last.bias
        if change.last is not None:
            if held.features is None or change.parts or change.direction is not None:
                raise ModelError("This model has no last linear layer to be replaced along with cuts.")
            return held.features @ change.last.weight.T + change.last.bias
        found = []
        for first in range(0, len(held.pixels), self._batch):
            rest, acts = self._begun(held, first)
            lent = None if change.how != "resample" else self._lent_maps(first, len(acts))
            for step in self.interventions(change, lent):
                acts = apply(step, acts, self.site)
            found.append(rest.finish(acts).double().cpu().numpy())
        return np.concatenate(found)

    def _without(self, held: Held, change: Change) -> Float[np.ndarray, "item klass"]:
        """Where the tail is linear only what the cut units add to the logits changes."""
        last, rows = self.last(), list(change.parts)
        assert last is not None
        if held not in self._whole:
            self._whole[held] = held.pooled.numpy() @ last.weight.T + last.bias
        own = held.pooled[:, rows].numpy()
        value = self._lent(len(held), rows) if change.how == "resample" else self.means[rows]
        kept = change.keep * own + (1.0 - change.keep) * (0.0 if change.how == "zero" else value)
        return self._whole[held] + (kept - own) @ last.weight[:, rows].T

    def _lent(self, count: int, units: list[int]) -> Float[np.ndarray, "item row"]:
        """Means over positions of some units, of the images that lend to so many others."""
        pool = np.zeros((0, self.site.units)) if self._lending is None else self._lending.pooled.numpy()
        return pool[lenders(count, len(pool), seed=self._seed)[:, None], np.array(units, np.int64)]

    def _lent_maps(self, first: int, count: int) -> Tensor:
        """The layer's output for images that lend to a batch."""
        pixels: list[Pixels] = []
        if self._lending is not None:
            pool = self._lending.pixels
            order = np.random.default_rng([self._seed, 91]).permutation(len(pool))[:KEPT]
            pixels = [pool[row] for row in order.tolist()]
        chosen = lenders(first + count, len(pixels), seed=self._seed)[first:]
        if self._lent_acts is None:
            with torch.no_grad(), trace(self.model, [self.site.layer], stop=True) as cache:
                self._lent_acts = cache.run(self.model.preprocess(pixels))[self.site.layer]
        return self._lent_acts[torch.from_numpy(chosen)]

    def _begun(self, held: Held, first: int) -> tuple[Tail, Tensor]:
        """What comes after the layer, and the layer's output, for one batch. Those of the images asked last are kept:
        every further cut of these then costs the rest of the network alone."""
        full = first not in self._kept and len(self._kept) * self._batch >= KEPT
        if self._kept_of is not held or full:
            self._kept_of, self._kept = held, {}
        if first not in self._kept:
            rest = Tail(self.model, self.site.layer)
            x = self.model.preprocess(held.pixels[first : first + self._batch])
            self._kept[first] = rest, rest.begin(x)
        return self._kept[first]

    def features(self, held: Held) -> Float[np.ndarray, "item feature"] | None:
        """What the last linear layer reads."""
        return held.pooled.numpy() if self.tail is not None else held.features

    def last(self) -> LastLayer | None:
        """The model's last linear layer."""
        if self.tail is not None:
            weight, bias = self.tail.weight, self.tail.bias
        elif self._last is not None:
            weight = self._last[1].weight.detach()
            bias = torch.zeros(len(weight)) if self._last[1].bias is None else self._last[1].bias.detach()
        else:
            return None
        return LastLayer(weight.double().cpu().numpy(), bias.double().cpu().numpy())

    def last_module(self) -> tuple[str, nn.Module]:
        """The module that holds the last linear layer, by name. Raises ModelError without one."""
        if self.tail is not None:
            return self.tail.module, self.model.module.get_submodule(self.tail.module)
        if self._last is None:
            raise ModelError(f"{self.model.spec} has no last linear layer.")
        return self._last

    def values(self, held: Held) -> Float[np.ndarray, "item unit"]:
        """Mean of each unit over positions."""
        return held.pooled.numpy()

    def mass(self, held: Held) -> Float[np.ndarray, " unit"]:
        """Mean magnitude of each unit."""
        return held.pooled.abs().mean(dim=0).numpy()

    def speaks(self, held: Held, truth: Int[np.ndarray, " item"], target: int) -> Float[np.ndarray, " unit"]:
        """(weight of the class - mean weight) * mean activation on the class's images; else gradient x activation."""
        return self.speaks_along(held, truth, target, None)

    def speaks_along(
        self, held: Held, truth: Int[np.ndarray, " item"], target: int, ways: Float[np.ndarray, "slice unit"] | None
    ) -> Float[np.ndarray, " slice"]:
        """The same of directions of length 1: what the part of the activations along each adds. None: of every unit."""
        own = truth == target if (truth == target).any() else np.ones(len(truth), bool)
        last = self.last() if self.tail is not None else None
        if last is not None:
            weight, acts = last.weight[target] - last.weight.mean(axis=0), held.pooled.numpy()[own]
            if ways is None:
                return weight * acts.mean(axis=0)
            return (ways @ weight) * (acts @ ways.T).mean(axis=0)
        rows = np.flatnonzero(own)[:GRADED]
        images = [held.pixels[row] for row in rows]
        gradient, acts = self._graded(images, np.full(len(images), target), None)
        if ways is not None:
            turned = torch.from_numpy(ways)
            gradient, acts = (torch.tensordot(each.movedim(self.site.unit_axis, -1), turned.T, 1).movedim(
                -1, self.site.unit_axis
            ) for each in (gradient, acts))  # fmt: skip
        return _sum_positions(gradient * acts, self.site).mean(axis=0)

    def carried(
        self, before: Held, after: Held, truth: Int[np.ndarray, " item"], target: int
    ) -> Float[np.ndarray, " unit"]:
        """Exact where the tail is linear; else the gradient after the change times what changed."""
        last = self.last() if self.tail is not None else None
        if last is not None:
            grown = after.pooled.numpy() - before.pooled.numpy()
            return ((last.weight[target] - last.weight[truth]) * grown).mean(axis=0)
        count = min(GRADED, len(after))
        goals = np.full(count, target)
        gradient, acts = self._graded(list(after.pixels[:count]), goals, truth[:count])
        _, earlier = self._graded(list(before.pixels[:count]), goals, truth[:count])
        return _sum_positions(gradient * (acts - earlier), self.site).mean(axis=0)

    def _graded(
        self, pixels: list[Pixels], target: Int[np.ndarray, " item"], against: Int[np.ndarray, " item"] | None
    ) -> tuple[Tensor, Tensor]:
        """d (target's logit - the other's) / d activation, and the activation; without `against` the logits' mean."""
        gradients, values = [], []
        for first in range(0, len(pixels), self._batch):
            x = self.model.preprocess(pixels[first : first + self._batch])
            with torch.enable_grad(), trace(self.model, [self.site.layer], keep_grad=True) as cache:
                acts = cache.run(x)[self.site.layer]
                output = first_tensor(getattr(cache.output, "logits", cache.output))
                assert output is not None
                rows = torch.arange(len(x))
                score = output[rows, torch.from_numpy(target[first : first + len(x)])]
                beside = output.mean(dim=1)
                if against is not None:
                    beside = output[rows, torch.from_numpy(against[first : first + len(x)])]
                (gradient,) = torch.autograd.grad((score - beside).sum(), acts)
            gradients.append(gradient.detach().double().cpu())
            values.append(acts.detach().double().cpu())
        return torch.cat(gradients), torch.cat(values)


def _pooled(acts: Tensor, site: Site) -> Float[Tensor, "item unit"]:
    moved = acts.movedim(site.unit_axis, 1)
    return moved.reshape(moved.shape[0], moved.shape[1], -1).mean(dim=2)


def _sum_positions(values: Tensor, site: Site) -> Float[np.ndarray, "item unit"]:
    moved = values.movedim(site.unit_axis, 1)
    return moved.reshape(moved.shape[0], moved.shape[1], -1).sum(dim=2).numpy()


def _last_linear(model: Model) -> tuple[str, nn.Linear] | None:
    """The linear layer whose output is the model's, seen in a pass of random images; None without one."""
    named = [(name, each) for name, each in model.module.named_modules() if isinstance(each, nn.Linear)]
    if not named or (model.classes and named[-1][1].out_features != len(model.classes)):
        return None
    name, layer = named[-1]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((2, 3, model.preprocess.height, model.preprocess.width), generator=generator)
    with torch.no_grad(), trace(model, [name]) as cache:
        returned = cache.run(x)[name]
    output = first_tensor(getattr(cache.output, "logits", cache.output))
    same = output is not None and output.shape == returned.shape and torch.equal(output, returned)
    return (name, layer) if same else None
