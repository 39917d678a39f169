"""Words against a class, prompts of them, and pictures that contain them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from microtome.data.pools.base import TextPool
from microtome.data.world.dataset import World
from microtome.data.world.dice import Dice, mix
from microtome.data.world.render import render
from microtome.methods.decompose.adversarial_words import closeness, pushing_neurons, word_scores
from microtome.recipes.adversary_flips import Case
from microtome.recipes.adversary_generator import Generate, generate
from microtome.recipes.adversary_scenes import Shown, can_be_drawn, defining, plant, scenes_of, shown_by
from microtome.recipes.adversary_settings import AdversarySettings
from microtome.recipes.answering import Answering
from microtome.recipes.neuron_names import code_neurons

_FRAMES = ("a picture of ", "there is ", "we see ")
"""Openings of texts that a prompt has no use for."""
_LISTED = 4
"""At most so many words are listed for each that is used."""

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Search:
    """What words are searched with.

    Attributes
    ----------
    directions:
        [neuron, d_out] of a layer's neurons.
    sizes:
        Spread of each neuron's effect along its direction, over images.
    pool, texts:
        The texts, and their directions [text, d_out].
    answers:
        The classes.
    settings:
        How.
    generate:
        The user's image generator; None: things are put into scenes of the planted world.
    """

    directions: Float[np.ndarray, "neuron d_out"]
    sizes: Float[np.ndarray, " neuron"]
    pool: TextPool
    texts: Float[np.ndarray, "text d_out"]
    answers: Answering
    settings: AdversarySettings
    generate: Generate | None

    def name(self, klass: int) -> str:
        """Name of a class."""
        return self.answers.classes[klass]


@dataclass(frozen=True, eq=False)
class Words:
    """Words that push a model from one class to another.

    Attributes
    ----------
    rows:
        Of the table `adversary_words`, best first.
    used:
        The texts that pictures are made of, by score.
    scores:
        Their scores.
    others:
        Texts that a random word is drawn from, by what they speak of (`kind_of`).
    skipped:
        How many words of higher score than the last one used cannot be put into pictures.
    dropped:
        How many texts of the pool are close to a class or name it.
    """

    rows: list[Row]
    used: tuple[str, ...]
    scores: tuple[float, ...]
    others: dict[object, tuple[str, ...]]
    skipped: int
    dropped: int


@dataclass(frozen=True)
class Prompt:
    """A picture in words."""

    text: str
    words: tuple[str, ...]
    score: float


def find_words(search: Search, source: int, target: int) -> Words:
    """Words that push the answer from class `source` to class `target`, by score."""
    settings, classes = search.settings, search.answers.directions
    sizes = search.sizes if settings.weighted else None
    chosen, along = pushing_neurons(search.directions, classes[source], classes[target], settings.neurons, sizes)
    codes = code_neurons(search.directions[chosen], search.texts, settings.code, settings.method)
    found = word_scores(codes, along, len(search.pool))
    near = [closeness(search.texts, classes[klass]) for klass in (source, target)]
    dropped = (np.maximum(*near) > settings.closeness) | _naming(search.pool, search.name(source), search.name(target))
    rows: list[Row] = []
    used: list[int] = []
    said: set[object] = set()
    for text in np.argsort(-found.scores, kind="stable").tolist():
        enough = len(used) == settings.words or len(rows) == _LISTED * settings.words
        if enough or found.scores[text] <= 0:
            break
        meaning = _meaning(search, text)
        if dropped[text] or meaning in said:
            continue
        said.add(meaning)
        usable = _usable(search, text, source, target)
        used += [text] if usable else []
        rows.append({
            "from_class": search.name(source), "to_class": search.name(target), "rank": len(rows),
            "text": search.pool.texts[text], "property": search.pool.properties[text] or None,
            "score": float(found.scores[text]), "neurons": int(found.neurons[text]),
            "cosine_from": float(near[0][text]), "cosine_to": float(near[1][text]), "used": usable,
        })  # fmt: skip
    texts = search.pool.texts
    return Words(
        rows, tuple(texts[n] for n in used), tuple(float(found.scores[n]) for n in used),
        _others(search, dropped, source, target), len(rows) - len(used), int(dropped.sum()),
    )  # fmt: skip


def _naming(pool: TextPool, *names: str) -> Bool[np.ndarray, " text"]:
    """Texts that hold the name of a class, also in the plural."""
    pattern = re.compile("|".join(rf"\b{re.escape(name)}(?:s|es)?\b" for name in names), re.IGNORECASE)
    return np.array([pattern.search(text) is not None for text in pool.texts])


def _meaning(search: Search, text: int) -> object:
    """What a text comes down to: two that draw the same are one word."""
    shown = shown_by(search.pool.texts[text]) if search.generate is None else None
    return search.pool.texts[text] if shown is None else shown


def _usable(search: Search, text: int, source: int, target: int) -> bool:
    if search.generate is not None:
        return True
    return can_be_drawn(shown_by(search.pool.texts[text]), search.name(source), search.name(target))


def _others(
    search: Search, dropped: Bool[np.ndarray, " text"], source: int, target: int
) -> dict[object, tuple[str, ...]]:
    found: dict[object, list[str]] = {}
    for text in np.flatnonzero(~dropped).tolist():
        if _usable(search, text, source, target):
            found.setdefault(kind_of(search, search.pool.texts[text]), []).append(search.pool.texts[text])
    return {kind: tuple(texts) for kind, texts in found.items()}


def kind_of(search: Search, text: str) -> object:
    """What a text speaks of: a random word in its place speaks of the same."""
    if search.generate is None:
        shown = shown_by(text)
        return None if shown is None else shown.says
    return search.pool.properties[search.pool.texts.index(text)]


def prompts_of(search: Search, words: Words, source: int) -> list[Prompt]:
    """The best combinations of words, by the sum of their scores."""
    together = min(search.settings.together, len(words.used))
    if not together:
        return []
    score = dict(zip(words.used, words.scores, strict=True))
    sets = sorted(combinations(words.used, together), key=lambda some: -sum(score[word] for word in some))
    return [
        Prompt(prompt_text(search, source, some), some, sum(score[word] for word in some))
        for some in islice(sets, search.settings.prompts)
    ]


def prompt_text(search: Search, source: int, words: tuple[str, ...]) -> str:
    """A prompt for a picture of a class with some words; without words the class's text alone."""
    template = (search.settings.template or search.answers.how).partition("|")[0].strip()
    scene = template.replace("{}", search.name(source)).rstrip(". ")
    if not words:
        return scene
    listed = ", ".join(_bare(word) for word in words)
    return search.settings.prompt.replace("{scene}", scene).replace("{words}", listed)


def _bare(text: str) -> str:
    for frame in _FRAMES:
        text = text.removeprefix(frame)
    return text


def cases_of(
    search: Search, words: Words, prompts: list[Prompt], source: int, target: int, size: int
) -> Iterator[Case]:
    """Pictures of a class before, with the words of a prompt, and with random words; prompts are taken in turn."""
    if search.generate is None:
        return _scenes(search, words, prompts, source, target, size)
    return _generated(search, words, prompts, source, search.generate)


def _scenes(search: Search, words: Words, prompts: list[Prompt], source: int, target: int, size: int) -> Iterator[Case]:
    settings, seed = search.settings, search.settings.images.seed
    world = World("heldout", count=16 * settings.scenes, size=size)
    barred = defining(search.name(source), search.name(target))
    for number, scene in enumerate(scenes_of(search.name(source), settings.scenes, world=world)):
        dice, own = Dice(mix("adversary", seed, number)), prompts[number % len(prompts)].words
        sets = [own, *_random_words(search, words, own, number)]
        drawn = [plant(scene, [_shown(word) for word in some], dice, barred=barred) for some in sets]
        pictures = tuple(render(one, size)[0] for one in (scene, *drawn))
        yield Case(f"{search.name(source)}-{number:05d}", own, pictures)


def _generated(search: Search, words: Words, prompts: list[Prompt], source: int, function: Generate) -> Iterator[Case]:
    seed = search.settings.images.seed
    for number in range(search.settings.scenes):
        own = prompts[number % len(prompts)].words
        sets = [(), own, *_random_words(search, words, own, number)]
        pictures = tuple(generate(function, prompt_text(search, source, some), seed + number) for some in sets)
        yield Case(f"{search.name(source)}-{number:05d}", own, pictures)


def _random_words(search: Search, words: Words, own: tuple[str, ...], number: int) -> list[tuple[str, ...]]:
    generator = np.random.default_rng([search.settings.images.seed, 43, number])
    pools = [words.others[kind_of(search, word)] for word in own]
    return [tuple(pool[int(generator.integers(len(pool)))] for pool in pools) for _ in range(search.settings.draws)]


def _shown(word: str) -> Shown:
    shown = shown_by(word)
    assert shown is not None, "only words that can be drawn are used"
    return shown
