"""`microtome dissect MODEL`: name the units of a layer."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from microtome.data.base import ItemData
    from microtome.data.text.settings import TextSettings
    from microtome.models.text import TextModel

_TEXT = "Text"


def dissect(
    model: Annotated[
        str,
        typer.Argument(
            help="world:scenes, world:nli, torchvision:NAME, timm:NAME, hf:NAME_OR_FOLDER, nli:FOLDER, file.py:name."
        ),
    ] = "world:scenes",
    layer: Annotated[str | None, typer.Option(help="Layer; default: of images the last with a spatial map.")] = None,
    data: Annotated[
        str, typer.Option(help="world, a folder, a file of texts, or hf:NAME; options follow as ?split=val.")
    ] = "world",
    out: Annotated[Path, typer.Option(help="Run folder to write.")] = Path("runs/dissect"),
    heldout: Annotated[str | None, typer.Option(help="Data to test on; default: a random half of --data.")] = None,
    method: Annotated[str, typer.Option(help="exact, compositional or netdissect.")] = "exact",
    metric: Annotated[str, typer.Option(help="iou, precision, recall, f1, mcc, lift or auroc (images).")] = "iou",
    max_length: Annotated[
        int | None, typer.Option(help="Concepts in the longest formula, 1 to 10; default 3, text 5.")
    ] = None,
    exact_length: Annotated[
        int | None, typer.Option(help="Concepts up to which the best formula is proved: 2 or 3; default 3, text 2.")
    ] = None,
    beam: Annotated[int, typer.Option(help="Formulas kept at each length.")] = 10,
    penalty: Annotated[float, typer.Option(help="Factor on the score for each concept after the first.")] = 1.0,
    quantile: Annotated[
        float | None,
        typer.Option(help="Share of activations that count as active; default 0.005, tokens 0.01, whole items 0.05."),
    ] = None,
    active: Annotated[str, typer.Option(help="Active means: quantile, positive (above 0), or auto.")] = "auto",
    min_active: Annotated[
        int | None, typer.Option(min=0, help="Skip units active on fewer elements; default of text 500, scaled.")
    ] = None,
    ranges: Annotated[int, typer.Option(help="Explain this many ranges of activation, not the top alone.")] = 0,
    range_rule: Annotated[str, typer.Option(help="How ranges are cut: kmeans or quantiles.")] = "kmeans",
    units: Annotated[str | None, typer.Option(help="Units such as 0-31,40; default: all.")] = None,
    permutations: Annotated[int, typer.Option(help="Re-pairings for the chance baseline; 0: none.")] = 200,
    fdr: Annotated[float, typer.Option(help="Share of names that may be false.")] = 0.05,
    elements: Annotated[str, typer.Option(help="Of images: pixel, image or auto.")] = "auto",
    grid: Annotated[int | None, typer.Option(help="Cells a side of the label grid; default at most 112.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weight file: safetensors, or .pt/.pth.")] = None,
    size: Annotated[int | None, typer.Option(help="Input size in pixels.")] = None,
    mean: Annotated[str | None, typer.Option(help="Mean of red, green, blue: 0.485,0.456,0.406.")] = None,
    std: Annotated[str | None, typer.Option(help="Standard deviation of red, green, blue.")] = None,
    reader: Annotated[str | None, typer.Option(help="Reader of the folders; default: found by looking.")] = None,
    segmenter: Annotated[str | None, typer.Option(help="hf:MODEL whose classes become predicted concepts.")] = None,
    categories: Annotated[str | None, typer.Option(help="Keep these categories only: object,color.")] = None,
    colours: Annotated[bool, typer.Option(help="Add the eleven basic colour names.")] = True,
    limit: Annotated[int | None, typer.Option(help="Use this many images or texts, drawn at random.")] = None,
    level: Annotated[str, typer.Option(help="Of text: pair, sentence, token or auto.", rich_help_panel=_TEXT)] = "auto",
    pool: Annotated[
        str, typer.Option(help="How tokens become one number an item: max, any, last, class.", rich_help_panel=_TEXT)
    ] = "max",
    vocabulary: Annotated[
        int, typer.Option(help="Most frequent words that become concepts.", rich_help_panel=_TEXT)
    ] = 2000,
    stop_words: Annotated[
        str, typer.Option(help="Words that never do: none, english or a file.", rich_help_panel=_TEXT)
    ] = "none",
    tagger: Annotated[
        str, typer.Option(help="auto, gold, none, spacy:MODEL, nltk:FILE.conllu.", rich_help_panel=_TEXT)
    ] = "auto",
    wordnet: Annotated[
        bool, typer.Option("--wordnet", help="Add antonyms and hypernyms of WordNet.", rich_help_panel=_TEXT)
    ] = False,
    vectors: Annotated[
        str | None,
        typer.Option(help="Word vectors for NEIGHBOURS: a text file, or `model`.", rich_help_panel=_TEXT),
    ] = None,
    neighbours: Annotated[int, typer.Option(help="Words that NEIGHBOURS adds.", rich_help_panel=_TEXT)] = 5,
    window: Annotated[int, typer.Option(help="Most tokens of a text at a time.", rich_help_panel=_TEXT)] = 128,
    properties: Annotated[
        list[str] | None,
        typer.Option(help="A property of your own, file.py:function; may be repeated.", rich_help_panel=_TEXT),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    batch_size: Annotated[int, typer.Option(help="Images or texts in a forward pass.")] = 32,
    cache_dtype: Annotated[str, typer.Option(help="float16 or float32.")] = "float16",
    recompute: Annotated[bool, typer.Option("--recompute", help="Store no activations; run the model twice.")] = False,
    keep_cache: Annotated[bool, typer.Option("--keep-cache", help="Keep the activations with the run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run at --out.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Decides halves, re-pairings and shifts.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Name every unit of a layer of MODEL by a formula of concepts, test every name, and write a report."""
    from microtome.cli.best_units import print_result
    from microtome.cli.progress import progress_bar
    from microtome.data.text.settings import TextSettings
    from microtome.models.load import load_any
    from microtome.models.preprocess import channel_values
    from microtome.models.text import TextModel
    from microtome.recipes.dissect import dissect as run_dissect
    from microtome.recipes.dissect_settings import DissectSettings, checked_choices, level_named, with_units

    choices = checked_choices(
        metric=metric, range_rule=range_rule, elements=elements, cache_dtype=cache_dtype, active=active, pool=pool
    )
    settings = DissectSettings(
        method=method, max_length=max_length, beam=beam, penalty=penalty, exact_length=exact_length,
        quantile=quantile, ranges=ranges, min_active=min_active, permutations=permutations, fdr=fdr,
        grid=None if grid is None else (grid, grid), batch_size=batch_size, recompute=recompute, seed=seed, **choices,
    )  # fmt: skip
    if units is not None:
        settings = with_units(settings, units)
    specs = [spec for spec in (data, heldout) if spec is not None]
    loaded = load_any(
        model, weights=weights, size=size, device=device,
        mean=None if mean is None else channel_values(mean, "--mean"),
        std=None if std is None else channel_values(std, "--std"),
    )  # fmt: skip
    if isinstance(loaded, TextModel):
        texts = TextSettings(
            vocabulary=vocabulary, stop_words=stop_words, tagger=tagger, wordnet=wordnet, neighbours=neighbours,
            window=window, properties=tuple(properties or ()), level=level_named(level), reader=reader, limit=limit,
            seed=seed,
        )  # fmt: skip
        opened = open_text_specs(specs, texts, loaded, vectors=vectors)
    else:
        wanted = tuple(name.strip() for name in categories.split(",")) if categories else ()
        opened = _open_images(
            specs, reader=reader, categories=wanted, segmenter=segmenter, colours=colours, limit=limit, seed=seed
        )
    with progress_bar() as progress:
        result = run_dissect(
            loaded, layer, opened[0], out=out, heldout=opened[1] if heldout is not None else None,
            settings=settings, overwrite=overwrite, keep_cache=keep_cache,
            command=("microtome", *sys.argv[1:]), progress=progress,
        )  # fmt: skip
    print_result(result, as_json=as_json)


def _open_images(
    specs: list[str], *, reader: str | None, categories: tuple[str, ...], segmenter: str | None, colours: bool,
    limit: int | None, seed: int,
) -> list[ItemData]:  # fmt: skip
    from microtome.core.errors import OptionError
    from microtome.data.open import open_data
    from microtome.data.text.readers import is_text

    texts = [spec for spec in specs if is_folder(spec) and is_text(Path(spec.partition("?")[0]))]
    if texts:
        raise OptionError(
            f"'{texts[0]}' holds texts, and the model takes images.",
            expected="a model and data of one kind",
            next_step="name a text model, such as world:nli, or a folder of images",
        )
    # The reader is for the folders; where there is none it goes to all, so that they say what is wrong with it.
    readable = [spec for spec in specs if is_folder(spec)] or specs
    return [
        open_data(
            spec, reader=reader if spec in readable else None, categories=categories, segmenter=segmenter,
            colours=colours, limit=limit, seed=seed,
        )
        for spec in specs
    ]  # fmt: skip


def open_text_specs(
    specs: list[str], settings: TextSettings, model: TextModel, *, vectors: str | None
) -> list[ItemData]:
    """The data to search on, and what is held out with the same concepts."""
    from microtome.data.text.open import open_texts
    from microtome.data.text.vectors import Vectors, read_vectors

    near = None
    if vectors == "model":
        words, array = model.word_vectors()
        near = Vectors(words, array, f"the input embedding of {model.spec}")
    elif vectors is not None:
        near = read_vectors(Path(vectors))
    first = open_texts(specs[0], settings, pieces=model.pieces, piece_text=model.piece_text, vectors=near)
    return [
        first,
        *(
            open_texts(spec, settings, pieces=model.pieces, piece_text=model.piece_text, vectors=near, like=first)
            for spec in specs[1:]
        ),
    ]


def is_folder(spec: str) -> bool:
    """Whether `open_data` looks for a folder: anything but the planted world and a data set of Hugging Face."""
    if not spec.strip():
        return False
    return Path(spec).exists() or re.match(r"(world|arranged|birds)($|[:@?])|hf:", spec) is None
