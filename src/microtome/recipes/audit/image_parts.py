"""Parts of a model of images and what they are shown: suspects from labels, cases by pasting, groups of a shift split.

Channels and heads differ in `asked.AskedModel` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np
from jaxtyping import Float, Int

from microtome.core.errors import DataError, OptionError, nearest
from microtome.core.formula import leaves, words
from microtome.core.parse import parse
from microtome.recipes.audit.asked import AskedModel, Pixels
from microtome.recipes.audit.concept_family import knows, present_in
from microtome.recipes.audit.nouns import ANY, NO_CHANGE, Cases, Change, Labelled, LastLayer, Splits, Suspect
from microtome.recipes.audit.pasting import Paster
from microtome.recipes.audit.picture_examples import picture_examples
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.splitting import halved, smallest_group
from microtome.recipes.audit.suspicion import Candidate, Classes, Seen, cut_effect, rank_suspects
from microtome.record.gallery import Gallery
from microtome.verify.flips import LEAST

LOUDEST = 16
"""Parts of a class that are looked at, of those that add most to it."""
SOURCES = 4
"""Classes that a suspect is tried on: those that the model is nearest to confusing."""
SMALLEST_GROUP = 4


@final
class ImageParts:
    """See `nouns.Parts`.

    Parameters
    ----------
    asked:
        The model in parts.
    donors:
        Images that segments are cut from: the data that units were named on.
    hosts:
        Labelled images to paste into; may be the donors.
    shift:
        Images on which the cues tell nothing; None without.
    outputs:
        For each class of hosts (and of shift, which has the same) the model's output, -1 = none.
    targets:
        Outputs to audit.
    allowed:
        For each output what may make it what it is.
    """

    item = "image"

    def __init__(
        self, asked: AskedModel, donors: Gallery, hosts: Gallery, shift: Gallery | None, *,
        outputs: Int[np.ndarray, " klass"], targets: Sequence[int], settings: AuditSettings,
        allowed: Mapping[int, frozenset[str]],
    ) -> None:  # fmt: skip
        self.asked, self.donors, self.hosts, self.shift = asked, donors, hosts, shift
        self.kind, self.classes, self.names, self.notes = asked.kind, asked.classes, asked.names, asked.notes
        self.erasable = asked.erasable
        self._settings, self.targets, self._allowed = settings, tuple(targets), dict(allowed)
        self._outputs = outputs
        self.held = asked.read(list(hosts.pixels))
        self.logits = asked.answer(self.held)
        right = self.logits.argmax(axis=1) == self._truth_of(hosts)
        self.paster = Paster(
            donors, hosts, shift, outputs=outputs, right=right, settings=settings, allowed=self._allowed
        )
        self.truth = self.paster.truth
        asked.settle(self.held, np.ones(len(hosts), bool))
        self.known = tuple(sorted({int(output) for output in self.truth if output >= 0}))
        self._held_shift = None if shift is None else asked.read(list(shift.pixels))
        answered = set(self.logits.argmax(axis=1).tolist())
        never = [asked.classes[target] for target in self.targets if target not in answered]
        if never:
            self.notes.append(
                f"The model answers no image with {', '.join(never[:6])}{' ...' if len(never) > 6 else ''}: nothing "
                "can be said of what speaks for it but what its weights say."
            )
        self.notes.extend(
            f"{len(each.problems)} images of {each.name} could not be read and were left out."
            for each in (hosts, shift) if each is not None and each.problems
        )  # fmt: skip

    def _truth_of(self, gallery: Gallery) -> Int[np.ndarray, " image"]:
        return np.where(gallery.labels >= 0, self._outputs[np.maximum(gallery.labels, 0)], -1)

    def accuracy(self) -> float:
        """Share of the labelled hosts answered rightly; NaN without one."""
        known = self.truth >= 0
        return float((self.logits.argmax(axis=1) == self.truth)[known].mean()) if known.any() else float("nan")

    def suspects(self) -> list[Suspect]:
        """What the parts of each class detect, and is not part of what makes the class; or the one that was asked."""
        if self._settings.concept:
            return [self._asked_suspect()]
        found: dict[tuple[int, str], tuple[Any, dict[int, float]]] = {}
        for target in self.targets:
            speaks = self.asked.speaks(self.held, self.truth, target)
            loud = [n for n in np.argsort(-speaks, kind="stable").tolist() if speaks[n] > 0][:LOUDEST]
            for number in loud:
                if number not in self.asked.detectors:
                    continue
                for concept in self.asked.detectors[number].formulas(self._barred):
                    if all(leaf.name in self.donors.local for leaf in leaves(concept)):
                        entry = found.setdefault((target, str(concept)), (concept, {}))
                        entry[1][number] = float(speaks[number])
        candidates = [
            Candidate(target, concept, tuple(sorted(own, key=lambda n: -own[n])), sum(own.values()))
            for (target, _), (concept, own) in found.items()
        ]  # fmt: skip
        labelled = all(knows(self.hosts, each.concept) for each in candidates)
        seen = {str(each.concept): self._seen(each) for each in candidates}
        classes = Classes(self.truth, None if self.shift is None else self._truth_of(self.shift))
        return rank_suspects(
            candidates, seen, classes, names=self.classes, most=self._settings.suspects, fdr=self._settings.fdr,
            allowed=self._allowed, labelled=labelled,
            effect=cut_effect(self.asked, self.held, self.truth, self.paster.half, self._settings.ablate),
        )  # fmt: skip

    def _asked_suspect(self) -> Suspect:
        """The suspect that the user names."""
        concept = parse(self._settings.concept)
        self.donors.table.holds(concept)
        target = number_of(self._settings.target, self.classes, "--target")
        speaks = self.asked.speaks(self.held, self.truth, target)
        loud = [n for n in np.argsort(-speaks, kind="stable").tolist() if speaks[n] > 0 and n in self.asked.detectors]
        fits = [
            n for n in loud[: 4 * LOUDEST] if str(concept) in map(str, self.asked.detectors[n].formulas(self._barred))
        ]
        own, rest = self.truth == target, (self.truth >= 0) & (self.truth != target)
        seen = present_in(self.hosts, concept)
        share, others = (float(seen[rows].mean()) if rows.any() else 0.0 for rows in (own, rest))
        shift = None
        if self.shift is not None and knows(self.shift, concept):
            there = present_in(self.shift, concept)[self._truth_of(self.shift) == target]
            shift = float(there.mean()) if len(there) else 0.0
        return Suspect(
            0,
            target,
            concept,
            words(concept),
            tuple(fits[:LOUDEST]),
            share,
            others,
            shift,
            None,
            "it was asked for",
        )

    @property
    def _barred(self) -> frozenset[str]:
        names = {*self.hosts.classes, *self.donors.classes, *self.classes}
        return frozenset(name for each in names for name in (each, f"scene:{each}", f"class:{each}"))

    def _seen(self, candidate: Candidate) -> Seen:
        known = self.shift is not None and knows(self.shift, candidate.concept)
        shift = present_in(self.shift, candidate.concept) if known and self.shift is not None else None
        return Seen(present_in(self.hosts, candidate.concept), shift)

    def sources(self, suspect: Suspect) -> list[int]:
        """Classes to try: those whose images of the shift split are called the target, then those that the model is
        nearest to calling so. `ANY` where each has too few images."""
        if self._settings.source:
            source = number_of(self._settings.source, self.classes, "--source")
            if source not in self.known or source == suspect.target:
                raise OptionError(
                    f"--source is '{self._settings.source}', of which there is no image to be changed.",
                    expected="another class than --target, of which the data have images",
                )
            return [source]
        others = [output for output in self.known if output != suspect.target]
        counts = {
            output: int(((self.truth == output) & self.paster.right & self.paster.half).sum()) for output in others
        }
        enough = [output for output in others if counts[output] >= LEAST]
        if not enough:
            return [ANY]
        margin = {output: self._margin(output, suspect.target) for output in enough}
        confused = dict.fromkeys(enough, 0.0)
        if self.shift is not None:
            answers, truth = self.asked.answer(self._held_shift).argmax(axis=1), self._truth_of(self.shift)
            # The half on which repairs are chosen: the other has no say in what is tested.
            first = halved(len(self.shift), self._settings.seed)
            for output in enough:
                own = (truth == output) & first
                confused[output] = float((answers[own] == suspect.target).mean()) if own.any() else 0.0
        return sorted(enough, key=lambda output: (-confused[output], margin[output]))[:SOURCES]

    def _margin(self, output: int, target: int) -> float:
        own = self.logits[(self.truth == output) & self.paster.half]
        return float((own[:, output] - own[:, target]).mean())

    def cases(self, suspect: Suspect, source: int, count: int, half: str) -> Cases:
        """The concept pasted into images that lack it; of any class, those nearest to the target come first."""
        likely = None
        if source == ANY:
            rows = np.arange(len(self.truth))
            own = self.logits[rows, np.maximum(self.truth, 0)]
            likely = own - self.logits[:, suspect.target]
        return self.paster.cases(suspect, source, count, half, likely)

    def reverse(self, suspect: Suspect, source: int, count: int) -> Cases | None:
        """The concept taken out of images of its class."""
        return self.paster.reverse(suspect, source, count)

    def read(self, inputs: Sequence[Pixels]) -> Any:
        """See `AskedModel.read`."""
        return self.asked.read(inputs)

    def take(self, held: Any, rows: Int[np.ndarray, " row"]) -> Any:
        """Some of what was read."""
        return self.asked.take(held, rows)

    def answer(self, held: Any, change: Change = NO_CHANGE) -> Float[np.ndarray, "item klass"]:
        """See `AskedModel.answer`."""
        return self.asked.answer(held, change)

    def features(self, held: Any) -> Float[np.ndarray, "item feature"] | None:
        """See `AskedModel.features`."""
        return self.asked.features(held)

    def last(self) -> LastLayer | None:
        """See `AskedModel.last`."""
        return self.asked.last()

    def values(self, held: Any) -> Float[np.ndarray, "item part"]:
        """See `AskedModel.values`."""
        return self.asked.values(held)

    def carried(self, cases: Cases, before: Any, after: Any, target: int) -> Float[np.ndarray, " part"]:
        """See `AskedModel.carried`."""
        return self.asked.carried(before, after, cases.truth, target)

    def mass(self) -> Float[np.ndarray, " part"]:
        """Mean magnitude of each part over the hosts."""
        return self.asked.mass(self.held)

    def splits(self, suspect: Suspect, source: int) -> Splits | None:
        """The shift split in halves, or without one the data's halves: images of the two classes by concept."""
        gallery = self.hosts if self.shift is None else self.shift
        if not knows(gallery, suspect.concept):
            return None
        held = self.held if self.shift is None else self._held_shift
        truth = self._truth_of(gallery)
        first = self.paster.half if self.shift is None else halved(len(gallery), self._settings.seed)
        pair = truth == suspect.target if source == ANY else (truth == suspect.target) | (truth == source)
        pair = pair if source != ANY else truth >= 0
        shows = present_in(gallery, suspect.concept)
        parts = []
        for half, name in ((first, "validation"), (~first, "test")):
            rows = np.flatnonzero(pair & half)
            parts.append(Labelled(self.asked.take(held, rows), truth[rows], shows[rows], f"{gallery.name}, {name}"))
        if any(smallest_group(part, suspect.target) < SMALLEST_GROUP for part in parts):
            return None
        ordinary = []
        for half in (self.paster.half, ~self.paster.half):
            rows = np.flatnonzero((self.truth >= 0) & half)
            shows_here = present_in(self.hosts, suspect.concept)[rows]
            ordinary.append(Labelled(self.asked.take(self.held, rows), self.truth[rows], shows_here, self.hosts.name))
        return Splits(parts[0], parts[1], ordinary[0], ordinary[1])

    def examples(self, cases: Cases, shown: Sequence[int], suspect: Suspect) -> Iterator[Mapping[str, Any]]:
        """Pictures of cases, with where an occluding patch takes the answer back."""
        return picture_examples(self.asked, cases, shown, suspect.target)


def number_of(name: str, classes: Sequence[str], option: str) -> int:
    """A class by its name. Raises OptionError naming the option where the model has none of that name."""
    for number, known in enumerate(classes):
        if known.casefold() == name.casefold():
            return number
    raise OptionError(
        f"{option} is '{name}', which is no class of the model.", expected=f"for example {nearest(name, classes)}"
    )


def output_map(names: Sequence[str], classes: Sequence[str]) -> Int[np.ndarray, " klass"]:
    """For each class of the data the model's output of that name, -1 = none.

    Raises
    ------
    DataError
        If none has one.
    """
    place = {name.casefold(): number for number, name in enumerate(classes)}
    found = np.array([place.get(name.casefold(), -1) for name in names], np.int64)
    if not len(found) or (found < 0).all():
        shown = [", ".join(list(each)[:4]) or "none" for each in (names, classes)]
        raise DataError(
            f"None of the data's classes ({shown[0]}) is an answer of the model's ({shown[1]}).",
            expected="labelled images whose classes the model answers with",
            next_step="name other data, or the model's outputs",
        )
    return found
