"""Heads that tell a nuisance or a property: planted ones are found, what they do is measured, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from microtome.core.errors import DataError, MicrotomeError
from microtome.data.attributes import Attribute
from microtome.data.folders import ImageFolder
from microtome.data.groups import WorldBirds
from microtome.data.world.arrangements import Arrangements
from microtome.models.towers.base import Tower
from microtome.models.towers.find import tower_of
from microtome.recipes.answering import Answering
from microtome.recipes.debias import debias
from microtome.recipes.debias_heads import Grouping, choose_heads, random_sets, right_without
from microtome.recipes.debias_settings import DebiasSettings
from microtome.recipes.direct_pass import heldout_half, matrices_of
from microtome.recipes.head_choice import occurring
from microtome.recipes.retrieve import retrieve
from microtome.recipes.retrieve_heads import Halves, choose_for, measure
from microtome.recipes.retrieve_settings import RetrieveSettings
from microtome.record.blocks import BlockCache
from microtome.record.stream import BLOCK, StreamPass
from microtome.verify.group_change import group_change, group_shares
from microtome.verify.retrieval import chance_of, mean_over_queries, nearest_images, precision_at
from tests.unit.test_recipes_ablate import model

COUNT = 640


def planted(folder: Path, terms: np.ndarray, labels: np.ndarray) -> tuple[StreamPass, Tower]:
    """A pass whose heads write these terms [image, layer, head, d_out]; the output is their sum."""
    made = model()
    tower = tower_of(made)
    small = [np.linalg.pinv(matrices_of(tower, layer)) for layer in range(2)]
    heads = np.stack([np.einsum("hso,iho->ihs", small[n], terms[:, n]) for n in range(2)], axis=1)
    cache = BlockCache(folder)
    for block in range(COUNT // BLOCK):
        rows = slice(block * BLOCK, (block + 1) * BLOCK)
        arrays = {
            "index": np.arange(COUNT)[rows], "label": labels[rows], "heads": heads[rows].astype(np.float32),
            "output": terms[rows].sum(axis=(1, 2)).astype(np.float32), "problems": np.zeros(0, np.uint8),
        }  # fmt: skip
        cache.write("stream", block, arrays)
    return StreamPass(made, WorldBirds("heldout", count=COUNT), lambda x: {}, folder=folder), tower


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.05, size=(COUNT, 2, 2, 8))


@pytest.fixture
def birds(tmp_path: Path) -> tuple[Grouping, Tower, Answering]:
    """Head 1.0 tells the ground and pulls the answer with it, head 0.1 tells the class, a little less loudly."""
    generator = np.random.default_rng(1)
    label = generator.integers(0, 2, COUNT)
    ground = np.where(generator.random(COUNT) < 0.95, label, 1 - label)
    terms = noise()
    terms[:, 1, 0, 0] += 2.0 * ground - 1.0
    terms[:, 0, 1, 0] += 0.8 * (2.0 * label - 1.0)
    terms[:, 0, 1, 1] += 0.8 * (2.0 * label - 1.0)
    stream, tower = planted(tmp_path / "cache", terms, label)
    directions = np.zeros((2, 8))
    directions[:, 0] = [-1.0, 1.0]
    answers = Answering(("landbird", "waterbird"), directions, cosine=True, how="planted")
    of = {"class": label, "place": ground}
    attributes = (Attribute(name, ("a", "b"), values) for name, values in of.items())
    return Grouping(stream, *attributes), tower, answers


def test_the_planted_head_is_chosen_alone_and_the_worst_group_is_saved(
    birds: tuple[Grouping, Tower, Answering],
) -> None:
    grouping, tower, answers = birds
    held = heldout_half(COUNT, 0)
    choice, means = choose_heads(grouping, tower, answers, ~held, most=4, top=None, seed=0)
    assert choice.heads == ((1, 0),)
    assert choice.order[0] == (1, 0)
    assert choice.order[-1] == (0, 1)
    assert choice.shares.attribute[2] > 0.9
    assert choice.shares.label[1] > 0.9
    assert abs(choice.shares.label[2]) < 0.05, "the class goes with the ground, and is not credited with its head"
    assert choice.worst_by_count[0] < 0.1 < 0.9 < choice.worst_by_count[1]
    draws = random_sets(2, 2, 1, 19, 0)
    right = right_without(grouping, tower, answers, held, means, [(), choice.heads, *draws])
    worst = group_shares(right, grouping.group[held]).min(axis=1)
    assert worst[0] < 0.1
    assert worst[1] > 0.9
    others = [share for share, heads in zip(worst[2:], draws, strict=True) if heads != ((1, 0),)]
    assert max(others) < 0.1, "any other head does nothing of the kind"


def test_where_no_head_helps_none_is_chosen(birds: tuple[Grouping, Tower, Answering]) -> None:
    grouping, tower, answers = birds
    blind = Answering(answers.classes, np.eye(8)[[1, 1]] * np.array([[-1.0], [1.0]]), cosine=True, how="the class")
    choice, _ = choose_heads(grouping, tower, blind, np.ones(COUNT, bool), most=4, top=None, seed=0)
    assert choice.heads == ()
    assert choice.worst_by_count[0] == 1.0


def test_removing_heads_is_what_removing_their_terms_would_be(birds: tuple[Grouping, Tower, Answering]) -> None:
    grouping, tower, _ = birds
    generator = np.random.default_rng(4)
    answers = Answering(("a", "b"), generator.normal(size=(2, 8)), cosine=False, how="any")
    used = np.ones(COUNT, bool)
    _, means = choose_heads(grouping, tower, answers, used, most=1, top=1, seed=0)
    heads = np.concatenate([block.arrays["heads"] for block in grouping.stream.take(["heads"])]).astype(float)
    outputs = grouping.stream.whole("output").astype(float)
    for layer, head in ((1, 0), (0, 1)):
        terms = heads[:, layer, head] @ matrices_of(tower, layer)[head].T
        cells = [terms[grouping.group == number].mean(0) for number in range(4)]
        expected = answers.right(outputs - terms + np.mean(cells, axis=0), grouping.label.of)
        found = right_without(grouping, tower, answers, used, means, [[(layer, head)]])[0]
        assert np.array_equal(found, expected)
        assert not np.array_equal(found, answers.right(outputs, grouping.label.of))


def test_debias_writes_groups_heads_and_control(tmp_path: Path) -> None:
    settings = DebiasSettings(heads=((1, 0),), control_draws=19)
    found = debias(model(), WorldBirds("heldout", count=200), out=tmp_path / "a", settings=settings)
    groups, summary = found.rows("groups"), found.manifest["summary"]
    assert {row["state"] for row in groups} == {"before", "after"}
    assert {row["group"] for row in groups} == {
        "landbird, grass", "landbird, water", "waterbird, grass", "waterbird, water", "all",
    }  # fmt: skip
    before = [row for row in groups if row["state"] == "before" and row["group"] != "all"]
    assert min(row["images"] for row in before) > 15, "the test set is the split in which the ground says nothing"
    assert summary["worst_before"] == min(row["accuracy"] for row in before)
    low, high = summary["worst_difference_interval"]
    assert low <= summary["worst_difference"] <= high
    assert [(row["layer"], row["head"]) for row in found.rows("chosen") if row["chosen"]] == [(1, 0)]
    assert len(found.rows("chosen")) == 4
    assert len(found.rows("control")) == 19
    assert not (found.path / "cache").exists()


def test_any_two_properties_make_groups_and_half_is_held_out(tmp_path: Path) -> None:
    settings = DebiasSettings(by="side", nuisance="count", top=1, control_draws=19)
    found = debias(model(), Arrangements("shift", count=160), out=tmp_path / "a", settings=settings)
    assert found.manifest["summary"]["test"]["own"]
    assert sum(row["images"] for row in found.rows("groups") if row["state"] == "after") == 2 * 80
    assert sum(row["chosen"] for row in found.rows("chosen")) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (DebiasSettings(by="count"), "No nuisance"),
        (DebiasSettings(by="count", nuisance="count"), "is the nuisance"),
        (DebiasSettings(by="object", nuisance="surface"), "fewer than 2 images"),
        (DebiasSettings(by="count", nuisance="side", label="surface"), "given alone"),
        (DebiasSettings(by="count", nuisance="side", top=9), "setting top"),
        (DebiasSettings(by="count", nuisance="side", label="surface", run="/nowhere/at/all"), "is no run"),
        (DebiasSettings(by="count", nuisance="side", control_draws=3), "control_draws"),
    ],
)
def test_what_makes_no_groups_is_refused_and_leaves_nothing(
    settings: DebiasSettings, words: str, tmp_path: Path
) -> None:
    with pytest.raises(MicrotomeError, match=words):
        debias(model(), Arrangements("heldout", count=60), out=tmp_path / "a", settings=settings)
    assert not list(tmp_path.iterdir())


def test_a_test_set_with_other_classes_is_refused(tmp_path: Path) -> None:
    other = Arrangements("heldout", count=60)
    with pytest.raises(MicrotomeError, match="--by is 'class'"):
        debias(model(), WorldBirds("heldout", count=100), test=other, out=tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_the_change_of_the_worst_group_has_an_interval_that_holds_it() -> None:
    group = np.repeat([0, 1, 2], 200)
    generator = np.random.default_rng(0)
    before = generator.random(600) < np.repeat([0.9, 0.5, 0.7], 200)
    after = before | (generator.random(600) < np.repeat([0.0, 0.4, 0.0], 200))
    found = group_change(before, after, group, seed=0)
    exact = group_shares(after, group).min() - group_shares(before, group).min()
    assert found.worst.mean == pytest.approx(exact)
    assert 0.05 < found.worst.low < exact < found.worst.high < 0.35
    nothing = group_change(before, before, group, seed=0)
    assert (nothing.worst.mean, nothing.worst.low, nothing.mean.high) == (0.0, 0.0, 0.0)


def test_the_nearest_are_those_of_a_loop() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 5))
    x[7] = x[9] = x[11]
    values = generator.integers(0, 3, 300)
    queries = generator.permutation(300)[:270]
    found = nearest_images(x, queries, k=6)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    for row, query in zip(found, queries, strict=True):
        order = sorted((n for n in range(300) if n != query), key=lambda n: (-float(unit[n] @ unit[query]), n))
        assert np.allclose(unit[row] @ unit[query], unit[order[:6]] @ unit[query])
        assert query not in row
    expected = np.mean([[values[n] == values[q] for n in row] for row, q in zip(found, queries, strict=True)], axis=1)
    assert np.allclose(precision_at(x, values, queries, k=6), expected)
    pairs = [values[n] == values[q] for q in queries for n in range(300) if n != q]
    assert chance_of(values, queries) == pytest.approx(np.mean(pairs))
    one = mean_over_queries(expected, seed=0)
    assert one.low < one.mean < one.high
    with pytest.raises(DataError, match="5 images"):
        nearest_images(x[:5], np.array([0]), k=5)


def test_the_heads_of_a_property_are_found_and_beat_the_whole(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    color, other = generator.integers(0, 4, COUNT), generator.integers(0, 9, COUNT)
    terms = noise()
    terms[:, 0, 0, :4] += 0.35 * np.eye(4)[color]
    terms[:, 1, 1, :8] += 3.0 * np.eye(9)[other][:, :8]
    stream, tower = planted(tmp_path / "cache", terms, np.full(COUNT, -1))
    halves = Halves(stream, tower, heldout_half(COUNT, 0), RetrieveSettings(candidates=4, queries=100))
    attribute = Attribute("color", ("a", "b", "c", "d"), color)
    heads = choose_for(halves, attribute)
    assert heads[0] == (0, 0)
    assert (1, 1) not in heads
    found, shown = measure(halves, attribute, heads)
    assert found.precision.mean > 0.9 > 0.7 > found.full.mean
    assert found.difference.low > 0.2
    assert found.chance == pytest.approx(0.25, abs=0.03)
    assert halves.heldout[shown.by["heads"]].all()
    assert (color[shown.by["heads"]] == color[shown.queries][:, None]).all()
    wrong, _ = measure(halves, attribute, [(1, 1)])
    assert wrong.precision.mean < 0.4
    assert wrong.difference.high < 0


def test_values_seen_once_are_left_out() -> None:
    values = np.array([0, 0, 5, 2, 2, 2, -1, 5, 7])
    used = np.array([True] * 7 + [False] * 2)
    assert occurring(values, used).tolist() == [0, 0, -1, 1, 1, 1, -1, -1, -1]


def test_retrieve_writes_precision_and_pictures_and_takes_a_file(tmp_path: Path) -> None:
    data = Arrangements("heldout", count=80)
    Image.fromarray(data.read(3).pixels).save(tmp_path / "mine.png")
    settings = RetrieveSettings(
        properties=("count", "side"), queries=20, candidates=3, k=5, query=str(tmp_path / "mine.png")
    )  # fmt: skip
    found = retrieve(model(), data, out=tmp_path / "a", settings=settings)
    rows, pictures = found.rows("retrieval"), found.rows("retrieval_examples")
    assert [row["property"] for row in rows] == ["count", "side"]
    assert all(row["low"] <= row["precision"] <= row["high"] and row["queries"] == 20 for row in rows)
    mine = [row for row in pictures if row["query"] == "mine.png"]
    for how in ("heads", "full"):
        first = [row for row in mine if (row["how"], row["place"]) == (how, 1)]
        assert [row["image"] for row in first] == [data.key(3)] * 2, "the picture itself is in the data"
    own = [row for row in pictures if row["query"] != "mine.png" and row["how"] == "heads"]
    assert len(own) == 2 * 3 * 5
    assert all(row["same"] is not None for row in own)
    sheets = {row["sprite"] for row in pictures}
    assert len(sheets) == 2
    assert all((found.path / sheet).exists() for sheet in sheets)


def test_plain_pictures_need_heads_and_a_query(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    for number in range(41):
        Image.fromarray(Arrangements("heldout", count=41).read(number).pixels).save(folder / f"{number:02d}.png")
    with pytest.raises(MicrotomeError, match="Nothing is known"):
        retrieve(model(), ImageFolder(folder), out=tmp_path / "a")
    settings = RetrieveSettings(heads=((0, 1),), query=str(folder / "05.png"))
    found = retrieve(model(), ImageFolder(folder), out=tmp_path / "a", settings=settings)
    first = [row for row in found.rows("retrieval_examples") if (row["how"], row["place"]) == ("heads", 1)]
    assert first[0]["image"].endswith("05.png")
    assert first[0]["property"] == ""
    assert not found.rows("retrieval")
    for bad, words in ((RetrieveSettings(k=0), "setting k"), (RetrieveSettings(query="no.png", heads=((0, 0),)), "no")):
        with pytest.raises(MicrotomeError, match=words):
            retrieve(model(), ImageFolder(folder), out=tmp_path / "b", settings=bad)
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "b.partial").exists()
