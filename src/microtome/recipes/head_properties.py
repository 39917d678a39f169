"""Heads that carry a property of the images, named by their texts and proved by changing that property alone.

    told[h] = share of head h's variance between images of different values of the property
    share = sum over the chosen heads of |change of the term|^2 / the same over all heads, as the property alone changes

Heads are chosen on the searched images; the pictures that are changed are others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from microtome.data.attributes import Attribute, unwrapped
from microtome.data.pools.base import TextPool
from microtome.methods.decompose.terms import expand_heads, places_of, take_apart
from microtome.models.towers.streams import run_tower
from microtome.recipes.direct_pass import Opened
from microtome.recipes.head_choice import telling
from microtome.recipes.head_names import HeadName, name_by
from microtome.record.one_pass import Progress
from microtome.record.stream import StreamPass

Row = dict[str, Any]
MOST_HEADS = 4
NAMED = 0.05
_RESAMPLES = 2000
_FEWEST_PAIRS = 10
_PAIRS_AT_ONCE = 16


@runtime_checkable
class Changeable(Protocol):
    """Images of which one property can be changed and all else kept."""

    def changed_pairs(
        self, attribute: str, count: int, seed: int
    ) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w 3"]]]:
        """Pixels before and after, of scenes that are in none of its images."""
        ...


@dataclass(frozen=True, eq=False)
class Told:
    """How much of each head's variance each property explains, on the searched images.

    Attributes
    ----------
    properties:
        Names.
    share:
        [property, head]: of the head's own variance.
    weight:
        [head]: the head's share of all heads' variance.
    """

    properties: tuple[str, ...]
    share: Float[np.ndarray, "property head"]
    weight: Float[np.ndarray, " head"]

    def chosen(
        self, place: int, named: Bool[np.ndarray, " head"], speaking: Bool[np.ndarray, " head"], most: int = MOST_HEADS
    ) -> list[int]:
        """Heads of a property: those of which it explains the most variance of the output.

        Only heads compete that it explains at least half as much of as any other property does, and whose texts speak
        of it more than by chance; all named heads where there are none of that kind.
        """
        own = self.share[place]
        fit = (own >= 0.5 * self.share.max(axis=0)) & speaking & named
        score = own * self.weight * (fit if fit.any() else named)
        order = np.argsort(-score, kind="stable")[:most]
        return [int(head) for head in order if score[head] > 0]


def told_by_heads(
    stream: StreamPass, opened: Opened, attributes: Sequence[Attribute], searched: Bool[np.ndarray, " image"]
) -> Told:
    """What heads tell of every property."""
    found = [telling(stream, opened.tower, attribute.of, searched) for attribute in attributes]
    return Told(tuple(attribute.name for attribute in attributes), np.stack([share for share, _ in found]), found[0][1])


def property_rows(
    opened: Opened, told: Told, named: Sequence[HeadName], pool: TextPool, *, pairs: int, seed: int,
    progress: Progress,
) -> list[Row]:  # fmt: skip
    """A row for each property: its heads, the label of their texts, and what changing the property alone does.

    Parameters
    ----------
    pairs:
        Pictures that are changed, for each property; 0 leaves the proof out.
    seed:
        Of everything drawn.
    """
    by_head = {(name.layer, name.head): name for name in named}
    heads = opened.tower.heads
    known = np.array([divmod(head, heads) in by_head for head in range(len(told.weight))])
    chosen = {
        name: told.chosen(place, known, _speaking(by_head, pool, name, told))
        for place, name in enumerate(told.properties)
    }
    chosen = {name: own for name, own in chosen.items() if own}
    groups = [[by_head[divmod(head, heads)] for head in own] for own in chosen.values()]
    rows: list[Row] = []
    for (name, own), group in zip(chosen.items(), groups, strict=True):
        share = told.share[told.properties.index(name)]
        row: Row = {
            "property": name, "heads": [f"{h // heads}.{h % heads}" for h in own],
            "told": float(np.average(share[own], weights=told.weight[own])), "weight": float(told.weight[own].sum()),
            "texts": _first_texts(group, pool, name),
        }  # fmt: skip
        label = name_by(group, pool, name)
        if label is not None:
            row |= {"text_share": label.share, "text_expected": label.expected, "text_p": label.p}
            row["named"] = label.p <= NAMED
        _, whole = unwrapped(opened.data, np.zeros(0, np.int64))
        if pairs and isinstance(whole, Changeable):
            row |= _proof(opened, whole, name, own, pairs, seed)
        rows.append(row)
        progress("changing one property alone", len(rows), len(chosen))
    return rows


def _speaking(
    by_head: Mapping[tuple[int, int], HeadName], pool: TextPool, asked: str, told: Told
) -> Bool[np.ndarray, " head"]:
    """Heads whose texts speak of a property more than by chance; all heads where the pool has no texts of it."""
    heads = np.zeros(told.share.shape[1], bool)
    if asked not in pool.property_names:
        return ~heads
    per_layer = max(head for _, head in by_head) + 1
    for (layer, head), name in by_head.items():
        label = name_by([name], pool, asked)
        heads[layer * per_layer + head] = label is not None and label.share > label.expected
    return heads


def _first_texts(named: Sequence[HeadName], pool: TextPool, asked: str, most: int = 6) -> list[str]:
    """The texts that add most, those of the property first."""
    pairs = [
        (pool.properties[int(text)] != asked, -gain, pool.texts[int(text)])
        for name in named
        for gain, text in zip(name.span.gains, name.span.texts, strict=True)
    ]
    return list(dict.fromkeys(text for _, _, text in sorted(pairs)))[:most]


def _proof(opened: Opened, data: Changeable, name: str, chosen: list[int], pairs: int, seed: int) -> Row:
    changes = head_changes(opened, list(data.changed_pairs(name, pairs, seed)))
    if len(changes) < _FEWEST_PAIRS:
        return {"pairs": len(changes)}
    rng = np.random.default_rng(seed)

    def measured(rows: Float[np.ndarray, "pair head"]) -> tuple[float, float]:
        shares = rows.sum(axis=0) / max(float(rows.sum()), 1e-300)
        return float(shares[chosen].sum()), float(np.median(shares)) * len(chosen)

    share, median = measured(changes)
    drawn = np.array([measured(changes[rng.integers(0, len(changes), len(changes))]) for _ in range(_RESAMPLES)])
    low, high = np.quantile(drawn[:, 0], [0.025, 0.975])
    ratio_low, ratio_high = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1e-300), [0.025, 0.975])
    return {
        "pairs": len(changes), "change_share": share, "change_low": float(low), "change_high": float(high),
        "median_share": median, "ratio": share / max(median, 1e-300), "ratio_low": float(ratio_low),
        "ratio_high": float(ratio_high),
    }  # fmt: skip


def head_changes(
    opened: Opened, pairs: Sequence[tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w 3"]]]
) -> Float[np.ndarray, "pair head"]:
    """|change of the term|^2 of every head (layer by layer) from one picture to the other."""
    tower, model = opened.tower, opened.model
    found = [np.zeros((0, len(tower.layers) * tower.heads))]
    for first in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[first : first + _PAIRS_AT_ONCE]
        x = model.prepared(model.preprocess([picture for pair in some for picture in pair], crop=True))
        with torch.no_grad():
            terms = expand_heads(tower, take_apart(tower, run_tower(tower, x, places_of(tower))).heads)
        change = ((terms[1::2] - terms[0::2]) ** 2).sum(-1)
        found.append(change.flatten(1).double().cpu().numpy())
    return np.concatenate(found)
