"""Varied captions, arrangements and the families that the shipped CLIP is trained on."""

from __future__ import annotations

import re
from collections import Counter
from typing import get_args

import pytest

from microtome.core.errors import OptionError
from microtome.data.world.arranged import Arrangement, arrange, at_home, draw_arrangement, is_bird
from microtome.data.world.dataset import World
from microtome.data.world.dice import Dice, mix
from microtome.data.world.factors import FACTOR_VALUES, Factor
from microtome.data.world.families import FAMILY_SIZE, Member, family
from microtome.data.world.graph import SceneGraph
from microtome.data.world.objects import KINDS
from microtome.data.world.varied import LeftOut, Wording, caption_words, varied_caption
from microtome.models.clip_words import words_in

FACTORS: tuple[Factor, ...] = get_args(Factor)
MANY = 600
FAMILIES = 300
BOATS = Arrangement("boat", "red", "striped", 3, "water", "left")
ALWAYS = LeftOut(**dict.fromkeys(LeftOut.__dataclass_fields__, 0.0))
NEVER = LeftOut(**dict.fromkeys(LeftOut.__dataclass_fields__, 1.0))


def _captions(scene: SceneGraph, count: int, wording: Wording | None = None) -> list[str]:
    return [varied_caption(scene, Dice(mix("test", n)), wording) for n in range(count)]


def _boats() -> SceneGraph:
    return next(
        scene
        for scene in (arrange(BOATS, Dice(n)) for n in range(99))
        if all(thing.x < 0.34 for thing in scene.objects)
    )


@pytest.fixture(scope="module")
def families() -> list[tuple[Member, ...]]:
    world = World("train", count=1600)
    return [family(n, seed=0, scenes=world) for n in range(FAMILIES)]


def _factors(scene: SceneGraph) -> dict[Factor, str]:
    """What an arrangement shows, read off its scene."""
    first = scene.objects[0]
    middle = sum(thing.x for thing in scene.objects) / len(scene.objects)
    return {
        "color": first.color,
        "object": first.kind,
        "material": first.material,
        "count": str(len(scene.objects)),
        "surface": scene.background[1].surface,
        "side": "left" if middle < 0.35 else "right" if middle > 0.65 else "middle",
    }


def test_everything_or_nothing_is_said() -> None:
    scene = _boats()
    for text in _captions(scene, 20, Wording(ALWAYS)):
        assert {"three", "red", "striped", "boats", "water", "left", "sky"} <= set(words_in(text))
    for text in _captions(scene, 20, Wording(NEVER)):
        assert text.removeprefix("a picture of ").removeprefix("there is ").removeprefix("we see ") == "some things"


def test_each_property_is_left_out_as_often_as_stated() -> None:
    texts = [set(words_in(text)) for text in _captions(_boats(), MANY)]
    words = {"color": "red", "material": "striped", "object": "boats", "count": "three", "side": "left"}
    for property_, word in words.items():
        missing = sum(word not in text for text in texts) / MANY
        assert missing == pytest.approx(getattr(LeftOut(), property_), abs=0.06), property_
    assert sum(
        "on water" in text or re.search("on [a-z]+ water", text) is not None for text in _captions(_boats(), MANY)
    )


def test_what_is_certain_is_always_said() -> None:
    texts = _captions(_boats(), 100, Wording(NEVER, certain=frozenset(("side",))))
    assert all("left" in text for text in texts)
    assert not any("red" in text or "water" in text for text in texts)


def test_a_mirrored_picture_has_its_sides_swapped_and_nothing_else() -> None:
    scene = _boats()
    plain, mirrored = _captions(scene, 60), _captions(scene, 60, Wording(mirrored=True))
    assert any("left" in text for text in plain)
    assert [text.replace("left", "right") for text in plain] == mirrored
    middle = arrange(Arrangement("ball", "blue", "plain", 1, "sand", "middle"), Dice(1))
    assert _captions(middle, 30) == _captions(middle, 30, Wording(mirrored=True))


def test_captions_follow_no_template() -> None:
    """With every word of a property replaced by its property's name many sentences are left, none of them common."""
    slots = {word: factor for factor in ("color", "material", "surface", "side") for word in FACTOR_VALUES[factor]}
    slots |= dict.fromkeys(("one", "two", "three", "four"), "count")
    slots |= {word: "object" for kind in KINDS.values() for word in (kind.name, kind.plural)}
    skeletons: Counter[str] = Counter()
    for n in range(MANY):
        scene = arrange(draw_arrangement(Dice(n)), Dice(n))
        text = varied_caption(scene, Dice(mix("said", n)))
        skeletons[" ".join(slots.get(word, word) for word in words_in(text))] += 1
    assert len(skeletons) > MANY / 3
    assert skeletons.most_common(1)[0][1] < 0.05 * MANY


def test_every_word_is_in_the_vocabulary() -> None:
    known = set(caption_words())
    assert list(caption_words()) == sorted(known)
    world = World("heldout", count=160)
    for n in range(160):
        text = varied_caption(world.scene(n), Dice(n))
        assert set(words_in(text)) <= known
        assert text == text.lower()
        assert not text.endswith(".")


def test_scenes_name_their_class_and_up_to_two_groups() -> None:
    world = World("heldout", count=160)
    texts = [varied_caption(world.scene(n), Dice(n)) for n in range(160)]
    named = [f"a {world.scene(n).scene} scene" in text for n, text in enumerate(texts)]
    assert sum(named) / 160 == pytest.approx(1 - LeftOut().scene, abs=0.1)
    assert 0.2 < sum(" and " in text for text in texts) / 160 < 0.8


def test_families_differ_in_exactly_one_factor(families: list[tuple[Member, ...]]) -> None:
    checked: Counter[str] = Counter()
    for members in families:
        assert len(members) == FAMILY_SIZE
        varied = members[0].varied
        if varied is None or any(member.scene.objects[0].kind in ("gull", "robin") for member in members):
            continue
        values = [_factors(member.scene) for member in members[: len(FACTOR_VALUES[varied])]]
        assert len({one[varied] for one in values}) == len(values)
        for factor in FACTORS:
            if factor != varied:
                assert len({one[factor] for one in values}) == 1, (varied, factor)
        checked[varied] += 1
    assert set(checked) == set(FACTORS)


def test_a_quarter_of_the_families_are_scenes(families: list[tuple[Member, ...]]) -> None:
    scenes = [members for members in families if members[0].varied is None]
    assert len(scenes) / FAMILIES == pytest.approx(0.25, abs=0.07)
    assert all(member.scene.scene != "arrangement" for members in scenes for member in members)
    birds = [members for members in scenes if all(member.scene.scene.endswith("bird") for member in members)]
    assert len(birds) / len(scenes) == pytest.approx(0.5, abs=0.2)


def test_a_family_depends_on_its_number_and_seed_alone(families: list[tuple[Member, ...]]) -> None:
    world = World("train", count=1600)
    assert family(7, seed=0, scenes=world) == families[7]
    assert family(7, seed=1, scenes=world) != families[7]


def test_birds_keep_to_their_ground() -> None:
    drawn = [draw_arrangement(Dice(n)) for n in range(4000)]
    home = [one.surface == {"gull": "water", "robin": "grass"}[one.object] for one in drawn if is_bird(one)]
    assert len(home) > 300
    assert sum(home) / len(home) == pytest.approx(0.95, abs=0.04)
    others = Counter(one.surface for one in drawn if not is_bird(one))
    assert max(others.values()) < 1.4 * min(others.values())
    assert at_home(BOATS, Dice(0)) is BOATS


def test_one_factor_changes_alone() -> None:
    red = arrange(BOATS, Dice(5))
    blue = arrange(BOATS.with_value("color", "blue"), Dice(5))
    assert {thing.color for thing in blue.objects} == {"blue"}
    assert [(thing.x, thing.y, thing.size) for thing in red.objects] == [(t.x, t.y, t.size) for t in blue.objects]
    assert (red.background, red.light) == (blue.background, blue.light)
    fewer = BOATS.with_value("count", "2")
    assert fewer.count == 2
    assert fewer.value("count") == "2"
    assert len(arrange(fewer, Dice(5)).objects) == 2


def test_a_value_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(OptionError, match=r"no color 'beige'"):
        BOATS.with_value("color", "beige")
    with pytest.raises(OptionError, match=r"no count '5'"):
        BOATS.with_value("count", "5")
