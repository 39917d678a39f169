"""The listed neurons of a run: each with its texts and pictures, and what the index page says of all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from microtome.report import words
from microtome.report.charts import Line, lines_chart
from microtome.report.decompose import cells
from microtome.report.decompose.common import interval
from microtome.report.decompose.view import DecomposeView, Row

METHODS = {"omp": "matching pursuit", "lasso": "lasso"}
STYLES = ("c-one", "c-three")


@dataclass(frozen=True)
class NeuronView:
    """One neuron.

    Attributes
    ----------
    row:
        Of `neurons`.
    texts:
        Of `neuron_texts`, in order.
    images:
        Of `neuron_images`.
    share:
        Its part of the variance of all listed neurons.
    """

    row: Row
    texts: tuple[Row, ...]
    images: tuple[Row, ...]
    share: float

    @property
    def name(self) -> str:
        """Layer and number: `8.1204`."""
        return f"{self.row['layer']}.{self.row['neuron']}"

    @property
    def page(self) -> str:
        """Its page, below the folder `report`."""
        return f"neurons/{self.row['layer']:02d}-{self.row['neuron']:05d}.html"

    @property
    def first(self) -> str:
        """Its first text; empty where it has none."""
        return self.texts[0]["text"] if self.texts else ""

    @property
    def predicted(self) -> bool | None:
        """Whether its texts predict it better than chance; None where that was not tried."""
        row = self.row
        return None if None in (row["score"], row["score_chance"]) else row["score"] > row["score_chance"]


def signed_text(row: Row) -> str:
    """A text, with `away from` before it where its coefficient is negative."""
    return f"“{row['text']}”" if (row["coefficient"] or 0.0) >= 0 else f"away from “{row['text']}”"


def ways(texts: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """Texts by the way a neuron pushes: `towards` those of positive weight, then `away from` the others."""
    found: dict[str, list[str]] = {"towards": [], "away from": []}
    for row in texts:
        found["towards" if (row["coefficient"] or 0.0) >= 0 else "away from"].append(str(row["text"]))
    return [(way, listed) for way, listed in found.items() if listed]


def neurons_of(view: DecomposeView) -> tuple[NeuronView, ...]:
    """All listed neurons, by layer and number."""
    texts: dict[tuple[int, int], list[Row]] = defaultdict(list)
    images: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in view.rows("neuron_texts"):
        texts[row["layer"], row["neuron"]].append(row)
    for row in view.rows("neuron_images"):
        images[row["layer"], row["neuron"]].append(row)
    whole = sum(row["variance"] or 0.0 for row in view.rows("neurons"))
    found = []
    for row in sorted(view.rows("neurons"), key=lambda row: (row["layer"], row["neuron"])):
        place = row["layer"], row["neuron"]
        own = tuple(sorted(texts[place], key=lambda text: text["rank"]))
        found.append(NeuronView(row, own, tuple(images[place]), (row["variance"] or 0.0) / whole if whole else 0.0))
    return tuple(found)


def intro(view: DecomposeView) -> Mapping[str, Any]:
    """The answer in words."""
    neurons, summary = neurons_of(view), view.summary
    tried = [neuron for neuron in neurons if neuron.predicted is not None]
    layers = sorted({neuron.row["layer"] for neuron in neurons})
    best = sorted((n for n in tried if n.predicted and n.texts), key=lambda neuron: -neuron.row["score"])[:3]
    good = sum(bool(neuron.predicted) for neuron in tried)
    figures = cells.figures(
        ("neurons listed", "neuron", len(neurons), f"of {summary['neurons']:,}" if summary.get("neurons") else ""),
        ("predicted by their texts", "prediction", good if tried else None, f"of {len(tried)}"),
        ("held by one direction, mean of all", "", words.share(summary.get("mean_first_share")), ""),
        ("cosine of texts and direction", "cosine", words.number(summary.get("mean_cosine"), digits=2), ""),
        ("right answers of the model", "", words.share(summary.get("accuracy")), ""),
    )
    return {
        "neurons": len(neurons), "layers": layers, "best": best, "sentences": summary.get("sentences") or [],
        "tried": len(tried), "predicted": good, "figures": figures,
    }  # fmt: skip


def worst(view: DecomposeView) -> Mapping[str, Any] | None:
    """The listed neurons, those explained worst on held-out images first."""
    neurons = neurons_of(view)
    if not neurons:
        return None
    ranked = sorted(neurons, key=_margin)
    columns = (
        ("neuron", False), ("first texts", False), ("prediction", True), ("chance stays below", True),
        ("texts say, cosine", True), ("one direction, held-out", True), ("share of variance", True),
    )  # fmt: skip
    top = max(neuron.share for neuron in neurons)
    rows = [
        (
            cells.Cell(n.name, n.row["layer"] * 100_000 + n.row["neuron"], href=f"report/{n.page}"),
            cells.Cell("; ".join(signed_text(text) for text in n.texts[:3]) or words.MISSING, n.first),
            cells.score(n.row["score"]), cells.score(n.row["score_chance"]),
            cells.number(words.number(n.row["cosine"], digits=2), n.row["cosine"], whole=1.0),
            cells.share(n.row["heldout_share"], whole=1.0), cells.share(n.share, whole=top),
        )
        for n in ranked
    ]  # fmt: skip
    caption = "Listed neurons, those explained worst on held-out images first"
    return {
        "sheet": cells.Sheet("neurons", caption, columns, rows, 20),
        "worst": [n for n in ranked if n.row["score"] is not None][:3],
    }  # fmt: skip


def _margin(neuron: NeuronView) -> float:
    """How far its prediction lies above chance."""
    row = neuron.row
    return float("inf") if row["score"] is None else row["score"] - (row["score_chance"] or 0.0)


def codes(view: DecomposeView) -> Mapping[str, Any] | None:
    """Reconstruction cosine against the number of texts, by method, with chance."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(view.rows("codes"), key=lambda row: row["texts"]):
        if row["cosine"] is not None:
            groups[str(row["method"])].append(row)
    if not groups:
        return None
    charts = []
    for number, (method, rows) in enumerate(groups.items()):
        chance = [(row["texts"], row["cosine_chance"]) for row in rows if row["cosine_chance"] is not None]
        lines = [Line([(row["texts"], row["cosine"]) for row in rows], STYLES[number % len(STYLES)])]
        lines += [Line(chance, "c-two")] if chance else []
        told = ", ".join(f"{row['cosine']:.2f} with {row['texts']}" for row in rows)
        chart = lines_chart(
            lines, x_name="number of texts", y_name="cosine", top=1.08, doubling=True,
            label=f"Cosine of texts and direction by {METHODS.get(method, method)}: {told} texts.",
        )  # fmt: skip
        style = "third" if number % 2 else "direct"
        charts.append({"title": METHODS.get(method, method), "chart": chart, "style": style, "chance": bool(chance)})
    return {"charts": charts}


def effects(view: DecomposeView) -> Mapping[str, Any] | None:
    """Accuracy without sets of neurons."""
    rows = [row for row in view.rows("effects") if row["accuracy"] is not None]
    if not rows:
        return None
    columns = (
        ("cut", False), ("neurons", True), ("right", True), ("95 % interval", True), ("change", True),
        ("effect", False), ("answers by", False),
    )  # fmt: skip
    lines = [
        (
            cells.Cell(row["what"], number), cells.number(words.count(row["neurons"]), row["neurons"]),
            cells.share(row["accuracy"], whole=1.0, notch=row["base"]),
            cells.Cell(interval(row["low"], row["high"]), row["low"], num=True),
            _change(row), cells.Cell(str(row["kind"]), row["kind"]), cells.Cell(str(row["probe"]), row["probe"]),
        )
        for number, row in enumerate(rows)
    ]  # fmt: skip
    return {
        "sheet": cells.Sheet("effects-sheet", "Right answers without sets of neurons", columns, lines, 30),
        "base": rows[0]["base"], "images": rows[0]["images"],
    }  # fmt: skip


def _change(row: Row) -> cells.Cell:
    if row["base"] is None:
        return cells.Cell(words.MISSING, None, num=True)
    change = row["accuracy"] - row["base"]
    return cells.Cell(f"{words.signed(100 * change, digits=1)} points", change, num=True)


def image_concepts(view: DecomposeView) -> Mapping[str, Any] | None:
    """What the active neurons of some images say of them."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in view.rows("image_concepts"):
        if row["sprite"] is not None and row["tile"] is not None:
            groups[str(row["image"])].append(row)
    if not groups:
        return None
    listed = []
    for image, rows in groups.items():
        said = sorted(rows, key=lambda row: row["rank"])
        alt = f"{image}: {'; '.join(row['text'] for row in said)}"
        picture = cells.tile({**said[0], "heat_tile": None}, root="", alt=alt, heat_alt="", caption=[("image", image)])
        texts = [(row["text"], words.signed(row["weight"], digits=1)) for row in said]
        listed.append({"picture": picture, "texts": texts})
    return {"images": listed}
