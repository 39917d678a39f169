"""What an audit is given, opened: the model, the data, the shift split, the allow-list, the dissection it builds on."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microtome.core.errors import DataError, OptionError, RunError, nearest
from microtome.data.base import ImageData, ItemData
from microtome.data.groups import WorldBirds
from microtome.data.open import open_data
from microtome.data.restrict import Restricted, Subset
from microtome.data.world.dataset import World
from microtome.models.model import Model
from microtome.models.text import TextModel
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.recipes.result import Dissection
from microtome.record.one_pass import Progress

UNITS_FOLDER = "units"
"""Below an audit's folder stands the dissection that it made."""
NAMED_ON = 600
"""Images that units are named on where the audit makes the dissection itself."""


@dataclass(frozen=True)
class Allowed:
    """For each class the concepts that may make it what it is.

    Attributes
    ----------
    classes:
        Names of concepts by the name of a class.
    source:
        The file; empty without one.
    """

    classes: dict[str, frozenset[str]]
    source: str = ""


def read_allowed(path: Path | None, *, classes: Sequence[str], concepts: Sequence[str]) -> Allowed:
    """An allow-list: a TOML file with `[allow]` and a list of concepts a class, `lake = ["boat", "water"]`.

    Raises
    ------
    DataError
        If the file is missing or no TOML, or names classes or concepts that nobody knows; all at once.
    """
    if path is None:
        return Allowed({})
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(
            f"The allow-list '{path}' cannot be read: {error}.",
            expected='a TOML file such as: [allow]  lake = ["boat", "water"]',
        ) from error
    listed = content.get("allow", content)
    problems: list[str] = []
    known_classes = {name.casefold(): name for name in classes}
    known = {name.casefold(): name for name in concepts}
    found: dict[str, frozenset[str]] = {}
    for name, names in listed.items() if isinstance(listed, dict) else ():
        if name.casefold() not in known_classes:
            problems.append(f"'{name}' is no class; did you mean {nearest(name, classes, most=1)}?")
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            problems.append(f"'{name}' is not a list of names")
            continue
        wrong = [each for each in names if each.casefold() not in known]
        problems += [
            f"'{each}' of {name} is no concept; did you mean {nearest(each, concepts, most=1)}?" for each in wrong
        ]
        own = frozenset(str(known.get(each.casefold(), each)) for each in names)
        found[str(known_classes.get(name.casefold(), name))] = own
    if problems or not found:
        raise DataError(
            f"The allow-list '{path}' cannot be used: {'; '.join(problems) or 'it allows nothing'}.",
            expected="classes and concepts of the data",
            next_step="see the concepts with `microtome data check`",
        )
    return Allowed(found, str(path))


def open_images(spec: ImageData | str | Path, *, limit: int | None, seed: int) -> ImageData:
    """Images by their spec."""
    return spec if isinstance(spec, ImageData) else open_data(spec, limit=limit, seed=seed)


def shift_of(data: ImageData, count: int) -> ImageData | None:
    """The split of the planted world in which the cues tell nothing; None of any other data."""
    inner: Any = data
    while isinstance(inner, Subset):
        inner = inner.whole
    if isinstance(inner, World) and inner.split != "shift":
        return World("shift", count=count, size=inner.size, seed=inner.seed, shortcuts=inner.shortcuts)
    if isinstance(inner, WorldBirds) and inner.split != "shift":
        return WorldBirds("shift", count=count, size=inner.size, seed=inner.seed)
    return None


def without_classes(data: ImageData) -> ImageData:
    """The data without the concepts that are the classes themselves: a class named by itself explains nothing."""
    names = {name.casefold() for name in data.classes}
    own = {concept.category for concept in data.concepts if concept.name.rpartition(":")[2].casefold() in names}
    kept = tuple(dict.fromkeys(c.category for c in data.concepts if c.category not in own))
    return Restricted(data, kept) if own and kept else data


def the_run(
    run: Path | str | Dissection | None, model: Model | TextModel, layer: str | None, data: ItemData, *, out: Path,
    seed: int, overwrite: bool, progress: Progress,
) -> Dissection:  # fmt: skip
    """The dissection that is given, or the one that stands beside the audit, or a new one.

    Raises
    ------
    RunError
        If the given run is of another model or layer.
    """
    if run is not None:
        found = run if isinstance(run, Dissection) else Dissection(run)
        _check_run(found, model, layer)
        return found
    place = out.with_name(f"{out.name}-{UNITS_FOLDER}")
    if place.exists():
        found = Dissection(place)
        site = layer or model.default_site().layer
        same = found.manifest["data"]["fingerprint"] == data.fingerprint() and found.manifest["seed"] == seed
        if _matches(found, model, site) and same:
            return found
        if not overwrite:
            raise RunError(
                f"{place} is in the way: it is a run of another model, layer or data.",
                expected="a free folder for the dissection beside the audit",
                next_step="choose another --out, name the run with --run, or add --overwrite",
            )
    settings = DissectSettings(seed=seed, permutations=100)
    return dissect(
        model, layer, data, out=place, settings=settings, overwrite=True, progress=progress,
        command=("microtome", "dissect", model.spec, "--data", data.card.spec or data.card.name),
    )  # fmt: skip


def _matches(run: Dissection, model: Model | TextModel, layer: str) -> bool:
    told = run.manifest["model"]
    return told["sha256"] == model.fingerprint() and told["layer"] == layer


def _check_run(run: Dissection, model: Model | TextModel, layer: str | None) -> None:
    if run.manifest.get("kind") != "dissect":
        stands = run.manifest.get("summary", {}).get("run")
        raise RunError(
            f"{run.path} is no dissection.",
            expected="a folder that `microtome dissect` wrote",
            next_step=f"this audit stands on {stands}: name that" if stands else "",
        )
    told = run.manifest["model"]
    if told["sha256"] != model.fingerprint():
        raise RunError(
            f"{run.path} is of another model, or of other weights.",
            expected=f"a dissection of {model.spec} as it is now",
            next_step="leave --run out to make one",
        )
    if layer is not None and told["layer"] != layer:
        raise RunError(
            f"{run.path} is of layer '{told['layer']}', not '{layer}'.", next_step="leave --layer or --run out"
        )


def targets_of(names: Sequence[str] | None, classes: Sequence[str], known: Sequence[int]) -> tuple[int, ...]:
    """The classes to audit as outputs of the model; None: all that the data have images of.

    Raises
    ------
    OptionError
        If a name is no class of the model, or the model never answers with classes.
    """
    if names is None:
        return tuple(known)
    place = {name.casefold(): number for number, name in enumerate(classes)}
    wrong = [name for name in names if name.casefold() not in place]
    if wrong or not names:
        shown = ", ".join(repr(name) for name in wrong[:5]) or "no class"
        raise OptionError(
            f"--classes names {shown}, which the model does not answer with.",
            expected=f"some of its {len(classes)} classes",
            next_step=f"did you mean {nearest(wrong[0], classes)}?" if wrong else "",
        )
    return tuple(dict.fromkeys(place[name.casefold()] for name in names))
