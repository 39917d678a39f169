"""Edits that a user writes down: a file with tabs, one edit a line.

unit    side        action     word      replacement
12      hypothesis  insert     nobody
*       premise     replace    man       woman
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from microtome.core.errors import DataError
from microtome.data.problems import Collector
from microtome.data.text.rows import fault, file_lines
from microtome.data.text.words import lowered, split_words

Action = Literal["insert", "remove", "replace"]
ACTIONS: dict[str, Action] = {"insert": "insert", "remove": "remove", "replace": "replace"}
SIDES = {"premise": "pre", "hypothesis": "hyp", "pre": "pre", "hyp": "hyp", "text": "text"}


@dataclass(frozen=True)
class UserEdit:
    """One line.

    Attributes
    ----------
    unit:
        The unit that it is for; None = every unit.
    side:
        `pre`, `hyp` or `text`.
    action:
        What is done.
    word:
        The word that goes in, goes, or gives way; in lower case.
    replacement:
        What takes its place; None unless the action is `replace`.
    line:
        Line of the file, from 1.
    """

    unit: int | None
    side: str
    action: Action
    word: str
    replacement: str | None
    line: int


def read_edits(path: Path, *, pairs: bool) -> tuple[UserEdit, ...]:
    """The edits of a file; empty lines, lines that begin with # and a header `unit side ...` are skipped.

    Parameters
    ----------
    path:
        The file.
    pairs:
        Whether the texts are pairs: sides are then premise and hypothesis, else text.

    Raises
    ------
    DataError
        With all problems, each with its line.
    """
    problems = Collector()
    edits: list[UserEdit] = []
    for line, text in file_lines(path, problems):
        fields = [field.strip() for field in text.split("\t")]
        if not text.strip() or text.startswith("#") or (fields[:2] == ["unit", "side"]):
            continue
        edit = problems.attempt(lambda line=line, fields=fields: _edit(path, line, fields, pairs))
        if edit is not None:
            edits.append(edit)
    problems.settle()
    if not edits:
        raise DataError(f"'{path}' has no edit.", expected="a line such as: 12, hypothesis, insert, nobody, with tabs")
    return tuple(edits)


def _edit(path: Path, line: int, fields: list[str], pairs: bool) -> UserEdit:
    fields = [*fields, ""] if len(fields) == 4 else fields
    if len(fields) != 5:
        what = f"the edit has {len(fields)} fields."
        raise fault(path, line, what, expected="unit or *, side, action, word, and with replace what replaces it")
    unit, side, action, word, replacement = fields
    if unit != "*" and not unit.isdecimal():
        raise fault(path, line, f"the unit is '{unit}'.", expected="a number from 0, or * for every unit")
    sides = ("premise", "hypothesis", "pre", "hyp") if pairs else ("text",)
    if side not in sides:
        raise fault(path, line, f"the side is '{side}'.", expected=" or ".join(sides[:2]))
    if action not in ACTIONS:
        raise fault(path, line, f"the action is '{action}'.", expected="insert, remove or replace")
    for each in [word, replacement] if action == "replace" else [word]:
        if len(split_words(each)) != 1:
            raise fault(path, line, f"'{each}' is {len(split_words(each))} words.", expected="one word")
    if action != "replace" and replacement:
        raise fault(path, line, f"'{action}' takes no replacement.", expected="four fields, or the action replace")
    return UserEdit(
        None if unit == "*" else int(unit), SIDES[side], ACTIONS[action], lowered(word),
        lowered(replacement) if action == "replace" else None, line,
    )  # fmt: skip
