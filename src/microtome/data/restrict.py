"""Parts of an image set: some categories alone, some images alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from microtome.core.errors import DataError, OptionError, nearest
from microtome.data.base import ImageData, LabelledImage, hash_of


class Restricted(ImageData):
    """The categories named alone, and the images that label all of them.

    Elsewhere a category that an image does not label counts as absent there; with this wrapper no such image
    is left.

    Parameters
    ----------
    data:
        The image set.
    categories:
        Categories to keep, at least one.

    Raises
    ------
    OptionError
        If a category does not exist.
    DataError
        If no image labels all of them.
    """

    def __init__(self, data: ImageData, categories: tuple[str, ...]) -> None:
        known = list(dict.fromkeys(concept.category for concept in data.concepts))
        unknown = [category for category in categories if category not in known]
        if unknown or not categories:
            missing = ", ".join(f"'{category}'" for category in unknown) or "(none was named)"
            raise OptionError(
                f"'{data.card.name}' has no category {missing}.",
                expected=f"some of {', '.join(known)}",
                next_step=f"did you mean {nearest(unknown[0], known)}?" if unknown else "",
            )
        self._data = data
        self._categories = frozenset(categories)
        self._kept = [i for i in range(len(data)) if self._categories <= data.labels(i)]
        if not self._kept:
            raise DataError(
                f"No image of '{data.card.name}' labels all of {', '.join(sorted(self._categories))}.",
                expected="at least one image that labels every category named",
                next_step="name fewer categories",
            )
        chosen = [i for i, concept in enumerate(data.concepts) if concept.category in self._categories]
        self.concepts = tuple(data.concepts[i] for i in chosen)
        self.classes = data.classes
        self._new_index = {old: new for new, old in enumerate(chosen)}
        self._new_value = np.zeros(len(data.concepts) + 1, dtype=np.int32)
        self._new_value[np.array(chosen) + 1] = np.arange(1, len(chosen) + 1)
        named = ", ".join(sorted(self._categories))
        note = f"Kept: {named}, and the {len(self._kept)} of {len(data)} images that label them all."
        predicted = data.card.predicted & self._categories
        self.card = replace(data.card, notes=(*data.card.notes, note), predicted=predicted)

    def __len__(self) -> int:
        return len(self._kept)

    def key(self, index: int) -> str:
        return self._data.key(self._kept[index])

    def labels(self, index: int) -> frozenset[str]:
        return self._data.labels(self._kept[index]) & self._categories

    def read(self, index: int) -> LabelledImage:
        image = self._data.read(self._kept[index])
        planes = self._new_value[image.planes]
        planes = planes[planes.any(axis=(1, 2))]
        whole = tuple(self._new_index[i] for i in image.whole if i in self._new_index)
        return replace(image, planes=planes, whole=whole)

    def fingerprint(self) -> str:
        return hash_of(["restricted", sorted(self._categories), self._data.fingerprint()])


class Subset(ImageData):
    """Some images of an image set, drawn at random and kept in their order.

    Parameters
    ----------
    data:
        The image set.
    count:
        How many images, at least 1; all of them when there are fewer.
    seed:
        Decides which.
    """

    def __init__(self, data: ImageData, *, count: int, seed: int) -> None:
        if count < 1:
            raise OptionError(f"A limit of {count} images leaves none.", expected="at least 1")
        self._data = data
        drawn = np.random.default_rng(seed).permutation(len(data))[:count]
        self._kept = [int(i) for i in np.sort(drawn)]
        self.concepts, self.classes = data.concepts, data.classes
        note = f"{len(self._kept)} of {len(data)} images, drawn with seed {seed}."
        self.card = replace(data.card, notes=(*data.card.notes, note))

    @property
    def whole(self) -> ImageData:
        """The image set that it was drawn from."""
        return self._data

    @property
    def numbers(self) -> Int[np.ndarray, " image"]:
        """The numbers of its images there."""
        return np.array(self._kept, np.int64)

    def __len__(self) -> int:
        return len(self._kept)

    def key(self, index: int) -> str:
        return self._data.key(self._kept[index])

    def labels(self, index: int) -> frozenset[str]:
        return self._data.labels(self._kept[index])

    def read(self, index: int) -> LabelledImage:
        return self._data.read(self._kept[index])

    def fingerprint(self) -> str:
        return hash_of(["subset", self._kept, self._data.fingerprint()])
