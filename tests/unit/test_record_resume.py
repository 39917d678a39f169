"""Killed with SIGKILL at any moment and run again: the same run, byte for byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def content(run: Path) -> dict[str, bytes]:
    """Every file of a run, without the time at which it was made."""
    files = {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    # A process that dies in its very last step leaves the plan beside the finished tables.
    files.pop("plan.json", None)
    created = json.loads(files["manifest.json"])["created"].encode()
    return {name: data.replace(created, b"") for name, data in files.items()}


def assert_same_run(found: Path, expected: Path) -> None:
    one, other = content(found), content(expected)
    assert one.keys() == other.keys()
    assert sum(name.endswith(".parquet") for name in other) >= 8
    assert [name for name in other if one[name] != other[name]] == []
    assert list(found.parent.iterdir()) == [found], "nothing is left beside the run"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run(
        [sys.executable, "-m", "tests.support.killed", str(folder)],
        cwd=ROOT, env=environment(), check=True, timeout=300,
    )  # fmt: skip
    return folder


def test_runs_killed_at_many_steps_end_as_the_uninterrupted_one(killed: Path) -> None:
    log = json.loads((killed / "log.json").read_text())
    assert log.pop("whole") == [0]
    assert log.pop("steps") > 60
    assert len(log) >= 8
    for scenario, (*died, last) in log.items():
        assert set(died) == {-signal.SIGKILL}, f"{scenario}: the attempts before the last were killed"
        assert last == 0
        assert_same_run(killed / scenario / "run", killed / "whole" / "run")


def command(out: Path) -> list[str]:
    return [
        str(Path(sys.executable).with_name("microtome")), "dissect", "world:scenes", "--data", "world@200?size=32",
        "--units", "0-3", "--grid", "16", "--permutations", "2", "--max-length", "2", "--device", "cpu",
        "--out", str(out),
    ]  # fmt: skip


def test_a_command_killed_from_outside_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "killed" / "run"
    process = subprocess.Popen(command(out), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cache = out.with_name("run.partial") / "cache"
    while process.poll() is None and len(list(cache.glob("activations-*"))) < 2:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    kept = {path.name: path.stat().st_mtime_ns for path in cache.glob("activations-*")}
    assert len(kept) >= 2
    assert not out.exists()
    for place in (out, tmp_path / "whole" / "run"):
        subprocess.run(
            [*command(place), "--keep-cache"], env=environment(), check=True, capture_output=True, timeout=300
        )
    for name, time_ns in kept.items():
        assert (out / "cache" / name).stat().st_mtime_ns == time_ns, "blocks that were there are not made anew"
    tables = sorted(path.name for path in out.glob("*.parquet"))
    assert len(tables) >= 8
    for name in tables:
        assert (out / name).read_bytes() == (tmp_path / "whole" / "run" / name).read_bytes()
