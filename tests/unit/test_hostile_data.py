"""Bad image sets on the command line: one clear message, exit code 2, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.commands import QUICK, microtome, network, nothing_new, photos, pictures, refused
from tests.support.pictures import indexed_set, photo, write_broken_picture, write_picture

LABEL = np.array([[0, 1, 2], [9, 1, 2]], dtype=np.uint8)


@pytest.fixture
def spec(tmp_path: Path) -> str:
    return network(tmp_path / "model")


def test_the_small_set_is_fine_as_it_is(tmp_path: Path, spec: str) -> None:
    """The control of this file: what is refused below is refused for its fault alone."""
    data = pictures(tmp_path / "data")
    outcome = microtome("dissect", spec, "--data", data, "--out", tmp_path / "run", *QUICK)
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "run" / "index.html").exists()
    assert not (tmp_path / "run.partial").exists()


def dissect(spec: str, data: Path | str, tmp_path: Path, *more: str | Path, said: tuple[str, ...]) -> None:
    """Assert that the data are refused, with a run and by `data check`, and nothing is left."""
    with nothing_new(tmp_path):
        refused(microtome("dissect", spec, "--data", data, "--out", tmp_path / "run", *QUICK, *more), *said)


def test_missing_folder(tmp_path: Path, spec: str) -> None:
    dissect(spec, tmp_path / "absent", tmp_path, said=("absent' does not exist", "check the path"))


def test_a_file_in_place_of_a_folder(tmp_path: Path, spec: str) -> None:
    (tmp_path / "data.zip").write_text("x")
    dissect(spec, tmp_path / "data.zip", tmp_path, said=("data.zip",))


def test_empty_folder(tmp_path: Path, spec: str) -> None:
    (tmp_path / "data").mkdir()
    dissect(spec, tmp_path / "data", tmp_path, said=("holds nothing that a reader knows", "any images"))


def test_corrupt_image(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data")
    write_broken_picture(data / "images" / "p03.png")
    dissect(spec, data, tmp_path, said=("images/p03.png", "cannot be read"))


def test_corrupt_label(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data")
    (data / "labels" / "p03.png").write_bytes(b"\x89PNG\r\n\x1a\n nonsense")
    dissect(spec, data, tmp_path, said=("labels/p03.png",))


def test_an_empty_file(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data")
    (data / "images" / "p00.png").write_bytes(b"")
    dissect(spec, data, tmp_path, said=("images/p00.png",))


def test_label_index_out_of_range(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data")
    write_picture(data / "labels" / "p05.png", np.full((16, 16), 200))
    dissect(spec, data, tmp_path, said=("labels/p05.png", "200"))


def test_image_and_label_of_other_sizes(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data")
    write_picture(data / "labels" / "p05.png", LABEL)
    dissect(spec, data, tmp_path, said=("p05.png", "3 x 2", "16 x 16"))


def test_missing_label(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data")
    (data / "labels" / "p05.png").unlink()
    dissect(spec, data, tmp_path, said=("no label file",))


def test_class_list_missing_or_broken(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data")
    (data / "classes.json").write_text("{nonsense")
    dissect(spec, data, tmp_path, said=("classes.json",))
    (data / "classes.json").unlink()
    dissect(spec, data, tmp_path, said=("no class list", "classes.json"))


def test_one_image(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data", count=1)
    dissect(spec, data, tmp_path, said=("has 1 image.", "at least two"))


def test_limit_of_one_image(tmp_path: Path, spec: str) -> None:
    dissect(spec, pictures(tmp_path / "data"), tmp_path, "--limit", "1", said=("has 1 image.",))


def test_no_concept_at_all(tmp_path: Path, spec: str) -> None:
    data = photos(tmp_path / "data")
    dissect(spec, data, tmp_path, "--no-colours", said=("no concept", "at least one concept"))


def test_every_pixel_unannotated(tmp_path: Path, spec: str) -> None:
    data = indexed_set(tmp_path / "data", {name: np.full((16, 16), 9) for name in "abcd"})
    dissect(spec, data, tmp_path, "--no-colours", said=("no annotated element",))


def test_unknown_category(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data")
    dissect(spec, data, tmp_path, "--categories", "objekt", said=("'objekt'", "'object'"))


def test_heldout_without_a_common_concept(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data")
    classes = {"classes": ["wall", "floor", "door"], "void": 9}
    other = indexed_set(tmp_path / "other", dict.fromkeys("ab", LABEL), classes=classes)
    dissect(spec, data, tmp_path, "--heldout", other, "--no-colours", said=("no concept in common",))


def test_heldout_that_is_missing(tmp_path: Path, spec: str) -> None:
    data = pictures(tmp_path / "data")
    dissect(spec, data, tmp_path, "--heldout", tmp_path / "absent", said=("absent' does not exist",))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("world:heldot", "'heldout'"),
        ("world@many", "@COUNT"),
        ("world@0", "at least 1"),
        ("world?colour=3", "colour"),
        ("world?seed=1&seed=2", "twice"),
        ("world?nonsense", "cannot be read"),
        ("world?size=5", "16 to 1024"),
        ("", "empty name"),
    ],
)
def test_specs_that_say_nothing(tmp_path: Path, spec: str, data: str, said: str) -> None:
    dissect(spec, data, tmp_path, said=(said,))


def test_unknown_reader(tmp_path: Path, spec: str) -> None:
    dissect(spec, photos(tmp_path / "data"), tmp_path, "--reader", "brodn", said=("'brodn'", "'broden'"))


def test_a_reader_that_does_not_fit(tmp_path: Path, spec: str) -> None:
    dissect(spec, photos(tmp_path / "data"), tmp_path, "--reader", "broden", said=("label.csv",))


def test_pictures_of_any_size_and_kind_are_fine(tmp_path: Path, spec: str) -> None:
    """Grey, palette, transparent and of other sizes: nothing of that is an error."""
    from PIL import Image

    data = photos(tmp_path / "data")
    write_picture(data / "grey.png", photo(9, 30)[:, :, 0])
    Image.fromarray(photo(20, 10)).convert("P").save(data / "palette.png")
    Image.fromarray(photo(10, 20)).convert("RGBA").save(data / "see_through.png")
    outcome = microtome("dissect", spec, "--data", data, "--out", tmp_path / "run", *QUICK)
    assert outcome.code == 0, outcome.err


def test_text_of_the_data_is_no_markup(tmp_path: Path, spec: str) -> None:
    """Names in square brackets reach the terminal as they are, in tables and in errors."""
    data = pictures(tmp_path / "[bold]data[/red]")
    (data / "labels" / "p05.png").unlink()
    dissect(spec, data, tmp_path, said=("[bold]data[/red]",))
    outcome = microtome("data", "check", data)
    assert outcome.code == 2
    assert "[bold]data[/red]" in outcome.err
