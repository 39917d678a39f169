"""The texts of a run: for each exemplar what stands there, which words the formula names, and where the unit fires."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtome.core.formula import leaves
from microtome.data.text.base import LabelledText, Passage
from microtome.recipes.exemplars import Exemplar
from microtome.recipes.pictures import Answers
from microtome.recipes.search_units import UnitSearch
from microtome.recipes.verdicts import Judged
from microtome.record.one_pass import Progress
from microtome.record.recording import Recording

Row = dict[str, Any]


def passage_rows(
    search: UnitSearch, judged: list[Judged], *, answers: Answers, progress: Progress
) -> dict[str, list[Row]]:
    """The tables `exemplars` and `passages`."""
    recording = search.recording
    exemplars: list[Row] = []
    passages: list[Row] = []
    for done, one in enumerate(judged, start=1):
        result = one.result
        unit, found = recording.units[result.slot.place], result.explanations
        formula = found[result.chosen].formula if found else None
        holds = None if formula is None else search.heldout.holds(formula)
        members: set[int] = set()
        if formula is not None:
            members = {m for term in leaves(formula) for m in recording.searched.members(term)}
        for exemplar in result.exemplars:
            item = exemplar.image
            where = {"unit": unit, "range": result.slot.range, "kind": exemplar.kind, "rank": exemplar.rank}
            exemplars.append(where | {
                "image": recording.items.key(item),
                "split": "heldout" if recording.items.heldout[item] else "search",
                "value": exemplar.value, "row": 0, "col": exemplar.cell, "iou": exemplar.iou,
                **answers.of(recording, item), "sprite": None, "tile": None,
            })  # fmt: skip
            text, _ = recording.items.read_text(item)
            if recording.elements == 1:
                passages += [where | row for row in _sides(recording, item, text, members)]
            else:
                passages.append(where | _tokens(recording, exemplar, text, result.slot.place, holds))
        progress("reading texts", done, len(judged))
    return {"exemplars": exemplars, "passages": passages}


def _sides(recording: Recording, item: int, text: LabelledText, members: set[int]) -> list[Row]:
    """A pair or a sentence: one row a side, the words that the formula's concepts stand for marked."""
    data = recording.items.text_set(item)
    own = [recording.items.own_concept(item, member) for member in members]
    held = {concept for concept in own if concept in text.sets[0]}
    marks = {(mark.side, mark.word) for concept in held for mark in data.marks(text, concept)}
    rows = []
    for side, (name, passage) in enumerate(zip(data.sides, text.sides, strict=True)):
        pieces, words = pieces_of(passage)
        marked = [word >= 0 and (side, word) in marks for word in words]
        rows.append({"side": name, "pieces": pieces, "values": [], "marked": marked, "active": []})
    return rows


def pieces_of(passage: Passage) -> tuple[list[str], list[int]]:
    """The text in words and what is between them, and the number of each piece's word, -1 for what is between."""
    pieces: list[str] = []
    words: list[int] = []
    at = 0
    for number, word in enumerate(passage.words):
        if word.start > at:
            pieces.append(passage.text[at : word.start])
            words.append(-1)
        pieces.append(passage.text[word.start : word.end])
        words.append(number)
        at = word.end
    if at < len(passage.text):
        pieces.append(passage.text[at:])
        words.append(-1)
    return pieces, words


def _tokens(recording: Recording, exemplar: Exemplar, text: LabelledText, place: int, holds: np.ndarray | None) -> Row:
    """A window of running text: the model's tokens with the unit's activation."""
    item, count = exemplar.image, len(text.spans)
    block, inside = divmod(item, recording.block_size)
    values = recording.activations(block, place, place + 1)[inside, 0, 0, :count]
    signature = recording.maps[item * recording.elements : item * recording.elements + count]
    marked = [False] * count if holds is None else holds[signature].tolist()
    whole, pieces, at = text.sides[0].text, [], text.spans[0][0] if count else 0
    for _, end in text.spans:
        # What lies between two tokens (a space) is shown with the second; the pieces of one character with the first.
        pieces.append(whole[at : max(at, end)])
        at = max(at, end)
    active = np.unpackbits(exemplar.active, count=recording.elements)[:count].astype(bool).tolist()
    return {"side": "text", "pieces": pieces, "values": values.tolist(), "marked": marked, "active": active}
