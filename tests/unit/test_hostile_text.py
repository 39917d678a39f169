"""Bad texts: each fault is named with file and line, and all of them come at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from microtome.core.errors import DataError
from microtome.data.problems import ManyProblems
from microtome.data.text.open import open_texts
from microtome.data.text.vectors import read_vectors

GOOD = {"premise": "A dog runs.", "hypothesis": "An animal runs.", "label": "entailment"}


def _file(path: Path, lines: list[bytes | dict[str, object]]) -> Path:
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


BAD_PAIRS: list[tuple[bytes | dict[str, object], str]] = [
    ({**GOOD, "label": "entailmnt"}, "the label 'entailmnt' is unknown"),
    ({**GOOD, "hypothesis": "  "}, "the hypothesis is empty"),
    ({**GOOD, "premise": None}, "the premise is missing"),
    ({"premise": "A dog.", "label": "neutral"}, "the hypothesis is missing"),
    ({**GOOD, "premise": 7}, "the premise is int, no text"),
    ({**GOOD, "premise": "a" * 100_000}, "the premise has 100,000 characters"),
    ({"premise": "A dog.", "hypothesis": "A cat."}, "the row has no label"),
    (b'{"premise": "caf\xe9", "hypothesis": "b", "label": "neutral"}', r"byte 17 of the line is no UTF-8 \(0xe9\)"),
    (b'{"premise": "a", "hypothesis": ', "this is no JSON"),
    (b'["a", "b"]', "this is a JSON list"),
    (b"{}", "the object is empty"),
    (b'{"premise": "\\ud800", "hypothesis": "b", "label": "neutral"}', "the premise holds half a surrogate pair"),
    (b'{"premise": ' + b"[" * 100_000, "this is no JSON"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_PAIRS)
def test_fault_of_a_pair_names_file_and_line(tmp_path: Path, bad: bytes | dict[str, object], message: str) -> None:
    file = _file(tmp_path / "pairs.jsonl", [GOOD, bad, GOOD])
    with pytest.raises(DataError, match=rf"pairs\.jsonl, line 2: {message}"):
        open_texts(file)


def test_all_faults_at_once(tmp_path: Path) -> None:
    file = _file(tmp_path / "pairs.jsonl", [GOOD, *(bad for bad, _ in BAD_PAIRS)])
    with pytest.raises(ManyProblems) as caught:
        open_texts(file)
    assert {f"line {k + 2}:" in str(caught.value) for k in range(len(BAD_PAIRS))} == {True}


def test_only_twenty_faults_are_written_out(tmp_path: Path) -> None:
    file = _file(tmp_path / "pairs.jsonl", [GOOD, *({**GOOD, "hypothesis": ""} for _ in range(50))])
    with pytest.raises(ManyProblems, match="and 30 more") as caught:
        open_texts(file)
    assert len(caught.value.problems) == 50


def test_duplicated_ids(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.jsonl", [{**GOOD, "pairID": "x"}, {**GOOD, "pairID": "y"}, {**GOOD, "pairID": "x"}])
    with pytest.raises(DataError, match=r"line 3: the id 'x' stands on line 1 already"):
        open_texts(file)


def test_label_unknown_to_the_other_texts(tmp_path: Path) -> None:
    first = _file(tmp_path / "a.jsonl", [{"text": "Fine.", "label": "good"}])
    other = _file(tmp_path / "b.jsonl", [{"text": "Fine.", "label": "superb"}])
    with pytest.raises(DataError, match=r"b.jsonl, line 1: the label 'superb' is unknown to a.jsonl"):
        open_texts(other, like=open_texts(first))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("premise\thypothesis\tlabel\na\tb\n", "line 2: 2 columns"),
        ("premise\thypothesis\tlabel\na\tb\tneutral\tmore\n", "line 2: 4 columns"),
        ("premise\thypothesis\tlabel\n\tb\tneutral\n", "line 2: the premise is empty"),
        ("premise\thypothesis\tlabel\na\tb\tneutrall\n", "line 2: the label 'neutrall' is unknown"),
        ("premise\thypothesis\tlabel\na\tb\t\n", "line 2: the label is empty"),
        ("premise\tlabel\na\tneutral\n", "line 2: the hypothesis is missing"),
        ("text\ttext\na\tb\n", "line 1: a column name stands twice"),
        ("one\ttwo\na\tb\n", "has no column of texts: one, two"),
        ("text\tlabel\n", "no text that can be used"),
        ("", "is empty"),
    ],
)
def test_faults_of_tab_separated_files(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.tsv").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        open_texts(tmp_path / "a.tsv")


WORD = "1\tA\ta\tDET\tDT\t_\t0\tdet\t_\t_"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{WORD}\n2\tdog\tdog\n", "line 2: 3 columns"),
        (f"{WORD}\n{WORD.replace('1', '3', 1)}\n", "line 2: the word number is 3"),
        (f"x{WORD}\n", "line 1: 'x1' is no word number"),
        (f"{WORD.replace('A', '', 1)}\n", "line 1: the word is empty"),
        (f"1-2{WORD[1:]}\n{WORD}\n\n", "line 2: the word 'A' ends before its parts"),
        (f"# text = Another\n{WORD}\n", "line 1: the words make 'A', the text says 'Another'"),
        (f"# sent_id = s\n{WORD.replace('A', 'A' * 30_000, 1)}\n", "line 1: the sentence has 30,000 characters"),
        ("# only a comment\n", "has no sentence"),
    ],
)
def test_faults_of_conllu(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.conllu").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        open_texts(tmp_path / "a.conllu")


def test_documents_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "a.conllu").write_text(f"# newdoc id = d\n{WORD}\n\n# newdoc id = d\n{WORD}\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 4: the id 'd' stands on line 1 already"):
        open_texts(tmp_path / "a.conllu")


def test_plain_text_with_a_line_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"fine\n\xff\xfe\n" + b"x" * 100_000 + b"\n")
    with pytest.raises(ManyProblems) as caught:
        open_texts(tmp_path / "a.txt")
    assert "line 2: byte 1 of the line is no UTF-8" in str(caught.value)
    assert "line 3: the line has 100,000 characters" in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        open_texts(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="does not exist"):
        open_texts(str(tmp_path / "none.jsonl?by=line"))
    with pytest.raises(DataError, match="nothing that a reader of texts knows"):
        open_texts(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("man 1 2 3\nwoman 1 2\n", "line 2: 'woman' has 2 numbers"),
        ("man 1 2 3\nwoman 1 2 3 4\n", "line 2: 'woman' has 4 numbers"),
        ("2 3\nman 1 2\nwoman 1 2 3\n", "line 2: 'man' has 2 numbers"),
        ("man 1 2 x\nwoman 1 2 3\n", "line 1: a value of 'man' is no finite number"),
        ("man 1 nan 3\nwoman 1 2 3\n", "line 1: a value of 'man' is no finite number"),
        ("man\nwoman\n", "line 1: 'man' has 0 numbers"),
        ("2 3\n", "has no vector"),
    ],
)
def test_faults_of_vectors(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "v.txt").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_vectors(tmp_path / "v.txt")
