"""What texts of every level share on their way from rows to concepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from microtome.core.concept import Concept
from microtome.core.errors import DataError, OptionError
from microtome.data.base import DataCard, hash_of
from microtome.data.problems import Collector
from microtome.data.text.assemble import Assembled, Elements, Limit, assemble, assemble_like
from microtome.data.text.base import TextData
from microtome.data.text.pair_concepts import ENGLISH_STOP_WORDS
from microtome.data.text.properties import properties_digest
from microtome.data.text.rows import TextRow, TextRows, fault, file_lines
from microtome.data.text.settings import TextSettings
from microtome.data.text.tags import Tagger
from microtome.data.text.vectors import Vectors, concept_neighbours, read_vectors, wanted_words
from microtome.data.text.words import lowered

Neighbours = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Made:
    """Concepts, sets and everything else that texts are given beside their rows."""

    assembled: Assembled
    classes: tuple[str, ...]
    neighbours: Neighbours
    card: DataCard
    fingerprint: str


def made(
    rows: TextRows,
    chosen: Sequence[TextRow],
    settings: TextSettings,
    *,
    elements: Elements,
    group: dict[str, str],
    tagger: Tagger | None,
    vectors: Vectors | Path | None,
    like: TextData | None,
    notes: tuple[str, ...],
    extra: tuple[object, ...] = (),
) -> Made:
    """Concepts from the elements' answers, with neighbours, classes, card and fingerprint.

    Parameters
    ----------
    rows, chosen:
        The file, and the rows of it that are used.
    settings, vectors, like:
        As in `open_texts`.
    elements:
        The answers at each element.
    group:
        Limited categories and the group whose values each shares.
    tagger:
        The tagger that was used, or None.
    notes:
        For the card, behind the reader's own.
    extra:
        What else decides the data, for the fingerprint.
    """
    if like is None:
        limit = Limit(settings.vocabulary, group, stop_words(settings.stop_words))
        assembled = assemble(elements, limit)
        classes = rows.classes
        if isinstance(vectors, Path):
            vectors = read_vectors(vectors, keep=wanted_words(assembled.concepts))
        neighbours = () if vectors is None else concept_neighbours(assembled.concepts, vectors, settings.neighbours)
    else:
        assembled = assemble_like(elements, like.concepts)
        classes, neighbours = _classes_like(rows, chosen, like), like.neighbours
        notes = (*notes, f"Concepts are those of {like.card.name}.")
    notes = (*rows.notes, *notes, *_vocabulary_note(settings, assembled.concepts, group))
    name = Path(rows.source).name if Path(rows.source).exists() else rows.source
    parts = [
        rows.digest,
        rows.reader,
        settings.limit,
        settings.seed,
        [row.key for row in chosen] if settings.limit is not None else None,
        assembled.concepts,
        classes,
        neighbours,
        None if tagger is None else tagger.fingerprint(),
        properties_digest(settings.properties),
        extra,
    ]
    card = DataCard(name=name, reader=rows.reader, source=rows.source, notes=notes)
    return Made(assembled, classes, neighbours, card, hash_of(parts))


def stop_words(choice: str) -> frozenset[str]:
    """The words of `none`, `english` or a file with one a line. Raises DataError when the file cannot be read."""
    if choice == "none":
        return frozenset()
    if choice == "english":
        return ENGLISH_STOP_WORDS
    path = Path(choice)
    if not path.is_file():
        raise OptionError(f"There is no stop list '{choice}'.", expected="none, english, or a file: one word a line")
    problems = Collector()
    words = frozenset(lowered(text.strip()) for _, text in file_lines(path, problems) if text.strip())
    problems.settle()
    return words


def check_tags(rows: TextRows, chosen: Sequence[TextRow], settings: TextSettings) -> bool:
    """Whether gold tags are to be used.

    Raises
    ------
    DataError
        When `gold` was asked for and the file has no tags.
    """
    gold = any(word.tag is not None for row in chosen[:50] for words in row.words or () for word in words)
    if settings.tagger == "gold" and not gold:
        raise DataError(
            f"'{rows.source}' has no tags of its own.",
            expected="a CoNLL-U file with tags, where the tagger is 'gold'",
            next_step="name another tagger: spacy:MODEL or nltk:FILE.conllu",
        )
    return gold and settings.tagger in ("gold", "auto")


def tag_note(tagger: Tagger | None, gold: bool) -> str:
    """The card's note on where tags come from."""
    if tagger is not None:
        return f"Tags: {tagger.name}."
    return "Tags: the file's own." if gold else "No tags: no tagger was named."


def _classes_like(rows: TextRows, chosen: Sequence[TextRow], like: TextData) -> tuple[str, ...]:
    problems = Collector()
    for row in chosen:
        if row.label is not None and row.label not in like.classes:
            listed = ", ".join(like.classes) or "none"
            what = f"the label '{row.label}' is unknown to {like.card.name}."
            problems.add(fault(rows.source, row.line, what, expected=f"one of {listed}"))
    problems.settle()
    return like.classes


def _vocabulary_note(settings: TextSettings, concepts: Sequence[Concept], group: dict[str, str]) -> tuple[str, ...]:
    kept = sum(concept.category in group for concept in concepts)
    stop = "" if settings.stop_words == "none" else f", stop list {settings.stop_words}"
    return (f"Vocabulary: the {settings.vocabulary:,} most frequent{stop}; {kept:,} of {len(concepts):,} concepts.",)


def row_place(rows: TextRows, row: TextRow) -> str:
    """File and line of a row, for messages."""
    return f"{rows.source}, line {row.line}"
