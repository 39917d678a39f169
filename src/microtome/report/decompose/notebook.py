"""A compact table of a decomposition for notebooks: one self-contained piece of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from microtome.report import words
from microtome.report.decompose.heads import heads_of
from microtome.report.decompose.neurons import neurons_of, signed_text
from microtome.report.decompose.view import DecomposeView, read_decompose
from microtome.report.notebook import CELL


def decompose_notebook_view(run: Path, *, most: int = 10) -> str:
    """HTML for `_repr_html_`: what came out, and the heads or neurons that do most.

    Parameters
    ----------
    run:
        A folder that `microtome decompose` wrote; only its tables are read.
    most:
        Number of heads or neurons shown.

    Raises
    ------
    RunError
        If the folder is no complete run.
    """
    view = read_decompose(run)
    sentences = [str(sentence) for sentence in view.summary.get("sentences") or []]
    table = Markup("")
    if view.kind == "heads":
        table = _heads(view, most)
        heads = heads_of(view)
        above, labelled = sum(head.above for head in heads), sum(head.labelled for head in heads)
        sentences = [
            f"{above:,} of {words.plural(len(heads), 'head')} beat chance; {labelled:,} have a label.",
            *sentences,
        ]
    elif view.kind == "neurons":
        table = _neurons(view, most)
    return str(
        Markup("<div><p><strong>{}: {}</strong><br>{}<br>Full report: <code>{}</code></p>{}</div>").format(
            view.model, view.kind, " ".join(sentences), str(run / "index.html"), table
        )
    )


def _heads(view: DecomposeView, most: int) -> Markup:
    heads = sorted(heads_of(view), key=lambda head: -(head.row["share"] or 0.0))[:most]
    rows = [
        (
            head.name, head.title if head.above else "no better than chance",
            "; ".join(text["text"] for text in head.texts[:3]), words.share(head.row["share"]),
            words.share(head.lead_heldout), words.share(head.row["chance"]),
        )
        for head in heads
    ]  # fmt: skip
    return _table(("head", "name", "texts", "share of variance", "explained, held-out", "chance"), rows)


def _neurons(view: DecomposeView, most: int) -> Markup:
    neurons = sorted(neurons_of(view), key=lambda neuron: -neuron.share)[:most]
    rows = [
        (
            neuron.name, "; ".join(signed_text(text) for text in neuron.texts[:3]),
            words.signed(neuron.row["score"]), words.signed(neuron.row["score_chance"]),
        )
        for neuron in neurons
    ]  # fmt: skip
    return _table(("neuron", "texts", "prediction", "chance stays below"), rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    head = Markup("").join(Markup('<th style="{}">{}</th>').format(CELL, title) for title in titles)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup('<td style="{}">{}</td>').format(CELL, text) for text in row)
        )
        for row in rows
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)
