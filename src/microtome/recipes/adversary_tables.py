"""What came of an attack in words: its pictures and its sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from microtome.recipes.adversary_flips import Asked, Flips
from microtome.recipes.adversary_words import Prompt, Search, Words
from microtome.recipes.sheets import Sheet

Row = dict[str, Any]
_LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Attack:
    """One pair of classes: words, prompts, and what came of them.

    Attributes
    ----------
    asked:
        What the model returned; None where no word can be used.
    flips:
        Between the two classes.
    rows:
        Of the table `adversary`.
    """

    source: int
    target: int
    words: Words
    prompts: list[Prompt]
    asked: Asked | None
    flips: Flips | None
    rows: list[Row]


def image_rows(search: Search, found: Attack, sheet: Sheet, most: int) -> list[Row]:
    """Pictures before and after: those that flipped first."""
    if found.asked is None or found.flips is None:
        return []
    asked, classes = found.asked, [found.source, found.target]
    scores = search.answers.scores(asked.outputs[:, :2].reshape(-1, asked.outputs.shape[2]))[:, classes]
    answered = scores.argmax(axis=1).reshape(-1, 2)
    order = np.lexsort((~found.flips.right, ~found.flips.after))[:most].tolist()
    rows: list[Row] = []
    for case in order:
        before, after = (search.name(classes[int(n)]) for n in answered[case])
        said = ", ".join(asked.words[case])
        rows.append({
            "from_class": search.name(found.source), "to_class": search.name(found.target), "image": asked.keys[case],
            "before": before, "after": after, "words": list(asked.words[case]),
            "flipped": bool(found.flips.after[case]), "sprite": sheet.name, "tile": sheet.add(asked.tiles[case][0]),
            "tile_after": sheet.add(asked.tiles[case][1]), "caption": f"{said}: {before}, then {after}",
        })  # fmt: skip
    return rows


def sentences_of(search: Search, attacks: list[Attack], rows: list[Row]) -> list[str]:
    settings = search.settings
    if len(attacks) > 1:
        return _of_all_pairs(rows, sum(not one.rows for one in attacks))
    words, pair = attacks[0].words, f"from {search.name(attacks[0].source)} to {search.name(attacks[0].target)}"
    said = [
        f"{words.dropped} of {len(search.pool)} texts name one of the two classes or are close to one (cosine above "
        f"{settings.closeness:.2f} without the mean text) and were left out."
    ]
    if words.skipped:
        said.append(
            f"{words.skipped} words were passed over: they cannot be put into a scene (counts, walls, scene classes), "
            "or would make it the other class."
        )
    if not rows:
        return [*said, f"No text that can be used pushes the answer {pair}: nothing was tried."]
    return [*said, *(_of_row(row, settings.draws) for row in rows)]


def _of_row(row: Row, draws: int) -> str:
    what = "scenes" if row["how"] == "things" else "pictures"
    if not row["right_before"]:
        return f"None of {row['scenes']} {what} of {row['from_class']} was answered rightly (among {row['among']})."
    beyond = _beyond(row) == "more"
    return (
        f"Among {row['among']}: of {row['right_before']} {what} answered rightly as {row['from_class']}, the words "
        f"turn {row['rate']:.0%} into {row['to_class']} ({row['low']:.0%} to {row['high']:.0%}), random words "
        f"of the same properties {row['control']:.0%} ({draws} draws): difference {row['difference']:+.1%} "
        f"({row['difference_low']:+.1%} to {row['difference_high']:+.1%}), p = {row['p']:.2g}"
        + ("." if beyond else "; the words do no better than random ones.")
    )


def _of_all_pairs(rows: list[Row], without: int) -> list[str]:
    two = [row for row in rows if row["among"] == "the two" and row["right_before"]]
    if not two:
        return ["No pair of classes could be tried."]
    verdicts = Counter(_beyond(row) for row in two)
    best = two[0]
    return [
        f"{len(two)} ordered pairs of classes were tried; for {verdicts['more']} the words flip more answers than "
        f"random words do, for {verdicts['less']} fewer (95 % intervals of single pairs), for "
        f"{verdicts['same']} neither.",
        f"Mean flip rate {np.mean([row['rate'] for row in two]):.1%}, with random words "
        f"{np.mean([row['control'] for row in two]):.1%}.",
        f"Largest difference: {best['from_class']} to {best['to_class']}, {best['rate']:.0%} against "
        f"{best['control']:.0%}.",
        *([f"For {without} pairs no word could be used."] if without else []),
    ]


def _beyond(row: Row) -> str:
    """Whether words flip `more` or `less` than random ones: interval and test must agree; else `same`."""
    if row["p"] >= _LEVEL or row["difference_low"] <= 0 <= row["difference_high"]:
        return "same"
    return "more" if row["difference"] > 0 else "less"
