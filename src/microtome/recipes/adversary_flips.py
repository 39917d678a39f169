"""How often pictures change sides when words are put into them, beside as many random words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from microtome.core.errors import ModelError
from microtome.models.towers.streams import run_tower
from microtome.recipes.answering import Answering
from microtome.recipes.direct_pass import Opened
from microtome.record.one_pass import Progress
from microtome.report.tiles import draw_tile
from microtome.verify.paired import paired_change
from microtome.verify.proportions import wilson

Row = dict[str, Any]
BEFORE, AFTER, FIRST_CONTROL = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Case:
    """One picture and what becomes of it.

    Attributes
    ----------
    key:
        Name of the picture.
    words:
        The words put into it.
    pictures:
        Before, after, and with random words, once or more often; uint8 [height width 3].
    """

    key: str
    words: tuple[str, ...]
    pictures: tuple[UInt8[np.ndarray, "height width 3"], ...]


@dataclass(frozen=True, eq=False)
class Asked:
    """What a model returned for cases.

    Attributes
    ----------
    keys, words:
        Of each case.
    outputs:
        [case, arm, d_out]: before, after, controls.
    changed:
        [case, arm]: share of the pixels that differ from before; NaN where sizes differ.
    tiles:
        Of each case before and after.
    """

    keys: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    outputs: Float[np.ndarray, "case arm d_out"]
    changed: Float[np.ndarray, "case arm"]
    tiles: tuple[tuple[np.ndarray, np.ndarray], ...]


def ask(opened: Opened, cases: Iterable[Case], count: int, *, batch_size: int, progress: Progress) -> Asked:
    """Run a model on all pictures of some cases.

    Parameters
    ----------
    cases:
        Drawn one after another; at least one, all with the same number of pictures.
    count:
        How many there are, for progress.

    Raises
    ------
    ModelError
        If the model returns NaN.
    """
    keys, words, outputs, changed, tiles = [], [], [], [], []
    held: list[Case] = []
    for done, case in enumerate(cases, start=1):
        held.append(case)
        keys.append(case.key)
        words.append(case.words)
        changed.append([_changed(case.pictures[BEFORE], other) for other in case.pictures])
        tiles.append((draw_tile(case.pictures[BEFORE]), draw_tile(case.pictures[AFTER])))
        if len(held) * len(case.pictures) >= batch_size or done == count:
            outputs.append(_outputs(opened, held, batch_size))
            held = []
            progress("asking about pictures", done, count)
    return Asked(tuple(keys), tuple(words), np.concatenate(outputs), np.array(changed), tuple(tiles))


def _outputs(opened: Opened, cases: list[Case], batch_size: int) -> Float[np.ndarray, "case arm d_out"]:
    pixels = [picture for case in cases for picture in case.pictures]
    found = []
    for first in range(0, len(pixels), batch_size):
        x = opened.model.prepared(opened.model.preprocess(pixels[first : first + batch_size], crop=True))
        with torch.no_grad():
            found.append(run_tower(opened.tower, x, ()).output.double().cpu().numpy())
    outputs = np.concatenate(found)
    if not np.isfinite(outputs).all():
        raise ModelError(f"{opened.model.spec} returns NaN or infinite numbers.", next_step="check its weights")
    return outputs.reshape(len(cases), -1, outputs.shape[1])


def _changed(before: UInt8[np.ndarray, "height width 3"], after: UInt8[np.ndarray, "height_ width_ 3"]) -> float:
    return float((before != after).any(axis=2).mean()) if before.shape == after.shape else float("nan")


@dataclass(frozen=True, eq=False)
class Flips:
    """Who changed sides.

    Attributes
    ----------
    right:
        Answered with the true class before.
    after:
        Right before and answered with the wrong class after.
    control:
        [case, draw]: the same with random words.
    lost, control_lost:
        Right before and answered with any other class.
    """

    right: Bool[np.ndarray, " case"]
    after: Bool[np.ndarray, " case"]
    control: Bool[np.ndarray, "case draw"]
    lost: Bool[np.ndarray, " case"]
    control_lost: Bool[np.ndarray, "case draw"]


def flips_of(asked: Asked, answers: Answering, source: int, target: int, *, among_all: bool) -> Flips:
    """Flips from class `source` to class `target`.

    Parameters
    ----------
    among_all:
        Whether the model answers among all classes, or between the two.
    """
    cases, arms, width = asked.outputs.shape
    scores = answers.scores(asked.outputs.reshape(-1, width))
    if not among_all:
        others = np.ones(scores.shape[1], dtype=bool)
        others[[source, target]] = False
        scores[:, others] = -np.inf
    found = scores.argmax(axis=1).reshape(cases, arms)
    right = found[:, BEFORE] == source
    rows, control = right[:, None], found[:, FIRST_CONTROL:]
    return Flips(
        right, right & (found[:, AFTER] == target), rows & (control == target),
        right & (found[:, AFTER] != source), rows & (control != source),
    )  # fmt: skip


def flip_row(asked: Asked, flips: Flips, *, seed: int) -> Row:
    """The numbers of a row of the table `adversary`: rates among the cases that were right before.

    The rate has a Wilson interval, the control (the mean over its draws, case by case) and the difference bootstrap
    intervals over cases; p is of random signs of the cases' own differences.
    """
    right = flips.right
    after, control = flips.after[right].astype(np.float64), flips.control[right].mean(axis=1, dtype=np.float64)
    tested = paired_change(np.zeros(len(after)), after, control, seed=seed)
    low, high = wilson(int(after.sum()), len(after))
    nothing = float("nan")
    return {
        "scenes": len(right), "right_before": int(right.sum()), "flipped": int(after.sum()),
        "rate": tested.change.mean, "low": low, "high": high, "control": tested.control.mean,
        "control_low": tested.control.low, "control_high": tested.control.high,
        "difference": tested.difference.mean, "difference_low": tested.difference.low,
        "difference_high": tested.difference.high, "p": tested.p,
        "lost": float(flips.lost[right].mean()) if right.any() else nothing,
        "control_lost": float(flips.control_lost[right].mean()) if right.any() else nothing,
        "draws": flips.control.shape[1],
    }  # fmt: skip


def changed_row(asked: Asked) -> Row:
    """Mean share of pixels that the words, and random words, changed: the control for size."""
    return {
        "changed": float(asked.changed[:, AFTER].mean()),
        "control_changed": float(asked.changed[:, FIRST_CONTROL:].mean()),
    }
