"""The Makefile: the build of PyTorch that a user chose is the one that is used."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_the_index_of_torch_is_for_torch_alone_and_its_build_is_kept() -> None:
    chosen = "torch --index-url https://example.org/cu128"
    words = ["make", "--dry-run", "--always-make", ".venv/made-dev", f"TORCH={chosen}"]
    lines = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    installs = [line.partition(" install ")[2] for line in lines if " install " in line]
    assert [line for line in installs if "torch" in line.split()] == [f"--quiet {chosen}"]
    assert [line for line in installs if "--index-url" in line] == [f"--quiet {chosen}"]
    kept = next(line for line in lines if 'version("torch")' in line).split()[-1]
    assert next(line for line in installs if "[dev]" in line) == f"--quiet --constraint {kept} --editable '.[dev]'"
