"""Parts that the pages of several kinds of decomposition share: what was done, curves of ablation, shares of terms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from microtome.report import words
from microtome.report.charts import Line, Mark, grouped_bars, lines_chart
from microtome.report.decompose import cells
from microtome.report.decompose.view import DecomposeView, Row

PERCENT = 100.0
KINDS = {"direct": "direct effect", "total": "total effect"}
STYLES = {"direct": "c-one", "total": "c-two"}
TITLES = {
    "mlps": "MLPs, from the first layer on", "attention": "Attention layers, from the first on",
    "heads": "Chosen heads: all together, then one by one", "embedding": "The embedding alone",
}  # fmt: skip
STEPS = {"mlps": "MLPs of layer 0 up to this one cut", "attention": "layer 0 up to this one cut"}
"""What the steps of a curve are."""
SETS = ("heads", "embedding")
"""Curves whose steps are no curve: each is a set of its own."""
TERMS = {"attention": "attention", "mlp": "MLP", "embedding": "embedding"}


def what_was_done(view: DecomposeView) -> Mapping[str, Any]:
    """Model, images, texts and settings as a list of facts; notes that a reader should know."""
    manifest = view.manifest
    return {
        "facts": [(name, text) for name, text in _facts(view) if text],
        "settings": [(name, text) for name, text in settings_of(manifest["settings"]) if text],
        "notes": list(dict.fromkeys(str(note) for note in manifest.get("notes") or [] if note)),
        "created": manifest.get("created", ""),
    }


def _facts(view: DecomposeView) -> list[tuple[str, str]]:
    model, data, texts = view.manifest["model"], view.manifest["data"], view.manifest.get("texts") or {}
    answers = view.manifest.get("answers") or {}
    build = [view.model, model.get("family", "")]
    if model.get("layers") and model.get("heads"):
        build.append(f"{words.plural(model['layers'], 'layer')} of {words.plural(model['heads'], 'head')}")
    if model.get("parameters"):
        build.append(f"{model['parameters']:,} parameters")
    images = [view.data, words.plural(int(data.get("images") or 0), "image")]
    if data.get("skipped"):
        images.append(f"{data['skipped']:,} of them could not be read and were left out")
    pool = [texts.get("name", ""), words.plural(int(texts.get("texts") or 0), "text")]
    if texts.get("properties"):
        pool.append("properties: " + ", ".join(texts["properties"]))
    allowed = model.get("relative_error_allowed")
    return [
        ("Network", ", ".join(part for part in build if part)),
        ("Images", ", ".join(images)),
        ("Texts", "; ".join(part for part in pool if part) if texts else ""),
        ("Answers", f"one of {', '.join(answers['classes'])}; put into words by {answers['how']}" if answers else ""),
        ("Exactness", "" if allowed is None else f"the terms add up to the model's own output; checked on the first "
         f"images, a relative error beyond {allowed:g} would have ended the run"),
    ]  # fmt: skip


def settings_of(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Settings as names and texts; those that are not set are left out."""
    found: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            found += settings_of(value, f"{name}: ")
        elif value not in (None, "", [], ()):
            found.append((name, plain(value)))
    return found


def plain(value: Any) -> str:
    """Any value of a table or a setting as text."""
    if value is None:
        return words.MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return words.activation(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return str(value)


def curves(view: DecomposeView) -> Mapping[str, Any] | None:
    """Accuracy after ablations: a chart for each curve and probe, direct and total effect as lines; sets as a table."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in view.rows("curves"):
        if row["accuracy"] is not None:
            groups[str(row["curve"]), str(row["probe"])].append(row)
    if not groups:
        return None
    kinds = {str(row["kind"]) for rows in groups.values() for row in rows}
    drawn = [(key, rows) for key, rows in groups.items() if is_curve(rows)]
    rest: dict[str, list[Row]] = defaultdict(list)
    for (name, _), rows in groups.items():
        if not is_curve(rows):
            rest[name] += rows
    return {
        "charts": [_curve(name, probe, rows) for (name, probe), rows in drawn],
        "sets": [{"title": TITLES.get(name, name), "sheet": _steps(name, "", rows, most=24)}
                 for name, rows in rest.items()],
        "both": kinds >= set(KINDS), "kinds": [(kind, KINDS.get(kind, kind)) for kind in sorted(kinds)],
    }  # fmt: skip


def is_curve(rows: Sequence[Row]) -> bool:
    """Whether each step cuts more than the one before; the steps of `heads` are sets of their own."""
    return rows[0]["curve"] not in SETS and len({row["step"] for row in rows}) > 1


def _curve(name: str, probe: str, rows: list[Row]) -> Mapping[str, Any]:
    rows = sorted(rows, key=lambda row: row["step"])
    present = {str(row["kind"]) for row in rows}
    kinds = [*(kind for kind in KINDS if kind in present), *sorted(present - set(KINDS))]
    lines, told = [], []
    for kind in kinds:
        mine = [row for row in rows if row["kind"] == kind]
        known = [row for row in mine if None not in (row["low"], row["high"])]
        lines.append(Line(
            [(row["step"], PERCENT * row["accuracy"]) for row in mine], STYLES.get(kind, "c-three"),
            [(row["step"], PERCENT * row["low"], PERCENT * row["high"]) for row in known],
        ))  # fmt: skip
        told.append(f"{KINDS.get(kind, kind)} from {words.share(mine[0]['accuracy'])} at step {mine[0]['step']} to "
                    f"{words.share(mine[-1]['accuracy'])} at step {mine[-1]['step']}")  # fmt: skip
    base = next((row["base"] for row in rows if row["base"] is not None), None)
    level = None if base is None else Mark(PERCENT * base, f"nothing cut: {words.share(base)}")
    title = TITLES.get(name, name)
    chart = lines_chart(
        lines, x_name=STEPS.get(name, "step"), y_name="% right", level=level, top=108,
        label=f"{title}, {probe}: share of right answers; {'; '.join(told)}."
        + ("" if base is None else f" With nothing cut {words.share(base)}."),
    )  # fmt: skip
    return {
        "title": title, "probe": probe, "chart": chart, "kinds": [(kind, KINDS.get(kind, kind)) for kind in kinds],
        "sheet": _steps(name, probe, rows), "images": _images(rows, kinds),
    }  # fmt: skip


def _images(rows: Sequence[Row], kinds: Sequence[str]) -> str:
    """On how many images each effect was measured: the total effect takes longer, so often on fewer."""
    counts = {kind: next((row["images"] for row in rows if row["kind"] == kind), None) for kind in kinds}
    if len(set(counts.values())) == 1:
        only = next(iter(counts.values()))
        return "" if only is None else words.plural(only, "image")
    return ", ".join(f"{kind}: {words.plural(n, 'image')}" for kind, n in counts.items() if n is not None)


def _steps(name: str, probe: str, rows: Sequence[Row], most: int = 10_000) -> cells.Sheet:
    columns = [("cut", False), ("effect", False), ("right", True), ("95 % interval", True), ("nothing cut", True)]
    columns = columns if probe else [*columns, ("answers by", False)]
    lines = []
    for row in sorted(rows, key=lambda row: (row["probe"], row["step"], row["kind"])):
        line = [
            cells.Cell(row["terms"] or "nothing", row["step"]),
            cells.Cell(KINDS.get(row["kind"], str(row["kind"])), row["kind"]),
            cells.share(row["accuracy"], whole=1.0, notch=row["base"]),
            cells.Cell(interval(row["low"], row["high"]), row["low"], num=True), cells.share(row["base"]),
        ]  # fmt: skip
        lines.append(line if probe else [*line, cells.Cell(str(row["probe"]), row["probe"])])
    caption = f"Accuracy after each step: {TITLES.get(name, name)}" + (f", {probe}" if probe else "")
    return cells.Sheet(f"steps-{slug(name)}-{slug(probe)}", caption, columns, lines, most=most)


def interval(low: float | None, high: float | None) -> str:
    """`12 % to 15 %`; a dash where it is not known."""
    return words.MISSING if low is None or high is None else f"{words.share(low)} to {words.share(high)}"


def slug(text: str) -> str:
    """Letters and numbers of a text, fit for an id."""
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in text.casefold()).split()) or "part"


def term_shares(view: DecomposeView) -> Mapping[str, Any] | None:
    """How much of the changes of the output each layer's attention and MLP and the embedding write."""
    rows = [row for row in view.rows("terms") if row["share"] is not None]
    if not rows:
        return None
    layers: dict[int | None, dict[str, float]] = defaultdict(dict)
    for row in rows:
        layers[row["layer"]][row["kind"]] = row["share"]
    groups = []
    for layer in sorted(layers, key=lambda n: -1 if n is None else n):
        styles = {"attention": "c-bar", "mlp": "c-bar c-chance", "embedding": "c-bar c-faint"}
        bars = [(PERCENT * value, styles.get(kind, "c-bar c-faint")) for kind, value in layers[layer].items()]
        groups.append(("in" if layer is None else str(layer), bars))
    first = max(rows, key=lambda row: row["share"])
    where = "" if first["layer"] is None else f" of layer {first['layer']}"
    sentence = f"The {TERMS.get(first['kind'], first['kind'])}{where} writes most: {words.share(first['share'])}."
    columns = (("part", False), ("layer", True), ("share of variance", True))
    top = max(row["share"] for row in rows)
    lines = [
        (
            cells.Cell(TERMS.get(row["kind"], str(row["kind"])), row["kind"]),
            cells.number(plain(row["layer"]), row["layer"]), cells.share(row["share"], whole=top),
        )
        for row in rows
    ]  # fmt: skip
    sheet = cells.Sheet("terms-sheet", "Share of variance of every term", columns, lines, most=10_000)
    chart = grouped_bars(
        groups, x_name="layer (in: the embedding)", y_name="% of variance",
        label=f"Share of variance of attention and MLP by layer. {sentence}",
    )  # fmt: skip
    return {"chart": chart, "sentence": sentence, "sheet": sheet}
