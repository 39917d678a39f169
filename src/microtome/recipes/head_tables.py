"""Rows of the tables of named heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.data.pools.base import TextPool
from microtome.models.towers.base import Tower
from microtome.recipes.answering import Answering
from microtome.recipes.direct_pass import matrices_of
from microtome.recipes.head_names import HeadLabel, HeadName, TextScore, against_chance, labels_of
from microtome.record.stream import StreamPass
from microtome.verify.fdr import q_values

Row = dict[str, Any]
Place = tuple[int, int]


def accuracies(
    stream: StreamPass,
    named: Sequence[HeadName],
    answers: Answering | None,
    outputs: Float[np.ndarray, "image d_out"],
    labels: Int[np.ndarray, " image"],
    heldout: Bool[np.ndarray, " image"],
) -> dict[Place, tuple[float, float]]:
    """Held-out accuracy with each head rebuilt from its texts, and set to its mean; empty without labels.

    How much of what the head does for the answers its texts say: completeness.
    """
    if answers is None or not (labels[heldout] >= 0).any():
        return {}
    found: dict[Place, tuple[float, float]] = {}
    for layer in dict.fromkeys(name.layer for name in named):
        vectors = np.concatenate([block.arrays["heads"] for block in stream.take(["heads"], layer=layer)])[heldout]
        for name in (one for one in named if one.layer == layer):
            centred = vectors[:, name.head].astype(np.float64) - name.mean
            rebuilt = outputs[heldout] + centred @ name.missing()
            averaged = outputs[heldout] - centred @ name.space.inward.T @ name.space.outward.T
            found[layer, name.head] = (
                answers.accuracy(rebuilt, labels[heldout]), answers.accuracy(averaged, labels[heldout])
            )  # fmt: skip
    return found


def head_rows(
    named: Sequence[HeadName],
    pool: TextPool,
    scores: Mapping[Place, Sequence[TextScore]],
    accuracy: Mapping[Place, tuple[float, float]],
    *,
    fdr: float,
) -> tuple[list[Row], list[Row]]:
    """Rows of `heads`, those explained worst on held-out images first, and of `head_texts`."""
    whole = sum(name.span.total for name in named)
    p, labels = against_chance(named), labels_of(named, pool)
    q = q_values(p)
    label_q = q_values(np.array([label.p if label else np.nan for label in labels]))
    heads, texts = [], []
    for n, name in enumerate(named):
        own = scores.get((name.layer, name.head), ())
        row = _head_row(name, own, whole) | {"p": float(p[n]), "fdr": float(q[n])}
        heads.append(row | _label(labels[n], float(label_q[n]), fdr))
        if (name.layer, name.head) in accuracy:
            heads[-1]["accuracy"], heads[-1]["accuracy_mean"] = accuracy[name.layer, name.head]
        texts += _text_rows(name, pool, own)
    heads.sort(key=lambda row: (row["lead_heldout"], row["layer"], row["head"]))
    return heads, texts


def _label(label: HeadLabel | None, q: float, fdr: float) -> Row:
    if label is None:
        return {"labelled": False}
    return {
        "label": label.property if q <= fdr else "mixed", "label_share": label.share,
        "label_expected": label.expected, "label_p": label.p, "label_fdr": q, "labelled": q <= fdr,
    }  # fmt: skip


def _head_row(name: HeadName, scores: Sequence[TextScore], whole: float) -> Row:
    count, lead = len(name.span.texts), name.lead
    row: Row = {
        "layer": name.layer, "head": name.head, "variance": name.span.total,
        "share": name.span.total / whole if whole > 0 else 0.0, "texts": count,
        "explained": float(name.span.explained[-1]) if count else 0.0,
        "explained_heldout": float(name.heldout[-1]) if count else 0.0, "lead": lead,
        "lead_explained": float(name.span.explained[lead - 1]) if count else 0.0,
        "lead_heldout": float(name.heldout[lead - 1]) if count else 0.0,
        "chance": float(name.chance[:, max(lead - 1, 0)].mean()),
        "chance_high": float(np.quantile(name.chance[:, max(lead - 1, 0)], 0.95)),
    }  # fmt: skip
    if scores:
        best = scores[0]
        row |= {"score": best.r, "score_chance": best.chance, "score_p": best.p}
    return row


def _text_rows(name: HeadName, pool: TextPool, scores: Sequence[TextScore]) -> list[Row]:
    rows: list[Row] = []
    explained = name.span.explained
    for rank, text in enumerate(name.span.texts.tolist()):
        row: Row = {
            "layer": name.layer, "head": name.head, "rank": rank, "text": pool.texts[text],
            "property": pool.properties[text] or None, "gain": float(name.span.gains[rank]),
            "explained": float(explained[rank]), "explained_heldout": float(name.heldout[rank]),
            "chance": float(name.chance[:, rank].mean()), "chance_high": float(np.quantile(name.chance[:, rank], 0.95)),
        }  # fmt: skip
        if rank < len(scores):
            row |= {"score": scores[rank].r, "score_chance": scores[rank].chance, "score_p": scores[rank].p}
        rows.append(row)
    return rows


def term_rows(stream: StreamPass, tower: Tower) -> list[Row]:
    """How much each part's term varies over images: its variance, and its share of the sum over all parts."""
    layers = len(tower.layers)
    sums: dict[tuple[str, int], np.ndarray] = {}

    def add(kind: str, layer: int, values: Float[np.ndarray, "image d_out"]) -> None:
        entry = sums.setdefault((kind, layer), np.zeros((2, values.shape[1])))
        entry += np.stack((values.sum(axis=0), (values * values).sum(axis=0)))

    flat = [matrices_of(tower, layer).transpose(1, 0, 2).reshape(tower.d_out, -1) for layer in range(layers)]
    images = 0
    for block in stream.take(["heads", "mlps", "embedding"]):
        images += len(block.index)
        add("embedding", -1, block.arrays["embedding"].astype(np.float64))
        for layer in range(layers):
            heads = block.arrays["heads"][:, layer].astype(np.float64).reshape(len(block.index), -1)
            add("attention", layer, heads @ flat[layer].T)
            add("mlp", layer, block.arrays["mlps"][:, layer].astype(np.float64))
    spread = {part: float((both[1] / images - (both[0] / images) ** 2).clip(0.0).sum()) for part, both in sums.items()}
    whole = sum(spread.values())
    return [
        {
            "kind": kind,
            "layer": None if layer < 0 else layer,
            "variance": value,
            "share": value / whole if whole else 0.0,
        }
        for (kind, layer), value in spread.items()
    ]
