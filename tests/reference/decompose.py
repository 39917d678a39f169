"""Literal twins of what decomposes a model: one image, text, head and token at a time, in float64, nothing streamed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from microtome.models.towers.base import AttentionPart, Tower
from microtome.models.towers.streams import Streams


@dataclass
class LiteralSpan:
    """Texts in the order taken, and the share of variance that the first 1, 2, ... explain."""

    texts: list[int] = field(default_factory=list)
    explained: list[float] = field(default_factory=list)


def range_projector(matrix: np.ndarray) -> np.ndarray:
    """The projector on a matrix's range: P P+."""
    return matrix @ np.linalg.pinv(matrix, rcond=1e-12)


def literal_text_span(outputs: np.ndarray, matrix: np.ndarray, texts: np.ndarray, most: int) -> LiteralSpan:
    """TextSpan on stored outputs.

    Parameters
    ----------
    outputs:
        [image, d_out]: what the head wrote, X P'.
    matrix:
        P [d_out, space].
    texts:
        [text, d_out].
    most:
        Texts wanted.
    """
    data = outputs - outputs.mean(axis=0)
    left = texts @ range_projector(matrix)
    sizes = [float(text @ text) for text in left]
    total = residual = float((data**2).sum() / len(data))
    found = LiteralSpan()
    while len(found.texts) < most and residual > 1e-10 * total:
        best, most_variance = -1, -1.0
        for number, text in enumerate(left):
            spent = float(text @ text) <= 1e-9 * sizes[number]
            variance = float(((data @ text) ** 2).mean())
            if number not in found.texts and not spent and variance > most_variance:
                best, most_variance = number, variance
        if best < 0:
            break
        u = left[best] / np.linalg.norm(left[best])
        data = data - np.outer(data @ u, u)
        left = left - np.outer(left @ u, u)
        residual = float((data**2).sum() / len(data))
        found.texts.append(best)
        found.explained.append(1.0 - residual / total)
    return found


def explained_elsewhere(outputs: np.ndarray, matrix: np.ndarray, texts: np.ndarray, order: list[int]) -> list[float]:
    """Share of other outputs' variance inside the span of the first 1, 2, ... texts of an order."""
    data = outputs - outputs.mean(axis=0)
    left = texts @ range_projector(matrix)
    shares = []
    for count in range(1, len(order) + 1):
        basis, _ = np.linalg.qr(left[order[:count]].T)
        shares.append(float(((data @ basis) ** 2).sum() / (data**2).sum()))
    return shares


def literal_attention(part: AttentionPart, y: Tensor, head: int) -> list[list[float]]:
    """Attention of one head for one image: row i, key j."""
    query = [part.wq[head] @ row + part.bq[head] for row in y]
    key = [part.wk[head] @ row + part.bk[head] for row in y]
    rows = []
    for q in query:
        scores = [float(q @ k) * part.temperature for k in key]
        top = max(scores)
        powers = [float(np.exp(score - top)) for score in scores]
        rows.append([power / sum(powers) for power in powers])
    return rows


def literal_token_terms(
    tower: Tower, streams: Streams, layer: int, maps: list[list[list[list[float]]]] | None = None
) -> Tensor:
    """What each head and token adds to the output: [image, head, token, d_out].

    Parameters
    ----------
    maps:
        Attention by image, head, row, key, from elsewhere; None: computed from queries and keys.
    """
    part = tower.layers[layer].attention
    inputs, rho = streams.at(part.at), tower.pooling.rows(streams.at(tower.end))
    found = torch.zeros(len(inputs), part.heads, inputs.shape[1], tower.d_out, dtype=torch.float64)
    for image, y in enumerate(inputs):
        for head in range(part.heads):
            attention = literal_attention(part, y, head) if maps is None else maps[image][head]
            for token, row in enumerate(y):
                written = part.wo[head] @ (part.wv[head] @ row + part.bv[head])
                for readout, matrix in enumerate(tower.pooling.matrices):
                    weight = sum(float(r) * attention[i][token] for i, r in enumerate(rho[readout, image]))
                    found[image, head, token] += weight * (matrix @ written)
    return found
