"""What heat is asked for: texts, classes, vectors and heads, as directions in the output's space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.errors import DataError, ModelError, OptionError, nearest
from microtome.data.pools.read import open_pool
from microtome.models.model import Model
from microtome.models.texts import text_directions
from microtome.models.towers.base import Tower
from microtome.recipes.heat_settings import NEUTRAL, NOTHING, OTHERS

MOST_NEUTRAL = 200
"""Texts of a pool that the neutral direction is the mean of, spread evenly over it."""
MOST_TARGETS = 24
THING_TEMPLATES = {"world:clip": "a {}"}
"""How a thing is put into words where the model's own template speaks of something else."""


@dataclass(frozen=True, eq=False)
class Target:
    """One thing that heat is asked for.

    Attributes
    ----------
    name:
        As it stands in tables: `a dog`, `head 5.3`, `head 5.3: a dog`.
    direction:
        [d_out]; None: the length of what the head writes.
    head:
        Layer and head; None: all heads.
    contrasted:
        Whether something may have been subtracted from it: texts and classes, not vectors.
    """

    name: str
    direction: Float[Tensor, " d_out"] | None
    head: tuple[int, int] | None = None
    contrasted: bool = True


@dataclass(frozen=True)
class Asked:
    """What a user asks heat for.

    Attributes
    ----------
    texts, classes:
        Each is a target.
    vectors:
        A `.npy` file of one direction [d_out] or several [k, d_out].
    heads:
        Layer and head: heat of these alone, for each text and class; without those the length of what they write.
    """

    texts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    vectors: Path | None = None
    heads: tuple[tuple[int, int], ...] = ()


def targets_of(
    model: Model, tower: Tower, asked: Asked, *, minus: Sequence[str], neutral: str, template: str
) -> list[Target]:
    """The targets, in the order texts, classes, vectors; for each of these in the order of heads.

    Raises
    ------
    OptionError
        If nothing is asked for, something twice, too much, or a head is not there.
    ModelError
        If the model has no text side for texts, or no such class.
    DataError
        For texts that are too long, and vectors that cannot be read.
    """
    _check(asked, tower)
    named: list[tuple[str, Float[Tensor, " d_out"], bool]] = []
    if asked.texts or asked.classes:
        own = [class_direction(model, name, template=template) for name in asked.classes]
        if asked.texts:
            own = [*text_directions(model.texts, asked.texts, spec=model.spec), *own]
        contrast = contrast_of(asked, minus)
        if contrast == (OTHERS,):
            own = _without_others(own)
        else:
            base = minus_direction(model, contrast, neutral=neutral, template=template)
            own = [vector - base for vector in own]
        named += [(name, vector, True) for name, vector in zip((*asked.texts, *asked.classes), own, strict=True)]
    if asked.vectors is not None:
        read, stem = _vectors(asked.vectors, tower), asked.vectors.stem
        for n, row in enumerate(read):
            named.append((stem if len(read) == 1 else f"{stem} {n}", torch.from_numpy(row), False))
    targets = [
        Target(f"{head_name(head)}: {name}" if head else name, vector.to(tower.pooling.matrices), head, contrasted)
        for name, vector, contrasted in named
        for head in (asked.heads or (None,))
    ]
    if not targets:
        targets = [Target(head_name(head), None, head, contrasted=False) for head in asked.heads]
    names = [target.name for target in targets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(f"'{twice[0]}' is asked for twice.", expected="each text, class and head once")
    if len(targets) > MOST_TARGETS:
        raise OptionError(f"{len(targets)} heatmaps of each image are asked for.", expected=f"at most {MOST_TARGETS}")
    return targets


def contrast_of(asked: Asked, minus: Sequence[str]) -> tuple[str, ...]:
    """What is subtracted: as it is said, or the others that are asked for, or, where there are none, neutral texts."""
    several = len(asked.texts) + len(asked.classes) > 1
    if tuple(minus) == (OTHERS,) and not several:
        raise OptionError("There are no other texts to subtract.", expected="two texts or classes, or --minus neutral")
    return tuple(minus) or ((OTHERS,) if several else (NEUTRAL,))


def _without_others(vectors: Sequence[Float[Tensor, " d_out"]]) -> list[Float[Tensor, " d_out"]]:
    """Each minus the mean of all the others."""
    total = torch.stack([*vectors]).sum(dim=0)
    return [vector - (total - vector) / (len(vectors) - 1) for vector in vectors]


def head_name(head: tuple[int, int]) -> str:
    """`head 5.3`."""
    return f"head {head[0]}.{head[1]}"


def minus_direction(
    model: Model, minus: Sequence[str], *, neutral: str, template: str
) -> Float[Tensor, " d_out"] | float:
    """What is subtracted from the directions of texts and classes; 0.0 for nothing."""
    if list(minus) == [NOTHING]:
        return 0.0
    if list(minus) == [NEUTRAL]:
        return neutral_direction(model, neutral)
    if model.texts is not None:
        return text_directions(model.texts, list(minus), spec=model.spec).mean(dim=0)
    return torch.stack([class_direction(model, name, template=template) for name in minus]).mean(dim=0)


def neutral_direction(model: Model, pool: str) -> Float[Tensor, " d_out"] | float:
    """The mean direction of neutral texts, or of all classes; 0.0 for a model with neither."""
    if model.texts is None:
        return torch.full((len(model.classes),), 1.0 / len(model.classes)) if model.classes else 0.0
    texts = open_pool(neutral_pool(model, pool)).texts
    chosen = np.unique(np.linspace(0, len(texts) - 1, min(MOST_NEUTRAL, len(texts))).astype(int))
    return text_directions(model.texts, [texts[n] for n in chosen], spec=model.spec).mean(dim=0)


def neutral_pool(model: Model, pool: str) -> str:
    """The pool behind the neutral direction."""
    return pool or ("world" if model.spec == "world:clip" else "general")


def class_direction(model: Model, name: str, *, template: str) -> Float[Tensor, " d_out"]:
    """A class as a direction: of its own outputs, or of its name in words where the model has a text side.

    Raises
    ------
    ModelError
        If the model has no such class.
    OptionError
        If the template has no `{}`.
    """
    if model.texts is not None:
        templates = [part.strip() for part in (template or thing_template(model)).split("|")]
        if any("{}" not in part for part in templates):
            raise OptionError(
                f"The template '{template}' has no place for the class.", expected="such as 'a photo of a {}.'"
            )
        words = [part.replace("{}", name) for part in templates]
        mean = text_directions(model.texts, words, spec=model.spec).mean(dim=0)
        return torch.nn.functional.normalize(mean, dim=0)
    wanted = name.casefold()
    for number, known in enumerate(model.classes):
        if wanted in (known.casefold(), *(part.strip().casefold() for part in known.split(","))):
            return torch.eye(len(model.classes))[number]
    if not model.classes:
        raise ModelError(
            f"{model.spec} has neither a text side nor classes with names.",
            expected="a CLIP-like model, or a classifier",
            next_step="ask for a head (--head 5.3), or give a vector of its output's space (--direction FILE.npy)",
        )
    raise ModelError(
        f"{model.spec} has no class '{name}'.",
        expected=f"one of its {len(model.classes)} classes",
        next_step=f"did you mean {nearest(name, model.classes)}?",
    )


def thing_template(model: Model) -> str:
    """How a thing is put into words for a model with a text side, where nobody says."""
    assert model.texts is not None
    return THING_TEMPLATES.get(model.spec, model.texts.template)


def texts_given(text: str | None) -> tuple[str, ...]:
    """Texts with commas between, or the texts of a file, one a line.

    Raises
    ------
    DataError
        If the file has no text, or one twice.
    """
    if text is None:
        return ()
    if Path(text).is_file():
        return open_pool(Path(text)).texts
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _check(asked: Asked, tower: Tower) -> None:
    if not (asked.texts or asked.classes or asked.heads or asked.vectors):
        raise OptionError(
            "Nothing says what to look for.",
            expected="--texts 'a dog, a cat', --class NAME, --head 5.3 or --direction FILE.npy",
        )
    for layer, head in asked.heads:
        if not (0 <= layer < len(tower.layers) and 0 <= head < tower.heads):
            raise OptionError(
                f"The model has no head {layer}.{head}.",
                expected=f"LAYER.HEAD with layers 0 to {len(tower.layers) - 1} and heads 0 to {tower.heads - 1}",
            )


def _vectors(path: Path, tower: Tower) -> Float[np.ndarray, "direction d_out"]:
    try:
        read = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"'{path}' cannot be read as a .npy file: {error}.", expected="numpy.save(FILE, array)"
        ) from error
    if not isinstance(read, np.ndarray) or read.dtype.kind not in "fiu":
        raise DataError(f"'{path}' holds no array of numbers.", expected="numpy.save(FILE, array)")
    rows = np.atleast_2d(read).astype(np.float64)
    if rows.ndim != 2 or rows.shape[1] != tower.d_out or not len(rows) or not np.isfinite(rows).all():
        raise DataError(
            f"'{path}' holds an array of shape {read.shape}.",
            expected=f"finite numbers, [{tower.d_out}] or [k, {tower.d_out}], as wide as the model's output",
        )
    return rows
