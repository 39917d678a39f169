"""Properties of the user's own: one function in a file, `FILE.py:FUNCTION`."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from microtome.core.errors import OptionError, nearest
from microtome.data.text.rows import digest_of


def load_property(spec: str) -> tuple[str, Any]:
    """A function of a file, under its own name.

    It is given a `PairView`, a `Side` (single sentences) or a `TokenView`, by what the elements are, and answers True
    or False, a text, or several texts: `name`, `name:text` then become concepts of category `name`.

    Parameters
    ----------
    spec:
        `FILE.py:FUNCTION`.

    Raises
    ------
    OptionError
        When the file or the function is not there, or the file cannot be run.
    """
    file, colon, name = spec.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise OptionError(f"'{spec}' names no property.", expected="FILE.py:FUNCTION")
    path = Path(file)
    if not path.is_file():
        raise OptionError(f"The file '{path}' of the property '{name}' does not exist.", expected="a Python file")
    found = importlib.util.spec_from_file_location(f"microtome_property_{path.stem}", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError, OSError) as error:
        raise OptionError(
            f"The file '{path}' cannot be run: {type(error).__name__}: {error}.", next_step="mend it"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        close = f"did you mean {nearest(name, names, most=1)}?" if names else "define it"
        raise OptionError(f"'{path}' has no function '{name}'.", expected="a function of one view", next_step=close)
    return name, function


def load_properties(specs: Sequence[str], taken: Sequence[str]) -> list[tuple[str, Any]]:
    """All properties of the user. Raises OptionError also where a name is taken."""
    found: list[tuple[str, Any]] = []
    for spec in specs:
        name, function = load_property(spec)
        if name in {*taken, *(known for known, _ in found)}:
            raise OptionError(
                f"The property '{name}' of '{spec}' exists already.",
                expected="a name of its own",
                next_step="rename the function",
            )
        found.append((name, function))
    return found


def properties_digest(specs: Sequence[str]) -> list[tuple[str, str]]:
    """Function and hash of its file, for fingerprints."""
    return [(spec.rpartition(":")[2], digest_of(Path(spec.rpartition(":")[0]))) for spec in specs]
