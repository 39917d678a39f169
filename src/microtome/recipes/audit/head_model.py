"""Heads of a CLIP-like model, asked about: its output read once as a sum, then answered with heads' terms cut.

    output without H = output - sum over heads h of H of (1 - keep) (term_h - mean_h)

The answer is the cosine of that with the classes' texts, its changed length included, times the model's own scale. A
term is kept in a basis of what its head can write (term = Q w), so any set of heads is cut without running the model.
What a head wrote is still read by the layers after it: its direct effect is cut, not its total.

Source: Gandelsman, Efros & Steinhardt 2023, Interpreting CLIP's image representation via text-based decomposition,
sections 3 and 4.3 (mean ablation of heads that tell a spurious cue).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from microtome.core.errors import ModelError
from microtome.methods.decompose.terms import Terms, check_exact, places_of, take_apart
from microtome.models.model import Model
from microtome.models.repaired_heads import HeadRepair
from microtome.models.towers.find import tower_of
from microtome.models.towers.streams import run_tower
from microtome.recipes.answering import Answering
from microtome.recipes.audit.asked import Detector, Pixels
from microtome.recipes.audit.nouns import NO_CHANGE, Change, LastLayer, Named
from microtome.recipes.head_choice import bases


@dataclass(frozen=True, eq=False)
class HeldHeads:
    """What is kept of images.

    Attributes
    ----------
    outputs:
        The model's own, not normalised.
    heads:
        w of every head, layer * heads + head; float32 where the model is no finer.
    """

    outputs: Float[np.ndarray, "item d_out"]
    heads: Float[np.ndarray, "item part width"]

    def __len__(self) -> int:
        return len(self.outputs)


@final
class HeadModel:
    """See `asked.AskedModel`.

    Parameters
    ----------
    model:
        A vision transformer that `tower_of` lays open.
    answers:
        How it answers with the classes: texts, or its own.
    names, detectors:
        Of heads, by layer * heads + head.
    batch_size:
        Images in a forward pass.
    seed:
        Decides which image lends a term where heads are resampled.
    """

    kind = "heads"
    erasable = False

    def __init__(
        self, model: Model, answers: Answering, names: Mapping[int, Named], detectors: Mapping[int, Detector], *,
        batch_size: int = 64, seed: int = 0,
    ) -> None:  # fmt: skip
        self.model, self.answers, self.tower = model, answers, tower_of(model)
        self.classes, self.names, self.detectors = answers.classes, names, detectors
        self.notes: list[str] = []
        self._batch, self._seed, self._checked = batch_size, seed, False
        pairs = [bases(self.tower, layer) for layer in range(len(self.tower.layers))]
        self._out = np.concatenate([out for out, _ in pairs])
        self._into = np.concatenate([into for _, into in pairs])
        self._means: Float[np.ndarray, "part width"] = np.zeros((len(self._out), self._out.shape[2]))
        scale, bias = (1.0, 0.0) if model.texts is None else (model.texts.scale, model.texts.bias)
        self._scale = float(scale) if answers.cosine else 1.0
        self._last = LastLayer(
            self._scale * answers.directions, np.full(len(self.classes), float(bias) if answers.cosine else 0.0)
        )

    @property
    def parts(self) -> int:
        """How many heads there are."""
        return len(self._out)

    def title(self, part: int) -> str:
        """`head 4.1`."""
        return "head {}.{}".format(*divmod(part, self.tower.heads))

    def read(self, pixels: Sequence[Pixels]) -> HeldHeads:
        """One forward pass of each image. Raises ModelError where the terms do not add up."""
        outputs, heads = [np.zeros((0, self.tower.d_out))], []
        for first in range(0, len(pixels), self._batch):
            terms = self._terms(pixels[first : first + self._batch])
            outputs.append(terms.output.double().cpu().numpy())
            fine = terms.heads.dtype == torch.float64
            u = terms.heads.flatten(1, 2).double().cpu().numpy()
            heads.append(np.einsum("ips,pws->ipw", u, self._into).astype(np.float64 if fine else np.float32))
        found = np.concatenate(outputs)
        if not np.isfinite(found).all():
            raise ModelError(
                f"{self.model.spec} gives NaN or infinite numbers.",
                expected="finite vectors",
                next_step="check the weights and the preprocessing",
            )
        kept = np.concatenate(heads) if heads else np.zeros((0, *self._means.shape), np.float32)
        return HeldHeads(found, kept)

    def _terms(self, pixels: Sequence[Pixels]) -> Terms:
        x = self.model.prepared(self.model.preprocess(list(pixels)))
        with torch.no_grad():
            terms = take_apart(self.tower, run_tower(self.tower, x, places_of(self.tower)))
            if not self._checked:
                check_exact(self.tower, terms)
                self._checked = True
        return terms

    def take(self, held: HeldHeads, rows: Int[np.ndarray, " row"]) -> HeldHeads:
        """Some of what was read."""
        return HeldHeads(held.outputs[rows], held.heads[rows])

    def settle(self, held: HeldHeads, rows: Bool[np.ndarray, " item"]) -> None:
        """The means that cut heads are set to."""
        self._means = held.heads[rows].mean(axis=0, dtype=np.float64)

    def mean_terms(self, parts: Sequence[int]) -> Float[np.ndarray, "part d_out"]:
        """Mean term of some heads over the images of `settle`, in the output's space."""
        rows = list(parts)
        return np.einsum("pow,pw->po", self._out[rows], self._means[rows])

    def terms(self, held: HeldHeads, part: int) -> Float[np.ndarray, "item d_out"]:
        """What a head adds to the output."""
        return held.heads[:, part].astype(np.float64) @ self._out[part].T

    def outputs(self, held: HeldHeads, change: Change) -> Float[np.ndarray, "item d_out"]:
        """The output with heads cut.

        Raises
        ------
        ModelError
            For a direction: heads write in spaces of their own.
        """
        if change.direction is not None:
            raise ModelError(
                "Heads write in spaces of their own, so there is no direction over heads to be taken out.",
                next_step="cut heads instead",
            )
        if not change.parts or not len(held):
            return held.outputs
        rows = list(change.parts)
        own = held.heads[:, rows].astype(np.float64)
        if change.how == "resample":
            lent = own[np.random.default_rng([self._seed, 89]).permutation(len(own))]
        else:
            lent = self._means[rows] if change.how == "mean" else np.zeros_like(self._means[rows])
        gone = (1.0 - change.keep) * (own - lent)
        return held.outputs - gone.reshape(len(own), -1) @ self._out[rows].transpose(0, 2, 1).reshape(
            -1, self.tower.d_out
        )

    def answer(self, held: HeldHeads, change: Change = NO_CHANGE) -> Float[np.ndarray, "item klass"]:
        """Scaled cosines with the classes' texts (or with what stands in their place), heads cut."""
        last = change.last or self._last
        return self._normed(self.outputs(held, change)) @ last.weight.T + last.bias

    def _normed(self, outputs: Float[np.ndarray, "item d_out"]) -> Float[np.ndarray, "item d_out"]:
        """The outputs as they are compared with texts."""
        return outputs / self._lengths(outputs)[:, None]

    def _lengths(self, outputs: Float[np.ndarray, "item d_out"]) -> Float[np.ndarray, " item"]:
        if not self.answers.cosine:
            return np.ones(len(outputs))
        return np.linalg.norm(outputs, axis=1).clip(1e-30)

    def features(self, held: HeldHeads) -> Float[np.ndarray, "item feature"]:
        """What the texts' directions read: the output, of length 1 where answers are cosines."""
        return self._normed(held.outputs)

    def last(self) -> LastLayer:
        """The texts' directions, scaled as the model scales cosines."""
        return self._last

    def adds(self, held: HeldHeads, direction: Float[np.ndarray, " d_out"]) -> Float[np.ndarray, "item part"]:
        """What each head adds to the answer along a direction: all parts of the output add up to the whole."""
        ways = np.einsum("pow,o->pw", self._out, direction)
        return np.einsum("ipw,pw->ip", held.heads, ways) / self._lengths(held.outputs)[:, None]

    def values(self, held: HeldHeads) -> Float[np.ndarray, "item part"]:
        """How far each head's term is from its mean: the length of what a cut takes away."""
        return np.linalg.norm(held.heads - self._means, axis=2)

    def mass(self, held: HeldHeads) -> Float[np.ndarray, " part"]:
        """Mean of `values`."""
        return self.values(held).mean(axis=0)

    def speaks(self, held: HeldHeads, truth: Int[np.ndarray, " item"], target: int) -> Float[np.ndarray, " part"]:
        """What each head adds to the class beyond the mean class, on the class's images beyond all images; without an
        image of the class simply on all."""
        weight = self._last.weight
        added = self.adds(held, weight[target] - weight.mean(axis=0))
        own = truth == target
        return added[own].mean(axis=0) - added.mean(axis=0) if own.any() else added.mean(axis=0)

    def carried(
        self, before: HeldHeads, after: HeldHeads, truth: Int[np.ndarray, " item"], target: int
    ) -> Float[np.ndarray, " part"]:
        """Growth of what each head adds to the target beyond the true class; exact."""
        weight, grown = self._last.weight, np.zeros(self.parts)
        for own in np.unique(truth):
            rows = np.flatnonzero(truth == own)
            way = weight[target] - weight[own]
            both = [self.adds(self.take(held, rows), way) for held in (before, after)]
            grown += (both[1] - both[0]).sum(axis=0)
        return grown / max(len(truth), 1)

    def repair(self, change: Change) -> HeadRepair:
        """A change as it is kept beside weights.

        Raises
        ------
        ModelError
            Where heads are set to what another image gives.
        """
        if change.parts and change.how == "resample":
            raise ModelError(
                "A repair that sets heads to what another image gives cannot be kept with the weights.",
                next_step="audit with --ablate mean",
            )
        means = self.mean_terms(change.parts)
        last = change.last
        return HeadRepair(
            tuple((part // self.tower.heads, part % self.tower.heads) for part in change.parts), float(change.keep),
            torch.from_numpy(means if change.how == "mean" else np.zeros_like(means)), self.answers.cosine,
            self.classes if last is not None else (), None if last is None else torch.from_numpy(last.weight),
            None if last is None else torch.from_numpy(last.bias),
        )  # fmt: skip
