"""Mean ablation of the direct effect of any set of terms: the output with these terms replaced by their means.

    output without S = output - sum over terms t in S of (t - mean of t over images)

What the parts of S wrote is still read by the layers after them: only what reaches the output straight is taken. The
mean ablation in the model itself, which later layers see, is the total effect (`models.intervene`). An attention layer
stands for its heads; its output bias, which varies with 1 / sigma alone, stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from microtome.core.source import Source
from microtome.stats.exact_sum import ExactSum

SOURCE = Source(
    "Gandelsman, Efros & Steinhardt 2023, Interpreting CLIP's image representation via text-based decomposition",
    "section 3.2: mean ablation of direct effects",
    "the means come from other images than those that are answered",
)
_UNIT = 2.0**-20


@dataclass(frozen=True)
class Parts:
    """Some parts of a vision transformer.

    Attributes
    ----------
    mlps:
        Layers whose MLP is meant.
    attention:
        Layers whose attention is meant, all its heads.
    heads:
        Single heads, as (layer, head).
    embedding:
        Whether the embedding is meant: patches, class token and positions.
    """

    mlps: tuple[int, ...] = ()
    attention: tuple[int, ...] = ()
    heads: tuple[tuple[int, int], ...] = ()
    embedding: bool = False

    @property
    def words(self) -> str:
        """`MLPs 0-3; head 5.2`."""
        said = []
        if self.embedding:
            said.append("embedding")
        for word, layers in (("MLP", self.mlps), ("attention", self.attention)):
            if layers:
                said.append(f"{word}{'s' if word == 'MLP' and len(layers) > 1 else ''} {_ranges(layers)}")
        if self.heads:
            named = ", ".join(f"{layer}.{head}" for layer, head in self.heads)
            said.append(f"head{'s' if len(self.heads) > 1 else ''} {named}")
        return "; ".join(said)


@dataclass(frozen=True, eq=False)
class TermMeans:
    """Means of terms over images, float64.

    Attributes
    ----------
    heads:
        [layer, head, space].
    mlps:
        [layer, d_out].
    embedding:
        [d_out].
    """

    heads: Float[np.ndarray, "layer head space"]
    mlps: Float[np.ndarray, "layer d_out"]
    embedding: Float[np.ndarray, " d_out"]


class TermSums:
    """Streaming means of terms; see `stats.base.Statistic`. Shards in any order give the same bits.

    Parameters
    ----------
    layers, heads, space, d_out:
        Of the tower.
    """

    def __init__(self, layers: int, heads: int, space: int, d_out: int) -> None:
        self._count = 0
        self._sums = {
            "heads": ExactSum((layers, heads, space), unit=_UNIT),
            "mlps": ExactSum((layers, d_out), unit=_UNIT),
            "embedding": ExactSum((d_out,), unit=_UNIT),
        }

    def add(
        self,
        heads: Float[np.ndarray, "image layer head space"],
        mlps: Float[np.ndarray, "image layer d_out"],
        embedding: Float[np.ndarray, "image d_out"],
    ) -> None:
        """Take one block of images. Raises ValueError where a number is not finite."""
        for name, values in (("heads", heads), ("mlps", mlps), ("embedding", embedding)):
            self._sums[name].add(values.sum(axis=0, dtype=np.float64))
        self._count += len(heads)

    def merge(self, other: TermSums) -> None:
        self._count += other._count
        for name, own in self._sums.items():
            own.merge(other._sums[name])

    def state(self) -> dict[str, np.ndarray]:
        held = {f"{name}_{key}": v for name, own in self._sums.items() for key, v in own.state().items()}
        return {"count": np.array(self._count), **held}

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> TermSums:
        layers, heads, space = state["heads_limbs"].shape[1:]
        made = cls(layers, heads, space, state["embedding_limbs"].shape[1])
        made._count = int(state["count"])
        for name in made._sums:
            made._sums[name] = ExactSum.load({key: state[f"{name}_{key}"] for key in ("limbs", "unit")})
        return made

    def means(self) -> TermMeans:
        """The means; zeros before anything was added."""
        found = {name: own.value() / max(self._count, 1) for name, own in self._sums.items()}
        return TermMeans(**found)


@dataclass(frozen=True, eq=False)
class Deviations:
    """How far the terms of some images are from their means; what is asked for is expanded once.

    Attributes
    ----------
    heads:
        [image, layer, head, space], less the mean.
    mlps, embedding:
        [image, layer, d_out] and [image, d_out], less the mean.
    matrices:
        P of each layer's heads, [head, d_out, space].
    """

    heads: Float[np.ndarray, "image layer head space"]
    mlps: Float[np.ndarray, "image layer d_out"]
    embedding: Float[np.ndarray, "image d_out"]
    matrices: Sequence[Float[np.ndarray, "head d_out space"]]
    _attention: dict[int, Float[np.ndarray, "image d_out"]] = field(init=False, default_factory=dict)

    @classmethod
    def of(
        cls, arrays: Mapping[str, np.ndarray], means: TermMeans, matrices: Sequence[Float[np.ndarray, "head d_out s"]]
    ) -> Deviations:
        """The deviations of one block of `direct_pass` (its `heads`, `mlps` and `embedding`)."""
        return cls(
            arrays["heads"] - means.heads, arrays["mlps"] - means.mlps, arrays["embedding"] - means.embedding, matrices
        )

    def attention(self, layer: int) -> Float[np.ndarray, "image d_out"]:
        """The sum of a layer's heads."""
        if layer not in self._attention:
            flat = self.matrices[layer].transpose(1, 0, 2).reshape(self.matrices[layer].shape[1], -1)
            self._attention[layer] = self.heads[:, layer].reshape(len(self.heads), -1) @ flat.T
        return self._attention[layer]

    def removed(self, parts: Parts) -> Float[np.ndarray, "image d_out"]:
        """What mean ablation of these parts takes from the output. A head of a layer that goes whole counts once."""
        taken = np.zeros_like(self.embedding)
        if parts.embedding:
            taken += self.embedding
        for layer in parts.mlps:
            taken += self.mlps[:, layer]
        for layer in parts.attention:
            taken += self.attention(layer)
        for layer, head in parts.heads:
            if layer not in parts.attention:
                taken += self.heads[:, layer, head] @ self.matrices[layer][head].T
        return taken


def _ranges(numbers: tuple[int, ...]) -> str:
    """`0-3, 5`."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in found)
