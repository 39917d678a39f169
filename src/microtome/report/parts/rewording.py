"""What an edit changed in a text: the words taken out and the words put in."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from microtome.report.parts.passages import Piece

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


def changed(before: str, after: str) -> dict[str, list[Piece]]:
    """Two versions of a text, cut so that the pieces in which they differ are marked.

    Returns
    -------
    {"before": pieces, "after": pieces}; the texts of the pieces joined give the two versions.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    shown: dict[str, list[Piece]] = {"before": [], "after": []}
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for side, text in (("before", "".join(old[a:b])), ("after", "".join(new[c:d]))):
            if text:
                shown[side].append(Piece(text, marked=tag != "equal"))
    return shown
