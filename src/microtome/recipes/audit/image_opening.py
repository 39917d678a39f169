"""Images for an audit: galleries of the data, of what is pasted into, and of the shift split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from microtome.core.errors import DataError, FormulaError, OptionError, nearest
from microtome.core.formula import leaves
from microtome.core.parse import parse
from microtome.data.base import ImageData, ItemData
from microtome.models.model import Model
from microtome.recipes.audit.image_parts import output_map
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.opening import Allowed, open_images, read_allowed, shift_of, targets_of, without_classes
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.manifest import item_word
from microtome.record.gallery import Gallery, read_gallery
from microtome.record.one_pass import Progress


@dataclass(frozen=True, eq=False)
class Images:
    """The data sets of an audit.

    Attributes
    ----------
    data:
        That units are named on, and segments cut from.
    hosts:
        That things are pasted into.
    shift:
        In which cues tell nothing; None without.
    allowed:
        See `Allowed`.
    """

    data: ImageData
    hosts: ImageData
    shift: ImageData | None
    allowed: Allowed

    def fingerprints(self) -> dict[str, Any]:
        """What decides them."""
        return {
            "data": self.data.fingerprint(), "hosts": self.hosts.fingerprint(),
            "shift": None if self.shift is None else self.shift.fingerprint(),
            "allow": {name: sorted(names) for name, names in self.allowed.classes.items()},
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Galleries:
    """The same in memory, as the model sees them."""

    donors: Gallery
    hosts: Gallery
    shift: Gallery | None
    outputs: Int[np.ndarray, " klass"]
    targets: tuple[int, ...]
    allowed: Mapping[int, frozenset[str]]


def open_all(data: ItemData | str | Path, inputs: AuditInputs, settings: AuditSettings) -> Images:
    """Open the data sets that were given.

    Raises
    ------
    DataError
        If the images have no classes, or the shift split has others.
    OptionError
        If texts were given.
    """
    given = (data, inputs.hosts, inputs.shift)
    if any(isinstance(each, ItemData) and not isinstance(each, ImageData) for each in given):
        raise OptionError("The model takes images, and the data holds texts.", expected="a model and data of one kind")
    opened = open_images(data, limit=None, seed=settings.seed)  # type: ignore[arg-type]
    hosts = opened if inputs.hosts is None else open_images(inputs.hosts, limit=None, seed=settings.seed)  # type: ignore[arg-type]
    if inputs.shift is not None:
        shift: ImageData | None = open_images(inputs.shift, limit=None, seed=settings.seed)  # type: ignore[arg-type]
    else:
        shift = shift_of(hosts, settings.images)
    if not hosts.classes:
        raise DataError(
            f"{hosts.card.name} has no classes, so nobody knows which answers are right.",
            expected="labelled images: a folder for each class, or data with classes",
            next_step="name labelled images with --hosts",
        )
    if shift is not None and shift.classes != hosts.classes:
        raise DataError(
            "The shift split has other classes than the images.", expected=f"{', '.join(hosts.classes[:6])} ..."
        )
    if settings.concept:
        known_concepts(settings.concept, [concept.name for concept in opened.concepts])
    names = [*hosts.classes]
    allowed = read_allowed(inputs.allow, classes=names, concepts=[c.name for c in opened.concepts])
    return Images(opened, hosts, shift, allowed)


def known_concepts(text: str, names: Sequence[str]) -> None:
    """Raise FormulaError where a formula names a concept that the data lack."""
    for leaf in leaves(parse(text)):
        if leaf.name not in names:
            raise FormulaError(
                f"--concept names '{leaf.name}', which is no concept of the data.",
                expected=f"for example {nearest(leaf.name, names)}",
                next_step="see the concepts with `microtome data check`",
            )


def read_all(
    images: Images, model: Model, classes: Sequence[str], wanted: Sequence[str] | None, settings: AuditSettings,
    progress: Progress,
) -> Galleries:  # fmt: skip
    """Read the images into memory.

    Raises
    ------
    DataError
        If none can be read, or the model answers with none of their classes.
    """
    pre, most, seed = model.preprocess, settings.images, settings.seed
    donors = read_gallery(
        without_classes(images.data), pre, limit=most, seed=seed, progress=progress, stage="reading the data"
    )
    hosts = donors
    if images.hosts is not images.data:
        hosts = read_gallery(
            without_classes(images.hosts), pre, limit=most, seed=seed, progress=progress, stage="reading the hosts"
        )
    shift = None
    if images.shift is not None:
        shift = read_gallery(
            without_classes(images.shift), pre, limit=most, seed=seed, progress=progress,
            stage="reading the shift split",
        )  # fmt: skip
    outputs = output_map(hosts.classes, classes)
    known = sorted({int(outputs[label]) for label in hosts.labels if label >= 0 and outputs[label] >= 0})
    if not known:
        raise DataError(
            f"No image of {hosts.name} has a class that the model answers with.",
            expected="labelled images",
            next_step="name labelled images with --hosts",
        )
    place = {name.casefold(): number for number, name in enumerate(classes)}
    allowed = {
        place[name.casefold()]: names for name, names in images.allowed.classes.items() if name.casefold() in place
    }
    return Galleries(donors, hosts, shift, outputs, targets_of(wanted, classes, known), allowed)


def card_of(data: ItemData) -> dict[str, Any]:
    """What the manifest says of a data set."""
    card = data.card
    return {
        "name": card.name, "reader": card.reader, "source": card.source, "fingerprint": data.fingerprint(),
        "images": len(data), "items": item_word(data), "notes": list(card.notes), "spec": card.spec or None,
    }  # fmt: skip


def image_notes(images: Images) -> list[str]:
    """What to know of how suspects were found, and what they were tried on."""
    found = [*images.data.card.notes]
    if images.shift is not None:
        found.append(
            f"A concept is suspect where a class shows it less often in {images.shift.card.name} than in "
            f"{images.hosts.card.name}. Repairs are chosen on one half of that split and reported on the other."
        )
    elif images.allowed.classes:
        found.append(
            f"No shift split was given: every concept that goes with a class and is not in {images.allowed.source} is "
            "suspect."
        )
    else:
        found.append(
            "Neither a shift split nor an allow-list was given: every concept that goes with a class is suspect, what "
            "rightly makes it too. Read 'proved' as 'the answer follows it'; whether it should is for you to say."
        )
    return found
