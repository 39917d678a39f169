"""A run folder: built aside, put in place whole, never over what is not ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from microtome.core.errors import RunError
from microtome.store.atomic import write_arrays
from microtome.store.run import FORMAT, RunDraft, read_manifest, read_table

PLAN = {"model": "m", "images": 3}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def finished(out: Path, value: int = 1, *, overwrite: bool = False, keep_cache: bool = False) -> Path:
    draft = RunDraft(out, plan=PLAN, overwrite=overwrite)
    write_arrays(draft.cache / "labels-000000.safetensors", {"a": np.zeros(3)})
    draft.table("units", pa.table({"unit": [value]}))
    draft.manifest({"kind": "test"})
    return draft.finish(keep_cache=keep_cache)


def test_a_run_appears_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    draft = RunDraft(out, plan=PLAN)
    assert not draft.resumed
    assert not out.exists()
    assert draft.folder == tmp_path / "deep" / "run.partial"
    assert finished(out) == out
    assert names(out) == ["manifest.json", "units.parquet"]
    assert names(tmp_path / "deep") == ["run"]
    assert read_manifest(out) == {"format": FORMAT, "kind": "test"}
    assert read_table(out, "units").to_pylist() == [{"unit": 1}]


def test_the_cache_stays_where_asked(tmp_path: Path) -> None:
    finished(tmp_path / "run", keep_cache=True)
    assert names(tmp_path / "run" / "cache") == ["labels-000000.safetensors"]


def test_a_run_in_place_is_replaced_only_when_asked(tmp_path: Path) -> None:
    out = finished(tmp_path / "run", 1)
    with pytest.raises(RunError, match="holds a run already") as caught:
        RunDraft(out, plan=PLAN)
    assert "--overwrite" in caught.value.next_step
    assert read_table(out, "units").to_pylist() == [{"unit": 1}]
    finished(out, 2, overwrite=True)
    assert read_table(out, "units").to_pylist() == [{"unit": 2}]
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("place", ["run", "run.partial"])
def test_a_foreign_folder_is_an_error_and_stays(tmp_path: Path, place: str, overwrite: bool) -> None:
    (tmp_path / place).mkdir()
    (tmp_path / place / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError):
        RunDraft(tmp_path / "run", plan=PLAN, overwrite=overwrite)
    assert (tmp_path / place / "thesis.txt").read_text() == "years of work"
    assert names(tmp_path) == [place]


@pytest.mark.parametrize("place", ["run", "run.partial"])
def test_a_file_in_the_way_is_an_error_and_stays(tmp_path: Path, place: str) -> None:
    (tmp_path / place).write_text("years of work")
    with pytest.raises(RunError):
        RunDraft(tmp_path / "run", plan=PLAN, overwrite=True)
    assert (tmp_path / place).read_text() == "years of work"


@pytest.mark.parametrize("place", ["run", "run.partial"])
def test_an_empty_folder_is_free(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir()
    finished(tmp_path / "run")
    assert names(tmp_path) == ["run"]


def test_a_draft_of_the_same_plan_keeps_its_blocks_and_nothing_else(tmp_path: Path) -> None:
    first = RunDraft(tmp_path / "run", plan=PLAN)
    write_arrays(first.cache / "labels-000000.safetensors", {"a": np.zeros(3)})
    (first.cache / ".labels-000001.safetensors.12.tmp").write_text("half a block")
    first.table("units", pa.table({"unit": [1]}))
    (first.folder / ".chance.parquet.12.tmp").write_text("half a table")
    (first.folder / "images").mkdir()
    (first.folder / "images" / "old.png").write_text("of other settings")
    again = RunDraft(tmp_path / "run", plan=dict(reversed(PLAN.items())))
    assert again.resumed
    assert names(again.folder) == ["cache", "plan.json"]
    assert names(again.cache) == ["labels-000000.safetensors"]


def test_a_draft_of_another_plan_is_discarded(tmp_path: Path) -> None:
    first = RunDraft(tmp_path / "run", plan=PLAN)
    write_arrays(first.cache / "labels-000000.safetensors", {"a": np.zeros(3)})
    other = RunDraft(tmp_path / "run", plan={**PLAN, "images": 4})
    assert not other.resumed
    assert names(other.folder) == ["plan.json"]
    assert names(tmp_path) == ["run.partial"]


def test_a_draft_killed_before_its_plan_was_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "run.partial" / ".plan.json.99.tmp").write_text("{")
    assert not RunDraft(tmp_path / "run", plan=PLAN).resumed
    finished(tmp_path / "run")
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("victim", ["rename", "rmtree"])
def test_a_draft_that_stopped_while_finishing_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "rename", stop) if victim == "rename" else (shutil, "rmtree", stop)))
        with pytest.raises(KeyboardInterrupt):
            finished(tmp_path / "run")
    assert RunDraft(tmp_path / "run", plan=PLAN).resumed
    finished(tmp_path / "run")
    assert names(tmp_path) == ["run"]


def test_a_draft_killed_while_it_was_discarded_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = RunDraft(tmp_path / "run", plan=PLAN)
    write_arrays(first.cache / "labels-000000.safetensors", {"a": np.zeros(3)})

    def stop(folder: Path, **_: object) -> None:
        (folder / "plan.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            RunDraft(tmp_path / "run", plan={**PLAN, "images": 4})
    assert not RunDraft(tmp_path / "run", plan=PLAN).resumed
    finished(tmp_path / "run")
    assert "run.partial" not in names(tmp_path)


WRITER = """
import sys
from pathlib import Path
from microtome.store.run import RunDraft

draft = RunDraft(Path(sys.argv[1]), plan={"model": "m", "images": 3})
draft.cache.mkdir()
print("writing", flush=True)
sys.stdin.readline()
draft.manifest({"kind": "theirs"})
draft.finish()
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of a run at `tmp_path / "run"`; a line on its input lets it finish."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "run"], **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


@pytest.mark.parametrize("plan", [PLAN, {**PLAN, "images": 4}])
def test_two_processes_do_not_write_one_run(
    tmp_path: Path, writer: subprocess.Popen[str], plan: dict[str, object]
) -> None:
    (tmp_path / "run.partial" / "units.parquet").write_text("half")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="Another process is writing this run") as caught:
            RunDraft(tmp_path / "run", plan=plan, overwrite=overwrite)
        assert "--out" in caught.value.next_step
    assert names(tmp_path / "run.partial") == ["cache", "plan.json", "units.parquet"], "nothing of it was touched"
    RunDraft(tmp_path / "other", plan=plan).discard()
    writer.communicate("go on\n")
    assert writer.returncode == 0
    assert read_manifest(tmp_path / "run")["kind"] == "theirs"
    finished(tmp_path / "run", overwrite=True)
    assert names(tmp_path) == ["run"]


def test_a_killed_process_holds_nothing(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    writer.kill()
    writer.wait()
    assert RunDraft(tmp_path / "run", plan=PLAN).resumed
    finished(tmp_path / "run")
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("end", ["finish", "discard"])
def test_a_run_that_has_ended_is_given_back(tmp_path: Path, end: str) -> None:
    draft = RunDraft(tmp_path / "run", plan=PLAN)
    draft.manifest({"kind": "ours"})
    getattr(draft, end)()
    code = WRITER.replace("plan=", "overwrite=True, plan=")
    outcome = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "run"], input="go on\n", text=True, capture_output=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    assert read_manifest(tmp_path / "run")["kind"] == "theirs"


def test_a_link_stays_and_its_folder_is_replaced(tmp_path: Path) -> None:
    finished(tmp_path / "deep" / "run", 1)
    (tmp_path / "link").symlink_to("deep/run")
    assert finished(tmp_path / "link", 2, overwrite=True) == tmp_path / "deep" / "run"
    assert (tmp_path / "link").is_symlink()
    assert read_table(tmp_path / "link", "units").to_pylist() == [{"unit": 2}]
    assert names(tmp_path) == ["deep", "link"]
    assert names(tmp_path / "deep") == ["run"]


@pytest.mark.parametrize("name", ["/", "n" * 300, "null\0byte", "loop/run"], ids=["root", "long", "null", "loop"])
def test_a_path_that_can_be_no_run_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(RunError) as caught:
        RunDraft(tmp_path / name, plan=PLAN, overwrite=True)
    assert "--out" in caught.value.next_step
    assert names(tmp_path) == ["loop"]


def test_a_discarded_draft_leaves_nothing(tmp_path: Path) -> None:
    draft = RunDraft(tmp_path / "run", plan=PLAN)
    draft.table("units", pa.table({"unit": [1]}))
    draft.discard()
    assert names(tmp_path) == []
    draft.discard()


def test_too_little_disk_is_said_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = RunDraft(tmp_path / "run", plan=PLAN)
    write_arrays(draft.cache / "labels-000000.safetensors", {"a": np.zeros(1000, np.uint8)})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 0, 5000))
    assert draft.need(6000) == 5000, "what the cache holds already is not needed again"
    with pytest.raises(RunError, match="The pass needs") as caught:
        draft.need(7000)
    assert "--recompute" in caught.value.next_step


def test_what_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no manifest\.json"):
        read_manifest(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text("{not json")
    with pytest.raises(RunError, match="is no JSON"):
        read_manifest(tmp_path)
    path.write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(RunError, match=f"format {FORMAT + 1}"):
        read_manifest(tmp_path)
    path.write_text("[]")
    with pytest.raises(RunError):
        read_manifest(tmp_path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no table 'units'"):
        read_table(tmp_path, "units")
