"""Open any image set by one string: the planted world, a Hugging Face data set, or a folder.

    world                              1,000 held-out scenes
    world:train@500?size=64            500 training scenes of 64 x 64 pixels
    arranged:heldout@500               one group of objects each, every factor drawn apart
    birds:shift@500                    the planted world's birds before water or grass
    hf:NAME?split=validation           a data set of the `datasets` library, from the hub or a local folder
    path/to/folder                     the reader is found by looking
    path/to/folder?split=val           with an option of the reader

A new reader is one file and one row of `READERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

from microtome.core.errors import DataError, OptionError, nearest
from microtome.data.ade20k import Ade20k, is_ade20k
from microtome.data.base import ImageData
from microtome.data.broden import Broden, is_broden
from microtome.data.coco import CocoPanoptic, is_coco
from microtome.data.colours import COLOR, Coloured
from microtome.data.files import existing_folder
from microtome.data.folders import ImageFolder, has_images
from microtome.data.hf import HfImages, HfOptions, is_hf_folder
from microtome.data.indexed import IndexedImages, is_indexed
from microtome.data.restrict import Restricted, Subset
from microtome.data.segmented import Segmented
from microtome.data.waterbirds import WaterBirds, is_waterbirds

WORLD_SPLIT, WORLD_COUNT = "heldout", 1000
DRAWN = ("world", "arranged", "birds")
"""What is generated: scenes, arrangements, and birds before their ground."""

Options = Mapping[str, str]


@dataclass(frozen=True)
class Reader:
    """How a kind of folder is recognised and opened."""

    looks_for: str
    sniff: Callable[[Path], bool]
    open: Callable[[Path, Options], ImageData]
    options: tuple[str, ...] = ()


def _indexed(root: Path, options: Options) -> ImageData:
    classes = Path(options["classes"]) if "classes" in options else None
    return IndexedImages(root, split=options.get("split"), classes=classes, void=_integers(options, "void"))


def _hf(name: str, options: Options) -> ImageData:
    settings = HfOptions(
        split=options.get("split"),
        config=options.get("config"),
        image=options.get("image"),
        annotation=options.get("annotation"),
        label=options.get("label"),
        labels=Path(options["labels"]) if "labels" in options else None,
        void=_integers(options, "void"),
    )
    return HfImages(name, settings)


HF_OPTIONS = ("split", "config", "image", "annotation", "label", "labels", "void")

READERS: dict[str, Reader] = {
    "broden": Reader(
        "index.csv and label.csv", is_broden, lambda root, o: Broden(root, split=o.get("split")), ("split",)
    ),
    "coco": Reader(
        "panoptic*.json, also in annotations/",
        is_coco,
        lambda root, o: CocoPanoptic(root, split=o.get("split")),
        ("split",),
    ),
    "indexed": Reader(
        "images/ and labels/ (annotations/, masks/; JPEGImages/ and SegmentationClass/), also a folder down",
        is_indexed,
        _indexed,
        ("split", "classes", "void"),
    ),
    "waterbirds": Reader(
        "metadata.csv with img_filename, y, split, place",
        is_waterbirds,
        lambda root, o: WaterBirds(root, split=o.get("split")),
        ("split",),
    ),
    "hf": Reader("Parquet files", is_hf_folder, lambda root, o: _hf(str(root), o), HF_OPTIONS),
    "ade20k": Reader("files *_seg.png", is_ade20k, lambda root, o: Ade20k(root, split=o.get("split")), ("split",)),
    "folder": Reader("any images", has_images, lambda root, o: ImageFolder(root)),
}
"""Name -> reader, in the order in which a folder is tried."""


def open_data(
    spec: str | Path,
    *,
    reader: str | None = None,
    categories: tuple[str, ...] = (),
    segmenter: str | None = None,
    colours: bool = True,
    bare: bool = False,
    limit: int | None = None,
    seed: int = 0,
) -> ImageData:
    """Open an image set.

    Parameters
    ----------
    spec:
        `world[:SPLIT][@COUNT]`, `hf:NAME`, or a folder; `?option=value&...` behind it sets options of the
        reader.
    reader:
        Name of a reader of `READERS`; default: the first that recognises the folder.
    categories:
        Keep these categories alone, and the images that label all of them. Empty: everything.
    segmenter:
        `hf:MODEL`: add the classes that this segmentation model predicts, marked as predicted.
    colours:
        Add the eleven basic colours where the image set has no category `color` of its own.
    bare:
        Take images that nobody annotated as they are.
    limit:
        At most this many images, drawn with `seed`.
    seed:
        For `limit` alone.

    Raises
    ------
    DataError
        When the data set cannot be read or has no concept.
    OptionError
        For an unknown reader, option, category or split.
    """
    data = _open(spec, reader)
    if segmenter is not None:
        data = Segmented(data, segmenter)
    if colours and all(concept.category != COLOR for concept in data.concepts):
        data = Coloured(data)
    if not data.concepts and not bare:
        raise DataError(
            f"'{spec}' has no concept: nothing is annotated and colours are off.",
            expected="at least one concept",
            next_step="leave colours on, add a segmenter, or sort the images into a folder for each class",
        )
    if categories:
        data = Restricted(data, categories)
    if limit is not None:
        data = Subset(data, count=limit, seed=seed)
    return data


def _open(spec: str | Path, reader: str | None) -> ImageData:
    if reader is not None and reader not in READERS:
        raise OptionError(
            f"There is no reader '{reader}'.",
            expected=f"one of {', '.join(READERS)}",
            next_step=f"did you mean {nearest(reader, READERS)}?",
        )
    if not str(spec).strip():
        raise OptionError("The image set has an empty name.", expected="world, hf:NAME or a folder")
    if isinstance(spec, Path) or Path(spec).exists():
        path, options = Path(spec), {}
    else:
        text, _, query = spec.partition("?")
        options = _parse(query, spec)
        if text.partition("@")[0].partition(":")[0] in DRAWN:
            _no_reader(reader, spec)
            return _world(text, options)
        if text.startswith("hf:"):
            _no_reader(None if reader == "hf" else reader, spec)
            _known(options, HF_OPTIONS, spec)
            return _hf(text.removeprefix("hf:"), options)
        path = Path(text)
    existing_folder(path)
    name = reader or _sniff(path)
    _known(options, READERS[name].options, str(spec))
    return READERS[name].open(path, options)


def _sniff(path: Path) -> str:
    for name, candidate in READERS.items():
        if candidate.sniff(path):
            return name
    looked = "; ".join(f"{candidate.looks_for} ({name})" for name, candidate in READERS.items())
    raise DataError(
        f"'{path}' holds nothing that a reader knows.",
        expected=f"one of: {looked}",
        next_step="put images there, or check the path",
    )


def _world(text: str, options: Options) -> ImageData:
    from microtome.data.groups import WorldBirds
    from microtome.data.world.arrangements import Arrangements
    from microtome.data.world.dataset import World
    from microtome.data.world.shortcuts import SPLITS, Split

    _known(options, ("size", "seed"), text)
    name, at, count = text.partition("@")
    kind, _, split = name.partition(":")
    split = split or WORLD_SPLIT
    images = _integer(count, "@COUNT", text) if at else WORLD_COUNT
    if split not in SPLITS:
        raise OptionError(
            f"The planted world has no split '{split}'.",
            expected=f"one of {', '.join(SPLITS)}",
            next_step=f"did you mean {nearest(split, SPLITS, most=1)}?",
        )
    chosen = cast(Split, split)
    seed = _integer(options.get("seed", "0"), "seed", text)
    opened = {"world": World, "arranged": Arrangements, "birds": WorldBirds}[kind]
    if "size" in options:
        return opened(chosen, count=images, size=_integer(options["size"], "size", text), seed=seed)
    return opened(chosen, count=images, seed=seed)


def _parse(query: str, spec: str) -> dict[str, str]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise OptionError(f"The options of '{spec}' cannot be read.", expected="?name=value&name=value") from error
    options = dict(pairs)
    if len(options) < len(pairs):
        raise OptionError(f"An option of '{spec}' is given twice.", expected="each option once")
    return options


def _known(options: Options, valid: tuple[str, ...], spec: str) -> None:
    unknown = [name for name in options if name not in valid]
    if unknown:
        raise OptionError(
            f"'{spec}' has the unknown option {', '.join(unknown)}.",
            expected=f"some of {', '.join(valid)}" if valid else "no options for this reader",
        )


def _no_reader(reader: str | None, spec: str) -> None:
    if reader is not None:
        raise OptionError(f"'{spec}' needs no reader, but '{reader}' was named.", next_step="leave it out")


def _integer(text: str, name: str, spec: str) -> int:
    if not text.isdecimal():
        raise OptionError(f"{name} of '{spec}' is '{text}'.", expected="a whole number from 0")
    return int(text)


def _integers(options: Options, name: str) -> tuple[int, ...]:
    if name not in options:
        return ()
    return tuple(_integer(part.strip(), name, options[name]) for part in options[name].split(","))
