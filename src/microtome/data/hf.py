"""Hugging Face `datasets`: an image column with an annotation column, a class-label column, or both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microtome.core.concept import unique_concepts
from microtome.core.errors import DataError, OptionError, nearest
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.files import name_and_sizes, read_index, read_rgb, require_same_size, walk_files
from microtome.data.geometry import label_grid
from microtome.data.labels import LabelTable, class_list, concepts_of, read_class_list
from microtome.data.problems import Collector

IMAGE_COLUMNS = ("image", "img", "picture", "jpg", "png")
ANNOTATION_COLUMNS = ("annotation", "label", "labels", "mask", "segmentation", "semantic", "label_map")
CLASS_COLUMNS = ("label", "labels", "class", "fine_label", "scene_category")


@dataclass(frozen=True)
class _Preset:
    """What a well-known data set does not say of itself."""

    labels_repository: str
    labels_file: str
    shift: int
    void: tuple[int, ...]


PRESETS = {
    # Its pictures hold 0 for "none of the 150 classes", 1 .. 150 for them; the names are published from 0.
    "scene_parse_150": _Preset("huggingface/label-files", "ade20k-id2label.json", shift=1, void=(0,)),
}


@dataclass(frozen=True)
class HfOptions:
    """Which part of a data set to read, and as what. `None` = found from the features.

    Attributes
    ----------
    split:
        Needed where the data set has several.
    config:
        The data set's configuration, where it has several.
    image, annotation, label:
        Column of the image, of the label picture, of the class label.
    labels:
        File with the names of the label picture's indices (see `read_class_list`).
    void:
        Indices of unannotated pixels.
    """

    split: str | None = None
    config: str | None = None
    image: str | None = None
    annotation: str | None = None
    label: str | None = None
    labels: Path | None = None
    void: tuple[int, ...] = ()


def is_hf_folder(root: Path) -> bool:
    """Whether a folder holds Parquet files, or a data set saved with `save_to_disk`."""
    if (root / "dataset_info.json").is_file() and (root / "state.json").is_file():
        return True
    return any(path.suffix == ".parquet" for path in walk_files(root))


class HfImages(ImageData):
    """A data set of the `datasets` library.

    The class label becomes a concept of the whole image (category `class`); the label picture's indices
    become pixel concepts (category `object`).

    Parameters
    ----------
    name:
        Hub name, or a local folder with Parquet files.
    options:
        See `HfOptions`.
    """

    def __init__(self, name: str, options: HfOptions | None = None) -> None:
        options = options or HfOptions()
        self._options = options
        self._name = name
        self._data = _load(name, options)
        if len(self._data) == 0:
            raise DataError(f"The data set '{name}' is empty.", expected="at least one row")
        features = self._data.features
        self._image = _column(features, options.image, IMAGE_COLUMNS, kind="Image", role="image", needed=True)
        others = {column: kind for column, kind in features.items() if column != self._image}
        self._annotation = _column(
            others, options.annotation, ANNOTATION_COLUMNS, kind="Image", role="annotation", needed=False
        )
        self._label = _column(others, options.label, CLASS_COLUMNS, kind="ClassLabel", role="label", needed=False)
        pairs: list[tuple[str, str]] = []
        self._table: LabelTable | None = None
        if self._annotation is not None:
            concepts, self._table = _pixel_concepts(name, features, options)
            pairs += [(concept.name, concept.category) for concept in concepts]
        self._first_class = len(pairs)
        self.classes = tuple(features[self._label].names) if self._label is not None else ()
        self.concepts = unique_concepts([*pairs, *((label, "class") for label in self.classes)])
        self._numbers = None if self._label is None else list(self._data[self._label])
        self._decode_later()
        used = [column for column in (self._image, self._annotation, self._label) if column is not None]
        note = f"Columns read: {', '.join(used)}."
        shown = Path(name).name if Path(name).is_dir() else name
        self.card = DataCard(name=shown, reader="hf", source=f"hf:{name}", notes=(note,))

    def _decode_later(self) -> None:
        # Bytes, so that a damaged picture is our error with its row, not the library's.
        from datasets import Image

        for column in (self._image, self._annotation):
            if column is not None:
                self._data = self._data.cast_column(column, Image(decode=False))

    def __len__(self) -> int:
        return len(self._data)

    def key(self, index: int) -> str:
        return f"{index:08d}"

    def labels(self, index: int) -> frozenset[str]:
        categories = {concept.category for concept in self.concepts}
        if self._numbers is not None and _class_number(self._numbers[index]) is None:
            categories.discard("class")
        return frozenset(categories)

    def read(self, index: int) -> LabelledImage:
        row = self._data[index]
        where = f"{self._name}, row {index}"
        problems = Collector()
        pixels = problems.attempt(lambda: read_rgb(_bytes(row[self._image], where, self._image), name=where))
        planes, void = None, None
        if self._annotation is not None and self._table is not None:
            labelled = problems.attempt(lambda: self._annotated(row, where, pixels))
            if labelled is not None:
                planes, void = labelled[0][None], labelled[1]
        problems.settle()
        assert pixels is not None
        if planes is None:
            planes = np.zeros((0, *label_grid(*pixels.shape[:2])), dtype=np.int32)
        label = None if self._numbers is None else _class_number(self._numbers[index])
        whole = () if label is None else (self._first_class + label,)
        kept = void if void is not None and void.any() else None
        return LabelledImage(self.key(index), pixels, planes, whole=whole, void=kept, label=label)

    def _annotated(self, row: dict[str, Any], where: str, pixels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        assert self._annotation is not None
        assert self._table is not None
        called = f"{where}, column {self._annotation}"
        raw = read_index(_bytes(row[self._annotation], where, self._annotation), name=called)
        if pixels is not None:
            require_same_size(pixels.shape, raw.shape, image_name=where, label_name=called)
        return self._table.apply(raw, file=called)

    def fingerprint(self) -> str:
        root = Path(self._name)
        files: object = sorted((self._data.info.download_checksums or {}).keys())
        if root.is_dir():
            files = name_and_sizes(walk_files(root), root)
        table = None if self._table is None else self._table.values.tolist()
        features = str(self._data.features)
        return hash_of(["hf", self._name, self._options.split, len(self), features, table, self.concepts, files])


def _load(name: str, options: HfOptions) -> Any:
    try:
        import datasets
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise DataError(
            f"The data set 'hf:{name}' needs the package datasets ({error}).",
            next_step="pip install 'microtome[datasets]'",
        ) from error
    try:
        if (Path(name) / "state.json").is_file() or (Path(name) / "dataset_dict.json").is_file():
            found = datasets.load_from_disk(name)
        else:
            found = datasets.load_dataset(name, options.config)
    except (
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
        TypeError,
        DatasetsError,
    ) as error:
        raise DataError(
            f"The data set 'hf:{name}' cannot be loaded: {error}",
            expected="a hub name, or a local folder with Parquet files",
            next_step="check the name and the connection; a data set made by a script is not run",
        ) from error
    if isinstance(found, datasets.Dataset):
        if options.split is not None:
            raise OptionError(f"The data set '{name}' has no splits.", next_step="leave out split=")
        return found
    splits = list(found)
    if options.split is None and len(splits) == 1:
        return found[splits[0]]
    if options.split not in splits:
        said = f"no split '{options.split}'" if options.split else f"the splits {', '.join(map(str, splits))}"
        raise OptionError(
            f"The data set '{name}' has {said}.",
            expected=f"one of {nearest(options.split or '', map(str, splits))}",
            next_step=f"add it to the name: 'hf:{name}?split={splits[-1]}'",
        )
    return found[options.split]


def _column(
    features: dict[str, Any], asked: str | None, usual: Iterable[str], *, kind: str, role: str, needed: bool
) -> str | None:
    """The column for a role: as asked, else the only one of its kind, else the first with a usual name."""
    fitting = [column for column, feature in features.items() if _is(feature, kind)]
    if asked is not None:
        if asked not in fitting:
            raise OptionError(
                f"'{asked}' is no column for the {role}.",
                expected=f"a column of kind {kind}: {', '.join(fitting) or 'there is none'}",
            )
        return asked
    if len(fitting) <= 1 and (fitting or not needed):
        return fitting[0] if fitting else None
    for name in usual:
        if name in fitting:
            return name
    raise DataError(
        f"Which column holds the {role} is not clear: {', '.join(fitting) or 'none is of kind ' + kind}.",
        expected=f"one column of kind {kind}; the columns are {', '.join(features)}",
        next_step=f"name it: '...?{role}=COLUMN'",
    )


def _is(feature: Any, kind: str) -> bool:
    # Parquet written without the library has pictures as a struct of bytes and path.
    if isinstance(feature, dict):
        return kind == "Image" and set(feature) == {"bytes", "path"}
    return type(feature).__name__ == kind


def _pixel_concepts(name: str, features: dict[str, Any], options: HfOptions) -> Any:
    """Concepts and label table of the annotation: from a file, from the features, or from a preset."""
    if options.labels is not None:
        return concepts_of(read_class_list(options.labels, void=options.void))
    preset = PRESETS.get(name.rstrip("/").rsplit("/", maxsplit=1)[-1])
    if preset is not None:
        listed = read_class_list(_download(preset))
        entries = [
            (index + preset.shift, entry[0] if entry else None, entry[1] if entry else "object")
            for index, entry in listed.names.items()
        ]
        return concepts_of(class_list(entries, void=(*preset.void, *options.void), source=preset.labels_file))
    inner: list[Any] = [getattr(feature, "feature", None) for feature in features.values()]
    named = [feature.names for feature in inner if _is(feature, "ClassLabel")]
    if len(named) == 1:
        listed = class_list(
            ((i, label, "object") for i, label in enumerate(named[0])), void=options.void, source=f"hf:{name}"
        )
        return concepts_of(listed)
    raise DataError(
        f"The data set '{name}' does not name the indices of its label pictures.",
        expected="a class list",
        next_step=f"write classes.json and add it: 'hf:{name}?labels=classes.json'",
    )


def _download(preset: _Preset) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        path = hf_hub_download(preset.labels_repository, preset.labels_file, repo_type="dataset")
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise DataError(
            f"The class names '{preset.labels_repository}/{preset.labels_file}' cannot be fetched: {error}",
            next_step="name a file of your own: '...?labels=classes.json'",
        ) from error
    return Path(path)


def _bytes(value: Any, where: str, column: str | None) -> bytes | Path:
    if isinstance(value, dict):
        if value.get("bytes") is not None:
            return value["bytes"]
        if value.get("path"):
            return Path(value["path"])
    raise DataError(f"{where} has nothing in the column {column}.", expected="a picture in every row")


def _class_number(value: Any) -> int | None:
    # `datasets` writes -1 where a row has no class.
    return None if value is None or int(value) < 0 else int(value)
