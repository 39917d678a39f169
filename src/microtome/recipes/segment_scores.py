"""Score heatmap methods against masks, one block of images after another; kept on disk, so that a run can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.errors import DataError, ModelError, OptionError, problems_together
from microtome.data.masks import MaskedImage, MaskedImages, resized
from microtome.methods.decompose.terms import decompose
from microtome.models.texts import text_directions
from microtome.recipes.direct_pass import Opened
from microtome.recipes.heat_methods import (
    DECOMPOSITION,
    NEURONS,
    UNDIRECTED,
    HeatMaker,
    HeatSetup,
    heat_maker,
    heat_names,
)
from microtome.recipes.heat_settings import NEUTRAL, NOTHING, OTHERS, SegmentSettings
from microtome.recipes.heat_targets import MOST_NEUTRAL, class_direction, neutral_direction
from microtome.recipes.heat_views import upsampled
from microtome.recipes.neuron_directions import read_directions
from microtome.record.blocks import BlockCache
from microtome.record.one_pass import Progress
from microtome.verify.segmentation import SegmentationScores

BLOCK = 64
CENTRE = "centre"
CONSTANT = "constant"
MISMATCHED = "other image"
_SPREAD = 0.3
"""Standard deviation of the blob, in halves of the image's side."""
_KIND = "segment"


@dataclass(frozen=True, eq=False)
class Contest:
    """One row of the comparison.

    Attributes
    ----------
    method:
        Its name.
    direction:
        `text`, `text - others`, `text - neutral`, or "" where the map does not depend on it.
    make:
        From images and directions to maps; None: a control, which looks at no image.
    """

    method: str
    direction: str
    make: HeatMaker | None = None

    @property
    def control(self) -> bool:
        return self.make is None


class Directions:
    """Directions of what masks show, each worked out once.

    Parameters
    ----------
    opened:
        The model.
    settings:
        Template and neutral pool.
    things:
        What the data's masks could show, in words: the mean of these is subtracted as `others`.
    text:
        A text for every image, in place of its own; used as it is by a model with a text side.
    """

    def __init__(self, opened: Opened, settings: SegmentSettings, things: Sequence[str], text: str | None) -> None:
        self._model, self._settings, self._text = opened.model, settings, text
        self._like = opened.tower.pooling.matrices
        self._known: dict[str, Tensor] = {}
        self._things = self._sayable(things)
        self._bases: dict[str, Tensor] = {}
        if text is not None:
            self.of(text)

    @property
    def against(self) -> tuple[str, ...]:
        """What can be subtracted here, by the names of the settings."""
        others = (OTHERS,) if len(self._things) > 1 else ()
        neutral = (NEUTRAL,) if self._model.texts is not None or self._model.classes else ()
        return (*others, *neutral, NOTHING)

    def text(self, image: MaskedImage) -> str:
        """What is looked for in an image."""
        found = self._text or image.text
        if found is None:
            raise OptionError(
                f"Nothing says what the mask of '{image.key}' shows.",
                expected="--text 'a dog' for all images, or, for ImageNet-Segmentation, --names FILE",
            )
        return found

    def of(self, text: str) -> Float[Tensor, " d_out"]:
        """The direction of a text or class, nothing subtracted."""
        if text not in self._known:
            model = self._model
            if self._text is not None and model.texts is not None:
                found = text_directions(model.texts, [text], spec=model.spec)[0]
            else:
                found = class_direction(model, text, template=self._settings.template)
            self._known[text] = found.to(self._like)
        return self._known[text]

    def batch(self, texts: Sequence[str], direction: str) -> Float[Tensor, "batch d_out"]:
        """Directions of a batch, as a row of the comparison wants them."""
        plain = torch.stack([self.of(text) for text in texts])
        _, minus, base = direction.partition(" - ")
        return plain - self._base(base) if minus else plain

    def _base(self, name: str) -> Float[Tensor, " d_out"]:
        if name not in self._bases:
            if name == OTHERS:
                chosen = np.unique(np.linspace(0, len(self._things) - 1, MOST_NEUTRAL).astype(int))
                found = [
                    class_direction(self._model, self._things[n], template=self._settings.template) for n in chosen
                ]
                self._bases[name] = torch.stack(found).mean(dim=0).to(self._like)
            else:
                neutral = neutral_direction(self._model, self._settings.neutral)
                assert isinstance(neutral, Tensor)
                self._bases[name] = neutral.to(self._like)
        return self._bases[name]

    def _sayable(self, things: Sequence[str]) -> list[str]:
        """Things that the model's text side has words for; none for a model of classes, whose `neutral` is the same."""
        if self._model.texts is None:
            return []
        known: list[str] = []
        for thing in things:
            with suppress(DataError):
                self._model.texts.lengths([thing])
                known.append(thing)
        return known


def contests(opened: Opened, settings: SegmentSettings, against: Sequence[str]) -> list[Contest]:
    """The rows: methods, each with what can be subtracted, then controls that know nothing of the image.

    Raises
    ------
    OptionError
        For a method that is not there, or something to subtract that these data and this model do not have.
    """
    missing = [word for word in settings.against if word not in against]
    if missing:
        raise OptionError(
            f"Nothing is known to subtract as '{missing[0]}'.", expected=f"here: some of {', '.join(against)}"
        )
    cosine = opened.model.texts is not None
    wanted = ["text" if word == NOTHING else f"text - {word}" for word in settings.against or against]
    rows: list[Contest] = []
    neurons = read_directions(Path(settings.neurons), opened.model, opened.tower) if settings.neurons else None
    names = heat_names(settings.methods if neurons is None else (*settings.methods, NEURONS))
    for name in names:
        # The layers are those of the decomposition: no other method can be held to some.
        setup = HeatSetup(
            opened.tower, settings.layers if name == DECOMPOSITION else None, cosine=cosine, neurons=neurons
        )
        make = heat_maker(name, setup)
        rows += [Contest(name, how, make) for how in ([""] if name in UNDIRECTED else wanted)]
    if settings.layers is not None and all(row.method != DECOMPOSITION for row in rows):
        raise OptionError("Layers are chosen, but no method counts them.", expected=f"--methods with {DECOMPOSITION}")
    return [*rows, Contest(MISMATCHED, rows[0].direction), Contest(CENTRE, ""), Contest(CONSTANT, "")]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A comparison that is to be run.

    Attributes
    ----------
    opened:
        The model; its data are the pictures.
    masks, numbers:
        Masked images, and which of them.
    directions, rows, settings:
        What is looked for, by which methods, scored how.
    folder:
        Where finished blocks lie; those found there are taken as they are.
    """

    opened: Opened
    masks: MaskedImages
    numbers: Sequence[int]
    directions: Directions
    rows: Sequence[Contest]
    settings: SegmentSettings
    folder: Path

    def run(self, progress: Progress) -> tuple[list[SegmentationScores], list[str], int]:
        """Scores of each row; what was wrong with images that were left out; how many masks were empty.

        Raises
        ------
        DataError
            If no image can be scored, or one cannot be read and the run is strict.
        ModelError
            If the model fails on a batch, or its terms do not add up.
        """
        cache = BlockCache(self.folder)
        scores = [SegmentationScores(self.settings.rule) for _ in self.rows]
        problems: list[str] = []
        empty = 0
        for block, numbers in enumerate(_blocks(self.numbers)):
            if not cache.has(_KIND, block):
                cache.write(_KIND, block, self._block(numbers))
            found = cache.read(_KIND, block)
            kept = json.loads(bytes(found["keys"]).decode())
            problems += json.loads(bytes(found["problems"]).decode())
            empty += int(found["empty"][0])
            for row, own in enumerate(scores):
                known = np.isfinite(found["numbers"][row]).all(axis=1) if len(kept) else np.zeros(0, bool)
                state = {
                    "keys": np.array(kept, np.str_)[known] if len(kept) else np.array([], np.str_),
                    "numbers": found["numbers"][row][known],
                }
                own.merge(SegmentationScores.load(state, self.settings.rule))
            progress("segmenting", min((block + 1) * BLOCK, len(self.numbers)), len(self.numbers))
        if not len(scores[0]):
            listed = f":\n{problems_together(problems, limit=5)}" if problems else ", since every mask is empty."
            raise DataError(f"None of the {len(self.numbers)} images can be scored{listed}", expected="masked images")
        return scores, problems, empty

    def maps(self, images: Sequence[MaskedImage]) -> list[Float[np.ndarray, "batch size size"]]:
        """Maps of a batch by each method's row, at the size that they are scored at."""
        model = self.opened.model
        x = model.prepared(model.preprocess([image.pixels for image in images], crop=False))
        texts = [self.directions.text(image) for image in images]
        found: list[np.ndarray] = []
        for row in self.rows:
            if row.make is None:
                continue
            try:
                heat = row.make(x, self.directions.batch(texts, row.direction))
            except (RuntimeError, MemoryError) as error:
                raise ModelError(
                    f"{model.spec} fails on a batch of {len(x)} images ({row.method}): {type(error).__name__}: {error}",
                    next_step="try a smaller --batch-size; --debug shows the trace",
                ) from error
            found.append(upsampled(heat.detach(), self.settings.score_size))
        return found

    def _block(self, numbers: Sequence[int]) -> dict[str, np.ndarray]:
        size, problems, empty = self.settings.score_size, [], 0
        scores = [SegmentationScores(self.settings.rule) for _ in self.rows]
        methods = sum(not row.control for row in self.rows)
        fixed = {CENTRE: centre_blob(size), CONSTANT: np.zeros((size, size))}
        first: list[np.ndarray] = []
        truths: list[MaskedImage] = []
        for batch in self._batches(numbers, problems):
            small = [resized(image, size) for image in batch]
            shown = [n for n, image in enumerate(small) if _visible(image)]
            empty += len(batch) - len(shown)
            if not shown:
                continue
            maps = self.maps([batch[n] for n in shown])
            for place, n in enumerate(shown):
                truth = small[n]
                for row in range(methods):
                    scores[row].add(truth.key, maps[row][place], truth.mask, truth.void)
                for row in range(methods, len(self.rows)):
                    if self.rows[row].method in fixed:
                        scores[row].add(truth.key, fixed[self.rows[row].method], truth.mask, truth.void)
                first.append(maps[0][place])
                truths.append(truth)
        if len(truths) > 1:
            (row,) = (n for n, one in enumerate(self.rows) if one.method == MISMATCHED)
            for place, truth in enumerate(truths):
                scores[row].add(truth.key, first[place - 1], truth.mask, truth.void)
        keys = [image.key for image in scores[0].images()]
        return {
            "keys": _bytes(keys), "problems": _bytes(problems), "empty": np.array([empty]),
            "numbers": np.stack([_numbers(one, keys) for one in scores]),
        }  # fmt: skip

    def _batches(self, numbers: Sequence[int], problems: list[str]) -> Iterator[list[MaskedImage]]:
        """Images that can be read, a batch at a time; the first batch of all is checked to add up."""
        batch: list[MaskedImage] = []
        for number in numbers:
            try:
                batch.append(self.masks.read(number))
            except DataError as error:
                if self.settings.images.strict:
                    raise
                problems.append(f"{self.masks.key(number)}: {' '.join(error.what.split())}")
            if len(batch) == self.settings.images.batch_size:
                yield batch
                batch = []
        if batch:
            yield batch

    def check(self) -> None:
        """Raise ModelError unless the terms of the first image that can be read add up, OptionError without a text."""
        model = self.opened.model
        for batch in self._batches(self.numbers[:BLOCK], []):
            texts = [self.directions.text(image) for image in batch]
            for direction in {row.direction for row in self.rows}:
                self.directions.batch(texts, direction)
            decompose(self.opened.tower, model.prepared(model.preprocess([batch[0].pixels], crop=False)))
            return


def centre_blob(size: int) -> Float[np.ndarray, "size size"]:
    """A Gaussian blob in the middle: what a map scores that knows nothing but where photographers aim."""
    place = (np.arange(size) + 0.5) / size * 2.0 - 1.0
    squares = (place / _SPREAD) ** 2 / 2.0
    return np.exp(-(squares[:, None] + squares[None, :]))


def _visible(image: MaskedImage) -> bool:
    """Whether a pixel of the mask is to be seen and counted."""
    return bool(image.mask.any() if image.void is None else (image.mask & ~image.void).any())


def _blocks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Blocks of 64; a last one of a single image joins the block before, so that there is another image to compare."""
    starts = list(range(0, len(numbers), BLOCK))
    if len(starts) > 1 and len(numbers) - starts[-1] == 1:
        starts.pop()
    for place, start in enumerate(starts):
        yield numbers[start : starts[place + 1] if place + 1 < len(starts) else len(numbers)]


def _numbers(scores: SegmentationScores, keys: Sequence[str]) -> Float[np.ndarray, "image 5"]:
    """The numbers of each image; NaN for one that was not scored."""
    state = scores.state()
    known = dict(zip(state["keys"].tolist(), state["numbers"], strict=True))
    return np.array([known.get(key, np.full(5, np.nan)) for key in keys], np.float64).reshape(-1, 5)


def _bytes(words: Sequence[str]) -> np.ndarray:
    return np.frombuffer(json.dumps(list(words)).encode(), np.uint8).copy()
