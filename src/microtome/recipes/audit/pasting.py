"""Counterfactual images without a renderer: segments of a concept from other images, and the same of other concepts.

    own      the segment goes where it was in its own image
    random   it goes to a random place
    rival    it takes the place of what stands there instead of it: grass becomes water, green water becomes blue

The control does the same with a concept of the same category that does not speak for the class.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from jaxtyping import Bool, Int

from microtome.core.errors import DataError
from microtome.core.formula import Formula, Leaf, disjoin, words
from microtome.data.paste import Pasted, Place, Removal, blurred, fill, mean_filled, paste, recoloured
from microtome.recipes.audit.concept_family import (
    CUTTABLE,
    alternatives,
    atoms_of,
    defining,
    knows,
    present_in,
    rate_in,
    share_in,
)
from microtome.recipes.audit.nouns import ANY, CONFIRM, EXPLORE, Cases, Suspect
from microtome.recipes.audit.placing import elsewhere, fitted, largest_pieces, least_hidden, like_sized
from microtome.recipes.audit.settings import AuditSettings
from microtome.record.gallery import Gallery

RIVAL_GAP = 0.3
"""A rival is in so many more images of the class than of the suspect's class."""
RIVAL_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Plan:
    """How a suspect is put into images of a class.

    Attributes
    ----------
    concept, target, source:
        What, for which class, into images of which class.
    rival:
        What it takes the place of; None where it is laid over the image.
    controls:
        Concepts of the control.
    protected:
        Concepts of the host that are never touched.
    """

    concept: Formula
    target: int
    source: int
    rival: Formula | None
    controls: tuple[Formula, ...]
    protected: tuple[str, ...]


@final
class Paster:
    """Makes cases from images in memory.

    Parameters
    ----------
    donors, hosts:
        Where segments are cut from, and what they are put into; may be the same.
    shift:
        Images in which the cues tell nothing, to see what defines a class; None: the hosts tell.
    outputs:
        For each class of the hosts the model's output, -1 = none.
    right:
        Whether the model answers each host rightly.
    settings:
        See `AuditSettings`.
    allowed:
        For each output the concepts that may make it what it is.
    """

    def __init__(
        self, donors: Gallery, hosts: Gallery, shift: Gallery | None, *, outputs: Int[np.ndarray, " klass"],
        right: Bool[np.ndarray, " image"], settings: AuditSettings, allowed: dict[int, frozenset[str]],
    ) -> None:  # fmt: skip
        self.donors, self.hosts, self.shift = donors, hosts, shift
        self.right, self._settings, self._allowed = right, settings, allowed
        self.truth = np.where(hosts.labels >= 0, outputs[np.maximum(hosts.labels, 0)], -1)
        self._label_of = {int(output): label for label, output in enumerate(outputs.tolist()) if output >= 0}
        order = np.random.default_rng([settings.seed, 43]).permutation(len(hosts))
        self.half = np.zeros(len(hosts), bool)
        self.half[order[: len(hosts) // 2]] = True
        self.class_names = frozenset(name.casefold() for name in (*hosts.classes, *donors.classes))
        self.plan = lru_cache(maxsize=4096)(self._plan)
        self._rows = lru_cache(maxsize=4096)(self._donor_rows)
        self._kept_of = lru_cache(maxsize=4096)(self._kept)

    def label(self, output: int) -> int:
        """The hosts' class of an output of the model."""
        return self._label_of[output]

    def hosts_of(self, plan: Plan, half: str) -> Int[np.ndarray, " image"]:
        """Images to put the concept into: of the class, answered rightly, without the concept."""
        wanted = self.truth == plan.source if plan.source != ANY else (self.truth >= 0) & (self.truth != plan.target)
        fit = wanted & self.right & ~present_in(self.hosts, plan.concept)
        if half in (EXPLORE, CONFIRM):
            fit &= self.half if half == EXPLORE else ~self.half
        if plan.rival is not None:
            fit &= share_in(self.hosts, plan.rival) >= RIVAL_SHARE
        return np.flatnonzero(fit)

    def cases(self, suspect: Suspect, source: int, count: int, half: str, likely: np.ndarray | None = None) -> Cases:
        """The suspect's concept put into hosts of a class, and controls beside it.

        Parameters
        ----------
        likely:
            Order in which hosts are taken; None: drawn.

        Raises
        ------
        DataError
            If there is no segment of the concept, or none of any other concept of its category.
        """
        plan = self.plan(suspect.concept, suspect.target, source)
        generator = np.random.default_rng([self._settings.seed, 47, suspect.key, source + 1, half == CONFIRM])
        hosts = self.hosts_of(plan, half)
        hosts = generator.permutation(hosts) if likely is None else hosts[np.argsort(likely[hosts], kind="stable")]
        rows = self._rows(plan.concept)
        if not len(rows):
            raise DataError(
                f"There is no segment of '{words(plan.concept)}' that covers 1 of {round(1 / CUTTABLE)} of an image.",
                expected="data in which it can be cut out",
                next_step="name data that label it, or audit other concepts",
            )
        chosen = hosts[:count]
        kept: list[tuple[int, Pasted, list[Pasted]]] = []
        for host in chosen.tolist():
            made = self._one(plan, host, rows, generator)
            if made is not None:
                kept.append((host, *made))
        return self._cases(plan, kept)

    def _one(
        self, plan: Plan, host: int, rows: np.ndarray, generator: np.random.Generator
    ) -> tuple[Pasted, list[Pasted]] | None:
        """A host with the concept, and with each draw of the control; None where nothing can be put there."""
        fits = rows[rows != host] if self.donors is self.hosts else rows
        if not len(fits):
            return None
        donor = int(fits[generator.integers(len(fits))])
        size = share_in(self.donors, plan.concept)[donor]
        spot = tuple(generator.uniform(-0.35, 0.35, size=2)) if self._settings.place == "random" else (0.0, 0.0)
        after = self._put(plan, plan.concept, host, donor, size, spot)
        covered = float(after.changed.mean())
        if not covered:
            return None
        controls = []
        for _ in range(self._settings.draws):
            other, lender = self._lender(plan, covered, generator)
            controls.append(self._put(plan, other, host, lender, covered, spot))
        # A control that finds no room is no control.
        return (after, controls) if all(control.changed.any() for control in controls) else None

    def _lender(self, plan: Plan, size: float, generator: np.random.Generator) -> tuple[Formula, int]:
        """A control and an image that lends it; laid over the host, it is to be about as large as the concept."""
        lenders = {other: self._rows(other) for other in plan.controls}
        if plan.rival is None:
            own = {other: share_in(self.donors, other) for other in plan.controls}
            lenders = like_sized(lenders, own, size)
        other = list(lenders)[int(generator.integers(len(lenders)))]
        return other, int(lenders[other][generator.integers(len(lenders[other]))])

    def _put(
        self, plan: Plan, concept: Formula, host: int, donor: int, size: float, spot: tuple[float, float]
    ) -> Pasted:  # fmt: skip
        """One concept from one donor into one host; `size` is the share of the image that it is to cover."""
        settings, pixels = self._settings, self.hosts.pixels[host]
        protected = self.protected(plan, host)
        segment = largest_pieces(self.donors.holds(concept, donor))
        source = self.donors.pixels[donor]
        if plan.rival is not None:
            region = self.hosts.holds(plan.rival, host)
            return fill(pixels, source, segment, region=region, protected=protected, soft=settings.soft)
        height, width = segment.shape
        shift = (round(spot[0] * height), round(spot[1] * width))
        if shift == (0, 0):
            shift = least_hidden(segment, protected)

        def pasted(scale: float) -> Pasted:
            return paste(
                pixels, source, segment, protected=protected, scale=scale, shift=shift, soft=settings.soft
            )  # fmt: skip

        if concept is plan.concept:
            return pasted(settings.scale)
        return fitted(pasted, size, first=float(np.sqrt(size / max(float(segment.mean()), 1e-6))))

    def protected(self, plan: Plan, host: int) -> Bool[np.ndarray, "height width"]:
        """Pixels of what makes the host what it is."""
        names = plan.protected if plan.source != ANY else self._kept_of(int(self.truth[host]), plan.target)
        if self._settings.over_defining or not names:
            return np.zeros(self.hosts.maps.shape[1:], bool)
        return self.hosts.holds(disjoin(*(Leaf(name) for name in names)), host)

    def _cases(self, plan: Plan, kept: list[tuple[int, Pasted, list[Pasted]]]) -> Cases:
        over = "in" if plan.rival is None else f"in place of {words(plan.rival)}"
        shown = ", ".join(words(other) for other in plan.controls[:4]) + (" ..." if len(plan.controls) > 4 else "")
        hosts = np.array([host for host, *_ in kept], np.int64)
        return Cases(
            plan.source, tuple(self.hosts.keys[host] for host in hosts), [self.hosts.pixels[host] for host in hosts],
            [after.pixels for _, after, _ in kept],
            [[controls[draw].pixels for *_, controls in kept] for draw in range(self._settings.draws)],
            self.truth[hosts], f"{words(plan.concept)} put {over}", f"the same with {shown}",
            float(np.mean([after.changed.mean() for _, after, _ in kept])) if kept else float("nan"),
            float(np.mean([c.changed.mean() for *_, controls in kept for c in controls])) if kept else float("nan"),
            [after.changed for _, after, _ in kept],
        )  # fmt: skip

    def reverse(self, suspect: Suspect, source: int, count: int) -> Cases | None:
        """The concept taken out of images of its own class: recoloured, blurred or filled; None without an image.

        The control does the same to as large a region elsewhere in the image.
        """
        if not knows(self.hosts, suspect.concept) or suspect.target not in self._label_of:
            return None
        plan = self.plan(suspect.concept, suspect.target, source)
        covered = share_in(self.hosts, suspect.concept)
        fit = (self.truth == suspect.target) & self.right & ~self.half & (covered >= CUTTABLE) & (covered <= 0.5)
        generator = np.random.default_rng([self._settings.seed, 53, suspect.key])
        chosen = generator.permutation(np.flatnonzero(fit))[:count]
        against = None if source == ANY else self.label(source)
        own = defining(self.telling, self.label(suspect.target), against=against, barred=self.class_names)
        guarded = [Leaf(name) for name in own if name not in atoms_of(suspect.concept)]
        kept: list[tuple[int, Pasted, list[Pasted]]] = []
        for host in chosen.tolist():
            held = self.hosts.holds(suspect.concept, host)
            guard = self.hosts.holds(disjoin(*guarded), host) if guarded else np.zeros_like(held)
            where = held & ~guard
            if where.any():
                others = [
                    self._removed(plan, host, elsewhere(where, held | guard, generator), guard)
                    for _ in range(self._settings.draws)
                ]
                kept.append((host, self._removed(plan, host, where, guard), others))
        if not kept:
            return None
        made = self._cases(plan, kept)
        how = {"mean": "filled with what surrounds it", "blur": "blurred", "recolour": "recoloured"}
        return Cases(
            suspect.target, made.keys, made.before, made.after, made.controls, made.truth,
            f"{suspect.words} {how[self._way(plan)]}", "as large a region elsewhere", made.changed,
            made.control_changed, made.marks,
        )  # fmt: skip

    def _way(self, plan: Plan) -> Removal:
        """How it is taken out: a colour gives way to its rival's."""
        if self._settings.removal == "mean" and plan.rival is not None and len(atoms_of(plan.concept)) > 1:
            return "recolour"
        return self._settings.removal

    def _removed(
        self, plan: Plan, host: int, where: Bool[np.ndarray, "height width"], guard: Bool[np.ndarray, "height width"]
    ) -> Pasted:
        pixels, way = self.hosts.pixels[host], self._way(plan)
        if way == "blur":
            return blurred(pixels, where, radius=pixels.shape[0] / 12)
        if way == "recolour":
            return recoloured(pixels, where, self._colour(plan))
        return mean_filled(pixels, where, protected=guard)

    def _colour(self, plan: Plan) -> np.ndarray:
        """The mean colour of what the concept's place is given to."""
        formula = plan.rival or plan.controls[0]
        rows = self._rows(formula)[:8]
        inside = [self.donors.pixels[row][self.donors.holds(formula, int(row))].mean(axis=0) for row in rows]
        return np.mean(inside, axis=0) if inside else np.full(3, 127.0)

    def _plan(self, concept: Formula, target: int, source: int) -> Plan:
        others = alternatives(self.donors, concept) if knows(self.donors, concept) else []
        kept = () if source == ANY else self._kept(source, target)
        rival = self._rival(concept, target, source, others, kept)
        barred = frozenset(atoms_of(concept))
        speaking = {str(rival)} if rival is not None else set()
        controls = [
            other for other in others
            if str(other) not in speaking and not self._speaks(other, target) and self._new(other, barred, kept)
        ]  # fmt: skip
        if not controls:
            raise DataError(
                f"There is nothing to compare '{words(concept)}' with: no segment of another concept of its category "
                "that does not speak for the class as well.",
                expected="data that label other concepts of the category",
                next_step="name data with more concepts",
            )
        return Plan(concept, target, source, rival, tuple(controls[:12]), kept)

    def _kept(self, source: int, target: int) -> tuple[str, ...]:
        """What must stay of a class: what is allowed to make it and not the other, else what defines it."""
        allowed = self._allowed.get(source)
        if allowed:
            others = self._allowed.get(target, frozenset())
            return tuple(sorted(name for name in allowed - others if name in self.hosts.local))
        against = self._label_of.get(target)
        return defining(self.telling, self.label(source), against=against, barred=self.class_names)

    @property
    def telling(self) -> Gallery:
        """The images that tell what defines a class: the shift split where it is labelled with concepts."""
        labelled = self.shift is not None and any(name in self.shift.table.by_name for name in self.hosts.local)
        return self.shift if labelled and self.shift is not None else self.hosts

    @staticmethod
    def _new(other: Formula, barred: frozenset[str], kept: tuple[str, ...]) -> bool:
        """Whether a control brings in another thing, and none that makes the host what it is."""
        return frozenset(atoms_of(other)) != barred and frozenset(atoms_of(other)).isdisjoint(kept)

    def _rival(
        self, concept: Formula, target: int, source: int, others: list[Formula], kept: tuple[str, ...]
    ) -> Formula | None:
        place: Place = self._settings.place
        both = source in self._label_of and target in self._label_of
        if place in ("own", "random") or not both or not knows(self.hosts, concept):
            return None
        gaps = {}
        for other in others:
            free = frozenset(atoms_of(other)).isdisjoint(kept) and knows(self.hosts, other)
            if free:
                gaps[str(other)] = self._gap(other, source, target)
        best = max(others, key=lambda other: gaps.get(str(other), -1.0), default=None)
        found = best is not None and gaps.get(str(best), -1.0) >= RIVAL_GAP
        if found and self._gap(concept, target, source) >= RIVAL_GAP:
            return best
        return None

    def _gap(self, concept: Formula, one: int, other: int) -> float:
        """In how many more images of one class than of another the concept is present."""
        return rate_in(self.hosts, concept, self.label(one)) - rate_in(self.hosts, concept, self.label(other))

    def _speaks(self, concept: Formula, target: int) -> bool:
        """Whether a concept goes with the class in the data, and so is no control."""
        if not knows(self.hosts, concept) or target not in self._label_of:
            return False
        rest = present_in(self.hosts, concept)[(self.hosts.labels != self.label(target)) & (self.hosts.labels >= 0)]
        return rate_in(self.hosts, concept, self.label(target)) > (float(rest.mean()) if len(rest) else 0.0) + 0.05

    def _donor_rows(self, concept: Formula) -> Int[np.ndarray, " image"]:
        """Images that have a segment worth cutting out."""
        covered = share_in(self.donors, concept)
        return np.flatnonzero((covered >= CUTTABLE) & (covered <= 0.9))
