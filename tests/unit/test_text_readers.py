"""Readers of texts: what each makes of its format, and how a file is recognised."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from microtome.core.errors import DataError, OptionError
from microtome.data.text.open import open_texts
from microtome.data.text.readers import is_text, read_rows
from microtome.data.text.settings import TextSettings
from microtome.data.text.words import split_words

PLAIN = TextSettings()

CONLLU = """# newdoc id = first
# sent_id = a
# text = I don't (really).
1\tI\tI\tPRON\tPRP\t_\t2\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t0\troot\t_\t_
3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\t_
4\t(\t(\tPUNCT\t-LRB-\t_\t5\tpunct\t_\tSpaceAfter=No
5\treally\treally\tADV\tRB\t_\t2\tadvmod\t_\tSpaceAfter=No
6\t)\t)\tPUNCT\t-RRB-\t_\t5\tpunct\t_\tSpaceAfter=No
7\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\t_

# newpar id = p2
# sent_id = b
1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\tIN\t_\t3\tcase\t_\t_
2\tle\tle\tDET\tDT\t_\t3\tdet\t_\t_
3\tsel\tsel\tNOUN\tNN\t_\t0\troot\t_\t_

# newdoc id = second
# sent_id = c
1\tYes\tyes\tINTJ\tUH\t_\t0\troot\t_\t_
"""


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _lines(path: Path, rows: list[dict[str, object]]) -> Path:
    return _write(path, "".join(json.dumps(row) + "\n" for row in rows))


def test_pairs_with_premise_and_hypothesis(tmp_path: Path) -> None:
    file = _lines(tmp_path / "a.jsonl", [{"premise": "A dog. ", "hypothesis": "A cat.", "label": "contradiction"}])
    rows = read_rows(file, PLAIN)
    assert rows.rows[0].texts == ("A dog.", "A cat.")
    assert rows.classes == ("entailment", "neutral", "contradiction")
    assert (rows.sides, rows.rows[0].key, rows.rows[0].line) == (("premise", "hypothesis"), "000001", 1)


def test_snli_as_published_drops_pairs_without_gold_label(tmp_path: Path) -> None:
    shared = {"annotator_labels": ["neutral"], "captionID": "x"}
    file = _lines(
        tmp_path / "a.jsonl",
        [
            {"gold_label": "neutral", "pairID": "p1", "sentence1": "A", "sentence2": "B", **shared},
            {"gold_label": "-", "pairID": "p2", "sentence1": "C", "sentence2": "D", **shared},
        ],
    )
    rows = read_rows(file, PLAIN)
    assert [row.key for row in rows.rows] == ["p1"]
    assert "1 rows without a gold label ('-') dropped." in rows.notes


def test_single_sentences_take_their_own_labels(tmp_path: Path) -> None:
    file = _lines(tmp_path / "a.jsonl", [{"text": "Good.", "label": 10}, {"text": "Bad.", "label": 2}])
    rows = read_rows(file, PLAIN)
    assert (rows.sides, rows.classes) == (("text",), ("2", "10"))


def test_hans_by_its_header(tmp_path: Path) -> None:
    header = "gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1"
    header += "\tsentence2\tpairID\theuristic\tsubcase\ttemplate\n"
    line = "non-entailment\t( a )\t( b )\t(R a)\t(R b)\tThe cats saw the dog .\tThe dog saw the cats .\tex0\tlexical"
    file = _write(tmp_path / "heuristics.txt", header + line + "\tln_subject\ttemp1\n")
    rows = read_rows(file, PLAIN)
    assert rows.reader == "hans"
    assert rows.classes == ("entailment", "non-entailment")
    assert (rows.rows[0].key, rows.rows[0].label) == ("ex0", "non-entailment")
    assert rows.rows[0].texts == ("The cats saw the dog .", "The dog saw the cats .")


def test_tab_separated_with_header(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.tsv", 'label\ttext\ngood\tA "fine" film\nbad\tDull\n')
    rows = read_rows(file, PLAIN)
    assert [row.texts for row in rows.rows] == [('A "fine" film',), ("Dull",)]
    assert rows.classes == ("bad", "good")


def test_labels_of_pairs_by_option(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.tsv", "sentence1\tsentence2\tlabel\nA b\tC d\tsame\n")
    with pytest.raises(DataError, match="the label 'same' is unknown"):
        read_rows(file, PLAIN)
    assert read_rows(f"{file}?labels=same,other", PLAIN).classes == ("same", "other")


def test_conllu_gives_exact_text_and_gold_words(tmp_path: Path) -> None:
    rows = read_rows(_write(tmp_path / "a.conllu", CONLLU), PLAIN)
    assert [row.key for row in rows.rows] == ["first", "second"]
    text, words = rows.rows[0].texts[0], (rows.rows[0].words or ((),))[0]
    assert text == "I don't (really).\n\ndu sel"
    assert all(text[word.start : word.end] == word.text for word in words)
    assert [(word.text, word.tag) for word in words][:3] == [("I", "PRP"), ("do", "VBP"), ("n't", "RB")]
    assert (words[-2].text, words[-2].tag) == ("du", "IN+DT")
    assert [word.sentence for word in words] == [0] * 7 + [1] * 2
    assert words[0].relation == "nsubj"


def test_conllu_by_sentence_with_universal_tags(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.conllu", CONLLU)
    rows = read_rows(f"{file}?by=sentence&tag=upos", PLAIN)
    assert [row.key for row in rows.rows] == ["a", "b", "c"]
    assert [word.tag for word in (rows.rows[2].words or ((),))[0]] == ["INTJ"]


def test_plain_text_by_paragraph_and_by_line(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.txt", "one\ntwo\n\n\nthree\n")
    assert [(row.texts[0], row.line) for row in read_rows(file, PLAIN).rows] == [("one\ntwo", 1), ("three", 5)]
    assert [row.texts[0] for row in read_rows(f"{file}?by=line", PLAIN).rows] == ["one", "two", "three"]


def test_datasets_saved_to_disk_and_as_parquet(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    names = ["entailment", "neutral", "contradiction"]
    features = datasets.Features(
        premise=datasets.Value("string"), hypothesis=datasets.Value("string"), label=datasets.ClassLabel(names=names)
    )
    data = datasets.Dataset.from_dict(
        {"premise": ["A", "B"], "hypothesis": ["C", "D"], "label": [2, -1]}, features=features
    )
    data.save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "parquet").mkdir()
    data.to_parquet(str(tmp_path / "parquet" / "a.parquet"))
    for spec in (tmp_path / "saved", tmp_path / "parquet", f"hf:{tmp_path / 'saved'}"):
        rows = read_rows(spec, PLAIN)
        assert [(row.texts, row.label) for row in rows.rows] == [(("A", "C"), "contradiction")]
        assert rows.classes == tuple(names)
        assert any("1 rows without a gold label" in note for note in rows.notes)


def test_planted_world() -> None:
    data = open_texts("world:train@12")
    assert (len(data), data.level, data.classes) == (12, "pair", ("entailment", "neutral", "contradiction"))
    assert open_texts("world:train@12").fingerprint() == data.fingerprint()
    assert open_texts("world:train@12?seed=1").texts(0) != data.texts(0)


def test_limit_draws_the_same_rows_again(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.txt", "".join(f"text number {k}\n" for k in range(50)))
    drawn = [open_texts(f"{file}?by=line", TextSettings(limit=5, seed=seed)) for seed in (1, 1, 2)]
    keys = [[data.key(i) for i in range(len(data))] for data in drawn]
    assert keys[0] == keys[1] == sorted(keys[0])
    assert keys[0] != keys[2]
    assert drawn[0].fingerprint() == drawn[1].fingerprint() != drawn[2].fingerprint()


def test_texts_are_told_from_other_files(tmp_path: Path) -> None:
    assert is_text(_lines(tmp_path / "pairs", [{"text": "a"}]))
    assert is_text(_write(tmp_path / "a.txt", "text"))
    assert not is_text(_write(tmp_path / "a.csv", "a,b\n"))
    assert not is_text(tmp_path)
    with pytest.raises(DataError, match="nothing that a reader of texts knows"):
        read_rows(tmp_path / "a.csv", PLAIN)


def test_unknown_reader_and_option(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.txt", "text")
    with pytest.raises(OptionError, match="did you mean 'jsonl'"):
        read_rows(file, TextSettings(reader="json"))
    with pytest.raises(OptionError, match="unknown option split"):
        read_rows(f"{file}?split=dev", PLAIN)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("He can't, won't.", "He ca n't , wo n't ."),
        ("the dog's it’s they'll", "the dog 's it ’s they 'll"),
        ("cannot 3.5 1st 12:30 3D", "can not 3.5 1st 12:30 3D"),
        ("U.S. well-known a/b ...", "U.S. well - known a / b ..."),
        ("'stop' he said", "' stop ' he said"),
    ],
)
def test_words(text: str, words: str) -> None:
    found = split_words(text)
    assert " ".join(word.text for word in found) == words
    assert all(text[word.start : word.end] == word.text for word in found)


def test_sentences() -> None:
    text = 'Dr. J. Smith left. "Why?" he asked. then what\n\nnext one'
    words = split_words(text)
    starts = [words[0].text, *(b.text for a, b in pairwise(words) if b.sentence > a.sentence)]
    assert starts == ["Dr", '"', "next"]
