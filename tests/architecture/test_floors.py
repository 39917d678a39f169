"""Imports go downward, and packages of methods are independent; with planted violations that must be caught."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.source_tree import PACKAGE, ROOT, room

CHECK = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(sys.argv[1], no_cache=True))"


def lint(source: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of pyproject.toml on the package in `source`."""
    return subprocess.run(
        [sys.executable, "-c", CHECK, str(ROOT / "pyproject.toml")],
        capture_output=True, text=True, cwd=source, env={**os.environ, "PYTHONPATH": str(source)}, check=False,
    )  # fmt: skip


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package that a test may spoil."""
    shutil.copytree(PACKAGE, tmp_path / "microtome", ignore=shutil.ignore_patterns("__pycache__", "weights"))
    return tmp_path


def test_contracts_are_kept() -> None:
    outcome = lint(PACKAGE.parent)
    assert outcome.returncode == 0, outcome.stdout
    assert "2 kept, 0 broken" in outcome.stdout


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("core/source.py", "microtome.stats.base"),
        ("stats/base.py", "microtome.models.load"),
        ("models/outputs.py", "microtome.data.base"),
        ("data/base.py", "microtome.record.settings"),
        ("record/settings.py", "microtome.methods.dissect.registry"),
        ("verify/fdr.py", "microtome.report.words"),
        ("report/words.py", "microtome.methods.dissect.netdissect"),
        ("methods/dissect/steps.py", "microtome.verify.fdr"),
        ("report/words.py", "microtome.recipes.dissect"),
        ("recipes/slots.py", "microtome.cli.main"),
    ],
)
def test_an_import_upward_or_sideways_is_caught(copied: Path, lower: str, upper: str) -> None:
    path = copied / "microtome" / lower
    assert path.exists()
    path.write_text(f"{path.read_text(encoding='utf-8')}\ndef late():\n    import {upper}\n", encoding="utf-8")
    outcome = lint(copied)
    assert outcome.returncode == 1, outcome.stdout
    assert "Floors: an import goes downward only BROKEN" in outcome.stdout


def test_method_packages_that_know_each_other_are_caught(copied: Path) -> None:
    other = copied / "microtome" / "methods" / "probe"
    other.mkdir(exist_ok=True)
    (other / "__init__.py").write_text('"""Another package."""\n')
    (other / "borrowing.py").write_text("import microtome.methods.dissect.beam\n")
    outcome = lint(copied)
    assert outcome.returncode == 1, outcome.stdout
    assert "Packages of methods never import one another BROKEN" in outcome.stdout


def test_every_room_is_on_a_floor() -> None:
    contracts = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    rooms = {room(path) for path in PACKAGE.glob("*/__init__.py")}
    assert len(rooms) >= 10
    assert {name for name in rooms if f"microtome.{name}" not in contracts} == set()
