"""Attacks in words: what texts put into scenes, who flips, the user's generator, and whole runs on a tiny model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from microtome.cli.decompose.app import app
from microtome.core.errors import MicrotomeError, ModelError, OptionError, RunError
from microtome.data.pools.base import pool_of
from microtome.data.world.dataset import World
from microtome.data.world.dice import Dice
from microtome.data.world.objects import KINDS
from microtome.data.world.render import render_full
from microtome.models.texts import text_directions
from microtome.recipes.adversary import find_adversary
from microtome.recipes.adversary_flips import Asked, flip_row, flips_of
from microtome.recipes.adversary_scenes import Shown, can_be_drawn, defining, plant, scenes_of, shown_by
from microtome.recipes.adversary_settings import AdversarySettings
from microtome.recipes.adversary_words import Search, find_words, prompt_text, prompts_of
from microtome.recipes.answering import Answering, answering
from microtome.recipes.decompose_neurons import decompose_neurons
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import PassSettings
from microtome.recipes.neuron_settings import NeuronSettings
from microtome.store.tables import DECOMPOSE
from tests.support.decompose_worlds import arrangements, small_pool, tiny_clip

SETTINGS = AdversarySettings(layer=0, neurons=20, words=4, together=2, prompts=4, scenes=12, draws=2, shown=3)
TABLES = ("adversary", "adversary_images", "adversary_words", "prompts")


def drawn(prompt: str, seed: int) -> np.ndarray:
    """An image generator: a scene of the class that the prompt opens with, and the things that it names."""
    first, *words = prompt.split(", ")
    name = first.removeprefix("a ").removesuffix(" scene")
    scene = scenes_of(name, 1, world=World("validation", count=16, seed=seed))[0]
    asked = [shown for shown in map(shown_by, words) if shown is not None]
    return render_full(plant(scene, asked, Dice(seed), barred=frozenset()), 32).pixels


def attack(out: Path, source: str = "beach", target: str = "desert", **changes: Any) -> Decomposition:
    """A run on the tiny model."""
    settings = replace(SETTINGS, **{key: changes.pop(key) for key in list(changes) if hasattr(SETTINGS, key)})
    changes.setdefault("data", arrangements(24))
    changes.setdefault("texts", small_pool(400))
    return find_adversary(tiny_clip(), source, target, out=out, settings=settings, **changes)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Decomposition:
    return attack(tmp_path_factory.mktemp("adversary") / "run")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("some red things", Shown(color="red")),
        ("a picture of two striped red boats", Shown(kind="boat", color="red", material="striped")),
        ("people", Shown(kind="person")),
        ("a thing on water", Shown(surface="water")),
        ("some things, under a purple sky", Shown(sky="purple")),
        ("we see some things on the left", Shown(side="left")),
        ("a thing with the numeral 5", Shown(numeral="5")),
        ("stone", None),
        ("three things", None),
        ("before a pink wall", None),
        ("a farm scene", None),
        ("the quick fox", None),
    ],
)
def test_what_a_text_asks_of_a_picture(text: str, shown: Shown | None):
    assert shown_by(text) == shown


@pytest.mark.parametrize(
    ("source", "target", "barred"),
    [
        ("village", "farm", {"fence"}), ("farm", "village", set()), ("lake", "marsh", {"reeds"}),
        ("marsh", "lake", {"boat"}), ("landbird", "waterbird", {"gull"}), ("desert", "beach", {"umbrella", "water"}),
    ],
)  # fmt: skip
def test_what_defines_a_class_is_read_off_its_scenes(source: str, target: str, barred: set[str]):
    assert defining(source, target) == barred


def test_the_shortcut_may_be_used_but_not_the_truth():
    assert can_be_drawn(Shown(kind="tractor"), "village", "farm")
    assert not can_be_drawn(Shown(kind="fence"), "village", "farm")
    assert not can_be_drawn(Shown(surface="water"), "desert", "beach")
    assert not can_be_drawn(Shown(sky="blue"), "room", "street")
    assert not can_be_drawn(None, "village", "farm")


@pytest.mark.parametrize("name", ["lake", "room", "waterbird", "highway"])
def test_planting_hides_nothing_of_the_scene(name: str):
    asked = [Shown(kind="house", color="red"), Shown(surface="snow"), Shown(sky="purple"), Shown(material="dotted")]
    for number, scene in enumerate(scenes_of(name, 4, world=World("heldout", count=64))):
        planted = plant(scene, asked, Dice(number), barred=frozenset())
        before, after = render_full(scene, 64), render_full(planted, 64)
        count = len(scene.objects)
        assert planted.objects[:count] == scene.objects
        assert len(planted.objects) == count + 3
        own = before.instances >= 0
        assert (after.instances[own] == before.instances[own]).all()
        assert (after.instances >= count).mean() > 0.02
        assert (planted.objects[count].kind, planted.objects[count].color) == ("house", "red")
        assert planted.objects[-1].material == "dotted"
        assert planted.background[-1].surface == "snow"
        assert planted.background[0].color == ("purple" if name != "room" else scene.background[0].color)


def test_plantings_of_the_same_dice_differ_by_their_texts_alone():
    scene = scenes_of("desert", 1, world=World("heldout", count=16))[0]
    one, other = (
        plant(scene, [Shown(color=color), Shown(side="left")], Dice(7), barred=frozenset()).objects[-2:]
        for color in ("red", "blue")
    )
    assert replace(one[0], color="blue") == other[0]
    assert one[1] == other[1]
    assert one[1].x < 0.36


def test_things_cover_alike_whatever_their_kind():
    # Kites hang half out of the picture.
    scene = replace(scenes_of("desert", 1, world=World("heldout", count=16))[0], objects=())
    plain = render_full(scene, 96)
    covered = {}
    for kind in set(KINDS) - {"kite"}:
        planted = render_full(plant(scene, [Shown(kind=kind)], Dice(3), barred=frozenset()), 96)
        covered[kind] = (planted.pixels != plain.pixels).any(axis=2).mean()
    assert min(covered.values()) > 0.03
    assert max(covered.values()) < 0.08


def search_of(directions: np.ndarray, pool: Any, classes: tuple[str, ...], **changes: Any) -> Search:
    model = tiny_clip()
    texts = text_directions(model.texts, pool.texts, spec="tiny").double().numpy()
    answers = answering(model, classes)
    assert answers is not None
    return Search(directions, np.ones(len(directions)), pool, texts, answers, replace(SETTINGS, **changes), None)


def test_words_of_a_pushing_neuron_are_found_and_those_of_the_class_left_out():
    pool = pool_of("p", [(text, "any") for text in (
        "a tractor", "tractors", "a gull", "a waterbird scene", "two things", "red", "blue", "a boat", "a car", "a vase"
    )])  # fmt: skip
    base = search_of(np.zeros((0, 16)), pool, ("landbird", "waterbird"), code=1, closeness=1.0)
    weights = {
        "a tractor": 3.0,
        "tractors": 2.5,
        "a gull": 3.2,
        "a waterbird scene": 3.4,
        "two things": 2.8,
        "red": 2.0,
    }
    # Each neuron's code is one text alone, and the classes are such that a text's push is its weight.
    push = np.linalg.pinv(base.texts) @ np.array([weights.get(text, -1.0) for text in pool.texts])
    answers = Answering(("landbird", "waterbird"), np.stack([-push / 2, push / 2]), cosine=True, how="a {} scene")
    search = replace(base, directions=base.texts, sizes=np.ones(len(pool)), answers=answers)
    words = find_words(search, 0, 1)
    by_text = {row["text"]: row for row in words.rows}
    assert words.dropped == 1, "the text that names the class"
    assert "a waterbird scene" not in by_text
    assert "tractors" not in by_text, "the same as a tractor"
    assert by_text["a tractor"]["score"] == pytest.approx(3.0)
    assert not by_text["a gull"]["used"]
    assert not by_text["two things"]["used"]
    assert words.skipped == 2
    assert words.used == ("a tractor", "red")
    scores = [row["score"] for row in words.rows]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0
    everything = {text for texts in words.others.values() for text in texts}
    assert not everything & {"a gull", "a waterbird scene", "two things"}


def test_texts_close_to_a_class_are_left_out():
    pool = pool_of("p", [(text, "any") for text in ("a tractor", "red", "blue", "a boat", "a car")])
    search = search_of(np.random.default_rng(0).normal(size=(30, 16)), pool, ("village", "farm"))
    assert find_words(replace(search, settings=replace(search.settings, closeness=0.0)), 0, 1).dropped > 0
    assert find_words(replace(search, settings=replace(search.settings, closeness=1.0)), 0, 1).dropped == 0


def test_prompts_are_the_best_combinations_and_lose_the_frames_of_texts():
    pool = pool_of("p", [(text, "any") for text in ("we see some red things", "a boat", "a picture of a car")])
    search = search_of(np.zeros((1, 16)), pool, ("village", "farm"), together=2, prompts=2)
    words = replace(find_words(search, 0, 1), used=pool.texts, scores=(3.0, 1.0, 2.0))
    prompts = prompts_of(search, words, 0)
    assert [prompt.text for prompt in prompts] == [
        "a photo of a village, some red things, a car", "a photo of a village, some red things, a boat"
    ] or [prompt.text for prompt in prompts] == [
        "a village scene, some red things, a car", "a village scene, some red things, a boat"
    ]  # fmt: skip
    assert [prompt.score for prompt in prompts] == [5.0, 4.0]
    assert prompt_text(search, 0, ()) in prompts[0].text


ANSWERS = Answering(("a", "b", "c"), np.eye(3), cosine=True, how="a {} scene")


def asked(*cases: tuple[str, ...]) -> Asked:
    """Cases by what is answered: before, after, controls; `B` is b in front of c, `b` is c in front of b."""
    vectors = {"a": [1, 0.1, 0], "B": [0, 1, 0.1], "b": [0, 0.5, 1], "c": [0.5, 0, 1]}
    outputs = np.array([[vectors[answer] for answer in case] for case in cases], np.float64)
    tile = np.zeros((8, 8, 3), np.uint8)
    n = len(cases)
    return Asked(("k",) * n, (("w",),) * n, outputs, np.zeros(outputs.shape[:2]), ((tile, tile),) * n)


def test_flips_are_counted_among_those_that_were_right():
    some = asked(("a", "B", "a", "B"), ("a", "a", "a", "a"), ("B", "B", "B", "B"), ("a", "b", "c", "a"))
    two = flips_of(some, ANSWERS, 0, 1, among_all=False)
    assert two.right.tolist() == [True, True, False, True]
    assert two.after.tolist() == [True, False, False, True]
    assert two.control.tolist() == [[False, True], [False, False], [False, False], [False, False]]
    every = flips_of(some, ANSWERS, 0, 1, among_all=True)
    assert every.after.tolist() == [True, False, False, False], "c is in front of b"
    assert every.lost.tolist() == [True, False, False, True]
    assert every.control_lost[3].tolist() == [True, False]


def test_rates_and_difference_are_of_the_right_ones():
    some = asked(("a", "B", "a", "B"), ("a", "a", "a", "a"), ("B", "B", "B", "B"), ("a", "b", "c", "a"))
    row = flip_row(some, flips_of(some, ANSWERS, 0, 1, among_all=False), seed=0)
    assert (row["scenes"], row["right_before"], row["flipped"], row["draws"]) == (4, 3, 2, 2)
    assert row["rate"] == pytest.approx(2 / 3)
    assert row["control"] == pytest.approx(0.5 / 3)
    assert row["difference"] == pytest.approx(0.5)
    assert row["low"] < row["rate"] < row["high"]


def test_an_attack_as_good_as_its_control_is_no_finding_and_a_better_one_is():
    same = asked(*[("a", "B", "B"), ("a", "a", "a")] * 20)
    row = flip_row(same, flips_of(same, ANSWERS, 0, 1, among_all=False), seed=0)
    assert row["difference"] == 0.0
    assert row["p"] == 1.0
    better = asked(*[("a", "B", "a"), ("a", "B", "a"), ("a", "a", "a")] * 10)
    row = flip_row(better, flips_of(better, ANSWERS, 0, 1, among_all=False), seed=0)
    assert row["difference_low"] > 0.3
    assert row["p"] < 0.01


def test_where_nothing_was_right_there_is_no_rate():
    none = asked(("B", "B", "B"))
    row = flip_row(none, flips_of(none, ANSWERS, 0, 1, among_all=False), seed=0)
    assert row["right_before"] == 0
    assert np.isnan(row["rate"])


def test_a_run_holds_its_tables(found: Decomposition):
    assert found.tables == TABLES
    for name in TABLES:
        assert found.table(name).column_names == [c.partition(":")[0] for c in DECOMPOSE[name].split()]
    rows = found.rows("adversary")
    assert [row["among"] for row in rows] == ["the two", "all classes"]
    assert all(row["scenes"] == 12 and row["how"] == "things" for row in rows)
    assert rows[0]["right_before"] >= rows[1]["right_before"]
    assert all(0 < row["changed"] < 0.9 for row in rows)
    used = [row["text"] for row in found.rows("adversary_words") if row["used"]]
    assert 2 <= len(used) <= 4
    prompts = found.rows("prompts")
    assert 1 <= len(prompts) <= 4
    assert all(set(row["words"]) <= set(used) for row in prompts)
    assert all("beach" in row["prompt"] for row in prompts)
    assert len(found.rows("adversary_images")) == 3
    assert (found.path / "images" / "adversary.jpg").is_file()
    assert found.manifest["kind"] == "decompose adversary"
    assert len(found.manifest["summary"]["sentences"]) >= 2


def test_the_same_run_again_gives_the_same_tables(found: Decomposition, tmp_path: Path):
    again = attack(tmp_path / "again")
    for name in TABLES:
        assert again.table(name).equals(found.table(name))


def test_directions_of_a_finished_run_of_neurons_give_the_same_words(found: Decomposition, tmp_path: Path):
    neurons = decompose_neurons(
        tiny_clip(), arrangements(24), texts=small_pool(), out=tmp_path / "neurons",
        settings=NeuronSettings(layer=0, listed=3, texts=4, shown_images=1),
    )  # fmt: skip
    taken = attack(tmp_path / "taken", run=neurons.path, scenes=3)
    texts = [[row["text"] for row in one.rows("adversary_words")] for one in (found, taken)]
    assert texts[0] == texts[1]
    assert taken.manifest["data"] == neurons.manifest["data"]


def test_a_run_of_something_else_or_of_another_model_is_refused(found: Decomposition, tmp_path: Path):
    with pytest.raises(RunError, match="holds no neurons"):
        attack(tmp_path / "a", run=found.path)
    neurons = decompose_neurons(
        tiny_clip(seed=1), arrangements(24), texts=small_pool(), out=tmp_path / "neurons",
        settings=NeuronSettings(layer=0, listed=3, texts=4, shown_images=1),
    )  # fmt: skip
    with pytest.raises(RunError, match="other weights"):
        attack(tmp_path / "b", run=neurons.path)
    assert not (tmp_path / "b.partial").exists()


def test_a_generator_of_the_users_is_asked_for_prompts_and_controls(tmp_path: Path):
    calls: list[tuple[str, int]] = []

    def noting(prompt: str, seed: int) -> np.ndarray:
        calls.append((prompt, seed))
        return drawn(prompt, seed)

    run = attack(tmp_path / "run", generator=noting, scenes=4, images=PassSettings(seed=3), template="a {} scene")
    assert len(calls) == 4 * (2 + 2)
    assert [call for call in calls if "," not in call[0]] == [("a beach scene", seed) for seed in range(3, 7)]
    prompts = {row["prompt"] for row in run.rows("prompts")}
    assert {prompt for prompt, _ in calls[1::4]} <= prompts
    row = run.rows("adversary")[0]
    assert (row["how"], row["scenes"], row["changed"]) == ("generator", 4, None)


def test_a_generator_takes_classes_that_the_world_does_not_know(tmp_path: Path):
    run = attack(
        tmp_path / "run", "car", "boat", generator=lambda prompt, seed: Image.new("L", (40, 30), seed), scenes=3
    )
    assert [row["among"] for row in run.rows("adversary")] == ["the two"]


def test_a_failing_generator_leaves_nothing_behind(tmp_path: Path):
    with pytest.raises(ModelError, match="out of luck"):
        attack(tmp_path / "run", generator=_unlucky)
    assert list(tmp_path.iterdir()) == []


def _unlucky(prompt: str, seed: int) -> np.ndarray:
    raise RuntimeError("out of luck")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "beach", "target": "beach"}, "two different"), ({"source": "", "target": "farm"}, "two different"),
        ({"source": "beach", "target": "dessert"}, "no scene class 'dessert'"),
        ({"source": "beach", "target": "farm", "classes": ("beach", "lake")}, "'farm' is not among"),
        ({"draws": 0}, "draws is 0"), ({"closeness": 1.5}, "closeness is 1.5"), ({"words": 41}, "words is 41"),
        ({"prompt": "no place"}, "no place for the words"), ({"layer": 1}, "no attention after"),
        ({"method": "magic"}, "no code 'magic'"), ({"data": arrangements(5)}, "too few"),
        ({"template": "scene"}, "no place for the class"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(tmp_path: Path, changes: dict[str, Any], message: str):
    with pytest.raises(OptionError, match=message):
        attack(tmp_path / "run", **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_texts_is_refused(tmp_path: Path):
    with pytest.raises(MicrotomeError, match="no text side"):
        find_adversary(
            replace(tiny_clip(), texts=None), "beach", "farm", data=arrangements(24), texts=small_pool(),
            out=tmp_path / "run", settings=SETTINGS,
        )  # fmt: skip


def test_where_no_word_can_be_used_nothing_is_tried(tmp_path: Path):
    pool = pool_of("p", [(f"{count} things", "count") for count in ("two", "three", "four", "five")])
    run = attack(tmp_path / "run", texts=pool)
    assert run.rows("adversary") == []
    assert "nothing was tried" in run.manifest["summary"]["sentences"][-1]


def test_all_pairs_are_ranked_by_what_words_do_beyond_random_ones(tmp_path: Path):
    run = attack(tmp_path / "run", all_pairs=True, classes=("beach", "desert", "room"), scenes=3, draws=1)
    rows = [row for row in run.rows("adversary") if row["among"] == "the two"]
    assert len(rows) + sum("no word" in s for s in run.manifest["summary"]["sentences"]) >= 6
    known = [row["difference"] for row in rows if row["difference"] is not None]
    assert known == sorted(known, reverse=True)
    assert len(run.rows("adversary_images")) <= 6


def test_bad_classes_on_the_command_line_are_an_error(tmp_path: Path):
    result = CliRunner().invoke(
        app, ["adversary", "--from", "beach", "--out", str(tmp_path / "x"), "--data", "arranged@24"]
    )
    assert isinstance(result.exception, OptionError)
