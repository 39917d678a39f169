"""ADE20K as released, with object and part levels."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from microtome.core.errors import DataError
from microtome.data.ade20k import Ade20k
from tests.support.pictures import ade_code, ade_set, write_picture


def test_levels_names_and_void(tmp_path: Path) -> None:
    data = Ade20k(ade_set(tmp_path))
    assert [(c.name, c.category) for c in data.concepts] == [
        ("door", "object"),
        ("car", "object"),
        ("wheel", "part"),
        ("rim", "part"),
    ]
    image = data.read(0)
    assert image.key == "training/street/A.jpg"
    assert image.planes.tolist() == [
        [[2, 2, 0], [1, 1, 2]],
        [[3, 0, 0], [0, 0, 3]],
        [[4, 0, 0], [0, 0, 0]],
    ]
    # Nobody annotated what no object covers; a pixel without a part is annotated.
    assert image.void is not None
    assert image.void.tolist() == [[False, False, True], [False, False, False]]
    assert data.read(1).void is None


def test_images_without_parts_do_not_label_them(tmp_path: Path) -> None:
    data = Ade20k(ade_set(tmp_path))
    assert data.labels(0) == {"object", "part"}
    assert data.labels(1) == {"object"}
    assert any("1 of 2 images" in note for note in data.card.notes)


def test_synonyms_stay_where_the_first_is_not_enough(tmp_path: Path) -> None:
    ade_set(tmp_path, json_names=False)
    (tmp_path / "classes.csv").write_text(
        'index,name,category\n2,"base, foot",object\n401,"base, camp",object\n700,base,part\n701,rim,part\n'
    )
    data = Ade20k(tmp_path)
    assert [c.name for c in data.concepts] == ["base, foot", "base, camp", "base", "rim"]


def test_names_of_the_release_of_2017(tmp_path: Path) -> None:
    ade_set(tmp_path, json_names=False)
    names = np.array([f"thing {i}" for i in range(1, 702)], dtype=object)
    share = np.zeros(701)
    share[699:] = 1.0
    share[1] = 0.5
    savemat(tmp_path / "index_ade20k.mat", {"index": {"objectnames": names, "proportionClassIsPart": share}})
    data = Ade20k(tmp_path)
    image = data.read(0)
    shown = [data.concepts[v - 1].name for v in (*image.planes[0, 0, :2], image.planes[1, 0, 0])]
    assert shown == ["thing 401", "thing 401", "thing 700"]
    assert [c.name for c in data.concepts if c.category == "part"] == ["part:thing 2", "thing 700", "thing 701"]


def test_the_pickled_index_is_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    ade_set(tmp_path, json_names=False)
    (tmp_path / "index_ade20k.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match="no names"):
        Ade20k(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_split_and_hostile_files(tmp_path: Path) -> None:
    data = Ade20k(ade_set(tmp_path), split="validation")
    assert [data.key(i) for i in range(len(data))] == ["validation/B.jpg"]
    with pytest.raises(DataError, match="'validation'"):
        Ade20k(tmp_path, split="valid")
    write_picture(tmp_path / "validation" / "B_seg.png", ade_code(np.full((2, 3), 999)))
    with pytest.raises(DataError, match=r"B_seg\.png.*999"):
        data.read(0)
    (tmp_path / "validation" / "B_seg.png").unlink()
    with pytest.raises(DataError, match=r"B_seg\.png' is missing"):
        data.read(0)
    (tmp_path / "validation" / "B.json").write_text('{"annotation": {"object": [{"name": "x"}]}}')
    with pytest.raises(DataError, match=r"B\.json"):
        Ade20k(tmp_path)
