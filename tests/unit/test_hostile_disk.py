"""Places that cannot be written, on the command line: nothing half made, nothing of others' lost."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from tests.support.commands import QUICK, Outcome, microtome, network, nothing_new, pictures, refused


@pytest.fixture
def words(tmp_path: Path) -> tuple[str | Path, ...]:
    return ("dissect", network(tmp_path / "m"), "--data", pictures(tmp_path / "data"), *QUICK)


def test_too_little_disk_is_said_before_the_pass(
    words: tuple[str | Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40, 1000))
    with nothing_new(tmp_path):
        refused(microtome(*words, "--out", tmp_path / "run"), "needs", "--recompute")


STAGES = [
    "plan.json",
    "thumbnails-000000.safetensors",
    "labels-000000.safetensors",
    "activations-000000.safetensors",
    "00000.jpg",
    "explanations.parquet",
    "chance.parquet",
    "manifest.json",
    "index.html",
    "units.js",
]


def run_on_full_disk(
    stage: str, words: tuple[str | Path, ...], monkeypatch: pytest.MonkeyPatch
) -> tuple[Outcome, list[str]]:
    """The command on a disk that is full from the moment when the file `stage` is written; and what was reached."""
    reached: list[str] = []
    replace, write_text = Path.replace, Path.write_text

    def full(path: Path) -> None:
        if reached or path.name == stage:
            reached.append(path.name)
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def failing_replace(self: Path, target: Path) -> Path:
        full(Path(target))
        return replace(self, target)

    def failing_write(self: Path, *args: str, **more: str) -> int:
        full(self)
        return write_text(self, *args, **more)

    monkeypatch.setattr(Path, "replace", failing_replace)
    monkeypatch.setattr(Path, "write_text", failing_write)
    outcome = microtome(*words)
    monkeypatch.undo()
    return outcome, reached


@pytest.mark.parametrize("stage", STAGES)
def test_a_disk_that_fills_up_on_the_way(
    words: tuple[str | Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    with nothing_new(tmp_path):
        outcome, reached = run_on_full_disk(stage, (*words, "--out", tmp_path / "run"), monkeypatch)
        assert reached[:1] == [stage], "the stage was not reached"
        refused(outcome)
        assert "disk is full" in outcome.err or "No space left" in outcome.err


def test_a_failed_run_leaves_the_run_that_it_was_to_replace(
    words: tuple[str | Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    assert microtome(*words, "--out", run).code == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with nothing_new(tmp_path):
        more = ("--out", run, "--overwrite", "--seed", "5")
        refused(run_on_full_disk("units.parquet", (*words, *more), monkeypatch)[0])
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert microtome(*words, "--out", run, "--overwrite", "--seed", "5").code == 0
    assert before[run / "manifest.json"] != (run / "manifest.json").read_bytes()


def test_a_run_is_not_replaced_unasked(words: tuple[str | Path, ...], tmp_path: Path) -> None:
    assert microtome(*words, "--out", tmp_path / "run").code == 0
    with nothing_new(tmp_path):
        refused(microtome(*words, "--out", tmp_path / "run"), "holds a run already", "--overwrite")


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_a_folder_of_something_else_is_never_touched(
    words: tuple[str | Path, ...], tmp_path: Path, more: tuple[str, ...]
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with nothing_new(tmp_path):
        refused(microtome(*words, "--out", tmp_path / "thesis", *more), "is no run of microtome")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_a_folder_in_the_place_of_the_unfinished_run(words: tuple[str | Path, ...], tmp_path: Path) -> None:
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "run.partial" / "mine.txt").write_text("x")
    with nothing_new(tmp_path):
        refused(microtome(*words, "--out", tmp_path / "run"), "in the way")


def test_out_below_a_file(words: tuple[str | Path, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with nothing_new(tmp_path):
        refused(microtome(*words, "--out", tmp_path / "file" / "run"), "could not be written", "--out")
        refused(microtome(*words, "--out", tmp_path / "file"), "is no run of microtome")


@pytest.mark.parametrize(("name", "said"), [("/", "root of the file system"), ("n" * 300, "too long")])
def test_out_that_can_be_no_folder(words: tuple[str | Path, ...], tmp_path: Path, name: str, said: str) -> None:
    with nothing_new(tmp_path):
        refused(microtome(*words, "--out", tmp_path / name), said, "--out")


def test_an_interrupted_command_goes_on(
    words: tuple[str | Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("microtome.recipes.dissect.judge_slots", stop)
        outcome = microtome(*words, "--out", tmp_path / "run")
    assert outcome.code == 130
    assert "Stopped. The same command goes on from here." in outcome.err
    partial, run = tmp_path / "run.partial" / "cache", tmp_path / "run" / "cache"
    blocks = {path.name: path.stat().st_mtime_ns for path in partial.glob("*.safetensors")}
    assert len(blocks) >= 3
    assert microtome(*words, "--out", tmp_path / "run", "--keep-cache").code == 0
    assert {path.name: path.stat().st_mtime_ns for path in run.glob("*.safetensors")} == blocks


def test_a_folder_that_may_not_be_written(
    words: tuple[str | Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Simulated: the tests may run as root, who may write everywhere.
    mkdir = Path.mkdir

    def forbidden(self: Path, *args: object, **more: object) -> None:
        if self.name == "run.partial":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        mkdir(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", forbidden)
    with nothing_new(tmp_path):
        refused(microtome(*words, "--out", tmp_path / "run"), "could not be written: Permission denied", "--out")


def test_an_empty_folder_is_fine(words: tuple[str | Path, ...], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert microtome(*words, "--out", tmp_path / "run").code == 0
    assert (tmp_path / "run" / "manifest.json").exists()
