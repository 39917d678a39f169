"""Proof by editing: where a unit's name is made true or false of a text by an edit, does the unit follow?

Of each term of the formula both edits are tried, on held-out items first, in drawn order. An item counts where an edit
flips the formula by way of the term, and a control edit of the same kind leaves formula and term as they were; both are
asked of the concepts of the edited texts. Unit and answer are compared before, after, and after the control.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, final

import numpy as np

from microtome.core.formula import And, Formula, Not, Or, Term, leaves
from microtome.data.text.base import TextData
from microtome.data.text.edit import Edit, EditBook
from microtome.data.text.edit_file import UserEdit
from microtome.data.text.edit_words import Lexicon
from microtome.data.text.edited import Concepts, Retold, Texts
from microtome.recipes.asking import Asker
from microtome.recipes.unit_tables import class_name
from microtome.verify.paired import paired_change
from microtome.verify.proportions import wilson

Row = dict[str, Any]

LEAST = 10
"""Fewer items than this tell nothing of an edit."""
TRIES = 10
"""So many times the items asked for are tried at most."""
VERSIONS = 12
EXAMPLES = 5


@dataclass(frozen=True)
class NamedUnit:
    """A unit with the formula that names it, and when it is active: low < activation <= high."""

    unit: int
    formula: Formula
    low: float
    high: float


@dataclass
class Proof:
    """What editing showed.

    Attributes
    ----------
    rows, examples:
        Rows of the tables `edits` and `edit_pairs`.
    tried:
        For each edit of each unit how many items were tried, and how many of them count.
    notes:
        What could not be edited, and why.
    """

    rows: list[Row] = field(default_factory=list)
    examples: list[Row] = field(default_factory=list)
    tried: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Tested:
    """Items of one edit that count: index, edited texts, control's texts; and how many were tried."""

    items: list[tuple[int, Texts, Texts]]
    tried: int


@final
class Prover:
    """Edits the items of one data set.

    Parameters
    ----------
    data:
        Sentence pairs or sentences.
    retold:
        Their concepts.
    asker:
        The model.
    classes:
        Names of the model's outputs.
    first:
        Indices of the items to use before the others: those that no name was searched on.
    pairs:
        Items wanted for each edit.
    seed:
        Decides which items, and the control words.
    """

    def __init__(
        self, data: TextData, retold: Retold, asker: Asker, *, classes: tuple[str, ...], first: Sequence[int],
        pairs: int, seed: int,
    ) -> None:  # fmt: skip
        self._data, self._retold, self._asker, self._classes = data, retold, asker, classes
        self._pairs, self._seed = pairs, seed
        read = [data.read(index) for index in range(len(data))]
        self._concepts: list[Concepts] = [frozenset(text.sets[0]) for text in read]
        self.labels = [text.label for text in read]
        self.lexicon = Lexicon(passage for text in read for passage in text.sides)
        self.book = EditBook(data, retold, self.lexicon)
        ahead = set(first)
        self._ranks = np.array([index not in ahead for index in range(len(data))])

    def prove(self, named: NamedUnit, place: int, own: Sequence[UserEdit], proof: Proof) -> None:
        """Try every edit of a unit's formula and the user's own; the outcome goes into `proof`.

        Parameters
        ----------
        named:
            The unit.
        place:
            Its column in what the asker gives.
        own:
            The user's edits for it.
        """
        truth = self._retold.holds(named.formula, self._concepts)
        taken: set[str] = set()
        lost: list[str] = []
        for number, (edit, term, turns) in enumerate(self._edits(named, own, proof)):
            name = edit.doing if edit.doing not in taken else f"{edit.doing} (the name becomes {str(turns).lower()})"
            tested = self._tested(named, edit, term, turns, truth, [self._seed, named.unit, number])
            counted = {"unit": named.unit, "edit": name, "turns": str(turns).lower()}
            proof.tried.append(counted | {"tried": tested.tried, "pairs": len(tested.items)})
            if len(tested.items) < LEAST:
                # Of the user's own edits one way is enough: the other is the other turn of the same words.
                if term is not None or edit.doing in lost:
                    proof.notes.append(self._too_few(named, name, turns, tested))
                lost.append(edit.doing)
                continue
            taken.add(name)
            head = counted | {"formula": str(named.formula), "term": edit.term, "side": edit.side}
            self._measure(named, place, tested, head, proof)

    def _too_few(self, named: NamedUnit, name: str, turns: bool, tested: _Tested) -> str:
        return (
            f"Unit {named.unit}: {name} made the name {str(turns).lower()} in {len(tested.items)} of {tested.tried} "
            f"{self._data.level}s tried; fewer than {LEAST} tell nothing."
        )

    def _edits(
        self, named: NamedUnit, own: Sequence[UserEdit], proof: Proof
    ) -> Iterator[tuple[Edit, Term | None, bool]]:
        signs = signs_of(named.formula)
        for term in dict.fromkeys(leaves(named.formula)):
            plan = self.book.plan(term, named.formula)
            proof.notes += [f"Unit {named.unit}: {reason}" for reason in plan.missing]
            for edit in plan.edits:
                for sign in sorted(signs[term], reverse=True):
                    yield edit, term, edit.makes == sign
        for asked in own:
            edit = self.book.own(asked, named.formula)
            for turns in (True, False):
                yield edit, None, turns

    def _tested(
        self, named: NamedUnit, edit: Edit, term: Term | None, turns: bool, truth: np.ndarray, seed: list[int]
    ) -> _Tested:
        """Items in which the edit turns the formula, with their control, up to the number wanted."""
        fits = truth != turns
        if term is not None:
            fits &= self._retold.holds(term, self._concepts) != edit.makes
        drawn = np.random.default_rng(seed).random(len(fits))
        order = [int(k) for k in np.lexsort((drawn, self._ranks)) if fits[k]]
        found: list[tuple[int, Texts, Texts]] = []
        tried = 0
        for index in order[: TRIES * self._pairs]:
            if len(found) == self._pairs:
                break
            tried += 1
            texts = self._data.texts(index)
            sides = self.book.told(texts)
            edited = self._first(edit.versions(sides), texts, named.formula, turns, term, edit.makes)
            if edited is None:
                continue
            held = None if term is None else bool(not edit.makes)
            others = edit.controls(sides, np.random.default_rng([*seed, index]))
            control = self._first(others, texts, named.formula, not turns, term, held)
            if control is not None:
                found.append((index, edited, control))
        return _Tested(found, tried)

    def _first(
        self, versions: Iterator[Texts], texts: Texts, formula: Formula, wanted: bool, term: Term | None,
        held: bool | None,
    ) -> Texts | None:  # fmt: skip
        """The first version of which the formula is as wanted, and the term too where that is asked."""
        for version in islice(versions, VERSIONS):
            if version == texts or not all(any(map(str.isalnum, text)) for text in version):
                continue
            concepts = self._retold.concepts([version])
            if bool(self._retold.holds(formula, concepts)[0]) != wanted:
                continue
            if term is None or bool(self._retold.holds(term, concepts)[0]) == held:
                return version
        return None

    def _measure(self, named: NamedUnit, place: int, tested: _Tested, head: Row, proof: Proof) -> None:
        texts = [[self._data.texts(index) for index, _, _ in tested.items],
                 [edited for _, edited, _ in tested.items], [control for *_, control in tested.items]]  # fmt: skip
        asked = [self._asker.ask(items) for items in texts]
        before, after, beside = (values[:, place] for values, _ in asked)
        answers = [answer for _, answer in asked]
        found = paired_change(before, after, beside, seed=self._seed)
        row = head | {
            "pairs": found.items, "unit_before": found.before, "unit_after": found.after, "p": found.p,
            "fires_before": _share(named, before), "fires_after": _share(named, after),
        }  # fmt: skip
        for name, mean in (("change", found.change), ("control", found.control), ("difference", found.difference)):
            row |= {"control_change" if name == "control" else name: mean.mean}
            row |= {f"{name}_low": mean.low, f"{name}_high": mean.high}
        if self._classes:
            for name, other in (("flipped", answers[1]), ("control_flipped", answers[2])):
                hits = int((other != answers[0]).sum())
                low, high = wilson(hits, found.items)
                row |= {name: hits / found.items, f"{name}_low": low, f"{name}_high": high}
        proof.rows.append(row)
        self._examples(tested, row, before, after, answers, proof)

    def _examples(
        self, tested: _Tested, row: Row, before: np.ndarray, after: np.ndarray, answers: list[np.ndarray], proof: Proof
    ) -> None:
        """The first few items as they come, not the best ones."""
        for k, (index, edited, _) in enumerate(tested.items[:EXAMPLES]):
            texts = self._data.texts(index)
            # A change of length may have been made on the other side.
            changed = next(s for s, text in enumerate(texts) if text != edited[s])
            label = self.labels[index]
            proof.examples.append({
                "unit": row["unit"], "edit": row["edit"], "image": self._data.key(index),
                "side": self._data.sides[changed], "before": texts[changed], "after": edited[changed],
                "other": texts[1 - changed] if len(texts) == 2 else None,
                "unit_before": before[k], "unit_after": after[k],
                "predicted_before": class_name(self._classes, int(answers[0][k])),
                "predicted_after": class_name(self._classes, int(answers[1][k])),
                "label": None if label is None else self._data.classes[label],
            })  # fmt: skip


def signs_of(formula: Formula) -> dict[Term, set[bool]]:
    """For each term whether it stands plainly (True), under a NOT (False), or both."""
    found: dict[Term, set[bool]] = {}

    def walk(part: Formula, sign: bool) -> None:
        match part:
            case Not(child):
                walk(child, not sign)
            case And(children) | Or(children):
                for child in children:
                    walk(child, sign)
            case _:
                found.setdefault(part, set()).add(sign)

    walk(formula, True)
    return found


def _share(named: NamedUnit, values: np.ndarray) -> float:
    return float(((values > named.low) & (values <= named.high)).mean())
