"""The readers of texts, and how a file is recognised. A new reader is one file and one row of `READERS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast
from urllib.parse import parse_qsl

import numpy as np

from microtome.core.errors import DataError, OptionError, nearest
from microtome.data.text.conllu import is_conllu, read_conllu
from microtome.data.text.hans import is_hans, read_hans
from microtome.data.text.hf import HF_OPTIONS, is_hf_texts, read_hf
from microtome.data.text.jsonl import is_jsonl, read_jsonl
from microtome.data.text.plain import is_plain, read_plain
from microtome.data.text.rows import PAIR_SIDES, TextRow, TextRows
from microtome.data.text.settings import TextSettings
from microtome.data.text.tsv import is_tsv, read_tsv

WORLD_SPLIT, WORLD_COUNT = "heldout", 10_000

Options = dict[str, str]


@dataclass(frozen=True)
class TextReader:
    """How a kind of file is recognised (path, first line) and read."""

    looks_for: str
    sniff: Callable[[Path, str], bool]
    read: Callable[[Path, Options, TextSettings], TextRows]
    options: tuple[str, ...] = ()


def _conllu(path: Path, options: Options, settings: TextSettings) -> TextRows:
    tag = _choice(options, "tag", ("xpos", "upos"), path)
    default = "sentence" if settings.level == "sentence" else "document"
    by = _choice(options, "by", (default, "document", "sentence"), path)
    return read_conllu(path, universal=tag == "upos", by=cast(Literal["document", "sentence"], by))


def _plain(path: Path, options: Options, settings: TextSettings) -> TextRows:
    default = "line" if settings.level == "sentence" else "paragraph"
    by = _choice(options, "by", (default, "paragraph", "line"), path)
    return read_plain(path, by=cast(Literal["paragraph", "line"], by))


READERS: dict[str, TextReader] = {
    "conllu": TextReader("*.conllu", is_conllu, _conllu, ("tag", "by")),
    "hans": TextReader(
        "a header with gold_label and heuristic, tabs between", is_hans, lambda path, o, s: read_hans(path)
    ),
    "jsonl": TextReader(
        "*.jsonl, or lines that start with {", is_jsonl, lambda path, o, s: read_jsonl(path, _labels(o, s)), ("labels",)
    ),
    "tsv": TextReader(
        "*.tsv, or a header with tabs", is_tsv, lambda path, o, s: read_tsv(path, _labels(o, s)), ("labels",)
    ),
    "hf": TextReader(
        "a folder with Parquet files or a saved data set, *.parquet",
        is_hf_texts,
        lambda path, o, s: read_hf(str(path), o, _labels(o, s)),
        HF_OPTIONS,
    ),
    "plain": TextReader("*.txt", is_plain, _plain, ("by",)),
}
"""Name -> reader, in the order in which a file is tried."""


def is_text(path: Path) -> bool:
    """Whether a file or folder is one that a reader of texts recognises, so that a command can tell it from images."""
    if path.is_dir():
        return is_hf_texts(path, "")
    if not path.is_file():
        return False
    first = _first_line(path)
    return any(reader.sniff(path, first) for reader in READERS.values())


def read_rows(spec: str | Path, settings: TextSettings) -> TextRows:
    """Rows of whatever a spec names: `world[:SPLIT][@COUNT]`, `hf:NAME`, a file; `?option=value` behind it.

    Raises
    ------
    DataError
        When it cannot be read; with all problems, each with file and line.
    OptionError
        For an unknown reader, option or split.
    """
    if settings.reader is not None and settings.reader not in READERS:
        raise OptionError(
            f"There is no reader of texts '{settings.reader}'.",
            expected=f"one of {', '.join(READERS)}",
            next_step=f"did you mean {nearest(settings.reader, READERS, most=1)}?",
        )
    if not str(spec).strip():
        raise OptionError("The text set has an empty name.", expected="world, hf:NAME or a file")
    if isinstance(spec, Path) or Path(spec).exists():
        return _file(Path(spec), {}, settings)
    text, _, query = spec.partition("?")
    options = _parsed(query, spec)
    if text == "world" or text.startswith(("world:", "world@")):
        _known(options, ("seed",), text)
        return _world(text, options, settings)
    if text.startswith("hf:"):
        _known(options, HF_OPTIONS, spec)
        return read_hf(text.removeprefix("hf:"), options, _labels(options, settings))
    return _file(Path(text), options, settings)


def limited(rows: TextRows, settings: TextSettings) -> tuple[TextRow, ...]:
    """At most `limit` rows, drawn with `seed`, in their order."""
    if settings.limit is None or settings.limit >= len(rows.rows):
        return rows.rows
    chosen = np.random.default_rng(settings.seed).choice(len(rows.rows), settings.limit, replace=False)
    return tuple(rows.rows[int(k)] for k in np.sort(chosen))


def _file(path: Path, options: Options, settings: TextSettings) -> TextRows:
    if not path.exists():
        raise DataError(
            f"The file '{path}' does not exist.",
            expected="a file of texts, world, or hf:NAME",
            next_step="check the path; a relative path starts at the current folder",
        )
    name = settings.reader or _sniffed(path)
    _known(options, READERS[name].options, str(path))
    return READERS[name].read(path, options, settings)


def _sniffed(path: Path) -> str:
    first = "" if path.is_dir() else _first_line(path)
    for name, reader in READERS.items():
        if reader.sniff(path, first):
            return name
    looked = "; ".join(f"{reader.looks_for} ({name})" for name, reader in READERS.items())
    raise DataError(f"'{path}' is nothing that a reader of texts knows.", expected=f"one of: {looked}")


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            line = file.readline(100_000)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error}") from error
    return line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").rstrip("\r\n")


def _world(text: str, options: Options, settings: TextSettings) -> TextRows:
    from microtome.data.world.pairs import WorldPairs
    from microtome.data.world.shortcuts import split_named

    name, at, count = text.partition("@")
    split = name.partition(":")[2] or WORLD_SPLIT
    total = _integer(count, "@COUNT", text) if at else WORLD_COUNT
    seed = _integer(options["seed"], "seed", text) if "seed" in options else settings.seed
    world = WorldPairs(split_named(split), count=total, seed=seed)
    rows: list[TextRow] = []
    for k in range(total):
        pair = world.pair(k)
        rows.append(TextRow(pair.key, (pair.premise, pair.hypothesis), pair.label, k + 1))
    notes = world.card.notes
    source = f"world:{split}@{total}"
    return TextRows(tuple(rows), PAIR_SIDES, tuple(world.classes), "world", source, world.fingerprint(), notes)


def _labels(options: Options, settings: TextSettings) -> tuple[str, ...]:
    if "labels" in options:
        return tuple(part.strip() for part in options["labels"].split(",") if part.strip())
    return settings.labels


def _parsed(query: str, spec: str) -> Options:
    if not query:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise OptionError(f"The options of '{spec}' cannot be read.", expected="?name=value&name=value") from error
    if len(dict(pairs)) < len(pairs):
        raise OptionError(f"An option of '{spec}' is given twice.", expected="each option once")
    return dict(pairs)


def _known(options: Options, valid: tuple[str, ...], spec: str) -> None:
    unknown = [name for name in options if name not in valid]
    if unknown:
        raise OptionError(
            f"'{spec}' has the unknown option {', '.join(unknown)}.",
            expected=f"some of {', '.join(valid)}" if valid else "no options for this reader",
        )


def _choice(options: Options, name: str, valid: tuple[str, ...], path: Path) -> str:
    """The option, else the first valid value."""
    chosen = options.get(name, valid[0])
    if chosen not in valid:
        listed = ", ".join(dict.fromkeys(valid))
        raise OptionError(f"{name} of '{path}' is '{chosen}'.", expected=f"one of {listed}")
    return chosen


def _integer(text: str, name: str, spec: str) -> int:
    if not text.isdecimal():
        raise OptionError(f"{name} of '{spec}' is '{text}'.", expected="a whole number from 0")
    return int(text)
