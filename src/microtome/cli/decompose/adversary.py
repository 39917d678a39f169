"""`microtome decompose adversary MODEL --from CLASS --to CLASS`: words that turn one class into another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from microtome.cli.decompose import common

if TYPE_CHECKING:
    from microtome.recipes.decomposition import Decomposition

_PAIRS, _PROMPTS = 20, 5


def adversary(
    model: common.ModelSpec = "world:clip",
    source: Annotated[str, typer.Option("--from", help="The true class, such as village.")] = "",
    target: Annotated[str, typer.Option("--to", help="The wrong class that it is to be taken for.")] = "",
    run: Annotated[
        Path | None, typer.Option(help="A finished run of `decompose neurons` of this model; default: --data.")
    ] = None,
    data: common.Data = "arranged@2000",
    texts: Annotated[
        str, typer.Option(help="general, world, or a file: one text a line, with its property after a tab.")
    ] = "",
    out: common.Out = Path("runs/adversary"),
    generator: Annotated[
        str | None,
        typer.Option(help="Your image generator: module:function or file.py:function, called with (prompt, seed)."),
    ] = None,
    layer: Annotated[int | None, typer.Option(help="Whose neurons; default: three quarters up.")] = None,
    neurons: Annotated[int, typer.Option(help="Neurons looked at: those that tell the classes apart most.")] = 100,
    weighted: Annotated[
        bool, typer.Option("--weighted", help="Count each neuron by the spread of its effect too.")
    ] = False,
    words: Annotated[int, typer.Option(help="Words that pictures are made of, 1 to 40.")] = 10,
    together: Annotated[int, typer.Option(help="Words in one picture, 1 to 4.")] = 3,
    prompts: Annotated[int, typer.Option(help="Prompts in the list.")] = 20,
    scenes: Annotated[int, typer.Option("--images", help="Pictures to try them in.")] = 200,
    draws: Annotated[int, typer.Option(help="Random sets of words beside each picture: the control.")] = 5,
    closeness: Annotated[
        float, typer.Option(help="Texts with a higher cosine with a class are left out, 0 to 1.")
    ] = 0.7,
    prompt: Annotated[
        str, typer.Option(help="How a prompt is put together from {scene} and {words}.")
    ] = "{scene}, {words}",
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Try every ordered pair of classes.")] = False,
    classes: Annotated[
        str | None, typer.Option(help="All classes to answer among, with commas; default: the scenes, or the two.")
    ] = None,
    template: common.Template = "",
    weights: common.Weights = None,
    size: common.Size = None,
    device: common.Device = "auto",
    batch_size: common.BatchSize = 16,
    limit: common.Limit = None,
    strict: common.Strict = False,
    seed: common.Seed = 0,
    overwrite: common.Overwrite = False,
    as_json: common.AsJson = False,
) -> None:
    """Find words that turn one class into another by the model's neurons, and try them beside random words."""
    from microtome.cli.progress import progress_bar
    from microtome.recipes.adversary import find_adversary
    from microtome.recipes.adversary_settings import AdversarySettings

    settings = AdversarySettings(
        layer=layer, neurons=neurons, weighted=weighted, words=words, together=together, prompts=prompts,
        scenes=scenes, draws=draws, closeness=closeness, prompt=prompt, all_pairs=all_pairs,
        classes=common.listed(classes), template=template,
        images=common.pass_settings(batch_size=batch_size, strict=strict, limit=limit, seed=seed),
    )  # fmt: skip
    loaded = common.loaded(model, weights=weights, size=size, device=device)
    pool = texts or ("world" if model == "world:clip" else "general")
    with progress_bar() as progress:
        found = find_adversary(
            loaded, source, target, data=data, run=run, texts=pool, generator=generator, out=out, settings=settings,
            overwrite=overwrite, command=common.command_line(), progress=progress,
        )  # fmt: skip
    _print(found, as_json=as_json)


def _print(found: Decomposition, *, as_json: bool) -> None:
    names = ("adversary", "adversary_words", "prompts")
    if as_json:
        import json

        content = {"run": str(found.path), "report": str(found.report), "summary": found.manifest["summary"]}
        typer.echo(json.dumps({**content, **{name: found.rows(name) for name in names}}))
        return
    console = Console()
    summary = found.manifest["summary"]
    if summary["pairs"] == 1:
        console.print(_words(found))
        for row in found.rows("prompts")[:_PROMPTS]:
            console.print(f"  {row['rank'] + 1}. {row['prompt']}", markup=False, highlight=False)
    else:
        console.print(_pairs(found))
    for sentence in (*summary["sentences"], *found.manifest["notes"]):
        console.print(f"- {sentence}", markup=False, highlight=False)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)


def _words(found: Decomposition) -> Table:
    table = Table(title="Words that push towards the wrong class", title_justify="left")
    table.add_column("words")
    for name in ("score", "neurons"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in found.rows("adversary_words"):
        table.add_row(
            Text(row["text"]), f"{row['score']:.3f}", str(row["neurons"]), "" if row["used"] else "cannot be put in"
        )
    return table


def _pairs(found: Decomposition) -> Table:
    table = Table(title="Pairs of classes, by how much more the words flip than random ones", title_justify="left")
    for name in ("from", "to"):
        table.add_column(name)
    for name in ("right before", "flipped", "random words", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = [row for row in found.rows("adversary") if row["among"] == "the two" and row["right_before"]]
    for row in rows[:_PAIRS]:
        table.add_row(
            row["from_class"], row["to_class"], str(row["right_before"]), f"{row['rate']:.0%}",
            f"{row['control']:.0%}", f"{row['difference']:+.0%}",
        )  # fmt: skip
    return table
