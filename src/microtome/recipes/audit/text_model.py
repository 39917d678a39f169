"""Units of a model of texts, asked about: read once, then answered with units cut or another last layer.

Where the last linear layer reads the units directly a change costs one matrix product; elsewhere the model runs again
with the same interventions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.intervention import Intervention, InterventionKind
from microtome.core.site import Site
from microtome.models.encode import Pool
from microtome.models.intervene import apply, intervene
from microtome.models.text import TextModel
from microtome.recipes.audit.asked import Detector
from microtome.recipes.audit.lending import lenders
from microtome.recipes.audit.nouns import NO_CHANGE, Change, LastLayer, Named

Texts = tuple[str, ...]
LOOKED_AT = 64
"""Items on which units are cut one by one to see what they add, where the classifier does not read them directly."""
INPUT = ":in"


@dataclass(frozen=True, eq=False)
class HeldTexts:
    """What is kept of texts.

    Attributes
    ----------
    pooled:
        Activation of each unit; of layers with tokens, pooled over them.
    logits:
        Of the model as it is.
    texts:
        The items.
    """

    pooled: Float[Tensor, "item unit"]
    logits: Float[np.ndarray, "item klass"]
    texts: tuple[Texts, ...]

    def __len__(self) -> int:
        return len(self.texts)


@final
class TextUnits:
    """See `asked.AskedModel`; the inputs are texts.

    Parameters
    ----------
    model, layer, pool:
        Whose units, and how tokens become one number.
    names, detectors:
        Of every unit that has a name.

    Raises
    ------
    ModelError
        If the layer's units are heads, which are not cut one by one here.
    """

    kind = "units"

    def __init__(
        self, model: TextModel, layer: str, names: Mapping[int, Named], detectors: Mapping[int, Detector], *,
        pool: Pool = "max", batch_size: int = 64, seed: int = 0,
    ) -> None:  # fmt: skip
        if layer.endswith(":heads"):
            raise ModelError(
                f"The units of layer '{layer}' are heads, whose lengths cannot be set.",
                next_step="audit a layer of neurons, such as the default one",
            )
        self.model, self.layer, self.site = model, layer, model.site(layer)
        self.classes, self.names, self.detectors = model.classes, names, detectors
        self.notes: list[str] = []
        self._pool: Pool = pool
        self._batch, self._seed = batch_size, seed
        weight = model.class_weights(layer)
        self._weight = None if weight is None else weight.double().cpu().numpy()
        self._bias = None if weight is None else _bias_of(model)
        self.flat = Site(layer, 1, (self.site.units,), self.site.units)
        self._means: Float[Tensor, " unit"] = torch.zeros(self.site.units, dtype=torch.float64)
        self._lending: Float[Tensor, "item unit"] = torch.zeros((0, self.site.units), dtype=torch.float64)
        if weight is None:
            self.notes.append(
                f"The classifier does not read layer '{layer}' directly: what a unit adds to a class is measured by "
                "cutting it, every cut runs the model again, and no last layer is trained."
            )

    @property
    def tail(self) -> Float[np.ndarray, "klass unit"] | None:
        """The classifier's weights, where it reads the units directly."""
        return self._weight

    @property
    def means(self) -> Float[np.ndarray, " unit"]:
        """Mean of each unit over the items of `settle`."""
        return self._means.numpy()

    def read(self, texts: Sequence[Texts]) -> HeldTexts:
        """One forward pass of each item."""
        pooled = torch.zeros(len(texts), self.site.units, dtype=torch.float64)
        logits = np.zeros((len(texts), len(self.classes)))
        # Of like length together: padding costs what words cost.
        order = sorted(range(len(texts)), key=lambda k: sum(map(len, texts[k])))
        for first in range(0, len(order), self._batch):
            rows = order[first : first + self._batch]
            with torch.inference_mode():
                values, scores = self.model.pooled([texts[row] for row in rows], self.layer, pool=self._pool)
            assert scores is not None
            pooled[rows] = values.double().cpu()
            logits[rows] = scores.double().cpu().numpy()
        return HeldTexts(pooled, logits, tuple(texts))

    def take(self, held: HeldTexts, rows: Int[np.ndarray, " row"]) -> HeldTexts:
        """Some of what was read."""
        return HeldTexts(held.pooled[torch.from_numpy(rows)], held.logits[rows], tuple(held.texts[row] for row in rows))

    def settle(self, held: HeldTexts, rows: Bool[np.ndarray, " item"]) -> None:
        """The means that ablated units are set to, and the items that lend where units are resampled."""
        self._lending = held.pooled[torch.from_numpy(rows)]
        self._means = self._lending.mean(dim=0)

    def interventions(self, change: Change, lent: Tensor | None = None) -> list[Intervention]:
        """A change as interventions on the layer; those of weights are none.

        Parameters
        ----------
        lent:
            Activations of the items that lend, where units are resampled; None: an item of the same batch lends, since
            the tokens of texts of other lengths do not fit.
        """
        found: list[Intervention] = []
        if change.parts:
            rows = tuple(change.parts)
            if change.how == "resample" and lent is not None:
                found += [self._one("scale", rows, change.keep), self._one("add", rows, (1.0 - change.keep) * lent)]
            elif change.how == "resample":
                found.append(self._one("ablate-resample", rows, None, seed=self._seed))
            else:
                found.append(self._one("scale", rows, change.keep))
                if change.how == "mean" and change.keep != 1.0:
                    found.append(self._one("add", rows, (1.0 - change.keep) * self._means[list(rows)]))
        if change.direction is not None:
            d = torch.from_numpy(change.direction.astype(np.float64))
            found.append(self._one("project", None, d))
            found.append(self._one("add", None, d * (d @ self._means) / (d @ d)))
        return found

    def _one(
        self, kind: InterventionKind, units: tuple[int, ...] | None, value: object, *, seed: int | None = None
    ) -> Intervention:
        name = self.layer.removesuffix(INPUT)
        return Intervention(name, kind, units, value=value, seed=seed, side="input" if name != self.layer else "output")

    def answer(self, held: HeldTexts, change: Change = NO_CHANGE) -> Float[np.ndarray, "item klass"]:
        """Logits of the model, changed."""
        if change.nothing or not len(held):
            return held.logits
        if self._weight is not None:
            pooled = held.pooled
            lent = None
            if change.how == "resample":
                lent = self._lending[torch.from_numpy(lenders(len(held), len(self._lending), seed=self._seed))]
            for step in self.interventions(change, lent):
                pooled = apply(step, pooled, self.flat)
            last = change.last or self.last()
            assert last is not None
            return pooled.numpy() @ last.weight.T + last.bias
        found = []
        for first in range(0, len(held), self._batch):
            with intervene(self.model.module, self.interventions(change)):
                scores = self.model.logits(held.texts[first : first + self._batch])
            found.append(scores.double().cpu().numpy())
        return np.concatenate(found)

    def features(self, held: HeldTexts) -> Float[np.ndarray, "item unit"] | None:
        """What the classifier reads, where it reads the units."""
        return None if self._weight is None else held.pooled.numpy()

    def last(self) -> LastLayer | None:
        """The classifier, where it reads the units."""
        return None if self._weight is None or self._bias is None else LastLayer(self._weight, self._bias)

    def values(self, held: HeldTexts) -> Float[np.ndarray, "item unit"]:
        """Activation of each unit."""
        return held.pooled.numpy()

    def mass(self, held: HeldTexts) -> Float[np.ndarray, " unit"]:
        """Mean magnitude of each unit."""
        return held.pooled.abs().mean(dim=0).numpy()

    def speaks(self, held: HeldTexts, truth: Int[np.ndarray, " item"], target: int) -> Float[np.ndarray, " unit"]:
        """(weight of the class - mean weight) * mean activation; else what the class loses without the unit."""
        own = truth == target if (truth == target).any() else np.ones(len(truth), bool)
        if self._weight is not None:
            return (self._weight[target] - self._weight.mean(axis=0)) * held.pooled.numpy()[own].mean(axis=0)
        rows = self.take(held, np.flatnonzero(own)[:LOOKED_AT])
        whole = _above(rows.logits, target)
        found = np.zeros(self.site.units)
        for unit in self.names:
            found[unit] = float((whole - _above(self.answer(rows, Change(parts=(unit,))), target)).mean())
        return found

    def carried(
        self, before: HeldTexts, after: HeldTexts, truth: Int[np.ndarray, " item"], target: int
    ) -> Float[np.ndarray, " unit"]:
        """Exact where the classifier reads the units; else how much less the margin grows with the unit cut."""
        if self._weight is not None:
            grown = after.pooled.numpy() - before.pooled.numpy()
            return ((self._weight[target] - self._weight[truth]) * grown).mean(axis=0)
        rows = np.arange(min(LOOKED_AT, len(after)))
        one, two = self.take(before, rows), self.take(after, rows)
        margin = _margin(two.logits, target, truth[rows]) - _margin(one.logits, target, truth[rows])
        found = np.zeros(self.site.units)
        for unit in self.names:
            cut = Change(parts=(unit,))
            left = [_margin(self.answer(each, cut), target, truth[rows]) for each in (one, two)]
            found[unit] = float((margin - (left[1] - left[0])).mean())
        return found

    def classifier(self) -> tuple[str, nn.Linear]:
        """The module of the last linear layer, by name. Raises ModelError without one."""
        return classifier_of(self.model)


def classifier_of(model: TextModel) -> tuple[str, nn.Linear]:
    """The last linear layer with an output a class. Raises ModelError without one."""
    found = [
        (name, each) for name, each in model.module.named_modules()
        if isinstance(each, nn.Linear) and each.out_features == len(model.classes)
    ]  # fmt: skip
    if not found:
        raise ModelError(f"{model.spec} has no linear layer with an output for each class.")
    return found[-1]


def _bias_of(model: TextModel) -> Float[np.ndarray, " klass"]:
    bias = classifier_of(model)[1].bias
    return np.zeros(len(model.classes)) if bias is None else bias.detach().double().cpu().numpy()


def _above(logits: np.ndarray, target: int) -> np.ndarray:
    return logits[:, target] - logits.mean(axis=1)


def _margin(logits: np.ndarray, target: int, truth: np.ndarray) -> np.ndarray:
    return logits[:, target] - logits[np.arange(len(truth)), truth]
