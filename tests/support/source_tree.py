"""The source as syntax trees, and the rules of the house as functions from a tree to what breaks them."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "src" / "microtome"

LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def python_files() -> list[Path]:
    """Every Python file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def text_files() -> list[Path]:
    """Every source file of the package in whatever language."""
    return sorted(path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".js", ".css", ".j2", ".html"})


def room(path: Path) -> str:
    """The package that a file is in: `cli` of src/microtome/cli/main.py."""
    return path.relative_to(PACKAGE).parts[0]


def module_name(path: Path) -> str:
    """Dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def long_functions(source: str) -> list[str]:
    """Functions of more than 60 lines. The signature and the docstring are not counted: both should be full."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > LONGEST_FUNCTION:
                found.append(f"{node.name} has {lines} lines")
    return found


def prints(source: str) -> list[str]:
    """Calls of print."""
    return [
        f"print in line {node.lineno}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def _imported(source: str) -> Iterator[tuple[int, str, str]]:
    """(line, module, name) of every import; name is empty for `import module`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, "." * node.level + (node.module or ""), alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""


def private_imports(source: str) -> list[str]:
    """Imports of a name, or from a module, that starts with one underscore."""
    return [
        f"line {line} imports {name} from {module}"
        for line, module, name in _imported(source)
        if any(_private(part) for part in (*module.split("."), name)) and module != "microtome._version"
    ]


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def root_imports(source: str) -> list[str]:
    """Imports of the package root, which loads everything lazily and would make cycles; and relative imports."""
    return [
        f"line {line} imports {module or '.'}"
        for line, module, _ in _imported(source)
        if module == "microtome" or module.startswith(".")
    ]


def imports_of(source: str) -> set[str]:
    """Top-level names of all imported modules."""
    return {module.split(".")[0] for _, module, _ in _imported(source)}


def blanket_excepts(source: str) -> list[str]:
    """Handlers of everything (bare, Exception, BaseException) that do not raise again at their end."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node.type):
            last = node.body[-1]
            if not (isinstance(last, ast.Raise) and last.exc is None):
                found.append(f"blanket except in line {node.lineno}")
    return found


def _catches_all(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    names = [part.id for part in ast.walk(caught) if isinstance(part, ast.Name)]
    return bool({"Exception", "BaseException"} & set(names))


def promises(source: str) -> list[str]:
    """Comments that put work off."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    words = ("TODO", "FIXME", "XXX", "HACK")
    return [
        f"line {token.start[0]}: {token.string.strip()}"
        for token in tokens
        if token.type == tokenize.COMMENT and any(word in token.string for word in words)
    ]


def methods_without_source(source: str) -> list[str]:
    """Classes that offer `prepare` or `run` under a `name` of their own, but state no `source`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            functions = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
            values = {
                target.id: part.value
                for part in node.body
                if isinstance(part, ast.Assign)
                for target in part.targets
                if isinstance(target, ast.Name)
            }
            if functions & {"prepare", "run"} and "name" in values and not _is_source(values.get("source")):
                found.append(f"{node.name} has no source")
    return found


def _is_source(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "Source"
