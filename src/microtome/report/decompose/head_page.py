"""The page of one head: what it writes in words, its texts, how sure we are, what happens without it, pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from microtome.report import words
from microtome.report.charts import Line, lines_chart
from microtome.report.decompose import cells
from microtome.report.decompose.common import PERCENT
from microtome.report.decompose.heads import MIXED, HeadView
from microtome.report.decompose.view import DecomposeView, Row

ROOT = "../../"
ENDS = {"high": "pushes towards it most", "low": "pushes away from it most"}


def head_page(view: DecomposeView, head: HeadView) -> Mapping[str, Any]:
    """Everything that the template of a head's page needs."""
    return {
        "head": head,
        "verdict": _verdict(head),
        "sentences": _plainly(head),
        "sheet": _texts(head),
        "chart": _explained(head),
        "sure": _sure(head),
        "without": _without(view, head),
        "pictures": _pictures(head),
    }


def _verdict(head: HeadView) -> str:
    if not head.texts:
        return "It writes the same on every image, so there is nothing to describe."
    if not head.above:
        return "Its texts explain no more than texts of random directions do: read them as guesses."
    if head.labelled:
        return "Its texts beat chance, and so does what they have in common."
    if head.row["label"] is not None:
        return "Its texts beat chance; what they have in common does not, so it gets no label."
    return "Its texts beat chance."


def _plainly(head: HeadView) -> list[str]:
    """What the head does, for somebody who has never heard of variance."""
    if not head.texts:
        return []
    quoted = [f"“{text['text']}”" for text in head.texts[:3]]
    said = [
        f"On some images this head pushes the model's output towards {quoted[0]}, on others away from it: of all texts "
        "of the pool, this is the one along which what it writes changes most."
    ]
    if len(quoted) > 1:
        said.append(f"With that taken out, {' and then '.join(quoted[1:])} come next.")
    share = head.row["share"]
    if share is not None:
        said.append(f"Of all that the heads of this run write, {words.share(share)} comes from this one.")
    return said


def _texts(head: HeadView) -> cells.Sheet:
    scored = any(text.get("score") is not None for text in head.texts)
    properties = any(text["property"] for text in head.texts)
    columns = [("text", False)] + ([("property", False)] if properties else [])
    columns += [("adds", True), ("all so far", True), ("held-out", True), ("chance", True)]
    columns += [("prediction", True), ("chance stays below", True)] if scored else []
    top = max([text["gain"] or 0.0 for text in head.texts], default=0.0)
    whole = sum(text["gain"] or 0.0 for text in head.texts)
    final = head.texts[-1]["explained"] if head.texts else 0.0
    rows = []
    for text in head.texts:
        # Gains are variances; as parts of all that the texts explain they are shares.
        gain = None if text["gain"] is None or not whole else text["gain"] / whole * (final or 0.0)
        line = [cells.Cell(text["text"], text["rank"])]
        if properties:
            line.append(cells.Cell(text["property"] or words.MISSING, text["property"], quiet=text["property"] is None))
        line += [
            cells.share(gain, whole=top / whole * (final or 0.0) if whole else None), cells.share(text["explained"]),
            cells.share(text["explained_heldout"], whole=1.0, notch=text["chance"]), cells.share(text["chance"]),
        ]  # fmt: skip
        rows.append([*line, cells.score(text["score"]), cells.score(text["score_chance"])] if scored else line)
    return cells.Sheet("texts", f"Texts of head {head.name}, in order", columns, rows, most=10)


def _explained(head: HeadView) -> str | None:
    texts = [text for text in head.texts if None not in (text["explained"], text["explained_heldout"])]
    if not texts:
        return None
    last = texts[-1]
    band = [
        (text["rank"] + 1, PERCENT * text["chance"], PERCENT * text["chance_high"])
        for text in texts if None not in (text["chance"], text["chance_high"])
    ]  # fmt: skip
    label = (
        f"Explained by the first 1 to {len(texts)} texts: on held-out images from "
        f"{words.share(texts[0]['explained_heldout'])} to {words.share(last['explained_heldout'])}, on the images "
        f"searched to {words.share(last['explained'])}."
    )
    if band:
        label += f" Chance reaches {words.share(last['chance'])} on average with all of them."
    return lines_chart(
        [
            Line([(text["rank"] + 1, PERCENT * text["explained"]) for text in texts], "c-two"),
            Line([(text["rank"] + 1, PERCENT * text["explained_heldout"]) for text in texts], "c-one"),
        ],
        band=band, x_name="number of texts", y_name="% explained", top=104, label=label,
    )  # fmt: skip


def _sure(head: HeadView) -> list[str]:
    row, said = head.row, []
    if not head.texts:
        return said
    lead = words.plural(int(row["lead"]), "text")
    if head.lead_heldout is not None:
        said.append(
            f"On images that took no part in the choice, its first {lead} explain {words.share(head.lead_heldout)} of "
            f"what it writes; all {len(head.texts)} explain {words.share(row['explained_heldout'])}."
        )
    if None not in (row["lead_explained"], row["chance"], row["chance_high"]):
        said.append(
            f"On the images searched the first {lead} explain {words.share(row['lead_explained'])}. Texts of random "
            f"directions reach {words.share(row['chance'])} on average, and {words.share(row['chance_high'])} or "
            "more in one case of twenty."
        )
    if row["p"] is not None:
        said.append(
            f"So much comes up by luck {words.odds(row['p'])} or less often (p = {words.probability(row['p'])}; since "
            f"many heads were looked at, q = {words.probability(row['fdr'])})."
        )
    return [*said, *_label(row), *_prediction(head)]


def _label(row: Row) -> list[str]:
    if row["label"] is None or None in (row["label_share"], row["label_expected"]):
        return []
    share, expected = words.share(row["label_share"]), words.share(row["label_expected"])
    p = words.probability(row["label_p"])
    if row["labelled"]:
        return [
            f"{share} of what its texts explain comes from texts about {row['label']}, against {expected} where the "
            f"texts are turned at random (p = {p})."
        ]
    return [
        f"The property that stands out most among its texts has {share} of what they explain, against {expected} where "
        f"the texts are turned at random. That is not enough for a label (p = {p}, not yet corrected for many heads)."
    ]


def _prediction(head: HeadView) -> list[str]:
    row = head.row
    if head.predicted is None:
        return []
    sentence = (
        f"Does “{head.first}” predict it? On held-out images, how like this text an image is and what the head writes "
        f"along it correlate with {words.signed(row['score'])}; 95\u00a0% of other texts stay below "
        f"{words.signed(row['score_chance'])} "
        f"(p = {words.probability(row['score_p'])})."
    )
    good = "So the text says something about when the head writes."
    bad = "So it does not: other texts tell as much about when the head writes, and the text is to be read with care."
    return [sentence, good if head.predicted else bad]


def _without(view: DecomposeView, head: HeadView) -> Mapping[str, Any] | None:
    row = head.row
    if row["accuracy"] is None or row["accuracy_mean"] is None:
        return None
    held = view.summary.get("accuracy_heldout")
    base = view.summary.get("accuracy") if held is None else held
    bars = [("the head as it is", base, "" if held is not None else "on all images")] if base is not None else []
    cut = row["accuracy_mean"]
    bars += [("replaced by what its texts say", row["accuracy"], ""), ("replaced by its mean", cut, "")]
    return {"bars": bars, "sentence": _cut(row, base), "answers": view.manifest.get("answers") or {}}


def _cut(row: Row, base: float | None) -> str:
    kept, cut = words.share(row["accuracy"]), words.share(row["accuracy_mean"])
    sentence = (
        f"With the head replaced by its texts the model is right on {kept} of the held-out images, replaced by its "
        f"mean on {cut}"
    )
    if base is None:
        return f"{sentence}."
    lost = base - row["accuracy_mean"]
    if lost < 0.01:
        return f"{sentence}. Cutting it hardly changes the answers, so they do not tell whether its texts say all."
    back = words.share(min(max((row["accuracy"] - row["accuracy_mean"]) / lost, 0.0), 1.0))
    return f"{sentence}. Of what is lost by cutting it, the texts bring back {back}."


def _pictures(head: HeadView) -> list[Mapping[str, Any]]:
    """For each text with pictures both ends, the most extreme image first."""
    found: dict[int, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in head.images:
        if row["sprite"] is not None and row["tile"] is not None:
            found[row["text_rank"]][row["end"]].append(row)
    listed = []
    for rank in sorted(found):
        text = head.texts[rank] if rank < len(head.texts) else None
        name = f"“{text['text']}”" if text else head.title if head.title != MIXED else "this head"
        ends = [
            (ENDS.get(end, end), [_tile(row, head, name) for row in sorted(found[rank][end], key=lambda r: r["place"])])
            for end in sorted(found[rank], key=lambda end: (end != "high", end))
        ]
        listed.append({"rank": rank, "name": name, "property": text["property"] if text else None, "ends": ends})
    return listed


def _tile(row: Row, head: HeadView, name: str) -> Mapping[str, Any]:
    value = words.signed(row["value"])
    way = "towards" if row["end"] == "high" else "away from"
    return cells.tile(
        row, root=ROOT, alt=f"{row['image']}: head {head.name} pushes {way} {name}, {value}",
        heat_alt=f"Heatmap of {row['image']}: where head {head.name} takes it from",
        caption=[("along the text", value), ("image", row["image"]), ("class", row["label"] or "")],
    )  # fmt: skip
