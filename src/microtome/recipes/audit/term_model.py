"""Terms of a CLIP-like model's output, asked about: read once, then the model answers with parts' terms cut.

    output without H = output - sum over parts h of H of (1 - keep) (term_h - mean_h)

The parts are heads, or the neurons of a layer (`term_sources`). The answer is the cosine of that with the classes'
texts, its changed length included, times the model's own scale. A term is kept in a basis of what its part can write
(term = Q w), so any set of parts is cut without running the model. What a part wrote is still read by the layers after
it: its effect on the output is cut, not its total.

Source: Gandelsman, Efros & Steinhardt 2023, Interpreting CLIP's image representation via text-based decomposition,
sections 3 and 4.3 (mean ablation of heads that tell a spurious cue); 2024, Interpreting the second-order effects of
neurons in CLIP, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from microtome.core.errors import ModelError
from microtome.models.model import Model
from microtome.models.output_repair import OutputRepair
from microtome.recipes.answering import Answering
from microtome.recipes.audit.asked import Detector, Pixels
from microtome.recipes.audit.lending import lenders
from microtome.recipes.audit.nouns import NO_CHANGE, Change, LastLayer, Named
from microtome.recipes.audit.term_sources import TermSource


@dataclass(frozen=True, eq=False)
class HeldTerms:
    """What is kept of images.

    Attributes
    ----------
    outputs:
        The model's own, not normalised.
    terms:
        w of every part; float32 where the model is no finer.
    """

    outputs: Float[np.ndarray, "item d_out"]
    terms: Float[np.ndarray, "item part width"]

    def __len__(self) -> int:
        return len(self.outputs)


@final
class TermModel:
    """See `asked.AskedModel`.

    Parameters
    ----------
    model:
        A vision transformer that `tower_of` lays open.
    source:
        Its terms.
    answers:
        How it answers with the classes: texts, or its own.
    names, detectors:
        Of parts, by the source's number.
    batch_size:
        Images in a forward pass.
    seed:
        Decides which image lends a term where parts are resampled.
    """

    def __init__(
        self, model: Model, source: TermSource, answers: Answering, names: Mapping[int, Named],
        detectors: Mapping[int, Detector], *, batch_size: int = 64, seed: int = 0,
    ) -> None:  # fmt: skip
        self.model, self.source, self.answers, self.tower = model, source, answers, source.tower
        self.kind, self.erasable = source.kind, source.erasable
        self.classes, self.names, self.detectors = answers.classes, names, detectors
        self.notes: list[str] = []
        self._batch, self._seed = batch_size, seed
        self._out = source.out
        self._means: Float[np.ndarray, "part width"] = np.zeros((len(self._out), self._out.shape[2]))
        self._lending: Float[np.ndarray, "item part width"] = np.zeros((0, *self._means.shape))
        scale, bias = (1.0, 0.0) if model.texts is None else (model.texts.scale, model.texts.bias)
        self._scale = float(scale) if answers.cosine else 1.0
        self._last = LastLayer(
            self._scale * answers.directions, np.full(len(self.classes), float(bias) if answers.cosine else 0.0)
        )

    @property
    def parts(self) -> int:
        """How many there are."""
        return len(self._out)

    def title(self, part: int) -> str:
        """How a part is called."""
        return self.source.title(part)

    def read(self, pixels: Sequence[Pixels]) -> HeldTerms:
        """One forward pass of each image. Raises ModelError where the terms do not add up."""
        outputs: list[np.ndarray] = [np.zeros((0, self.tower.d_out))]
        kept: list[np.ndarray] = [np.zeros((0, *self._means.shape), np.float32)]
        for first in range(0, len(pixels), self._batch):
            x = self.model.prepared(self.model.preprocess(list(pixels[first : first + self._batch])))
            with torch.no_grad():
                output, terms = self.source.read(x)
            outputs.append(output.double().cpu().numpy())
            fine = output.dtype == torch.float64
            kept.append(terms.cpu().numpy().astype(np.float64 if fine else np.float32))
        found = np.concatenate(outputs)
        if not np.isfinite(found).all():
            raise ModelError(
                f"{self.model.spec} gives NaN or infinite numbers.",
                expected="finite vectors",
                next_step="check the weights and the preprocessing",
            )
        return HeldTerms(found, np.concatenate(kept))

    def take(self, held: HeldTerms, rows: Int[np.ndarray, " row"]) -> HeldTerms:
        """Some of what was read."""
        return HeldTerms(held.outputs[rows], held.terms[rows])

    def settle(self, held: HeldTerms, rows: Bool[np.ndarray, " item"]) -> None:
        """The means that cut parts are set to, and the images that lend where parts are resampled."""
        self._lending = held.terms[rows]
        self._means = self._lending.mean(axis=0, dtype=np.float64)

    def outputs(self, held: HeldTerms, change: Change) -> Float[np.ndarray, "item d_out"]:
        """The output with parts cut, or a direction over them taken out.

        Raises
        ------
        ModelError
            For a direction over heads: they write in spaces of their own.
        """
        if change.direction is not None and not self.erasable:
            raise ModelError(
                f"Each {self.source.word} writes in a space of its own, so there is no direction over them to be "
                "taken out.",
                next_step=f"cut {self.source.word}s instead",
            )
        if not len(held):
            return held.outputs
        found = held.outputs
        if change.parts:
            rows = list(change.parts)
            own = held.terms[:, rows].astype(np.float64)
            if change.how == "resample":
                lent = self._lending[lenders(len(own), len(self._lending), seed=self._seed)[:, None], np.array(rows)]
            else:
                lent = self._means[rows] if change.how == "mean" else np.zeros_like(self._means[rows])
            found = found - self._written((1.0 - change.keep) * (own - lent), rows)
        if change.direction is not None:
            way = change.direction / np.linalg.norm(change.direction)
            beyond = (held.terms[:, :, 0] - self._means[:, 0]) @ way
            found = found - beyond[:, None] * (way @ self._out[:, :, 0])
        return found

    def _written(self, terms: Float[np.ndarray, "item row width"], rows: list[int]) -> Float[np.ndarray, "item d_out"]:
        """What these numbers of some parts write into the output, in sum."""
        ways = self._out[rows].transpose(0, 2, 1).reshape(-1, self.tower.d_out)
        return terms.reshape(len(terms), -1) @ ways

    def answer(self, held: HeldTerms, change: Change = NO_CHANGE) -> Float[np.ndarray, "item klass"]:
        """Scaled cosines with the classes' texts (or with what stands in their place), parts cut."""
        last = change.last or self._last
        return self._normed(self.outputs(held, change)) @ last.weight.T + last.bias

    def _normed(self, outputs: Float[np.ndarray, "item d_out"]) -> Float[np.ndarray, "item d_out"]:
        """The outputs as they are compared with texts."""
        return outputs / self._lengths(outputs)[:, None]

    def _lengths(self, outputs: Float[np.ndarray, "item d_out"]) -> Float[np.ndarray, " item"]:
        if not self.answers.cosine:
            return np.ones(len(outputs))
        return np.linalg.norm(outputs, axis=1).clip(1e-30)

    def features(self, held: HeldTerms) -> Float[np.ndarray, "item feature"]:
        """What the texts' directions read: the output, of length 1 where answers are cosines."""
        return self._normed(held.outputs)

    def last(self) -> LastLayer:
        """The texts' directions, scaled as the model scales cosines."""
        return self._last

    def adds(self, held: HeldTerms, direction: Float[np.ndarray, " d_out"]) -> Float[np.ndarray, "item part"]:
        """What each part adds to the answer along a direction."""
        ways = np.einsum("pow,o->pw", self._out, direction)
        return np.einsum("ipw,pw->ip", held.terms, ways) / self._lengths(held.outputs)[:, None]

    def values(self, held: HeldTerms) -> Float[np.ndarray, "item part"]:
        """How far each part's term is from its mean: the length of what a cut takes away; of neurons with a sign."""
        beyond = held.terms - self._means
        return beyond[:, :, 0] if self.erasable else np.linalg.norm(beyond, axis=2)

    def mass(self, held: HeldTerms) -> Float[np.ndarray, " part"]:
        """Mean magnitude of `values`."""
        return np.abs(self.values(held)).mean(axis=0)

    def speaks(self, held: HeldTerms, truth: Int[np.ndarray, " item"], target: int) -> Float[np.ndarray, " part"]:
        """What each part adds to the class beyond the mean class, on the class's images beyond all images; without an
        image of the class simply on all."""
        weight = self._last.weight
        added = self.adds(held, weight[target] - weight.mean(axis=0))
        own = truth == target
        return added[own].mean(axis=0) - added.mean(axis=0) if own.any() else added.mean(axis=0)

    def carried(
        self, before: HeldTerms, after: HeldTerms, truth: Int[np.ndarray, " item"], target: int
    ) -> Float[np.ndarray, " part"]:
        """Growth of what each part adds to the target beyond the true class."""
        weight, grown = self._last.weight, np.zeros(self.parts)
        for own in np.unique(truth):
            rows = np.flatnonzero(truth == own)
            way = weight[target] - weight[own]
            both = [self.adds(self.take(held, rows), way) for held in (before, after)]
            grown += (both[1] - both[0]).sum(axis=0)
        return grown / max(len(truth), 1)

    def repair(self, change: Change) -> OutputRepair:
        """A change as it is kept beside weights.

        Raises
        ------
        ModelError
            Where parts are set to what another image gives.
        """
        if change.parts and change.how == "resample":
            raise ModelError(
                f"A repair that sets {self.source.word}s to what another image gives cannot be kept with the weights.",
                next_step="audit with --ablate mean",
            )
        along = None if change.direction is None else change.direction / np.linalg.norm(change.direction)
        rows = list(change.parts) if along is None else list(range(self.parts))
        means = self._means[rows] if change.how == "mean" or along is not None else np.zeros_like(self._means[rows])
        heads, neurons = self.source.cut(rows, means, along)
        terms = np.einsum("pow,pw->po", self._out[rows], means)[: len(heads)]
        last = change.last
        return OutputRepair(
            heads, 0.0 if along is not None else float(change.keep), torch.from_numpy(terms), self.answers.cosine,
            self.classes if last is not None else (), None if last is None else torch.from_numpy(last.weight),
            None if last is None else torch.from_numpy(last.bias), neurons,
        )  # fmt: skip
