"""Units of a model of texts and what they are shown: suspects are artefacts, cases are edited texts.

A suspect is a term over one side alone, or over how the sides overlap: what a label cannot rightly hang on. It is put
into items of other labels by the edits of `data/text/edit.py`, beside the same edit with another word; in the planted
world by its own grammar, which keeps the label, beside a phrase that says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.concept_words import spoken
from microtome.core.errors import DataError, OptionError
from microtome.core.formula import Formula, Leaf
from microtome.core.parse import parse
from microtome.data.text.base import TextData
from microtome.data.text.edit import EditBook
from microtome.data.text.edit_words import Lexicon
from microtome.data.text.edit_world import world_of
from microtome.data.text.edited import Retold
from microtome.data.world.pairs_artefacts import ARTEFACTS
from microtome.recipes.audit.image_parts import number_of
from microtome.recipes.audit.nouns import (
    ANY,
    CONFIRM,
    EXPLORE,
    NO_CHANGE,
    Cases,
    Change,
    Labelled,
    LastLayer,
    Splits,
    Suspect,
)
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.splitting import halved, smallest_group
from microtome.recipes.audit.suspicion import Candidate, Classes, Seen, cut_effect, rank_suspects
from microtome.recipes.audit.text_model import HeldTexts, Texts, TextUnits

LOUDEST = 24
VERSIONS = 12
"""Wordings of an edit that are tried on an item."""
SMALLEST_GROUP = 8
ONE_SIDED = ("hyp:", "oth:")
"""Categories of pairs that suspects are made of; of single sentences any."""
PROBED = 24
"""Items on which a planted cue is tried, to see whether it is a way to make a term true."""


@final
class TextParts:
    """See `nouns.Parts`.

    Parameters
    ----------
    asked:
        The model's units.
    data, retold:
        Labelled pairs or sentences, and what tells their concepts.
    shift:
        Texts with the same concepts in which the cues tell nothing; None without.
    outputs:
        For each class of the data the model's output, -1 = none.
    targets:
        Outputs to audit.
    allowed:
        For each output what may make it what it is.
    """

    erasable = True

    def __init__(
        self, asked: TextUnits, data: TextData, retold: Retold, shift: TextData | None, *,
        outputs: Int[np.ndarray, " klass"], targets: Sequence[int], settings: AuditSettings,
        allowed: Mapping[int, frozenset[str]],
    ) -> None:  # fmt: skip
        self.asked, self.data, self.shift, self._retold = asked, data, shift, retold
        self.kind, self.item, self.classes = asked.kind, data.level, asked.classes
        self.names, self.notes, self.targets = asked.names, asked.notes, tuple(targets)
        self._settings, self._allowed, self._outputs = settings, dict(allowed), outputs
        rows = np.random.default_rng([settings.seed, 41]).permutation(len(data))[: settings.images]
        self.rows = np.sort(rows)
        read = [data.read(int(row)) for row in self.rows]
        self.truth = self._truth([text.label for text in read])
        self.sets = [frozenset(text.sets[0]) for text in read]
        self.held: HeldTexts = asked.read([data.texts(int(row)) for row in self.rows])
        asked.settle(self.held, np.ones(len(self.rows), bool))
        self.right = asked.answer(self.held).argmax(axis=1) == self.truth
        lexicon = Lexicon(passage for text in read for passage in text.sides)
        self._book, self._world = EditBook(data, retold, lexicon), world_of(data)
        order = np.random.default_rng([settings.seed, 43]).permutation(len(self.rows))
        self.half = np.zeros(len(self.rows), bool)
        self.half[order[: len(order) // 2]] = True
        self.known = tuple(sorted({int(output) for output in self.truth if output >= 0}))
        self._shifted = None if shift is None else self._read_shift(shift)
        self._index = {concept.name: number for number, concept in enumerate(data.concepts)}

    def _truth(self, labels: Sequence[int | None]) -> Int[np.ndarray, " item"]:
        return np.array([-1 if label is None else int(self._outputs[label]) for label in labels], np.int64)

    def _read_shift(self, shift: TextData) -> tuple[HeldTexts, np.ndarray, list[frozenset[int]]]:
        rows = np.sort(
            np.random.default_rng([self._settings.seed, 41]).permutation(len(shift))[: self._settings.images]
        )
        read = [shift.read(int(row)) for row in rows]
        held = self.asked.read([shift.texts(int(row)) for row in rows])
        return held, self._truth([text.label for text in read]), [frozenset(text.sets[0]) for text in read]

    def accuracy(self) -> float:
        """Share of the labelled items answered rightly."""
        known = self.truth >= 0
        return float(self.right[known].mean()) if known.any() else float("nan")

    def _shows(self, concept: Formula, sets: Sequence[frozenset[int]]) -> Bool[np.ndarray, " item"]:
        return self._retold.holds(concept, list(sets))

    def suspects(self) -> list[Suspect]:
        """Terms that the units of each label detect and that a label cannot rightly hang on."""
        if self._settings.concept:
            return [self._asked_suspect()]
        found: dict[tuple[int, str], tuple[Formula, dict[int, float]]] = {}
        for target in self.targets:
            speaks = self.asked.speaks(self.held, self.truth, target)
            loud = [n for n in np.argsort(-speaks, kind="stable").tolist() if speaks[n] > 0][:LOUDEST]
            for number in loud:
                if number in self.asked.detectors:
                    for concept in self.asked.detectors[number].formulas(frozenset(self.classes)):
                        if self._is_artefact(concept):
                            found.setdefault((target, str(concept)), (concept, {}))[1][number] = float(speaks[number])
        candidates = [
            Candidate(target, concept, tuple(sorted(own, key=lambda n: -own[n])), sum(own.values()))
            for (target, _), (concept, own) in found.items()
        ]
        seen = {str(each.concept): self._seen(each.concept) for each in candidates}
        classes = Classes(self.truth, None if self._shifted is None else self._shifted[1])
        return rank_suspects(
            candidates, seen, classes, names=self.classes, most=self._settings.suspects, fdr=self._settings.fdr,
            allowed=self._allowed, text=True, given="concept",
            effect=cut_effect(self.asked, self.held, self.truth, self.half, self._settings.ablate),
        )  # fmt: skip

    def _is_artefact(self, concept: Formula) -> bool:
        if not isinstance(concept, Leaf) or concept.name not in self._index:
            return False
        return self.item != "pair" or concept.name.startswith(ONE_SIDED)

    def _seen(self, concept: Formula) -> Seen:
        return Seen(
            self._shows(concept, self.sets),
            None if self._shifted is None else self._shows(concept, self._shifted[2]),
        )

    def _asked_suspect(self) -> Suspect:
        concept = parse(self._settings.concept)
        target = number_of(self._settings.target, self.classes, "--target")
        seen = self._seen(concept)
        own = self.truth[seen.data] == target
        shift = None
        if self._shifted is not None and seen.shift is not None:
            there = self._shifted[1][seen.shift] == target
            shift = float(there.mean()) if len(there) else 0.0
        share = float(own.mean()) if len(own) else 0.0
        base = float((self.truth == target).mean())
        return Suspect(0, target, concept, spoken(concept), (), share, base, shift, None, "it was asked for")

    def sources(self, suspect: Suspect) -> list[int]:
        """The other labels."""
        if self._settings.source:
            source = number_of(self._settings.source, self.classes, "--source")
            if source not in self.known or source == suspect.target:
                raise OptionError(
                    f"--source is '{self._settings.source}', of which there is nothing to be changed.",
                    expected="another class than --target, of which the data have items",
                )
            return [source]
        return [output for output in self.known if output != suspect.target]

    def cases(self, suspect: Suspect, source: int, count: int, half: str) -> Cases:
        """The term made true of items of another label that were answered rightly."""
        seen = self._shows(suspect.concept, self.sets)
        fit = (self.truth == source if source != ANY else self.truth != suspect.target) & self.right & ~seen
        fit &= self.half if half == EXPLORE else ~self.half
        return self._edited(suspect, fit, True, count, [source + 1, half == CONFIRM], source)

    def reverse(self, suspect: Suspect, source: int, count: int) -> Cases | None:
        """The term made false of items of its own label."""
        seen = self._shows(suspect.concept, self.sets)
        fit = (self.truth == suspect.target) & self.right & seen & ~self.half
        made = self._edited(suspect, fit, False, count, [7], suspect.target)
        return made if len(made) else None

    def _edited(
        self, suspect: Suspect, fit: Bool[np.ndarray, " item"], makes: bool, count: int, seed: list[int], source: int
    ) -> Cases:
        generator = np.random.default_rng([self._settings.seed, 89, suspect.key, *map(int, seed)])
        ways = list(self._ways(suspect, makes))
        if not ways:
            raise DataError(
                f"There is no edit that makes '{suspect.words}' {str(makes).lower()}.",
                expected="a word, a tag, an overlap, a negation or a length",
            )
        kept: list[tuple[int, Texts, list[Texts]]] = []
        used = ""
        for row in generator.permutation(np.flatnonzero(fit)).tolist():
            if len(kept) == count:
                break
            for doing, way in ways:
                made = way(row, generator)
                if made is not None:
                    kept.append((row, *made))
                    used = used or doing
                    break
        rows = [row for row, *_ in kept]
        texts = [self.data.texts(int(self.rows[row])) for row in rows]
        return Cases(
            source, tuple(self.data.key(int(self.rows[row])) for row in rows), texts, [after for _, after, _ in kept],
            [[controls[draw] for *_, controls in kept] for draw in range(self._settings.draws)] if kept else [],
            self.truth[rows] if rows else np.zeros(0, np.int64), used or "an edit",
            "the same edit with another word" if self._world is None else "a phrase that says nothing",
        )  # fmt: skip

    def _ways(self, suspect: Suspect, makes: bool) -> Iterator[tuple[str, Any]]:
        """Ways to edit: name, and a function (row, generator) -> (edited, controls) or None."""
        world = self._world
        if world is not None:
            for name, artefact in ARTEFACTS.items():
                way = self._cued(suspect, name, makes)
                if artefact.label == self.classes[suspect.target].casefold() and self._works(way):
                    said = f"{suspect.words} {'put in' if makes else 'taken out'} (the planted cue {name})"
                    yield said, way
            return
        if not isinstance(suspect.concept, Leaf):
            raise DataError(
                f"'{suspect.words}' has several terms; an edit changes one.",
                expected="a single concept of the texts",
                next_step="audit its terms one by one",
            )
        for edit in self._book.plan(suspect.concept, suspect.concept).edits:
            if edit.makes == makes:
                yield edit.doing, self._planned(suspect, edit, makes)

    def _works(self, way: Any) -> bool:
        generator = np.random.default_rng(0)
        rows = np.flatnonzero(self.right)
        return any(way(int(row), generator) is not None for row in rows[: PROBED * 4])

    def _cued(self, suspect: Suspect, artefact: str, makes: bool) -> Any:
        world = self._world
        assert world is not None

        def way(row: int, generator: np.random.Generator) -> tuple[Texts, list[Texts]] | None:
            texts = self.data.texts(int(self.rows[row]))
            edited, control = world.cued(texts, artefact, on=makes), world.idle(texts)
            if edited is None or control is None or not self._holds(suspect, edited, makes):
                return None
            return (edited, [control] * self._settings.draws) if self._holds(suspect, control, not makes) else None

        return way

    def _planned(self, suspect: Suspect, edit: Any, makes: bool) -> Any:
        def way(row: int, generator: np.random.Generator) -> tuple[Texts, list[Texts]] | None:
            texts = self.data.texts(int(self.rows[row]))
            sides = self._book.told(texts)
            edited = self._first(edit.versions(sides), texts, suspect, makes)
            if edited is None:
                return None
            controls = []
            for _ in range(self._settings.draws):
                control = self._first(edit.controls(sides, generator), texts, suspect, not makes)
                if control is None:
                    return None
                controls.append(control)
            return edited, controls

        return way

    def _first(self, versions: Iterator[Texts], texts: Texts, suspect: Suspect, wanted: bool) -> Texts | None:
        for number, version in enumerate(versions):
            if number >= VERSIONS:
                return None
            whole = version != texts and all(any(map(str.isalnum, text)) for text in version)
            if whole and self._holds(suspect, version, wanted):
                return version
        return None

    def _holds(self, suspect: Suspect, texts: Texts, wanted: bool) -> bool:
        return bool(self._shows(suspect.concept, self._retold.concepts([texts]))[0]) == wanted

    def read(self, inputs: Sequence[Texts]) -> HeldTexts:
        """See `TextUnits.read`."""
        return self.asked.read(inputs)

    def take(self, held: Any, rows: Int[np.ndarray, " row"]) -> Any:
        """Some of what was read."""
        return self.asked.take(held, rows)

    def answer(self, held: HeldTexts, change: Change = NO_CHANGE) -> Float[np.ndarray, "item klass"]:
        """See `TextUnits.answer`."""
        return self.asked.answer(held, change)

    def features(self, held: HeldTexts) -> Float[np.ndarray, "item feature"] | None:
        """See `TextUnits.features`."""
        return self.asked.features(held)

    def last(self) -> LastLayer | None:
        """See `TextUnits.last`."""
        return self.asked.last()

    def values(self, held: HeldTexts) -> Float[np.ndarray, "item part"]:
        """See `TextUnits.values`."""
        return self.asked.values(held)

    def carried(self, cases: Cases, before: Any, after: Any, target: int) -> Float[np.ndarray, " part"]:
        """See `TextUnits.carried`."""
        return self.asked.carried(before, after, cases.truth, target)

    def splits(self, suspect: Suspect, source: int) -> Splits | None:
        """Texts of all labels by the term: the shift split in halves, or without one the data's halves."""
        if self._shifted is None:
            held, truth, sets, first = self.held, self.truth, self.sets, self.half
        else:
            held, truth, sets = self._shifted
            first = halved(len(truth), self._settings.seed)
        shows = self._shows(suspect.concept, sets)
        parts = [self._labelled(held, truth, shows, half & (truth >= 0), "shift") for half in (first, ~first)]
        own = self._shows(suspect.concept, self.sets)
        rest = [
            self._labelled(self.held, self.truth, own, half & (self.truth >= 0), "data")
            for half in (self.half, ~self.half)
        ]
        if min(smallest_group(part, suspect.target) for part in parts) < SMALLEST_GROUP:
            return None
        return Splits(parts[0], parts[1], rest[0], rest[1])

    def _labelled(
        self, held: HeldTexts, truth: np.ndarray, shows: np.ndarray, chosen: np.ndarray, name: str
    ) -> Labelled:
        rows = np.flatnonzero(chosen)
        return Labelled(self.asked.take(held, rows), truth[rows], shows[rows], name)

    def examples(self, cases: Cases, shown: Sequence[int], suspect: Suspect) -> Iterator[Mapping[str, Any]]:
        """The edited side of each shown case, before and after."""
        for case in shown:
            before, after = cases.before[case], cases.after[case]
            changed = next((s for s, text in enumerate(before) if text != after[s]), 0)
            yield {
                "side": self.data.sides[changed], "text_before": before[changed], "text_after": after[changed],
                "other": before[1 - changed] if len(before) == 2 else None,
            }  # fmt: skip
