"""The shipped CLIP from its files: weights, card, words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from microtome.core.errors import ModelError
from microtome.models.clip_words import ClipWords
from microtome.models.world_clip import ClipSizes, WorldClip

WEIGHTS, CARD = "clip.safetensors", "clip.json"
_TRAIN = "`python -m microtome.zoo.train_world_clip`"


class WorldTexts:
    """The text side of the shipped CLIP; see `models.texts.TextTower`.

    Parameters
    ----------
    net:
        Both towers.
    words:
        Its vocabulary.
    """

    template = "a {} scene"

    def __init__(self, net: WorldClip, words: ClipWords) -> None:
        self._net, self._words = net, words
        self.context = words.context
        self.scale = float(net.log_scale.detach().exp().clamp(max=100.0))
        self.bias = 0.0

    def lengths(self, texts: Sequence[str]) -> list[int]:
        return [int(last) + 1 for last in self._words.encode(texts)[1]]

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "text d_out"]:
        ids, last = self._words.encode(texts)
        device = self._net.log_scale.device
        return self._net.text(ids.to(device), last.to(device))


@dataclass(frozen=True)
class ClipCard:
    """What is to be known of the shipped weights; the JSON file beside them holds more (`clip_card_text`).

    Attributes
    ----------
    sizes:
        See `ClipSizes`.
    words:
        The vocabulary.
    mean, std:
        Preprocessing of pixels in 0..1.
    zero_shot:
        Per property, the share of held-out arrangements whose value is found among all values; and by chance.
    learned:
        Properties found at least twice as often as by chance.
    """

    sizes: ClipSizes
    words: tuple[str, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    zero_shot: dict[str, dict[str, float]]
    learned: tuple[str, ...]


def load_world_clip() -> tuple[WorldClip, WorldTexts, ClipCard]:
    """The shipped CLIP with its trained weights, in float32 and evaluation mode.

    Raises
    ------
    ModelError
        If the package's files are missing or do not fit.
    """
    card = clip_card()
    net = WorldClip(card.sizes)
    try:
        net.load_state_dict({name: value.float() for name, value in load(_package_file(WEIGHTS)).items()})
    except (RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The shipped weights {WEIGHTS} do not fit the network: {error}",
            next_step=f"install microtome again, or train them with {_TRAIN}",
        ) from error
    net.eval()
    return net, WorldTexts(net, ClipWords(card.words, context=card.sizes.context)), card


def clip_card() -> ClipCard:
    """The card of the shipped CLIP. Raises ModelError if it is missing or damaged."""
    try:
        card = json.loads(clip_card_text())
        mean, std = card["preprocessing"]["mean"], card["preprocessing"]["std"]
        return ClipCard(
            sizes=ClipSizes(**card["sizes"]),
            words=tuple(card["words"]),
            mean=(mean, mean, mean),
            std=(std, std, std),
            zero_shot=dict(card["zero_shot"]),
            learned=tuple(card["learned"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The card {CARD} of the shipped CLIP is damaged: {error!r}.",
            next_step=f"install microtome again, or train it with {_TRAIN}",
        ) from error


def clip_card_text() -> str:
    """The whole card as JSON: training settings and curve, zero-shot accuracy per property, retrieval."""
    return _package_file(CARD).decode()


def _package_file(name: str) -> bytes:
    file = resources.files("microtome.models").joinpath("weights", name)
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(
            f"The package has no file models/weights/{name}.",
            next_step=f"install microtome again, or train it with {_TRAIN}",
        ) from error
