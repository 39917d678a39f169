"""Repairs of a proved fault, chosen on one half and reported on another, beside what people do instead.

    ablate     the carriers, or some of them, set to their mean, wholly or by half
    erase      the direction along which the concept moves the parts, taken out
    retrain    the last layer trained on the data and on the written cases with their true labels
    DFR        the last layer trained on items in groups of equal weight (the comparison)

Of each kind the setting is taken that is best for the worst group of the validation half and costs at most `price`
points of accuracy on the data's own half (of last layers these are the items that they learn from); where none is
better than nothing, it says so. What is reported is of items that neither taught nor chose. A group is a class with or
without the concept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from microtome.methods.edit.last_layer import LastLayerRetraining
from microtome.recipes.audit.carriers import SIZES, Asked, loudest, moved_by
from microtome.recipes.audit.nouns import NO_CHANGE, Change, Labelled, LastLayer, Parts, Splits, Suspect
from microtome.recipes.audit.proving import Proof, explored_of
from microtome.recipes.audit.settings import AuditSettings
from microtome.verify.flips import Rate, rate_of
from microtome.verify.group_change import GroupChange, group_change, group_shares
from microtome.verify.paired import Mean, mean_of

STRENGTHS = (1e-1, 1e-2, 1e-3)
"""How strongly a trained last layer is held near the old one."""
KEPT = (0.0, 0.5)
"""How much of their deviation ablated parts keep."""
BETTER = 1e-9
CAUTION = 0.75
"""Of the price so much may be spent on the half that is chosen by: on the other half it is more as often as less."""
KINDS = ("none", "ablate", "erase", "retrain", "DFR")
LEARNT = ("retrain", "DFR")


@dataclass(frozen=True, eq=False)
class Repair:
    """One kind of repair, in its best setting.

    Attributes
    ----------
    kind, change:
        What is done.
    chosen:
        False where no setting was better than nothing within the price; the numbers are then those of no repair.
    worst, mean:
        Accuracy of the worst group and of all, on the untouched test half.
    groups:
        Accuracy of each group there, in order of its number.
    difference:
        Against no repair, paired.
    ordinary, ordinary_before:
        Accuracy on the data's untouched half, with and without.
    paid:
        Points of accuracy that it costs there, with their interval.
    turned:
        Of the confirming cases those that still turn; None without one.
    """

    kind: str
    change: Change
    chosen: bool
    worst: float
    mean: float
    groups: tuple[float, ...]
    difference: GroupChange
    ordinary: float
    ordinary_before: float
    paid: Mean
    turned: Rate | None

    @property
    def price(self) -> float:
        """Points of accuracy that it costs on the data as they are."""
        return self.paid.mean

    def helps(self, price: float) -> bool:
        """Whether the worst group is better beyond doubt, at no more than the price."""
        return self.chosen and self.difference.worst.low > 0 and self.price <= price


@dataclass(frozen=True, eq=False)
class Repairs:
    """All kinds beside one another.

    Attributes
    ----------
    proof:
        Of what.
    rows:
        One a kind.
    best:
        Of the audit's own kinds the one that was best on the validation half.
    group_names:
        Of the four groups, in order of their number.
    group_sizes:
        On the test half.
    """

    proof: Proof
    rows: tuple[Repair, ...]
    best: Repair
    group_names: tuple[str, ...]
    group_sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Scored:
    kind: str
    change: Change
    worst: float
    ordinary: float


def repair(parts: Parts, proof: Proof, settings: AuditSettings) -> Repairs | None:
    """Try all kinds of repair of a fault; None where the data have no groups to test one on."""
    suspect = proof.suspect
    splits = parts.splits(suspect, proof.source)
    if splits is None:
        return None
    base = _scored(parts, suspect, splits, "none", NO_CHANGE)
    best: dict[str, _Scored] = {}
    for kind, change in _candidates(parts, proof, splits, settings):
        found = _scored(parts, suspect, splits, kind, change)
        cheap = 100 * (base.ordinary - found.ordinary) <= CAUTION * settings.price
        if cheap and found.worst > max(base.worst, best[kind].worst if kind in best else 0.0) + BETTER:
            best[kind] = found
    rows = [_tested(parts, proof, splits, kind, best.get(kind, base), settings, chosen=kind in best) for kind in
            _offered(parts)]  # fmt: skip
    own = [row for row in rows if row.kind not in ("none", "DFR") and row.chosen]
    leading = max(own, key=lambda row: best[row.kind].worst, default=rows[0])
    names = _group_names(parts, suspect)
    group = _group(splits.test, suspect)
    return Repairs(
        proof, tuple(rows), leading, tuple(names[n] for n in np.unique(group)),
        tuple(int((group == n).sum()) for n in np.unique(group)),
    )  # fmt: skip


def _offered(parts: Parts) -> tuple[str, ...]:
    """Kinds of repair that the model has: last layers are trained anew only where there is one, directions taken out
    where parts share a space."""
    barred = () if parts.last() is not None else LEARNT
    return tuple(kind for kind in KINDS if kind not in barred and (kind != "erase" or parts.erasable))


def _candidates(parts: Parts, proof: Proof, splits: Splits, settings: AuditSettings) -> Iterator[tuple[str, Change]]:
    explored = explored_of(parts, proof, settings)
    if proof.without is not None:
        order, _ = loudest(parts, explored, proof.suspect.target)
        for size in (size for size in SIZES if size <= min(settings.parts, len(order))):
            for keep in KEPT:
                done = "set to their mean" if settings.ablate == "mean" else f"ablated ({settings.ablate})"
                how = done if keep == 0 else f"halfway {done}"
                chosen = tuple(order[:size])
                yield "ablate", Change(f"{_listed(parts, chosen)} {how}", chosen, keep, settings.ablate)
        moved = moved_by(parts, explored)
        if moved is not None:
            yield "erase", Change("the direction along which the concept moves the parts taken out", direction=moved)
    yield from _learnt(parts, proof, explored, splits)


def _learnt(parts: Parts, proof: Proof, explored: Asked, splits: Splits) -> Iterator[tuple[str, Change]]:
    """Last layers trained anew, one for each strength."""
    last = parts.last()
    if last is None:
        return
    yield from _retrained(parts, explored, splits, last)
    yield from _dfr(parts, proof, splits, last)


def _retrained(parts: Parts, explored: Asked, splits: Splits, last: LastLayer) -> Iterator[tuple[str, Change]]:
    """The data's own half, and beside it the written cases with their true labels: each a half of the weight."""
    own, cases = parts.features(splits.ordinary.held), parts.features(explored.after)
    if own is None or cases is None:
        return
    features = np.concatenate([own, cases])
    labels = np.concatenate([splits.ordinary.truth, explored.cases.truth])
    group = np.concatenate([np.zeros(len(own), np.int64), np.ones(len(cases), np.int64)])
    yield from _trained("retrain", "the last layer trained on the data and the written cases", features, labels, group,
                        last)  # fmt: skip


def _dfr(parts: Parts, proof: Proof, splits: Splits, last: LastLayer) -> Iterator[tuple[str, Change]]:
    """All items of the validation half, every class with and without the concept of equal weight."""
    found = splits.validation
    features, rest = parts.features(found.held), parts.features(splits.ordinary.held)
    if features is None or rest is None:
        return
    # The other classes come from the data: a classifier trained on two of them would forget the rest.
    pair = np.unique(found.truth)
    others = ~np.isin(splits.ordinary.truth, pair)
    joined = np.concatenate([features, rest[others]])
    labels = np.concatenate([found.truth, splits.ordinary.truth[others]])
    shows = np.concatenate([found.shows, np.zeros(int(others.sum()), bool)])
    yield from _trained("DFR", "the last layer trained on groups of equal weight", joined, labels, 2 * labels + shows,
                        last)  # fmt: skip


def _trained(
    kind: str, what: str, features: np.ndarray, labels: np.ndarray, group: np.ndarray, last: LastLayer
) -> Iterator[tuple[str, Change]]:
    for strength in STRENGTHS:
        weight, bias = LastLayerRetraining(strength).run(features, labels, group, last.weight, last.bias)
        yield kind, Change(f"{what} (strength {strength:g})", last=LastLayer(weight, bias))


def _listed(parts: Parts, numbers: tuple[int, ...]) -> str:
    titles = [parts.names[n].title if n in parts.names else str(n) for n in numbers[:4]]
    more = f" and {len(numbers) - 4} more" if len(numbers) > 4 else ""
    return ", ".join(titles) + more


def _group(items: Labelled, suspect: Suspect) -> np.ndarray:
    """0: other classes without the concept, 1: with it, 2: the class without it, 3: with it."""
    return 2 * (items.truth == suspect.target) + items.shows


def _right(parts: Parts, items: Labelled, change: Change) -> Bool[np.ndarray, " item"]:
    return parts.answer(items.held, change).argmax(axis=1) == items.truth


def _scored(parts: Parts, suspect: Suspect, splits: Splits, kind: str, change: Change) -> _Scored:
    right = _right(parts, splits.validation, change)
    worst = float(group_shares(right, _group(splits.validation, suspect)).min())
    return _Scored(kind, change, worst, float(_right(parts, splits.ordinary, change).mean()))


def _tested(
    parts: Parts, proof: Proof, splits: Splits, kind: str, scored: _Scored, settings: AuditSettings, *, chosen: bool
) -> Repair:
    change = scored.change
    before, after = _right(parts, splits.test, NO_CHANGE), _right(parts, splits.test, change)
    group = _group(splits.test, proof.suspect)
    shares: Float[np.ndarray, " group"] = group_shares(after, group)
    turned = None
    if proof.cases is not None and len(proof.cases):
        answers = parts.answer(parts.read(proof.cases.after), change).argmax(axis=1)
        turned = rate_of(answers == proof.suspect.target)
    kept = _right(parts, splits.ordinary_test, NO_CHANGE), _right(parts, splits.ordinary_test, change)
    return Repair(
        kind, change, chosen, float(shares.min()), float(after.mean()), tuple(float(share) for share in shares),
        group_change(before, after, group, seed=settings.seed),
        float(kept[1].mean()), float(kept[0].mean()),
        mean_of(100.0 * (kept[0].astype(float) - kept[1]), seed=settings.seed), turned,
    )  # fmt: skip


def _group_names(parts: Parts, suspect: Suspect) -> list[str]:
    target, said = parts.classes[suspect.target], suspect.words
    return [f"others without {said}", f"others with {said}", f"{target} without {said}", f"{target} with {said}"]
