"""The page of one neuron: what it brings about in words, its texts, how sure we are, pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from microtome.report import words
from microtome.report.decompose import cells
from microtome.report.decompose.neurons import NeuronView, signed_text, ways
from microtome.report.decompose.view import Row

ROOT = "../../"
ENDS = {"high": "pushes that way most", "low": "pushes the other way most"}


def neuron_page(neuron: NeuronView) -> Mapping[str, Any]:
    """Everything that the template of a neuron's page needs."""
    return {
        "neuron": neuron,
        "ways": ways(neuron.texts[:2]),
        "verdict": _verdict(neuron),
        "sentences": _plainly(neuron),
        "sheet": _texts(neuron),
        "sure": _sure(neuron),
        "ends": _pictures(neuron),
    }


def _verdict(neuron: NeuronView) -> str:
    if neuron.predicted is None:
        return "Whether its texts predict it was not tried."
    if neuron.predicted:
        return "On held-out images its texts predict what it does better than those of other neurons."
    return "On held-out images its texts predict it no better than those of other neurons: read them as guesses."


def _plainly(neuron: NeuronView) -> list[str]:
    if not neuron.texts:
        return ["No text of the pool points where this neuron pushes."]
    said = [
        "When this neuron fires, heads of later layers read it, and what they write moves the output. It moves it "
        f"mostly one way: {_in_words(neuron)}."
    ]
    return [*said, f"Of what the listed neurons bring about in this way, this one does {words.share(neuron.share)}."]


def _in_words(neuron: NeuronView) -> str:
    """`towards “a rock”, away from “a lake scene” and “a wall”`."""
    return ", ".join(f"{way} {' and '.join(f'“{text}”' for text in texts)}" for way, texts in ways(neuron.texts[:3]))


def _texts(neuron: NeuronView) -> cells.Sheet:
    properties = any(text["property"] for text in neuron.texts)
    top = max([abs(text["coefficient"] or 0.0) for text in neuron.texts], default=0.0)
    columns = [("text", False)] + ([("property", False)] if properties else [])
    columns += [("weight", True), ("cosine alone", True)]
    rows = []
    for text in neuron.texts:
        weight = text["coefficient"]
        line = [cells.Cell(text["text"], text["rank"])]
        line += [cells.Cell(text["property"] or words.MISSING, text["property"])] if properties else []
        bar = cells.number(words.signed(weight), None if weight is None else abs(weight), whole=top)
        rows.append([*line, bar, cells.score(text["cosine"])])
    return cells.Sheet("texts", f"Texts of neuron {neuron.name}, by weight", columns, rows, 10)


def _sure(neuron: NeuronView) -> list[str]:
    row, said = neuron.row, []
    if row["first_share"] is not None:
        held = "" if row["heldout_share"] is None else f", and {words.share(row['heldout_share'])} on held-out images"
        said.append(
            f"What it brings about lies along one direction to {words.share(row['first_share'])}{held}. Its "
            "description leaves out the rest."
        )
    if row["cosine"] is not None:
        said.append(
            f"Its texts together point the same way as that direction with a cosine of {row['cosine']:.2f} (1 is the "
            "same direction, 0 an unrelated one)."
        )
    if neuron.predicted is not None:
        said.append(
            f"Do they predict it? On held-out images, how like the texts an image is and what the neuron brings about "
            f"correlate with {words.signed(row['score'])}; with the texts of other neurons that stays below "
            f"{words.signed(row['score_chance'])} in 95\u00a0% of cases (p = {words.probability(row['score_p'])})."
        )
    return said


def _pictures(neuron: NeuronView) -> list[tuple[str, list[Mapping[str, Any]]]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in neuron.images:
        if row["sprite"] is not None and row["tile"] is not None:
            found[row["end"]].append(row)
    ends = sorted(found, key=lambda end: (end != "high", end))
    return [
        (ENDS.get(end, end), [_tile(row, neuron) for row in sorted(found[end], key=lambda row: row["place"])])
        for end in ends
    ]


def _tile(row: Row, neuron: NeuronView) -> Mapping[str, Any]:
    value = words.signed(row["value"])
    first = signed_text(neuron.texts[0]) if neuron.texts else "its direction"
    way = "that way" if row["end"] == "high" else "the other way"
    return cells.tile(
        row, root=ROOT, alt=f"{row['image']}: neuron {neuron.name} ({first}) pushes {way}, {value}",
        heat_alt=f"Heatmap of {row['image']}: on which patches neuron {neuron.name} does so",
        caption=[("along its direction", value), ("image", row["image"]), ("class", row["label"] or "")],
    )  # fmt: skip
