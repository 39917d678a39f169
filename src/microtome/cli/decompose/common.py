"""Options that the commands of `microtome decompose` share, and how they become a model and settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from microtome.core.errors import OptionError

if TYPE_CHECKING:
    from microtome.models.model import Model
    from microtome.recipes.direct_pass import PassSettings

ModelSpec = Annotated[
    str, typer.Argument(help="world:clip, hf:NAME_OR_FOLDER, open_clip:NAME, timm:NAME, or your own.", metavar="MODEL")
]
Data = Annotated[
    str,
    typer.Option(help="Images: arranged@COUNT, birds:SPLIT@COUNT, world@COUNT, hf:NAME, or a folder."),
]
Out = Annotated[Path, typer.Option(help="Run folder.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a run that stands at --out.")]
Weights = Annotated[Path | None, typer.Option(help="Weight file of the model: safetensors, or .pt/.pth.")]
Size = Annotated[int | None, typer.Option(help="Input size in pixels, where the model does not say.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")]
BatchSize = Annotated[int, typer.Option(help="Images in a forward pass, 1 to 64.")]
Limit = Annotated[int | None, typer.Option(help="At most this many images, drawn with --seed.")]
Strict = Annotated[bool, typer.Option("--strict", help="An image that cannot be read ends the run.")]
Seed = Annotated[int, typer.Option(min=0, help="Decides halves, draws and shuffles.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]
Classes = Annotated[
    str | None, typer.Option(help="A text for each class of the data, with commas between; default: the template.")
]
Template = Annotated[
    str, typer.Option(help="How a class is put into words: 'a photo of a {}.'; several with | are averaged.")
]


def loaded(spec: str, *, weights: Path | None, size: int | None, device: str) -> Model:
    """The model of a spec."""
    from microtome.models.load import load

    return load(spec, weights=weights, size=size, device=device)


def pass_settings(*, batch_size: int, strict: bool, limit: int | None, seed: int) -> PassSettings:
    """How images go through the model."""
    from microtome.recipes.direct_pass import PassSettings

    return PassSettings(batch_size=batch_size, strict=strict, limit=limit, seed=seed)


def listed(text: str | None) -> tuple[str, ...]:
    """`"a, b"` -> ("a", "b")."""
    return () if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def numbers(text: str | None, option: str) -> tuple[int, ...] | None:
    """`"3,7-9"` -> (3, 7, 8, 9); None for None.

    Raises
    ------
    OptionError
        Naming `option`, if the text is no such list.
    """
    if text is None:
        return None
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise OptionError(f"{option} is '{text}'.", expected="numbers and ranges such as 3,7-9")
        found += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(found))


def parts_of(text: str | None, option: str) -> tuple[tuple[int, int], ...] | None:
    """`"3.1,5.0"` -> ((3, 1), (5, 0)): heads as layer.head; None for None.

    Raises
    ------
    OptionError
        Naming `option`, if the text is no such list.
    """
    if text is None:
        return None
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        layer, dot, head = part.strip().partition(".")
        if not (dot and layer.isdecimal() and head.isdecimal()):
            raise OptionError(f"{option} is '{text}'.", expected="heads as LAYER.HEAD with commas, such as 3.1,5.0")
        found.append((int(layer), int(head)))
    return tuple(dict.fromkeys(found))


def command_line() -> tuple[str, ...]:
    """The words of this command, as the report repeats them."""
    return ("microtome", *(word for word in sys.argv[1:] if word != "--debug"))
