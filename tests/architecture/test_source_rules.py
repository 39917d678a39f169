"""Sizes and habits of the source, each rule with a planted violation that it must catch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import source_tree
from tests.support.source_tree import LONGEST_FILE, PACKAGE, python_files, room, text_files

Rule = Callable[[str], list[str]]


def broken(rule: Rule, files: list[Path]) -> list[str]:
    """What breaks the rule, with the file in front."""
    return [f"{path.relative_to(PACKAGE)}: {what}" for path in files for what in rule(path.read_text(encoding="utf-8"))]


def library() -> list[Path]:
    """All but the scripts of the zoo, which talk to the person who trains."""
    return [path for path in python_files() if room(path) != "zoo"]


RULES: list[tuple[Rule, Callable[[], list[Path]]]] = [
    (source_tree.long_functions, python_files),
    (source_tree.prints, library),
    (source_tree.private_imports, python_files),
    (source_tree.root_imports, python_files),
    (source_tree.blanket_excepts, python_files),
    (source_tree.promises, python_files),
    (source_tree.methods_without_source, python_files),
]

PLANTED: list[tuple[Rule, str]] = [
    (source_tree.long_functions, "def f():\n    '''Doc.'''\n" + "    x = 1\n" * 61),
    (source_tree.prints, "def f():\n    print('x')\n"),
    (source_tree.private_imports, "from microtome.core.formula import _RESERVED\n"),
    (source_tree.private_imports, "import numpy._core\n"),
    (source_tree.root_imports, "from microtome import load\n"),
    (source_tree.root_imports, "def f():\n    from .parse import parse\n"),
    (source_tree.blanket_excepts, "try:\n    f()\nexcept Exception:\n    x = 1\n"),
    (source_tree.blanket_excepts, "try:\n    f()\nexcept (ValueError, BaseException) as e:\n    g(e)\n"),
    (source_tree.blanket_excepts, "try:\n    f()\nexcept:\n    raise ValueError from None\n"),
    (source_tree.promises, "x = 1  # TODO: later\n"),
    (source_tree.methods_without_source, "class M:\n    name = 'm'\n    def prepare(self): ...\n"),
    (source_tree.methods_without_source, "class M:\n    name = 'm'\n    source = 'x'\n    def run(self): ...\n"),
]


@pytest.mark.parametrize(("rule", "files"), RULES, ids=[rule.__name__ for rule, _ in RULES])
def test_no_file_breaks_the_rule(rule: Rule, files: Callable[[], list[Path]]) -> None:
    checked = files()
    assert len(checked) > 50, "the source was not found"
    assert broken(rule, checked) == []


@pytest.mark.parametrize(("rule", "planted"), PLANTED, ids=[rule.__name__ for rule, _ in PLANTED])
def test_a_planted_violation_is_caught(rule: Rule, planted: str) -> None:
    assert len(rule(planted)) == 1


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _ in RULES} == {rule for rule, _ in PLANTED}


@pytest.mark.parametrize(
    ("rule", "harmless"),
    [
        (source_tree.long_functions, "def f():\n    '''Doc.\n" + "    more\n" * 90 + "    '''\n    return 1\n"),
        (source_tree.prints, "console.print('x')\n"),
        (source_tree.private_imports, "from __future__ import annotations\n"),
        (source_tree.blanket_excepts, "try:\n    f()\nexcept BaseException:\n    g()\n    raise\n"),
        (source_tree.promises, "x = 'TODO'\n"),
    ],
)
def test_what_is_allowed_is_left_alone(rule: Rule, harmless: str) -> None:
    assert rule(harmless) == []


def test_no_file_is_over_400_lines() -> None:
    sizes = {str(path.relative_to(PACKAGE)): len(path.read_text("utf-8").splitlines()) for path in text_files()}
    assert len(sizes) > 100
    assert {name: lines for name, lines in sizes.items() if lines > LONGEST_FILE} == {}


def test_the_terminal_belongs_to_the_command_line() -> None:
    talking = {"rich", "typer"}
    users = {room(p) for p in python_files() if talking & source_tree.imports_of(p.read_text(encoding="utf-8"))}
    assert users == {"cli"}


def test_packages_hold_nothing_but_a_docstring_in_their_init() -> None:
    for path in python_files():
        if path.name == "__init__.py" and path.parent != PACKAGE:
            assert len(path.read_text(encoding="utf-8").splitlines()) == 1, path
