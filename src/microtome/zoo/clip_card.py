"""What the card of the shipped CLIP says: zero-shot accuracy per property, retrieval, scenes, birds, numerals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from microtome.data.groups import WorldBirds
from microtome.data.world.arranged import arrange, draw_arrangement
from microtome.data.world.arrangements import Arrangements
from microtome.data.world.captions import number_word
from microtome.data.world.dataset import WORLD_VERSION, World
from microtome.data.world.dice import Dice, mix
from microtome.data.world.factors import FACTOR_VALUES, Factor
from microtome.data.world.graph import SceneGraph
from microtome.data.world.objects import KINDS
from microtome.data.world.render import render
from microtome.data.world.shortcuts import Split
from microtome.data.world.varied import LeftOut, Wording, varied_caption
from microtome.models.clip_words import ClipWords
from microtome.models.world_clip import ClipSizes, WorldClip
from microtome.verify.groups import group_accuracy
from microtome.verify.proportions import wilson
from microtome.zoo.clip_training import MEAN, STD, normalise

ALL_NAMED = Wording(LeftOut(**dict.fromkeys(LeftOut.__dataclass_fields__, 0.0)))
"""Captions that leave nothing out."""
FACTORS_NAMED = Wording(replace(ALL_NAMED.left_out, ground=1.0, behind=1.0))
"""Captions of the six factors of an arrangement, without the colours of ground, sky or wall."""
LEARNED = 2.0
"""A property is learned where its values are found at least this many times as often as by chance."""
_AT_ONCE = 128
_SPLITS: tuple[Split, Split] = ("heldout", "shift")
_NUMERALS = range(1, 7)
_RANKS = (1, 5)


@dataclass(frozen=True)
class Measured:
    """How many pictures each measure looks at.

    Attributes
    ----------
    arrangements:
        Held-out arrangements of the zero-shot accuracy per property.
    retrieval:
        Held-out arrangements with a caption each.
    scenes, birds:
        Pictures of each split.
    signs:
        Signs with a numeral.
    """

    arrangements: int = 2000
    retrieval: int = 1000
    scenes: int = 1600
    birds: int = 2000
    signs: int = 600


class Eye:
    """Images and texts as unit vectors of the shared space.

    Parameters
    ----------
    net:
        Both towers.
    words:
        Its vocabulary.
    """

    def __init__(self, net: WorldClip, words: ClipWords) -> None:
        self._net, self._words = net, words

    def see(self, scenes: Sequence[SceneGraph]) -> Float[Tensor, "image shared"]:
        """Scenes, rendered at the network's size."""
        parts: list[Tensor] = []
        with torch.inference_mode():
            for first in range(0, len(scenes), _AT_ONCE):
                some = scenes[first : first + _AT_ONCE]
                pixels = np.stack([render(scene, self._net.sizes.image)[0] for scene in some])
                parts.append(self._net(normalise(torch.from_numpy(pixels))))
        return functional.normalize(torch.cat(parts), dim=-1)

    def read(self, texts: Sequence[str]) -> Float[Tensor, "text shared"]:
        """Texts."""
        with torch.inference_mode():
            return functional.normalize(self._net.text(*self._words.encode(texts)), dim=-1)

    def mean(self, wordings: Sequence[Sequence[str]]) -> Float[Tensor, "value shared"]:
        """The mean of each value's wordings."""
        return functional.normalize(torch.stack([self.read(texts).mean(0) for texts in wordings]), dim=-1)


def prompts(factor: Factor, value: str) -> tuple[str, ...]:
    """How one value of a factor is asked for: a few wordings, as captions word them.

    Parameters
    ----------
    factor, value:
        Of an arrangement ('3' for a count).
    """
    if factor == "object":
        kind = KINDS[value]
        return f"a {kind.name}", f"some {kind.plural}", f"there is a {kind.name}", f"we see some {kind.plural}"
    if factor == "count":
        things = f"{number_word(int(value))} thing{'' if value == '1' else 's'}"
        return things, f"we see {things}", f"a picture of {things}"
    if factor == "surface":
        return f"a thing on {value}", f"some things on {value}", f"on {value} a thing", f"on {value} some things"
    if factor == "side":
        place = "in the middle" if value == "middle" else f"on the {value}"
        return f"a thing {place}", f"some things {place}", f"{place} a thing", f"{place} some things"
    return f"a {value} thing", f"some {value} things", f"we see a {value} thing", f"there is some {value} things"


def make_card(
    net: WorldClip,
    words: ClipWords,
    *,
    known: Sequence[str],
    training: Mapping[str, Any],
    curve: Sequence[Mapping[str, Any]],
    measured: Measured | None = None,
) -> dict[str, Any]:
    """The card as a JSON object.

    Parameters
    ----------
    net:
        The network with the weights as they are stored.
    words:
        Its vocabulary.
    known:
        The vocabulary that is written, with placeholders for words that no training caption holds.
    training, curve:
        Settings of the run; loss and share of captions found by step.
    measured:
        How many pictures.
    """
    measured = measured or Measured()
    eye = Eye(net, words)
    found = zero_shot(eye, measured.arrangements)
    learned = [factor for factor, share in found.items() if share["accuracy"] >= LEARNED * share["chance"]]
    missed = [factor for factor in found if factor not in learned]
    return {
        "name": "clip",
        "world_version": WORLD_VERSION,
        "architecture": describe_sizes(net.sizes),
        "parameters": sum(value.numel() for value in net.parameters()),
        "sizes": asdict(net.sizes),
        "preprocessing": {"size": net.sizes.image, "mean": MEAN, "std": STD},
        "zero_shot": found,
        "learned": learned,
        "not_learned": missed,
        "in_words": _in_words(learned, missed),
        "numerals": numerals(eye, measured.signs),
        "scenes": scene_classes(eye, measured.scenes),
        "retrieval": retrieval(eye, measured.retrieval),
        "birds": {split: birds(eye, split, measured.birds) for split in _SPLITS},
        "pictures_measured": asdict(measured),
        "training": dict(training),
        "curve": [dict(point) for point in curve],
        "words": list(known),
    }


def describe_sizes(sizes: ClipSizes) -> str:
    """The architecture in a line."""
    return (
        f"vision: ViT, {sizes.image} pixels, patches of {sizes.patch}, width {sizes.width}, {sizes.layers} layers, "
        f"{sizes.heads} heads, class row; text: causal transformer, width {sizes.text_width}, "
        f"{sizes.text_layers} layers, {sizes.text_heads} heads; shared space of {sizes.shared}"
    )


def zero_shot(eye: Eye, count: int) -> dict[str, dict[str, float]]:
    """Per property, how often the value shown is the likeliest of all its values, on held-out arrangements."""
    data = Arrangements("heldout", count=count)
    seen = eye.see([data.scene(index) for index in range(count)])
    shown = [data.shown(index) for index in range(count)]
    found: dict[str, dict[str, float]] = {}
    for factor in get_args(Factor):
        values = FACTOR_VALUES[factor]
        truth = np.array([values.index(one.value(factor)) for one in shown])
        said = _likeliest(seen, eye.mean([prompts(factor, value) for value in values]))
        found[factor] = _share(said == truth, values=len(values))
    return found


def numerals(eye: Eye, count: int) -> dict[str, float]:
    """How often the numeral of a sign that stands alone is the likeliest of the six."""
    scenes: list[SceneGraph] = []
    for number in range(count):
        dice = Dice(mix("signs to read", WORLD_VERSION, number))
        scenes.append(arrange(draw_arrangement(dice).with_value("object", "sign").with_value("count", "1"), dice))
    truth = np.array([_NUMERALS.index(scene.objects[0].numeral or 0) for scene in scenes])
    wordings = [(f"a sign with the numeral {n}", f"there is a sign with the numeral {n}") for n in _NUMERALS]
    return _share(_likeliest(eye.see(scenes), eye.mean(wordings)) == truth, values=len(_NUMERALS))


def scene_classes(eye: Eye, count: int) -> dict[str, dict[str, float]]:
    """Accuracy on the sixteen scene classes ("a beach scene"), per split."""
    shares: dict[str, dict[str, float]] = {}
    for split in _SPLITS:
        world = World(split, count=count)
        scenes = [world.scene(index) for index in range(count)]
        truth = np.array([world.classes.index(scene.scene) for scene in scenes])
        said = _likeliest(eye.see(scenes), eye.read([f"a {name} scene" for name in world.classes]))
        shares[split] = _share(said == truth, values=len(world.classes))
    return shares


def retrieval(eye: Eye, count: int) -> dict[str, Any]:
    """R@1 and R@5 between held-out arrangements and a caption of each.

    Two wordings: every property named (ground, sky or wall with it), and the six factors of the arrangement alone.
    """
    data = Arrangements("heldout", count=count)
    scenes = [data.scene(index) for index in range(count)]
    seen = eye.see(scenes)
    found: dict[str, Any] = {}
    for name, wording in (("every property named", ALL_NAMED), ("six factors named", FACTORS_NAMED)):
        texts = [
            varied_caption(scene, Dice(mix("captions to find", WORLD_VERSION, n)), wording)
            for n, scene in enumerate(scenes)
        ]
        likeness = seen @ eye.read(texts).T
        found[name] = {
            "image to text": recall(likeness, texts),
            "text to image": recall(likeness.T, texts),
            "example": texts[0],
        }
    chance = {f"R@{k}": round(min(1.0, k / count), 4) for k in _RANKS}
    return {**found, "chance": chance, "pictures": count}


def recall(likeness: Float[Tensor, "asked found"], texts: Sequence[str]) -> dict[str, float]:
    """R@k: the share of rows whose own column is among the k likeliest.

    Parameters
    ----------
    likeness:
        Square; what belongs together is on the diagonal. A tie counts against the right answer.
    texts:
        Captions; one that is word for word the right one is no wrong answer.
    """
    number = {text: n for n, text in enumerate(texts)}
    which = torch.tensor([number[text] for text in texts])
    wrong = which[:, None] != which[None]
    before = ((likeness >= likeness.diagonal()[:, None]) & wrong).sum(1)
    return {f"R@{k}": round(float((before < k).float().mean()), 4) for k in _RANKS}


def birds(eye: Eye, split: Split, count: int) -> dict[str, Any]:
    """Waterbird or landbird: accuracy, and that of each group (bird, ground)."""
    data = WorldBirds(split, count=count)
    groups = data.groups
    seen = eye.see([data.scene(index) for index in range(count)])
    said = _likeliest(seen, eye.read([f"a {name} scene" for name in groups.classes]))
    by_group = group_accuracy(
        said == groups.labels, groups.labels, groups.attribute, classes=groups.classes, values=groups.values
    )
    return {
        "accuracy": round(by_group.mean, 4),
        "worst_group": by_group.worst.name,
        "worst_group_accuracy": round(by_group.worst.accuracy, 4),
        "groups": {g.name: {"accuracy": round(g.accuracy, 4), "pictures": g.count} for g in by_group.groups},
    }


def _likeliest(seen: Float[Tensor, "image shared"], values: Float[Tensor, "value shared"]) -> Int[np.ndarray, " image"]:
    return (seen @ values.T).argmax(1).numpy()


def _share(right: Bool[np.ndarray, " image"], *, values: int) -> dict[str, float]:
    low, high = wilson(int(right.sum()), len(right))
    return {
        "accuracy": round(float(right.mean()), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "chance": round(1 / values, 4),
        "values": values,
    }


def _in_words(learned: Sequence[str], missed: Sequence[str]) -> str:
    rule = "the value shown is found among all values at least twice as often as by chance"
    said = f"Learned ({rule}): {', '.join(learned) or 'nothing'}."
    return f"{said} Not learned: {', '.join(missed) or 'none of the properties that captions name'}."
