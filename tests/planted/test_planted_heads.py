"""On the shipped CLIP, whose answers are known: heads of each property are found, named, proved and put to use."""

from __future__ import annotations

from pathlib import Path

import pytest

from microtome.models.clip_file import clip_card
from microtome.recipes.debias import debias
from microtome.recipes.decompose_heads import decompose_heads
from microtome.recipes.decompose_settings import HeadSettings
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.retrieve import retrieve

LEARNED = clip_card().learned
CERTAIN = tuple(name for name in LEARNED if name != "count")
"""For count the heads beat the whole embedding by a point or two, which takes thousands of images to see."""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Decomposition:
    settings = HeadSettings(texts=10, pairs=60, shown_texts=1, shown_images=1)
    out = tmp_path_factory.mktemp("planted") / "heads"
    return decompose_heads(data="arranged@800", texts="world", out=out, settings=settings)


def test_what_was_learned_includes_what_must_be() -> None:
    assert {"color", "material", "surface"} <= set(LEARNED)


@pytest.mark.parametrize("name", LEARNED)
def test_heads_of_a_property_are_named_and_carry_its_change(named: Decomposition, name: str) -> None:
    row = next(row for row in named.rows("properties") if row["property"] == name)
    assert 1 <= len(row["heads"]) <= 4
    assert row["named"]
    assert row["text_share"] > row["text_expected"]
    assert row["ratio_low"] > 1.5, "changing it alone must move these heads far more than median heads"


def test_surface_and_colour_have_heads_of_their_own(named: Decomposition) -> None:
    rows = {row["property"]: set(row["heads"]) for row in named.rows("properties")}
    assert not rows["surface"] & rows["color"]


def test_most_heads_are_explained_better_than_by_turned_texts(named: Decomposition) -> None:
    summary = named.manifest["summary"]
    assert summary["above_chance"] >= 0.9 * summary["heads"]
    assert summary["labelled"] >= 8


def test_heads_find_images_alike_in_a_property_better_than_the_embedding(tmp_path: Path) -> None:
    found = retrieve(data="arranged@1400", out=tmp_path / "retrieve")
    rows = {row["property"]: row for row in found.rows("retrieval")}
    for name in CERTAIN:
        assert rows[name]["difference_low"] > 0, name
    assert rows["count"]["difference_high"] > 0
    assert all(row["precision"] > row["chance"] for row in rows.values())


def test_without_the_heads_of_the_ground_the_worst_group_is_answered_better(tmp_path: Path) -> None:
    found = debias(data="birds@800", test="birds:shift@800", out=tmp_path / "debias")
    worst = {
        state: min(row["accuracy"] for row in found.rows("groups") if row["state"] == state and row["group"] != "all")
        for state in ("before", "after")
    }
    assert worst["before"] < 0.2
    assert worst["after"] > worst["before"] + 0.1
    assert max(row["worst"] for row in found.rows("control")) < worst["after"]
