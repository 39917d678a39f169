"""The commands of `microtome decompose`, gathered."""

from __future__ import annotations

import typer

from microtome.cli.decompose import ablate, adversary, debias, heads, heatmap, neurons, retrieve, segment

app = typer.Typer(
    help="Split a vision transformer's output into heads, patches and neurons, and name them in text.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("heads")(heads.heads)
app.command("neurons")(neurons.neurons)
app.command("ablate")(ablate.ablate)
app.command("debias")(debias.debias)
app.command("heatmap")(heatmap.heatmap)
app.command("segment")(segment.segment)
app.command("retrieve")(retrieve.retrieve)
app.command("adversary")(adversary.adversary)
