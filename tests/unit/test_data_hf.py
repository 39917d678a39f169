"""Data sets of the `datasets` library, from local Parquet."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from microtome.core.errors import DataError, OptionError
from microtome.data import hf
from microtome.data.hf import HfImages, HfOptions
from tests.support.pictures import photo

datasets = pytest.importorskip("datasets")

LABEL = np.array([[0, 1, 2], [9, 9, 1]], dtype=np.uint8)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def rows(count: int = 2) -> dict[str, list]:
    return {
        "image": [Image.fromarray(photo(2, 3, seed=i)) for i in range(count)],
        "annotation": [Image.fromarray(LABEL) for _ in range(count)],
        "scene_category": [i % 2 for i in range(count)],
    }


def features() -> object:
    return datasets.Features(
        {
            "image": datasets.Image(),
            "annotation": datasets.Image(),
            "scene_category": datasets.ClassLabel(names=["beach", "street"]),
        }
    )


def saved(root: Path, *, content: dict[str, list] | None = None, kinds: object = None, split: str = "train") -> Path:
    root.mkdir(exist_ok=True)
    data = datasets.Dataset.from_dict(content or rows(), features=kinds or features())
    data.to_parquet(str(root / f"{split}.parquet"))
    return root


def names_file(root: Path) -> Path:
    path = root / "names.json"
    path.write_text(json.dumps({"classes": ["sky", "road", "street"], "void": 9}))
    return path


def test_annotation_and_class_label(tmp_path: Path) -> None:
    root = saved(tmp_path / "set")
    data = HfImages(str(root), HfOptions(labels=names_file(tmp_path)))
    assert [(c.name, c.category) for c in data.concepts] == [
        ("sky", "object"),
        ("road", "object"),
        ("street", "object"),
        ("beach", "class"),
        ("class:street", "class"),
    ]
    image = data.read(1)
    assert np.array_equal(image.pixels, photo(2, 3, seed=1))
    assert image.planes.tolist() == [[[1, 2, 3], [0, 0, 2]]]
    assert image.void is not None
    assert image.void.sum() == 2
    assert (image.label, image.whole, data.classes) == (1, (4,), ("beach", "street"))


def test_class_labels_alone_and_a_row_without_class(tmp_path: Path) -> None:
    content = {"img": rows(3)["image"], "label": [1, None, 0]}
    kinds = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    data = HfImages(str(saved(tmp_path / "set", content=content, kinds=kinds)))
    assert [data.read(i).label for i in range(3)] == [1, None, 0]
    assert [data.labels(i) for i in range(3)] == [{"class"}, frozenset(), {"class"}]
    assert data.read(0).planes.shape == (0, 2, 3)


def test_names_from_the_features(tmp_path: Path) -> None:
    kinds = datasets.Features(
        {
            "image": datasets.Image(),
            "mask": datasets.Image(),
            "present": datasets.List(datasets.ClassLabel(names=["sky", "road", "car"])),
        }
    )
    content = {
        "image": rows()["image"],
        "mask": [Image.fromarray(LABEL % 9) for _ in range(2)],
        "present": [[0], [1]],
    }
    data = HfImages(str(saved(tmp_path / "set", content=content, kinds=kinds)))
    assert [c.name for c in data.concepts] == ["sky", "road", "car"]
    assert data.read(0).planes.tolist() == [[[1, 2, 3], [1, 1, 2]]]


def test_parquet_written_by_others(tmp_path: Path) -> None:
    """Without the library's metadata a picture is a struct of bytes and path."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    Image.fromarray(photo(2, 3)).save(buffer, format="PNG")
    root = tmp_path / "set"
    root.mkdir()
    pq.write_table(pa.table({"image": [{"bytes": buffer.getvalue(), "path": "x.png"}]}), root / "a.parquet")
    assert np.array_equal(HfImages(str(root)).read(0).pixels, photo(2, 3))


def test_a_saved_data_set(tmp_path: Path) -> None:
    data = datasets.Dataset.from_dict(rows(), features=features())
    data.save_to_disk(str(tmp_path / "disk"))
    opened = HfImages(str(tmp_path / "disk"), HfOptions(labels=names_file(tmp_path)))
    assert opened.read(0).planes.tolist() == [[[1, 2, 3], [0, 0, 2]]]


def test_several_splits_must_be_chosen(tmp_path: Path) -> None:
    root = saved(tmp_path / "set")
    saved(root, content=rows(3), split="validation")
    names = names_file(tmp_path)
    with pytest.raises(OptionError, match="train, validation"):
        HfImages(str(root), HfOptions(labels=names))
    assert len(HfImages(str(root), HfOptions(labels=names, split="validation"))) == 3
    with pytest.raises(OptionError, match="no split 'val'"):
        HfImages(str(root), HfOptions(labels=names, split="val"))


def test_known_data_sets_bring_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ADE20K's benchmark: 0 is unannotated and the published names count from 0 where pixels count from 1."""
    published = tmp_path / "ade20k-id2label.json"
    published.write_text(json.dumps({str(i): f"thing {i + 1}" for i in range(150)}))
    monkeypatch.setattr(hf, "_download", lambda preset: published)
    data = HfImages(str(saved(tmp_path / "scene_parse_150")))
    image = data.read(0)
    assert data.concepts[0].name == "thing 1"
    assert image.planes.tolist() == [[[0, 1, 2], [9, 9, 1]]]
    assert image.void is not None
    assert image.void.tolist() == [[True, False, False], [False] * 3]


def test_missing_names_and_unclear_columns(tmp_path: Path) -> None:
    root = saved(tmp_path / "set")
    with pytest.raises(DataError, match="labels="):
        HfImages(str(root))
    content = {"left": rows()["image"], "right": rows()["image"]}
    kinds = datasets.Features({"left": datasets.Image(), "right": datasets.Image()})
    two = saved(tmp_path / "two", content=content, kinds=kinds)
    with pytest.raises(DataError, match="left, right"):
        HfImages(str(two))
    with pytest.raises(OptionError, match="'middle'"):
        HfImages(str(two), HfOptions(image="middle"))
    with pytest.raises(DataError, match="cannot be loaded"):
        HfImages(str(tmp_path / "absent"))


def test_damaged_pictures_name_their_row(tmp_path: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    content = {
        "image": [{"bytes": b"no picture", "path": None}, None],
        "annotation": [Image.fromarray(LABEL[:, :2]), Image.fromarray(LABEL)],
        "scene_category": [0, 0],
    }
    data = HfImages(str(saved(root, content=content)), HfOptions(labels=names_file(tmp_path)))
    for i in range(2):
        with pytest.raises(DataError, match=f"row {i}"):
            data.read(i)
    content["image"] = rows()["image"]
    other = saved(tmp_path / "other", content=content)
    with pytest.raises(DataError, match=r"row 0.* its label"):
        HfImages(str(other), HfOptions(labels=names_file(tmp_path))).read(0)


def test_fingerprint_follows_the_files(tmp_path: Path) -> None:
    names = HfOptions(labels=names_file(tmp_path))
    root = saved(tmp_path / "set")
    first = HfImages(str(root), names).fingerprint()
    assert HfImages(str(root), names).fingerprint() == first
    saved(root, content=rows(4))
    assert HfImages(str(root), names).fingerprint() != first
