"""Every kind of error has a page, and every error is one that the command line can print."""

from __future__ import annotations

import ast

from microtome.core import errors
from tests.support.source_tree import ROOT, python_files

PAGES = ROOT / "docs" / "errors"


def kinds() -> set[str]:
    """The classes of errors for users."""
    return {kind.__name__ for kind in errors.MicrotomeError.__subclasses__() if kind.__module__ == errors.__name__}


def test_every_kind_of_error_has_its_page() -> None:
    assert len(kinds()) == 5
    for kind in kinds():
        page = PAGES / f"{kind.removesuffix('Error').lower()}.md"
        assert page.read_text(encoding="utf-8").startswith(f"# {kind}: ")
        assert f"`{kind}`" in (PAGES / "README.md").read_text(encoding="utf-8")


def test_no_class_of_errors_stands_outside() -> None:
    """Every public class derived from an error comes from MicrotomeError."""
    known = kinds() | {"MicrotomeError"}
    outside = []
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                derived = {name for name in bases if name.endswith(("Error", "Exception"))}
                if derived - known and node.name != "MicrotomeError":
                    outside.append(f"{path.name}: {node.name}")
    assert outside == []
