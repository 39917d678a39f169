"""The heads of a run: each with its texts and pictures, and what the index page says of all of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microtome.report import words
from microtome.report.decompose import cells
from microtome.report.decompose.view import DecomposeView, Row

MIXED = "mixed"
STEPS = (0.002, 0.01, 0.03, 0.08, 0.15)
"""Shares of variance at which a cell of the grid gets its next darker colour."""


@dataclass(frozen=True)
class HeadView:
    """One head.

    Attributes
    ----------
    row:
        Of `heads`.
    texts:
        Of `head_texts`, in order.
    images:
        Of `head_images`.
    above:
        Whether its texts explain more than chance, by the run's own limit.
    """

    row: Row
    texts: tuple[Row, ...]
    images: tuple[Row, ...]
    above: bool

    @property
    def name(self) -> str:
        """Layer and head: `4.2`."""
        return f"{self.row['layer']}.{self.row['head']}"

    @property
    def page(self) -> str:
        """Its page, below the folder `report`."""
        return f"heads/{self.row['layer']:02d}-{self.row['head']:02d}.html"

    @property
    def labelled(self) -> bool:
        """Whether it has a label that beats chance."""
        return bool(self.row["labelled"])

    @property
    def first(self) -> str:
        """Its first text; empty where it has none."""
        return self.texts[0]["text"] if self.texts else ""

    @property
    def title(self) -> str:
        """Its label; `mixed` where it has none; its first text where texts have no properties."""
        if self.labelled:
            return str(self.row["label"])
        return MIXED if self.row["label"] is not None or not self.texts else f"“{self.first}”"

    @property
    def lead_heldout(self) -> float | None:
        """Share of its held-out variance that its leading texts explain.

        All of its texts together may span all that it can write, and then explain all of it whatever they say.
        """
        lead = min(self.row["lead"] or 0, len(self.texts))
        return self.texts[lead - 1]["explained_heldout"] if lead else None

    @property
    def predicted(self) -> bool | None:
        """Whether its first text predicts it better than 95 % of other texts; None where that was not tried."""
        row = self.row
        return None if None in (row["score"], row["score_chance"]) else row["score"] > row["score_chance"]


def heads_of(view: DecomposeView) -> tuple[HeadView, ...]:
    """All heads, by layer and number."""
    texts: dict[tuple[int, int], list[Row]] = defaultdict(list)
    images: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in view.rows("head_texts"):
        texts[row["layer"], row["head"]].append(row)
    for row in view.rows("head_images"):
        images[row["layer"], row["head"]].append(row)
    found = []
    for row in sorted(view.rows("heads"), key=lambda row: (row["layer"], row["head"])):
        place = row["layer"], row["head"]
        own = tuple(sorted(texts[place], key=lambda text: text["rank"]))
        above = row["fdr"] is not None and row["fdr"] <= view.fdr
        found.append(HeadView(row, own, tuple(images[place]), above))
    return tuple(found)


def intro(view: DecomposeView) -> Mapping[str, Any]:
    """The answer in words."""
    heads = heads_of(view)
    labels = Counter(head.title for head in heads if head.labelled)
    tried = [head for head in heads if head.predicted is not None]
    held = [head.lead_heldout for head in heads if head.lead_heldout is not None]
    chance = [head.row["chance"] for head in heads if head.row["chance"] is not None]
    leads = {head.row["lead"] for head in heads if head.row["lead"]}
    properties = any(head.row["label"] is not None for head in heads)
    above, of = sum(head.above for head in heads), f"of {len(heads)}"
    good = sum(bool(head.predicted) for head in tried) if tried else None
    figures = cells.figures(
        ("texts beat chance", "chance", above, of),
        ("have a label", "label", sum(labels.values()) if properties else None, of),
        ("predicted by their first text", "prediction", good, f"of {len(tried)}"),
        (f"explained by {max(leads, default=0)} texts, held-out", "explained", words.share(_mean(held)), ""),
        ("the same by chance", "chance", words.share(_mean(chance)), ""),
        ("right answers of the model", "", words.share(view.summary.get("accuracy")), ""),
    )
    return {
        "heads": len(heads), "above": above, "labels": labels.most_common(),
        "labelled": sum(labels.values()), "properties": properties,
        "writers": _writers(heads), "figures": figures, "sure": _sure(view, heads, tried),
    }  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _writers(heads: Sequence[HeadView], most: int = 3) -> list[HeadView]:
    """The heads that write most."""
    return sorted((h for h in heads if h.texts), key=lambda head: -(head.row["share"] or 0.0))[:most]


def _sure(view: DecomposeView, heads: Sequence[HeadView], tried: Sequence[HeadView]) -> list[str]:
    """How sure we are, in sentences."""
    settings = view.manifest["settings"]
    limit = words.share(view.fdr)
    said = ["Texts were chosen on one half of the images; everything called held-out was measured on the other half."]
    if settings.get("chance_draws"):
        said.append(
            f"A few texts explain some of anything. So the same search was made {settings['chance_draws']:,} times "
            f"among texts whose directions were turned at random; “beats chance” means that of all heads called so no "
            f"more than {limit} are expected to be wrong."
        )
    if any(head.row["label"] is not None for head in heads):
        said.append(
            f"A label is what a head's texts have in common. It is kept where the turned texts seldom have as much in "
            f"common, again with at most {limit} expected to be wrong."
        )
    if tried:
        good = sum(bool(head.predicted) for head in tried)
        said.append(
            f"A good description should predict. For {good} of {words.plural(len(tried), 'head')} how like "
            f"its first text a held-out image is tells what the head writes along it, better than 95\u00a0% of "
            f"other texts do. By luck that would be about {max(round(0.05 * len(tried)), 1)}."
        )
    return said


def grid(view: DecomposeView) -> Mapping[str, Any] | None:
    """Layers by heads: each cell a name, its colour the share of variance. The last layer stands on top."""
    heads = heads_of(view)
    if not heads:
        return None
    by_place = {(head.row["layer"], head.row["head"]): head for head in heads}
    layers = sorted({layer for layer, _ in by_place}, reverse=True)
    columns = list(range(max(head for _, head in by_place) + 1))
    return {
        "columns": columns,
        "layers": [(layer, [_cell(by_place.get((layer, head))) for head in columns]) for layer in layers],
        "legend": [
            {"step": step, "text": text}
            for step, text in enumerate(
                (f"below {words.share(STEPS[0])}", *(f"from {words.share(at)}" for at in STEPS))
            )
        ],
    }  # fmt: skip


def _cell(head: HeadView | None) -> Mapping[str, Any] | None:
    if head is None:
        return None
    share = head.row["share"] or 0.0
    return {
        "href": f"report/{head.page}", "title": head.title, "labelled": head.labelled, "above": head.above,
        "first": head.first if head.title != f"“{head.first}”" else "", "share": share, "name": head.name,
        "step": sum(share >= at for at in STEPS),
        "texts": "; ".join(text["text"] for text in head.texts[:3]),
    }  # fmt: skip


def worst(view: DecomposeView) -> Mapping[str, Any] | None:
    """All heads as a list, those explained worst on held-out images first."""
    heads = heads_of(view)
    if not heads:
        return None
    inf = float("inf")
    ranked = sorted(heads, key=lambda head: inf if head.lead_heldout is None else head.lead_heldout)
    properties = any(head.row["label"] is not None for head in heads)
    judged = any(head.row["accuracy"] is not None for head in heads)
    top = max((head.row["share"] or 0.0 for head in heads), default=0.0)
    columns = [("head", False), *([("label", False)] if properties else []), ("first texts", False)]
    columns += [("explained, held-out", True), ("chance", True), ("share of variance", True)]
    columns += [("prediction", True), ("chance stays below", True)]
    columns += [("right with its texts", True), ("right with its mean", True)] if judged else []
    rows = [_line(head, top, properties, judged) for head in ranked]
    leads = sorted({head.row["lead"] for head in heads if head.row["lead"]})
    return {
        "sheet": cells.Sheet("heads", "All heads, those explained worst on held-out images first", columns, rows),
        "lead": leads[-1] if leads else 0, "worst": [head for head in ranked if head.lead_heldout is not None][:3],
        "judged": judged,
    }  # fmt: skip


def _line(head: HeadView, top: float, properties: bool, judged: bool) -> list[cells.Cell]:
    row, texts = head.row, "; ".join(text["text"] for text in head.texts[:3])
    line = [cells.Cell(head.name, row["layer"] * 1000 + row["head"], href=f"report/{head.page}")]
    if properties:
        title = head.title if row["label"] is not None else words.MISSING
        line.append(cells.Cell(title, title, quiet=not head.labelled))
    line += [
        cells.Cell(texts or words.MISSING, head.first),
        cells.share(head.lead_heldout, whole=1.0, notch=row["chance"]), cells.share(row["chance"]),
        cells.share(row["share"], whole=top), cells.score(row["score"]), cells.score(row["score_chance"]),
    ]  # fmt: skip
    return [*line, cells.share(row["accuracy"]), cells.share(row["accuracy_mean"])] if judged else line


def properties(view: DecomposeView) -> Mapping[str, Any] | None:
    """Heads of each property, and what they make of changing that property alone."""
    rows = view.rows("properties")
    if not rows:
        return None
    proved = [row for row in rows if row["ratio"] is not None]
    columns = [("property", False), ("heads", False), ("their texts", False)]
    columns += [("texts of the property", True), ("p", True), ("explained by it", True)]
    columns += (
        [("share of the change", True), ("as many median heads", True), ("times as much", True)] if proved else []
    )
    lines = [_property_line(view, row, bool(proved)) for row in rows]
    first = max(proved, key=lambda row: row["ratio"], default=None)
    return {
        "sheet": cells.Sheet("properties-sheet", "Heads of each property", columns, lines, 30), "first": first,
        "pairs": first["pairs"] if first else None,
    }  # fmt: skip


def _property_line(view: DecomposeView, row: Row, proved: bool) -> list[cells.Cell]:
    low, high = row["ratio_low"], row["ratio_high"]
    times = words.MISSING if row["ratio"] is None else f"{row['ratio']:.1f}"
    if None not in (row["ratio"], low, high):
        times += f" ({low:.1f} to {high:.1f})"
    line = [
        cells.Cell(str(row["property"]), row["property"]), cells.Cell(", ".join(row["heads"] or ())),
        cells.Cell("; ".join((row["texts"] or ())[:4])),
        cells.share(row["text_share"], whole=1.0, notch=row["text_expected"]),
        cells.number(words.probability(row["text_p"]), row["text_p"]), cells.share(row["told"], whole=1.0),
    ]  # fmt: skip
    if proved:
        change = cells.share(row["change_share"], whole=1.0, notch=row["median_share"])
        line += [change, cells.share(row["median_share"]), cells.Cell(times, row["ratio"], num=True)]
    return line


def groups(view: DecomposeView) -> Mapping[str, Any] | None:
    """Heads that share a label, the group that writes most first."""
    found: dict[str, list[HeadView]] = defaultdict(list)
    for head in heads_of(view):
        if head.labelled:
            found[head.title].append(head)
    if not found:
        return None
    listed = [
        {
            "label": label,
            "share": sum(head.row["share"] or 0.0 for head in heads),
            "heads": sorted(heads, key=lambda head: -(head.row["share"] or 0.0)),
        }
        for label, heads in found.items()
    ]
    return {"groups": sorted(listed, key=lambda group: -group["share"])}
