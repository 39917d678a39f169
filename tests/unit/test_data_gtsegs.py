"""ImageNet-Segmentation's file, made small in its real structure; masks from other image sets."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from microtome.core.errors import DataError, OptionError
from microtome.data.gtsegs import ImageNetSegmentation
from microtome.data.indexed import IndexedImages
from microtome.data.masks import ConceptMasks, MaskedImages
from tests.support.pictures import indexed_set, photo

h5py = pytest.importorskip("h5py", reason="the file is HDF5")

NAMES = ("n02056570_12", "n02814533_7", "n02056570_9")


def masks() -> list[np.ndarray]:
    return [np.random.default_rng([7, i]).random((5 + i, 8)) < 0.4 for i in range(3)]


def segmentations(path: Path, *, names: tuple[str, ...] | None = NAMES, value: int = 1) -> Path:
    """A file as MATLAB writes it: references to transposed pictures, and to cells of transposed masks."""
    kind = h5py.ref_dtype
    with h5py.File(path, "w", userblock_size=512) as file:
        cells = {name: file.create_dataset(f"value/{name}", (3, 1), kind) for name in ("img", "gt", "id")}
        for number, mask in enumerate(masks()):
            pixels = photo(*mask.shape, seed=number)
            cells["img"][number, 0] = file.create_dataset(f"#refs#/i{number}", data=pixels.transpose(2, 1, 0)).ref
            inner = file.create_dataset(f"#refs#/g{number}", (2, 1), kind)
            inner[0, 0] = file.create_dataset(f"#refs#/m{number}", data=(mask.T * value).astype(np.uint8)).ref
            inner[1, 0] = file.create_dataset(f"#refs#/o{number}", data=np.zeros(mask.T.shape, np.uint8)).ref
            cells["gt"][number, 0] = inner.ref
            if names:
                code = np.frombuffer(names[number].encode("utf-16-le"), "<u2")[:, None]
                cells["id"][number, 0] = file.create_dataset(f"#refs#/n{number}", data=code).ref
        if not names:
            del file["value/id"]
    return path


def test_pictures_and_masks_come_upright(tmp_path: Path) -> None:
    data = ImageNetSegmentation(segmentations(tmp_path / "gtsegs_ijcv.mat"), names={"n02056570": "king penguin"})
    assert isinstance(data, MaskedImages)
    assert len(data) == 3
    for number, (image, mask) in enumerate(zip(data, masks(), strict=True)):
        assert image.key == data.key(number) == NAMES[number]
        assert np.array_equal(image.pixels, photo(*mask.shape, seed=number))
        assert np.array_equal(image.mask, mask)
        assert image.mask.flags["C_CONTIGUOUS"]
    assert [image.text for image in data] == ["king penguin", None, "king penguin"]
    assert ImageNetSegmentation(tmp_path).key(0) == NAMES[0]


def test_a_file_without_names_is_numbered(tmp_path: Path) -> None:
    data = ImageNetSegmentation(segmentations(tmp_path / "a.mat", names=None))
    assert [data.key(index) for index in range(3)] == ["00000", "00001", "00002"]
    again = segmentations(tmp_path / "b.mat", names=("n1_1", "n1_1", "n2_1"))
    assert ImageNetSegmentation(again).key(1) == "00001"
    with pytest.raises(DataError, match="no image 3"):
        data.read(3)


def test_masks_of_other_values_are_refused(tmp_path: Path) -> None:
    data = ImageNetSegmentation(segmentations(tmp_path / "a.mat", value=3))
    with pytest.raises(DataError, match=r"mask of 'n02056570_12' in '.*a\.mat' .* values from 0 to 3"):
        data.read(0)


def test_damage_inside_is_told_when_read(tmp_path: Path) -> None:
    path = segmentations(tmp_path / "a.mat")
    with h5py.File(path, "r+") as file:
        file["value/gt"][1, 0] = h5py.Reference()
        del file["#refs#/i2"]
        file["value/img"][2, 0] = file.create_dataset("#refs#/i2", data=np.zeros((3, 8, 7))).ref
    data = ImageNetSegmentation(path)
    assert data.read(0).key == NAMES[0]
    with pytest.raises(DataError, match=r"Image 1 \('n02814533_7'\) of '.*a\.mat' cannot be read"):
        data.read(1)
    with pytest.raises(DataError, match=r"image 'n02056570_9' .* \(3, 8, 7\) of float64"):
        data.read(2)


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", None])
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "gtsegs_ijcv.mat"
    if content is None:
        with h5py.File(path, "w") as file:
            file["value/other"] = np.zeros(3)
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"gtsegs_ijcv\.mat' cannot be read as ImageNet-Segmentation"):
        ImageNetSegmentation(path)


def test_a_missing_and_a_truncated_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing"):
        ImageNetSegmentation(tmp_path)
    path = segmentations(tmp_path / "a.mat")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match="cannot be read"):
        ImageNetSegmentation(path)


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = segmentations(tmp_path / "a.mat")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(OptionError, match=r"needs the package h5py[\s\S]*microtome\[h5py\]"):
        ImageNetSegmentation(path)


def test_masks_of_indexed_pictures(tmp_path: Path) -> None:
    label = np.array([[0, 1, 2], [9, 9, 1]], dtype=np.uint8)
    data = IndexedImages(indexed_set(tmp_path, {"a": label, "b": np.zeros((2, 2)), "c": label[:, ::-1]}))
    roads = ConceptMasks(data, "road")
    assert [roads.key(index) for index in range(len(roads))] == ["images/a.png", "images/c.png"]
    image = roads.read(0)
    assert image.text == "road"
    assert image.mask.tolist() == [[False, True, False], [False, False, True]]
    assert image.void is not None
    assert image.void.tolist() == [[False] * 3, [True, True, False]]
    assert roads.fingerprint() != ConceptMasks(data, "car").fingerprint()
    assert len(ConceptMasks(data, "sky", least=0.5)) == 1
    with pytest.raises(DataError, match="shows 'road' on 60% of its pixels"):
        ConceptMasks(data, "road", least=0.6)
    with pytest.raises(OptionError, match=r"no concept 'raod'.*\n.*\n.*'road'"):
        ConceptMasks(data, "raod")


def test_what_holds_of_whole_images_has_no_mask(tmp_path: Path) -> None:
    from microtome.data.folders import ImageFolder
    from tests.support.pictures import write_picture

    for name in ("cats", "dogs"):
        write_picture(tmp_path / name / "a.png", photo())
    with pytest.raises(DataError, match=r"'cats' holds of the whole image 'cats/a\.png'"):
        ConceptMasks(ImageFolder(tmp_path), "cats")
