"""Files that readers share: pictures, CSV and JSON, read safely and with errors that name the file."""

from __future__ import annotations

import csv
import io
import json
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer, UInt8
from PIL import Image, ImageOps

from microtome.core.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm"})

# Pillow raises SyntaxError, struct.error and zlib.error, beside OSError, on damaged files.
_PICTURE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def existing_folder(path: Path) -> Path:
    """The path itself. Raises DataError when it is missing or no folder."""
    if not path.exists():
        raise DataError(
            f"The folder '{path}' does not exist.",
            expected="a folder with images",
            next_step="check the path; a relative path starts at the current folder",
        )
    if not path.is_dir():
        raise DataError(f"'{path}' is a file.", expected="a folder with images", next_step="name its folder")
    return path


def walk_files(folder: Path) -> Iterator[Path]:
    """Files below a folder, hidden ones left out, in a fixed order; links to folders are followed once."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place) / name


def image_files(folder: Path) -> list[Path]:
    """Images below a folder, by their suffix, sorted by path."""
    found = [path for path in walk_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(found, key=Path.as_posix)


def name_and_sizes(files: Iterable[Path], root: Path) -> list[tuple[str, int]]:
    """(relative name, bytes) of files, -1 for one that is missing: what a fingerprint is made from."""
    listed: list[tuple[str, int]] = []
    for path in files:
        try:
            size = path.stat().st_size
        except OSError:
            size = -1
        listed.append((os.path.relpath(path, root), size))
    return listed


def open_picture(source: Path | bytes, *, name: str | None = None) -> Image.Image:
    """A decoded picture from a file or from its bytes.

    Parameters
    ----------
    source:
        A path, or the bytes of a whole picture file.
    name:
        What to call it in an error; the path by default.

    Raises
    ------
    DataError
        When it is missing, empty, damaged, of an unknown format, or larger than Pillow's safety limit
        (`PIL.Image.MAX_IMAGE_PIXELS`): a small file can unpack into more memory than there is.
    """
    called = name or str(source if isinstance(source, Path) else "picture")
    if isinstance(source, Path) and not source.is_file():
        raise DataError(f"The file '{called}' is missing.", expected="a picture for every image listed")
    try:
        picture = Image.open(source if isinstance(source, Path) else io.BytesIO(source))
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None and picture.width * picture.height > limit:
            raise DataError(
                f"'{called}' has {picture.width} x {picture.height} pixels; the safety limit is {limit}.",
                expected="pictures below PIL.Image.MAX_IMAGE_PIXELS",
                next_step="shrink it first",
            )
        picture.load()
    except Image.DecompressionBombError as error:
        raise DataError(f"'{called}' is too large to be safe: {error}.", next_step="shrink it first") from error
    except _PICTURE_ERRORS as error:
        raise DataError(
            f"'{called}' cannot be read as a picture: {error or type(error).__name__}.",
            expected="an undamaged JPEG, PNG or other common picture file",
            next_step="replace the file or remove it",
        ) from error
    return picture


def read_rgb(source: Path | bytes, *, name: str | None = None, upright: bool = False) -> UInt8[np.ndarray, "h w 3"]:
    """Pixels of a picture as RGB, uint8.

    Parameters
    ----------
    source, name:
        As for `open_picture`.
    upright:
        Turn the picture as its EXIF orientation says. Only where no label file lies over the stored pixels.
    """
    picture = open_picture(source, name=name)
    if upright:
        picture = ImageOps.exif_transpose(picture)
    return np.array(picture.convert("RGB"))


def read_index(source: Path | bytes, *, name: str | None = None) -> Integer[np.ndarray, "h w"]:
    """A label picture with one index a pixel (grey, palette or 16 bit; or RGB with three equal channels)."""
    picture = open_picture(source, name=name)
    grid = np.asarray(picture)
    if grid.ndim == 2 and grid.dtype == bool:
        return grid.astype(np.uint8)
    if grid.ndim == 2 and np.issubdtype(grid.dtype, np.integer) and (picture.mode != "I" or grid.min(initial=0) >= 0):
        return grid
    if grid.ndim == 3 and picture.mode in ("RGB", "RGBA"):
        first = grid[..., 0]
        if np.array_equal(first, grid[..., 1]) and np.array_equal(first, grid[..., 2]):
            return first
    raise DataError(
        f"The label picture '{name or source}' holds colours (mode {picture.mode}), not indices.",
        expected="a grey or palette PNG whose pixel value is the class index",
        next_step="convert it, or name the reader that fits this data set",
    )


def read_channels(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """A label picture whose RGB channels code a number (Broden, ADE20K, COCO panoptic)."""
    picture = open_picture(path)
    if picture.mode not in ("RGB", "RGBA"):
        raise DataError(
            f"The label picture '{path}' has mode {picture.mode}.",
            expected="an RGB PNG whose channels code a label number",
            next_step="check that the file was not converted to grey or palette",
        )
    return np.asarray(picture)[..., :3]


def read_rows(path: Path, *, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file with a header. Raises DataError when it is unreadable or lacks one of `columns`."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            header = tuple(reader.fieldnames or ())
            rows = [{key: value or "" for key, value in row.items() if key is not None} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"'{path}' cannot be read as CSV: {error}.", expected="UTF-8 text with a header") from error
    missing = [column for column in columns if column not in header]
    if missing:
        raise DataError(
            f"'{path}' lacks the columns {', '.join(missing)}; it has {', '.join(header) or 'none'}.",
            expected=f"a header with {', '.join(columns)}",
        )
    return rows


def read_json(path: Path) -> Any:
    """A JSON file. Raises DataError when it is unreadable."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"'{path}' cannot be read as JSON: {error}.", expected="UTF-8 JSON") from error


def require_same_size(image: tuple[int, ...], label: tuple[int, ...], *, image_name: str, label_name: str) -> None:
    """Raise DataError unless an image and its label cover the same pixels."""
    if image[:2] != label[:2]:
        raise DataError(
            f"'{image_name}' has {image[1]} x {image[0]} pixels but its label '{label_name}' {label[1]} x {label[0]}.",
            expected="an image and a label picture of the same size",
            next_step="export them again at one size",
        )
