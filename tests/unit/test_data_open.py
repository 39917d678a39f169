"""One string opens any image set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microtome.core.errors import DataError, OptionError
from microtome.data.open import READERS, open_data
from tests.support.pictures import ade_set, broden_set, coco_set, indexed_set, photo, write_picture

LABEL = np.array([[0, 1], [2, 1]])


def make(kind: str, root: Path) -> Path:
    if kind == "folder":
        for name in ("a/1.png", "b/1.png"):
            write_picture(root / name, photo())
        return root
    if kind == "indexed":
        return indexed_set(root, {"a": LABEL, "b": LABEL})
    return {"broden": broden_set, "coco": coco_set, "ade20k": ade_set}[kind](root)


@pytest.mark.parametrize("kind", ["broden", "coco", "indexed", "ade20k", "folder"])
def test_the_reader_is_found_by_looking(tmp_path: Path, kind: str) -> None:
    root = make(kind, tmp_path)
    data = open_data(root)
    assert data.card.reader == kind
    assert data.fingerprint() == open_data(str(root), reader=kind).fingerprint()
    categories = {c.category for c in data.concepts}
    assert "color" in categories
    assert "color" not in {c.category for c in open_data(root, colours=False).concepts} or kind == "broden"
    highest = max(int(data.read(i).planes.max(initial=0)) for i in range(len(data)))
    assert highest <= len(data.concepts)


def test_annotated_colours_are_kept(tmp_path: Path) -> None:
    data = open_data(broden_set(tmp_path))
    assert [c.name for c in data.concepts if c.category == "color"] == ["red"]


def test_a_reader_by_name_beats_looking(tmp_path: Path) -> None:
    data = open_data(indexed_set(tmp_path, {"a": LABEL}), reader="folder")
    assert data.card.reader == "folder"
    assert len(data) == 2
    with pytest.raises(OptionError, match="broden"):
        open_data(tmp_path, reader="brodn")


def test_options_behind_the_path(tmp_path: Path) -> None:
    root = broden_set(tmp_path)
    assert len(open_data(f"{root}?split=val")) == 2
    with pytest.raises(OptionError, match="unknown option splat"):
        open_data(f"{root}?splat=val")
    with pytest.raises(OptionError, match="cannot be read"):
        open_data(f"{root}?split")
    with pytest.raises(OptionError, match="twice"):
        open_data(f"{root}?split=val&split=train")
    indexed = indexed_set(tmp_path / "i", {"a": LABEL + 5}, classes={"classes": ["sky"] + ["background"] * 5})
    with pytest.raises(DataError):
        open_data(indexed).read(0)
    assert open_data(f"{indexed}?void=6,7").read(0).void is not None
    with pytest.raises(OptionError, match="whole number"):
        open_data(f"{indexed}?void=x")


def test_nothing_fits(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_data(tmp_path)
    for name, reader in READERS.items():
        assert name in str(caught.value)
        assert reader.looks_for in str(caught.value)
    with pytest.raises(DataError, match="does not exist"):
        open_data(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="is a file"):
        open_data(tmp_path / "file")


def test_no_concept_at_all_is_an_error(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", photo())
    assert len(open_data(tmp_path).concepts) == 11
    with pytest.raises(DataError, match="no concept"):
        open_data(tmp_path, colours=False)


def test_categories_and_limit(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, {f"{i}": LABEL for i in range(6)})
    data = open_data(root, categories=("color",), limit=3, seed=1)
    assert len(data) == 3
    assert {c.category for c in data.concepts} == {"color"}
    assert data.read(0).planes.shape[0] == 1


def test_the_planted_world() -> None:
    data = open_data("world:train@3?size=32&seed=5")
    assert len(data) == 3
    assert data.read(0).pixels.shape == (32, 32, 3)
    assert len(open_data("world")) == 1000
    # Its own exact colours, and no computed ones beside them.
    assert sum(c.category == "color" for c in data.concepts) == 11
    assert data.fingerprint() != open_data("world:train@3?size=32").fingerprint()
    with pytest.raises(OptionError, match="no split 'nowhere'"):
        open_data("world:nowhere")
    with pytest.raises(OptionError, match="@COUNT"):
        open_data("world@many")
    with pytest.raises(OptionError, match="needs no reader"):
        open_data("world", reader="folder")
