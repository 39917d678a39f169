"""Pairs with a known true label that a model answers wrongly.

An edited pair fools the model where its answer is wrong, and on the unedited pair it was right or another one: a wrong
answer that was there before and stays is no success of the edit. The rate is over all pairs that the rule applies to.
Beside it stand the share of wrong answers before the edit, and the rate of the control, the same edit with a word that
nothing is known of, in the same pairs; p is of rate and control (McNemar).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from microtome.core.formula import Leaf, leaves
from microtome.data.text.base import TextData
from microtome.data.text.edit import EditBook
from microtome.data.text.edit_words import Kind, Lexicon
from microtome.data.text.edit_world import WorldEdits, world_of
from microtome.data.world.pairs_artefacts import ARTEFACTS, Artefact
from microtome.models.text import TextModel
from microtome.recipes.adversarial_rules import LABELS, Case, Rule, Trick, detail_rule, everyday_rules, safe_rules
from microtome.recipes.asking import Asker
from microtome.recipes.edit_proof import EXAMPLES, LEAST, NamedUnit, signs_of
from microtome.record.one_pass import Progress
from microtome.verify.paired import mcnemar_p
from microtome.verify.proportions import wilson

Row = dict[str, Any]

OWN_RULES = 6
"""Rules made of the words of the run's own formulas, at most."""
_DETAILS: frozenset[Kind] = frozenset({"noun", "plural", "adjective", "ing"})


@dataclass
class Fooling:
    """Rows of the tables `adversarial` and `adversarial_pairs`, and rules that could not be tried."""

    rows: list[Row] = field(default_factory=list)
    examples: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def fool(
    data: TextData, book: EditBook, lexicon: Lexicon, asker: Asker, *, model: TextModel, named: Sequence[NamedUnit],
    weights: Sequence[Row], most: int, seed: int, progress: Progress,
) -> Fooling:  # fmt: skip
    """Try every rule on the labelled pairs of a data set.

    Parameters
    ----------
    data:
        Sentence pairs with the labels of inference; of others a note says that there is no rule.
    book, lexicon:
        Their words.
    asker, model:
        The model.
    named:
        Units whose words make rules.
    weights:
        Rows of the table `class_weights`, from which it is known which class a unit speaks for.
    most:
        Pairs for each rule.
    seed:
        Decides which pairs, and the control words.
    """
    out = Fooling()
    known = frozenset(name.casefold() for name in data.classes)
    answers = [name.casefold() for name in model.classes]
    if data.level != "pair" or not known >= LABELS or not set(answers) >= LABELS:
        out.notes.append("No adversarial pairs: the rules are for pairs labelled entailment, neutral, contradiction.")
        return out
    rules = [*safe_rules(), *world_rules(data)]
    if data.card.reader != "world":
        # In the planted world what the premise says of a thing's place is all there is: a detail is not left open.
        rules += [*everyday_rules(lexicon, _words(named)), *own_rules(lexicon, named, weights)]
    cases = _Cases(data, book, np.random.default_rng([seed, 23]).permutation(len(data)))
    for done, rule in enumerate(rules):
        progress("trying adversarial rules", done, len(rules))
        found: list[tuple[Case, Trick]] = []
        seen: set[tuple[str, ...]] = set()
        for case in cases:
            trick = rule.make(case, np.random.default_rng([seed, done, case.index]))
            # Many pairs share a premise: what an edit makes of two of them may be the same.
            if trick is not None and trick.edited not in seen:
                seen.add(trick.edited)
                found.append((case, trick))
            if len(found) == most:
                break
        if len(found) < LEAST:
            out.notes.append(f"The rule {rule.name} applies to {len(found)} pairs only.")
        else:
            _measure(rule, found, data, asker, answers, model.classes, out)
    progress("trying adversarial rules", len(rules), len(rules))
    return out


def own_rules(
    lexicon: Lexicon, named: Sequence[NamedUnit], weights: Sequence[Row]
) -> list[Rule]:  # fmt: skip
    """Details made of the words of the units' names, those that speak loudest for a class first."""
    spoken = {unit: max((row for row in weights if row["unit"] == unit), key=lambda row: row["weight"])
              for unit in {row["unit"] for row in weights}}  # fmt: skip
    loud = [(spoken[one.unit], one) for one in named if one.unit in spoken and spoken[one.unit]["weight"] > 0]
    loud.sort(key=lambda pair: -pair[0]["weight"])
    barred = _words(named)
    rules: dict[tuple[str, str], Rule] = {}
    for row, one in loud:
        label = str(row["label"]).casefold()
        for term, signs in signs_of(one.formula).items():
            word = term.name.removeprefix("hyp:tok:")
            fits = isinstance(term, Leaf) and signs == {True} and term.name.startswith("hyp:tok:")
            if fits and lexicon.kind(word) in _DETAILS and label in LABELS and len(rules) < OWN_RULES:
                rules.setdefault((word, label), detail_rule(word, label, lexicon, barred))
    return list(rules.values())


def world_rules(data: TextData) -> list[Rule]:
    """Of the planted world: an artefact's cue put into pairs of other labels, by a grammar that keeps the label.

    The label of the edited pair is computed from the scene; the control is an idle phrase that is no cue.
    """
    world = world_of(data)
    if world is None:
        return []
    return [
        Rule(f"the cue of the artefact {name} ({artefact.what})", "unchanged", partial(_cued, world, artefact))
        for name, artefact in ARTEFACTS.items()
    ]


def _cued(world: WorldEdits, artefact: Artefact, case: Case, draw: np.random.Generator) -> Trick | None:
    del draw
    if case.label == artefact.label:
        return None
    edited, control = world.cued(case.texts, artefact.name, on=True), world.idle(case.texts)
    if edited is None or control is None:
        return None
    return Trick(edited, control, LABELS - {case.label}, LABELS - {case.label})


class _Cases:
    """The labelled pairs of a data set in drawn order, each cut into words once."""

    def __init__(self, data: TextData, book: EditBook, order: np.ndarray) -> None:
        self._data, self._book, self._order = data, book, order
        self._known: dict[int, Case | None] = {}

    def __iter__(self) -> Iterator[Case]:
        for index in self._order.tolist():
            if index not in self._known:
                label = self._data.read(index).label
                self._known[index] = None if label is None else Case(
                    index, self._book.told(self._data.texts(index)), self._data.classes[label].casefold()
                )  # fmt: skip
            case = self._known[index]
            if case is not None:
                yield case


def _measure(
    rule: Rule, found: list[tuple[Case, Trick]], data: TextData, asker: Asker, names: list[str],
    shown: tuple[str, ...], out: Fooling,
) -> None:  # fmt: skip
    asked = [asker.ask(items)[1] for items in (
        [case.texts for case, _ in found], [trick.edited for _, trick in found], [trick.control for _, trick in found]
    )]  # fmt: skip
    right = np.array([names[answer] == case.label for answer, (case, _) in zip(asked[0], found, strict=True)])
    bad_edited = np.array([names[a] in trick.wrong for a, (_, trick) in zip(asked[1], found, strict=True)])
    bad_control = np.array([names[a] in trick.control_wrong for a, (_, trick) in zip(asked[2], found, strict=True)])
    fooled = bad_edited & (right | (asked[1] != asked[0]))
    control = bad_control & (right | (asked[2] != asked[0]))
    hits = int(fooled.sum())
    low, high = wilson(hits, len(found))
    out.rows.append({
        "rule": rule.name, "true_label": rule.true_label, "pairs": len(found), "fooled": hits,
        "rate": hits / len(found), "low": low, "high": high, "before": float((~right).mean()),
        "control": float(control.mean()), "p": mcnemar_p(fooled, control),
    })  # fmt: skip
    for k in np.flatnonzero(fooled)[:EXAMPLES]:
        case, trick = found[int(k)]
        true = case.label if rule.true_label == "unchanged" else rule.true_label
        out.examples.append({
            "rule": rule.name, "image": data.key(case.index), "premise": case.texts[0], "hypothesis": case.texts[1],
            "premise_after": trick.edited[0], "hypothesis_after": trick.edited[1], "true_label": true,
            "predicted_before": shown[int(asked[0][k])], "predicted_after": shown[int(asked[1][k])],
        })  # fmt: skip


def _words(named: Sequence[NamedUnit]) -> frozenset[str]:
    """Words of the units' names, of either side."""
    return frozenset(term.name.rpartition(":")[2] for one in named for term in leaves(one.formula))
