"""ImageNet-Segmentation: `gtsegs_ijcv.mat`, 4,276 photographs with the mask of the object that is their class.

The file is MATLAB's version 7.3, which is HDF5: `value/img`, `value/gt` and `value/id` are [image, 1] arrays of
references to a uint8 picture [3, w, h], to a [k, 1] array of references to masks [w, h], and to a name in UTF-16.

Source: Guillaumin, Küttel & Ferrari 2014, ImageNet Auto-Annotation with Segmentation Propagation (the data); Chefer,
Gur & Wolf 2021, Transformer Interpretability Beyond Attention Visualization, section 4 (its use: the first mask).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from microtome.core.errors import DataError, OptionError
from microtome.data.base import DataCard, hash_of
from microtome.data.masks import MaskedImage

# h5py raises all of these on damaged and truncated files, wrong types and references that point nowhere.
_FILE_ERRORS = (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError, RuntimeError)


class ImageNetSegmentation:
    """Photographs and their masks, each read from the file when it is asked for.

    Parameters
    ----------
    path:
        The `.mat` file, or the folder that holds `gtsegs_ijcv.mat`.
    names:
        Words for the WordNet ids (`n02056570`) that begin the images' names, for `MaskedImage.text`; what is not in
        it has no text.

    Raises
    ------
    DataError
        When the file is missing, is no HDF5, or has not this structure. A damaged image is raised when it is read.
    OptionError
        When the package h5py is not installed.

    Examples
    --------
    >>> data = ImageNetSegmentation(Path("gtsegs_ijcv.mat"))
    >>> data.read(0).mask.shape
    (375, 500)
    """

    def __init__(self, path: Path, *, names: Mapping[str, str] | None = None) -> None:
        self._path = path / "gtsegs_ijcv.mat" if path.is_dir() else path
        self._names = dict(names or {})
        h5py = _h5py()
        if not self._path.is_file():
            raise DataError(
                f"The file '{self._path}' is missing.",
                expected="gtsegs_ijcv.mat of ImageNet-Segmentation",
                next_step="download it from its authors' page, or check the path",
            )
        try:
            with h5py.File(self._path, "r") as file:
                shapes = {name: file[f"value/{name}"].shape for name in ("img", "gt")}
                self._keys = _keys(file, shapes["img"][0])
        except _FILE_ERRORS as error:
            raise DataError(
                f"'{self._path}' cannot be read as ImageNet-Segmentation: {error}.",
                expected="a MATLAB 7.3 (HDF5) file with value/img and value/gt",
                next_step="download it again; an older MATLAB file must be saved with -v7.3",
            ) from error
        if shapes["img"] != shapes["gt"] or not self._keys:
            raise DataError(
                f"'{self._path}' has images {shapes['img']} and masks {shapes['gt']}.",
                expected="a mask for every image, and at least one",
            )
        self.card = DataCard(
            name=self._path.stem,
            reader="gtsegs",
            source=str(self._path),
            notes=(f"{len(self._keys)} photographs, each with the mask of one object.",),
        )

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[MaskedImage]:
        return (self.read(index) for index in range(len(self)))

    def key(self, index: int) -> str:
        """The image's name in the file (`n02056570_1234`), or its number where the file has no names."""
        return self._keys[self._checked(index)]

    def read(self, index: int) -> MaskedImage:
        """Image `index` with its mask. Raises DataError naming file and image when it cannot be read."""
        key = self.key(index)
        try:
            with _h5py().File(self._path, "r") as file:
                stored = np.asarray(file[file["value/img"][index, 0]])
                masks = file[file["value/gt"][index, 0]]
                mask = np.asarray(file[masks[0, 0]])
        except _FILE_ERRORS as error:
            raise DataError(
                f"Image {index} ('{key}') of '{self._path}' cannot be read: {error}.", next_step="download it again"
            ) from error
        pixels = self._pixels(stored, key)
        if mask.shape != stored.shape[-2:] or not np.isin(mask, (0, 1)).all():
            raise DataError(
                f"The mask of '{key}' in '{self._path}' has the shape {mask.shape} and values from "
                f"{mask.min(initial=0)} to {mask.max(initial=0)}.",
                expected=f"0 and 1 on {stored.shape[-2:]} pixels",
            )
        return MaskedImage(key, pixels, np.ascontiguousarray(mask.T != 0), self._names.get(key.partition("_")[0]))

    def fingerprint(self) -> str:
        return hash_of(["gtsegs", self._path.name, self._path.stat().st_size, self._keys, sorted(self._names.items())])

    def _pixels(self, stored: np.ndarray, key: str) -> UInt8[np.ndarray, "h w 3"]:
        """MATLAB's columns first, turned to rows first; grey in three channels."""
        if stored.ndim == 2:
            stored = np.stack([stored] * 3)
        if stored.ndim != 3 or len(stored) != 3 or stored.dtype != np.uint8 or not stored.size:
            raise DataError(
                f"The image '{key}' in '{self._path}' has the shape {stored.shape} of {stored.dtype}.",
                expected="uint8 [3, width, height]",
            )
        return np.ascontiguousarray(stored.transpose(2, 1, 0))

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self._keys):
            raise DataError(
                f"'{self._path}' has no image {index}.", expected=f"an index from 0 to {len(self._keys) - 1}"
            )
        return index


def _keys(file: Any, count: int) -> tuple[str, ...]:
    """Names of the images; their numbers where the names are missing, unreadable or not unique."""
    numbers = tuple(f"{index:05d}" for index in range(count))
    if "value/id" not in file or file["value/id"].shape != (count, 1):
        return numbers
    names = tuple(
        np.asarray(file[reference]).astype("<u2").tobytes().decode("utf-16-le", errors="replace").strip("\0 ")
        for reference in file["value/id"][:, 0]
    )
    return names if len({*names}) == count and all(names) else numbers


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise OptionError(
            f"ImageNet-Segmentation needs the package h5py ({error}).", next_step="pip install 'microtome[h5py]'"
        ) from error
    return h5py
