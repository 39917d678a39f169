"""The terms that an audit of a CLIP-like model cuts: what heads write into the output, or what neurons have read.

    head h:     term = P_h u_h                       its part of the exact sum (`methods/decompose/terms.py`)
    neuron n:   term = d_n (reader_n . s_n)          its effect through later heads, along its first direction d_n

Each term is a fixed matrix times a small vector w of the image, [d_out, width] times [width]; of a neuron w is one
number. What an effect has beside its first direction is left in the output.

Source: Gandelsman, Efros & Steinhardt 2023, Interpreting CLIP's image representation via text-based decomposition,
section 3; 2024, Interpreting the second-order effects of neurons in CLIP, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from microtome.methods.decompose.terms import check_exact, decompose, places_of, take_apart
from microtome.models.output_repair import NeuronCut
from microtome.models.towers.base import Tower
from microtome.models.towers.reading import coefficients, places_after
from microtome.models.towers.streams import run_tower
from microtome.recipes.head_choice import bases

Heads = tuple[tuple[int, int], ...]


@runtime_checkable
class TermSource(Protocol):
    """Terms of a tower's output.

    Attributes
    ----------
    kind, word:
        `heads` or `neurons`; of one.
    tower:
        Whose.
    out:
        [part, d_out, width]: what each part's numbers write.
    erasable:
        Whether the parts' numbers can be combined, so that a direction over them can be taken out.
    """

    kind: str
    word: str
    tower: Tower
    out: Float[np.ndarray, "part d_out width"]
    erasable: bool

    def title(self, part: int) -> str:
        """How a part is called."""
        ...

    def read(
        self, x: Float[Tensor, "batch 3 h w"]
    ) -> tuple[Float[Tensor, "batch d_out"], Float[Tensor, "batch part width"]]:
        """The output, and w of every part."""
        ...

    def cut(
        self, parts: Sequence[int], means: Float[np.ndarray, "part width"],
        along: Float[np.ndarray, " part"] | None = None,
    ) -> tuple[Heads, NeuronCut | None]:  # fmt: skip
        """The parts as a repair names them."""
        ...


@final
class HeadTerms:
    """Every head of a tower, by layer * heads + head. See `TermSource`."""

    kind, word, erasable = "heads", "head", False

    def __init__(self, tower: Tower) -> None:
        self.tower = tower
        pairs = [bases(tower, layer) for layer in range(len(tower.layers))]
        self.out = np.concatenate([out for out, _ in pairs])
        self._into = torch.from_numpy(np.concatenate([into for _, into in pairs]))
        self._checked = False

    def title(self, part: int) -> str:
        """`head 4.1`."""
        return "head {}.{}".format(*divmod(part, self.tower.heads))

    def read(
        self, x: Float[Tensor, "batch 3 h w"]
    ) -> tuple[Float[Tensor, "batch d_out"], Float[Tensor, "batch part width"]]:
        """One pass. Raises ModelError where the terms do not add up."""
        terms = take_apart(self.tower, run_tower(self.tower, x, places_of(self.tower)))
        if not self._checked:
            check_exact(self.tower, terms)
            self._checked = True
        return terms.output, torch.einsum("ips,pws->ipw", terms.heads.flatten(1, 2).double().cpu(), self._into)

    def cut(
        self, parts: Sequence[int], means: Float[np.ndarray, "part width"],
        along: Float[np.ndarray, " part"] | None = None,
    ) -> tuple[Heads, NeuronCut | None]:  # fmt: skip
        """(layer, head) of each."""
        return tuple(divmod(part, self.tower.heads) for part in parts), None


@final
class NeuronTerms:
    """Every neuron of a layer. See `TermSource`.

    Parameters
    ----------
    layer:
        Whose neurons.
    readers, directions:
        What a run of `decompose neurons` found of them.
    """

    kind, word, erasable = "neurons", "neuron", True

    def __init__(
        self, tower: Tower, layer: int, readers: Float[np.ndarray, "neuron k"],
        directions: Float[np.ndarray, "neuron d_out"],
    ) -> None:  # fmt: skip
        self.tower, self.layer = tower, layer
        self.out = directions.astype(np.float64)[:, :, None]
        self._readers, self._checked = torch.from_numpy(readers.astype(np.float64)), False

    def title(self, part: int) -> str:
        """`neuron 3.17`."""
        return f"neuron {self.layer}.{part}"

    def read(
        self, x: Float[Tensor, "batch 3 h w"]
    ) -> tuple[Float[Tensor, "batch d_out"], Float[Tensor, "batch part width"]]:
        """One pass; two of the first batch. Raises ModelError where the model's terms do not add up."""
        if not self._checked:
            decompose(self.tower, x)
            self._checked = True
        streams = run_tower(self.tower, x, places_after(self.tower, self.layer))
        s = coefficients(self.tower, streams, self.layer).double().cpu()
        return streams.output, torch.einsum("bkn,nk->bn", s, self._readers)[:, :, None]

    def cut(
        self, parts: Sequence[int], means: Float[np.ndarray, "part width"],
        along: Float[np.ndarray, " part"] | None = None,
    ) -> tuple[Heads, NeuronCut | None]:  # fmt: skip
        """The neurons with what is needed to compute their effects again."""
        rows = list(range(len(self.out)) if along is not None else parts)
        if not rows:
            return (), None
        found = NeuronCut(
            self.layer, tuple(rows), self._readers[rows], torch.from_numpy(self.out[rows, :, 0]),
            torch.from_numpy(means[:, 0].astype(np.float64)),
            None if along is None else torch.from_numpy(along.astype(np.float64)),
        )  # fmt: skip
        return (), found
