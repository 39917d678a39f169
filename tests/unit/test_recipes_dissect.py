"""What a whole dissection must get right beyond its parts: void, two data sets, classes, accuracy, ranges, grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import microtome
from microtome.core.concept import Concept
from microtome.core.errors import DataError, OptionError
from microtome.data.base import LabelledImage
from microtome.record.items import beside, halve
from microtome.verify.chance import ChanceDraws, ChanceSettings
from tests.support.listed import Listed, random_images, small_model


def run(out: Path, data: Listed, **settings: object) -> microtome.Dissection:
    """A dissection of the small model's last map."""
    heldout = settings.pop("heldout", None)
    model = small_model()
    chosen = microtome.DissectSettings(permutations=20, **settings)  # type: ignore[arg-type]
    return microtome.dissect(model, model.default_site().layer, data, out=out, heldout=heldout, settings=chosen)  # type: ignore[arg-type]


def test_void_images_do_not_bend_the_auroc_null(tmp_path: Path) -> None:
    """Labels that have nothing to do with the pixels, every fourth image void: chance is one half."""
    generator = np.random.default_rng(0)
    images = []
    for i in range(120):
        pixels = generator.integers(0, 256, (16, 16, 3)).astype(np.uint8)
        planes = np.full((1, 16, 16), 1 + generator.integers(3), np.int32)
        images.append(LabelledImage(str(i), pixels, planes, void=np.full((16, 16), i % 4 == 0)))
    concepts = tuple(Concept(name, "object") for name in "abc")
    data = Listed(images, concepts)
    result = run(tmp_path / "run", data, metric="auroc", method="netdissect", elements="image")
    draws = np.array(result.table("chance").column("iou_heldout").to_pylist())
    assert abs(draws.mean() - 0.5) < 0.03


def test_a_pairing_keeps_to_its_half_and_to_annotated_images() -> None:
    heldout = np.arange(12) >= 6
    annotated = np.arange(12) % 3 > 0
    settings = ChanceSettings(permutations=8)
    draws = ChanceDraws(settings, heldout=heldout, annotated=annotated, slots=3, grid=(4, 4))
    seen: list[np.ndarray] = []

    def counts_of(*, pairing: np.ndarray | None = None, shifts: np.ndarray | None = None) -> object:
        if pairing is not None:
            seen.append(pairing)
        return None

    draws.run(0, counts_of, search=lambda _: np.zeros(2), routes=2, spatial=False)  # type: ignore[arg-type]
    assert len(seen) == 8
    for pairing in seen:
        assert np.array_equal(heldout[pairing], heldout)
        assert np.array_equal(annotated[pairing], annotated)
        assert np.array_equal(pairing[~annotated], np.flatnonzero(~annotated))
        assert sorted(pairing) == list(range(12))


@pytest.mark.parametrize("slots", [1, 500, 5000])
def test_every_slot_gets_ten_draws_of_its_own(slots: int) -> None:
    heldout, annotated = np.arange(8) >= 4, np.ones(8, bool)
    draws = ChanceDraws(ChanceSettings(40), heldout=heldout, annotated=annotated, slots=slots, grid=(1, 1))
    for slot in (0, slots - 1):
        null = draws.run(slot, lambda **_: None, search=lambda _: np.zeros(2), routes=2, spatial=False)  # type: ignore[arg-type,return-value]
        assert len(null.repaired) >= 10


def test_classes_of_two_sets_go_by_name(tmp_path: Path) -> None:
    first = Listed(random_images(12, seed=1), classes=("ant", "bee", "cat"))
    second = Listed(random_images(9, seed=2), classes=("cat", "dog", "ant"))
    result = run(tmp_path / "run", first, heldout=second)
    rows = result.query("select split, image, label from images").to_pylist()
    for row in rows:
        names = second.classes if row["split"] == "heldout" else first.classes
        assert row["label"] == names[int(row["image"].split()[1]) % 3]


def test_concepts_of_two_sets_go_by_name_and_category() -> None:
    """An orange that is an object is no orange that is a colour."""
    images = random_images(4, concepts=2)
    searched = Listed(images, (Concept("orange", "object"), Concept("color:orange", "color")))
    heldout = Listed(random_images(4, seed=3, concepts=1), (Concept("orange", "color"),))
    both = beside(searched, heldout)
    _, renumber = both.read(5)
    assert both.concepts[renumber[1] - 1] == Concept("color:orange", "color")


def test_the_searched_set_cannot_be_the_held_out_one() -> None:
    data = Listed(random_images(4))
    with pytest.raises(DataError, match="both searched and held out"):
        beside(data, data)


def test_notes_name_the_concepts_that_held_out_images_lack(tmp_path: Path) -> None:
    missing = [
        LabelledImage(i.key, i.pixels, np.where(i.planes == 1, 0, i.planes), whole=i.whole, void=i.void)
        for i in random_images(6, seed=4)
    ]
    result = run(tmp_path / "run", Listed(random_images(8)), heldout=Listed(missing))
    assert any("never occur in held-out images: water" in note for note in result.manifest["notes"])


def test_activity_on_void_is_no_false_alarm() -> None:
    """One annotated cell that the unit hits, three void ones that it hits as well: nothing disagrees."""
    from microtome.methods.dissect.netdissect import NetDissect
    from microtome.recipes.search_units import UnitSearch, searched_rows
    from microtome.record.counting import Slot
    from tests.support.recordings import labelled_recording

    water = np.array([[[1, 1], [1, 1]]], np.int32)
    void = np.array([[False, True], [True, True]])
    pixels = np.zeros((2, 2, 3), np.uint8)
    images = [LabelledImage(str(i), pixels, water * (i < 4), void=void) for i in range(8)]
    recording = labelled_recording(Listed(images, (Concept("water", "object"),)), grid=(2, 2), units=1)
    search = UnitSearch(recording, NetDissect().prepare(searched_rows(recording)), metric="iou", longest=1)
    draws = ChanceDraws(
        ChanceSettings(0), heldout=recording.items.heldout, annotated=recording.annotated, slots=1, grid=(2, 2)
    )
    result = search.one(0, Slot(0, 0, 0.0, np.inf), np.arange(4 * 4), draws)
    assert result.on_void == 12
    assert sum(result.active) == 4
    assert not [one for one in result.exemplars if one.kind == "false alarm"]
    assert list(np.flatnonzero(result.fires)) == [0, 1, 2, 3]


def test_units_that_fire_on_void_alone_say_so(tmp_path: Path) -> None:
    loud = [
        LabelledImage(i.key, i.pixels, i.planes, void=np.ones(i.planes.shape[1:], bool))
        for i in random_images(10, seed=6)
    ]
    planes = random_images(2)[1].planes
    still = [LabelledImage(f"still {i}", np.full((24, 20, 3), i, np.uint8), planes) for i in range(3)]
    result = run(tmp_path / "run", Listed([*loud, still[0]]), heldout=Listed(still[1:]), quantile=0.05)
    reasons = [row["reason"] or "" for row in result.units.to_pylist() if row["status"] == "silent"]
    assert any("only where nothing is annotated" in reason for reason in reasons)


def test_range_rows_speak_of_their_own_images(tmp_path: Path) -> None:
    """The classes of a range are those of the images whose activation lies in it, not of all above its lower end."""
    images = random_images(60, seed=8)
    images = [LabelledImage(i.key, i.pixels, i.planes, whole=i.whole, label=i.label) for i in images]
    data = Listed(images, classes=("a", "b", "c"))
    model = small_model()
    layer = model.default_site().layer
    result = run(tmp_path / "run", data, ranges=3, elements="image")
    with microtome.trace(model, [layer], stop=True) as cache:
        maps = cache.run(model.preprocess([image.pixels for image in images]))[layer]
    peaks = maps.half().float().amax(dim=(2, 3)).numpy()
    rows = result.units.to_pylist()
    assert {row["range"] for row in rows} >= {1, 2}
    for row in rows:
        inside = (peaks[:, row["unit"]] > row["low"]) & (peaks[:, row["unit"]] <= (row["high"] or np.inf))
        assert row["active"] == inside.sum()
        labels = [images[i].label for i in np.flatnonzero(inside)]
        shares = {name: f"{name} {labels.count(k) / len(labels):.0%}" for k, name in enumerate("abc") if k in labels}
        assert sorted((row["top_classes"] or "").split(", ")) == sorted(shares.values() or [""])


def test_the_label_grid_fits_the_largest_of_a_few_images(tmp_path: Path) -> None:
    small = LabelledImage("small", np.zeros((5, 7, 3), np.uint8), np.ones((1, 5, 7), np.int32))
    result = run(tmp_path / "run", Listed([small, *random_images(9)]))
    assert result.manifest["elements"]["grid"] == [12, 10]


def test_beam_statistics_stand_also_for_longer_formulas(tmp_path: Path) -> None:
    result = run(tmp_path / "run", Listed(random_images(30)), max_length=5)
    assert result.manifest["summary"]["beam"]["searched"] > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "auroc", "method": "netdissect", "elements": "pixel"}, "contradicts"),
        ({"elements": "image", "grid": (8, 8)}, "--grid has no meaning"),
        ({"ranges": 2, "quantile": 0.01}, "give one of them"),
    ],
)
def test_options_that_contradict_each_other(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        run(tmp_path / "run", Listed(random_images(4)), **settings)


def test_halves_share_no_image() -> None:
    images = halve(Listed(random_images(9)), seed=3)
    assert images.heldout.sum() == 4
    assert len(images) == 9
