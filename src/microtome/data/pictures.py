"""Single pictures, named one by one or by their folder: what a command looks at, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microtome.core.errors import DataError
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.files import image_files, name_and_sizes, read_rgb


class Pictures(ImageData):
    """Files, and the images of folders, in the order given.

    Parameters
    ----------
    places:
        Files and folders, at least one. A file that is named twice counts once.

    Raises
    ------
    DataError
        When a place does not exist, or there is no image. Damaged files are raised when they are read.
    """

    concepts = ()

    def __init__(self, places: Sequence[Path]) -> None:
        found: dict[Path, None] = {}
        for place in places:
            if not place.exists():
                raise DataError(
                    f"'{place}' does not exist.",
                    expected="a picture, or a folder of pictures",
                    next_step="check the path; a relative path starts at the current folder",
                )
            found |= dict.fromkeys(image_files(place) if place.is_dir() else [place])
        if not found:
            raise DataError(
                f"There is no image in {', '.join(repr(str(place)) for place in places) or 'an empty list'}.",
                expected="JPEG, PNG or other common pictures",
            )
        self._files = list(found)
        names = [file.name for file in found]
        self._short = len({*names}) == len(names)
        self.card = DataCard(
            name=places[0].name or str(places[0]), reader="pictures", source=", ".join(str(place) for place in places)
        )

    def __len__(self) -> int:
        return len(self._files)

    def key(self, index: int) -> str:
        """The file's name, or its path where two files have one name."""
        return self._files[index].name if self._short else self._files[index].as_posix()

    def read(self, index: int) -> LabelledImage:
        pixels = read_rgb(self._files[index], upright=True)
        return LabelledImage(self.key(index), pixels, np.zeros((0, 1, 1), np.int32))

    def fingerprint(self) -> str:
        return hash_of(["pictures", *name_and_sizes(self._files, Path())])
