"""Small data sets in the real formats, for the tests of the readers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def write_picture(path: Path, pixels: np.ndarray) -> Path:
    """A grey (2-d) or RGB (3-d) uint8 picture; the suffix decides the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path)
    return path


def photo(height: int = 6, width: int = 8, *, seed: int = 0) -> np.ndarray:
    """Random RGB pixels."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_broken_picture(path: Path) -> Path:
    """A PNG cut off in the middle."""
    write_picture(path, photo(64, 64))
    path.write_bytes(path.read_bytes()[:300])
    return path


def broden_code(numbers: np.ndarray) -> np.ndarray:
    """R + 256 G."""
    numbers = np.asarray(numbers)
    return np.stack([numbers % 256, numbers // 256, np.zeros_like(numbers)], axis=-1)


def ade_code(numbers: np.ndarray) -> np.ndarray:
    """R // 10 * 256 + G, with an instance number in B and a remainder in R that must not matter."""
    numbers = np.asarray(numbers)
    return np.stack([numbers // 256 * 10 + 9, numbers % 256, numbers * 0 + 77], axis=-1)


def coco_code(ids: np.ndarray) -> np.ndarray:
    """R + 256 G + 256^2 B."""
    ids = np.asarray(ids)
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)


def indexed_set(root: Path, labels: Mapping[str, np.ndarray], classes: Any = None) -> Path:
    """images/NAME.png and labels/NAME.png; classes.json unless `classes` is False."""
    for i, (name, label) in enumerate(labels.items()):
        write_picture(root / "images" / f"{name}.png", photo(*np.asarray(label).shape, seed=i))
        write_picture(root / "labels" / f"{name}.png", label)
    if classes is not False:
        content = classes or {"classes": ["sky", "road", "car"], "void": 9}
        (root / "classes.json").write_text(json.dumps(content))
    return root


def broden_set(root: Path) -> Path:
    """Three images; two part planes, a whole-image scene, a label of two categories, numbers over 255."""
    images = root / "images"
    for i in range(3):
        write_picture(images / f"{i}.jpg", photo(4, 6, seed=i))
    one = np.array([[1, 1, 0], [300, 2, 0]])
    two = np.array([[0, 4, 4], [0, 0, 4]])
    write_picture(images / "0_object.png", broden_code(one))
    write_picture(images / "0_part_1.png", broden_code(two))
    write_picture(images / "0_part_2.png", broden_code(np.roll(two, 1, axis=1)))
    write_picture(images / "1_object.png", broden_code(one[::-1]))
    write_picture(images / "1_color.png", broden_code(np.full((2, 3), 5)))
    (root / "index.csv").write_text(
        "image,split,ih,iw,sh,sw,color,object,part,scene\n"
        "0.jpg,train,4,6,2,3,,0_object.png,0_part_1.png;0_part_2.png,7\n"
        "1.jpg,val,4,6,2,3,1_color.png,1_object.png,,7;8\n"
        "2.jpg,val,4,6,2,3,,,,8\n"
    )
    (root / "label.csv").write_text(
        "number,name,category,frequency,coverage,syns\n"
        "1,sky,object(20),20,1.5,\n"
        "2,door,part(3);object(9),12,0.5,\n"
        "4,wheel,part(5),5,0.1,\n"
        "5,red-c,color(2),2,0.2,\n"
        "7,street-s,scene(2),2,2.0,\n"
        "8,beach-s,scene(2),2,2.0,\n"
        "300,grass,object(4),4,0.3,\n"
    )
    return root


def ade_set(root: Path, *, json_names: bool = True) -> Path:
    """Two images, the first with two levels of parts; class numbers over 255."""
    folder = root / "training" / "street"
    objects = np.array([[401, 401, 0], [2, 2, 401]])
    write_picture(folder / "A.jpg", photo(2, 3))
    write_picture(folder / "A_seg.png", ade_code(objects))
    write_picture(folder / "A_parts_1.png", ade_code(np.array([[700, 0, 0], [0, 0, 700]])))
    write_picture(folder / "A_parts_2.png", ade_code(np.array([[701, 0, 0], [0, 0, 0]])))
    write_picture(root / "validation" / "B.jpg", photo(2, 3, seed=1))
    write_picture(root / "validation" / "B_seg.png", ade_code(np.full((2, 3), 2)))
    if json_names:
        for path, entries in (
            (
                folder / "A.json",
                [
                    ("car, auto", 401, 0),
                    ("wheel", 700, 1),
                    ("rim, edge", 701, 2),
                    ("door, gate", 2, 0),
                ],
            ),
            (root / "validation" / "B.json", [("door, gate", 2, 0)]),
        ):
            objects_of = [
                {"name": name, "name_ndx": number, "parts": {"part_level": level}} for name, number, level in entries
            ]
            path.write_text(json.dumps({"annotation": {"object": objects_of}}))
    return root


def coco_set(root: Path, *, name: str = "val2017") -> Path:
    """Two images; segment ids over 65535; the segment 0 is void; a crowd."""
    ids = np.array([[0, 70000, 70000], [300, 300, 5]])
    for i, grid in enumerate((ids, ids[::-1])):
        write_picture(root / name / f"{i}.jpg", photo(2, 3, seed=i))
        write_picture(root / "annotations" / f"panoptic_{name}" / f"{i}.png", coco_code(grid))
    segments = [
        {"id": 70000, "category_id": 1, "iscrowd": 0},
        {"id": 300, "category_id": 190, "iscrowd": 0},
        {"id": 5, "category_id": 1, "iscrowd": 1},
    ]
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 3, "height": 2} for i in range(2)],
        "annotations": [{"image_id": i, "file_name": f"{i}.png", "segments_info": segments} for i in range(2)],
        "categories": [
            {"id": 1, "name": "person", "isthing": 1},
            {"id": 190, "name": "floor-other-merged", "isthing": 0},
            {"id": 44, "name": "orange", "isthing": 1},
        ],
    }
    (root / "annotations" / f"panoptic_{name}.json").write_text(json.dumps(content))
    return root
