"""COCO panoptic: a JSON file with segments and a folder of PNGs whose colour is the segment.

Source: Kirillov et al., Panoptic Segmentation, CVPR 2019, and the COCO data format page: segment id = R + 256
G + 256^2 B, 0 where nobody annotated; `annotations[].segments_info[]` gives each id its `category_id`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from microtome.core.concept import unique_concepts
from microtome.core.errors import DataError, nearest
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.files import (
    existing_folder,
    name_and_sizes,
    read_channels,
    read_json,
    read_rgb,
    require_same_size,
)
from microtome.data.problems import Collector

_SUFFIXES = ("-merged", "-other", "-stuff")


class _Item(NamedTuple):
    key: str
    label: str
    segments: dict[int, int]
    """Segment id -> category id."""


def is_coco(root: Path) -> bool:
    """Whether a folder, or its `annotations/`, has a `panoptic*.json`."""
    return bool(_json_files(root))


class CocoPanoptic(ImageData):
    """Images with panoptic segments: countable things (category `object`) and `stuff`.

    Parameters
    ----------
    root:
        Holds `panoptic_NAME.json` (or `annotations/panoptic_NAME.json`), the folder `panoptic_NAME/` beside
        it, and the images in `NAME/` or `images/`.
    split:
        NAME, such as `val2017`; needed where there are several.
    """

    def __init__(self, root: Path, *, split: str | None = None) -> None:
        self._root = existing_folder(root)
        listed = _choose(root, split)
        content = read_json(listed)
        try:
            categories = [(int(c["id"]), str(c["name"]), bool(c.get("isthing", 1))) for c in content["categories"]]
            self._items = _items(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"'{listed}' is no COCO panoptic file ({type(error).__name__}: {error}).",
                expected="categories, images and annotations with segments_info",
            ) from error
        if not self._items:
            raise DataError(f"'{listed}' annotates no image.", expected="at least one annotation")
        _check_ids(categories, listed)
        if not categories:
            raise DataError(f"'{listed}' names no category.", expected="at least one concept")
        self.concepts = unique_concepts(_clean(categories))
        self._plane_value = {number: i + 1 for i, (number, _, _) in enumerate(categories)}
        self._labels = _folder_of(self._items[0].label, (listed.with_suffix(""), root / listed.stem, listed.parent))
        name = listed.stem.removeprefix("panoptic_")
        self._images = _folder_of(self._items[0].key, (root / name, root / "images" / name, root / "images", root))
        notes = ["Pixels of segment 0 are unannotated and dropped."]
        self.card = DataCard(name=f"{root.resolve().name}/{name}", reader="coco", source=str(root), notes=tuple(notes))

    def __len__(self) -> int:
        return len(self._items)

    def key(self, index: int) -> str:
        return self._items[index].key

    def read(self, index: int) -> LabelledImage:
        item = self._items[index]
        image, label = self._images / item.key, self._labels / item.label
        problems = Collector()
        pixels = problems.attempt(lambda: read_rgb(image))
        coded = problems.attempt(lambda: read_channels(label))
        plane = None
        if coded is not None:
            plane = problems.attempt(lambda: self._plane(coded, item, label))
            if pixels is not None:
                names = {"image_name": str(image), "label_name": str(label)}
                problems.attempt(lambda: require_same_size(pixels.shape, coded.shape, **names))
        problems.settle()
        assert pixels is not None
        assert plane is not None
        labelled, void = plane
        return LabelledImage(item.key, pixels, labelled[None], void=void if void.any() else None)

    def _plane(self, coded: np.ndarray, item: _Item, label: Path) -> tuple[np.ndarray, np.ndarray]:
        parts = coded.astype(np.int32)
        ids = parts[..., 0] + 256 * parts[..., 1] + 65536 * parts[..., 2]
        present, where = np.unique(ids, return_inverse=True)
        unlisted = [int(i) for i in present if i and i not in item.segments]
        if unlisted:
            raise DataError(
                f"'{label}' holds the segments {unlisted[:8]}, which its annotation does not list.",
                expected="every segment id in segments_info",
            )
        unknown = sorted({item.segments[int(i)] for i in present if i} - self._plane_value.keys())
        if unknown:
            raise DataError(
                f"The annotation of '{label}' uses the unnamed categories {unknown[:8]}.",
                expected="every category_id in categories",
            )
        values = np.array([self._plane_value[item.segments[int(i)]] if i else 0 for i in present], dtype=np.int32)
        return values[where.reshape(ids.shape)], ids == 0

    def fingerprint(self) -> str:
        files = [p for item in self._items for p in (self._images / item.key, self._labels / item.label)]
        segments = [sorted(item.segments.items()) for item in self._items]
        return hash_of(
            [
                "coco",
                self.concepts,
                sorted(self._plane_value.items()),
                segments,
                *name_and_sizes(files, self._root),
            ]
        )


def _json_files(root: Path) -> list[Path]:
    return sorted([*root.glob("panoptic*.json"), *(root / "annotations").glob("panoptic*.json")])


def _choose(root: Path, split: str | None) -> Path:
    found = {path.stem.removeprefix("panoptic_"): path for path in _json_files(root)}
    if split is not None and split in found:
        return found[split]
    if split is None and len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise DataError(f"'{root}' has no panoptic*.json.", expected="panoptic_NAME.json, also in annotations/")
    raise DataError(
        f"'{root}' has no part '{split}'." if split else f"'{root}' has several parts.",
        expected=f"one of {nearest(split or '', found)}",
        next_step=f"add the part to the path: '{root}?split={next(iter(found))}'",
    )


def _items(content: Any) -> list[_Item]:
    file_of = {image["id"]: str(image["file_name"]) for image in content["images"]}
    items: list[_Item] = []
    for annotation in content["annotations"]:
        label = str(annotation["file_name"])
        segments = {int(s["id"]): int(s["category_id"]) for s in annotation["segments_info"]}
        items.append(_Item(file_of[annotation["image_id"]], label, segments))
    return sorted(items)


def _check_ids(categories: list[tuple[int, str, bool]], listed: Path) -> None:
    problems = Collector()
    for what, counts in (
        ("category id", Counter(number for number, _, _ in categories)),
        ("category name", Counter(" ".join(name.split()) for _, name, _ in categories)),
    ):
        for value, times in counts.items():
            if times > 1 or value == "":
                said = "is empty" if value == "" else f"'{value}' is listed {times} times"
                problems.add(DataError(f"A {what} {said} in '{listed}'.", expected=f"one {what} each"))
    problems.settle()


def _clean(categories: list[tuple[int, str, bool]]) -> list[tuple[str, str]]:
    """(name, category) without COCO's suffixes (`floor-other-merged` -> `floor`) where that is unique."""
    short: list[str] = []
    for _, name, _ in categories:
        for suffix in _SUFFIXES:
            name = name.removesuffix(suffix)
        for suffix in _SUFFIXES:
            name = name.removesuffix(suffix)
        short.append(name)
    times = Counter(short)
    return [
        (clean if times[clean] == 1 else name, "object" if thing else "stuff")
        for clean, (_, name, thing) in zip(short, categories, strict=True)
    ]


def _folder_of(file: str, places: tuple[Path, ...]) -> Path:
    for place in places:
        if (place / file).is_file():
            return place
    looked = ", ".join(f"'{place}'" for place in places)
    raise DataError(f"'{file}' is in none of {looked}.", expected="the file in one of these folders")
