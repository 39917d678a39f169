"""Files are there whole or not at all."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from microtome.core.errors import RunError
from microtome.store.atomic import disk_error, read_arrays, write_arrays, write_atomically, write_json


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_under_its_name_alone_and_with_its_folder(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def write(temporary: Path) -> None:
        temporary.write_text("all of it")
        seen.append(names(tmp_path / "deep"))

    write_atomically(tmp_path / "deep" / "file.txt", write)
    assert names(tmp_path / "deep") == ["file.txt"]
    assert len(seen[0]) == 1
    assert seen[0] != ["file.txt"], "it has another name while it is written"


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt(), MemoryError()])
def test_a_writer_that_fails_leaves_nothing_and_its_own_error(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file.txt"
    path.write_text("before")

    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, write)
    assert names(tmp_path) == ["file.txt"]
    assert path.read_text() == "before"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_to_be_full(tmp_path: Path, code: int) -> None:
    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(code, "no room")

    with pytest.raises(RunError, match="disk is full") as caught:
        write_atomically(tmp_path / "file.txt", write)
    assert "--recompute" in caught.value.next_step
    assert names(tmp_path) == []


def test_another_failure_of_the_disk_gives_its_reason(tmp_path: Path) -> None:
    message = str(disk_error(tmp_path, OSError(errno.EROFS, "Read-only file system")))
    assert "Read-only file system" in message
    assert "full" not in message


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="could not be written"):
        write_json(tmp_path / "file" / "manifest.json", {})


def test_arrays_come_back_with_type_and_shape(tmp_path: Path) -> None:
    arrays = {
        "half": np.arange(6, dtype=np.float16).reshape(2, 3),
        "turned": np.arange(6).reshape(2, 3).T,
        "none": np.zeros((0, 4), np.int32),
    }
    write_arrays(tmp_path / "a.safetensors", arrays)
    back = read_arrays(tmp_path / "a.safetensors")
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert np.array_equal(back[name], array)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("I/O error: No space left on device (os error 28)", "disk is full"),
        ("I/O error: Input/output error (os error 5)", "os error 5"),
    ],
)
def test_arrays_that_safetensors_cannot_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, words: str
) -> None:
    def fail(arrays: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise SafetensorError(f"Error while serializing: {message}")

    monkeypatch.setattr("safetensors.numpy.save_file", fail)
    with pytest.raises(RunError, match=words):
        write_arrays(tmp_path / "a.safetensors", {"a": np.zeros(3)})
    assert names(tmp_path) == []


def test_json_keeps_order_and_letters_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_json(path, {"b": "Grün", "a": [1, None]})
    assert "Grün" in path.read_text(encoding="utf-8")
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["b", "a"]
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8"))["a"] == [1, None]
