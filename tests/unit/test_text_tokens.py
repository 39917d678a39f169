"""Concepts of tokens: a toy tokenizer whose tokens begin with the space before the word, as BPE's do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from microtome.core.errors import DataError
from microtome.data.text.base import TextData, Word
from microtome.data.text.cut import cut_text, windows
from microtome.data.text.open import open_texts
from microtome.data.text.settings import TextSettings
from microtome.data.text.token_concepts import surroundings_of
from microtome.data.text.words import split_words

_IDS: dict[str, int] = {}


def pieces(text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """At most three characters a token, a space before a word belonging to it."""
    spans = tuple(match.span() for match in re.finditer(r"\n| ?\w{1,3}| ?[^\w\s]|\s", text))
    return tuple(_IDS.setdefault(text[a:b], len(_IDS)) for a, b in spans), spans


def piece_text(piece: int) -> str:
    return list(_IDS)[piece].replace(" ", "▁")


def _open(path: Path, text: str, **settings: object) -> TextData:
    path.write_text(text, encoding="utf-8")
    return open_texts(path, TextSettings(**settings), pieces=pieces, piece_text=piece_text)  # type: ignore[arg-type]


def _names(data: TextData, item: int, token: int) -> set[str]:
    return {data.concepts[c].name for c in data.read(item).sets[token]}


def test_tokens_of_a_word_share_it(tmp_path: Path) -> None:
    data = _open(tmp_path / "a.txt", "Once upon a time.")
    text = data.read(0)
    assert [text.sides[0].text[a:b] for a, b in text.spans] == ["Onc", "e", " upo", "n", " a", " tim", "e", "."]
    assert data.level == "token"
    assert {"tok:▁upo", "word:upon", "prev:once", "position:second", "position:1-3"} <= _names(data, 0, 2)
    assert {"tok:n", "word:upon", "prev:once"} <= _names(data, 0, 3)
    assert {"word:once", "position:first", "capital:initial"} <= _names(data, 0, 1)
    assert not any(name.startswith("prev:") for name in _names(data, 0, 1))
    assert {"word:.", "position:last"} <= _names(data, 0, 7)
    assert data.marks(text, 0) == ()
    assert len(text.sets) == len(text.pieces) == len(text.spans) == data.window


def test_quotes_brackets_digits_and_lines(tmp_path: Path) -> None:
    data = _open(tmp_path / "a.txt", 'He said "no (no [7])" twice.\nNASA')
    text = data.read(0)
    shown = {text.sides[0].text[a:b] + f"@{a}": _names(data, 0, k) for k, (a, b) in enumerate(text.spans)}
    assert "quotes:inside" in shown["no@9"]
    assert "quotes:inside" not in shown[' "@7']
    assert "quotes:inside" not in shown['"@20']
    assert "brackets:inside" not in shown[" (@11"]
    assert {"brackets:inside", "depth:1", "quotes:inside"} <= shown["no@13"]
    assert {"depth:2", "digit"} <= shown["7@17"]
    assert "mention:repeated" in shown["no@13"]
    assert "mention:first" in shown["no@9"]
    assert not any(name.startswith("mention") for name in shown["7@17"])
    assert "line:20-40" in shown[" twi@21"]
    assert {"line:0-20", "capital:all"} <= shown["NAS@29"]
    assert "tok:⏎" in shown["\n@28"]


def test_column_counts_the_token_s_first_character_not_white(tmp_path: Path) -> None:
    text = "a" * 19 + " b"
    around = surroundings_of(text, split_words(text))
    assert around.column[20] == 20
    data = _open(tmp_path / "a.txt", text)
    assert "line:20-40" in _names(data, 0, len(data.read(0).spans) - 1)


def test_blank_line_closes_an_open_quote() -> None:
    text = 'an "open quote\n\nfresh (text'
    around = surroundings_of(text, ())
    assert around.quoted[text.index("quote")] == 1
    assert around.quoted[text.index("fresh")] == 0
    assert (around.depth[text.index("(")], around.depth[text.index("text")]) == (0, 1)


def test_windows_cover_the_text_once_and_keep_words_whole() -> None:
    text = "a considerable number of longer words and more of them"
    cut = cut_text(text, split_words(text), pieces, where="test")
    found = windows(cut, 6)
    assert [k for start, end in found for k in range(start, end)] == list(range(len(cut.pieces)))
    assert all(end - start <= 6 for start, end in found)
    assert all(cut.first_piece(start) for start, _ in found)
    assert any(not cut.first_piece(k) for k in range(0, len(cut.pieces), 6))


def test_word_longer_than_a_window_is_cut() -> None:
    text = "abcdefghijklmnop q"
    cut = cut_text(text, split_words(text), pieces, where="test")
    assert windows(cut, 2) == [(0, 2), (2, 4), (4, 6), (6, 7)]


def test_window_shows_its_own_text_and_forgets_what_it_does_not(tmp_path: Path) -> None:
    data = _open(tmp_path / "a.txt", "the cat saw the cat (and saw\nit) again", window=4)
    texts = [data.texts(i)[0] for i in range(len(data))]
    assert "".join(texts) == "the cat saw the cat (and saw\nit) again"
    assert texts[1] == " cat (and saw"
    assert {"word:cat", "mention:first"} <= _names(data, 1, 0)
    assert not any(name.startswith("prev:") for name in _names(data, 1, 0))
    assert "brackets:inside" in _names(data, 1, 2)
    assert [data.key(i) for i in range(2)] == ["000001#0000", "000001#0001"]
    for i in range(len(data)):
        item = data.read(i)
        assert all(item.sides[0].text[w.start : w.end] == w.text for w in item.sides[0].words)
        assert item.sides[0].text == data.texts(i)[0]
        assert "".join(item.sides[0].text[a:b] for a, b in item.spans) == item.sides[0].text


def test_gold_words_align_by_characters(tmp_path: Path) -> None:
    rows = ["1\tI\tI\tPRON\tPRP\t_\t2\tnsubj\t_\t_", "2\tdo\tdo\tAUX\tVBP\t_\t0\troot\t_\tSpaceAfter=No"]
    rows += ["3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_", "4\tknow\tknow\tVERB\tVB\t_\t2\txcomp\t_\t_"]
    data = _open(tmp_path / "a.conllu", "\n".join(rows) + "\n")
    text = data.read(0)
    tags = [sorted(n for n in _names(data, 0, k) if n.startswith("tag:")) for k in range(len(text.spans))]
    shown = [text.sides[0].text[a:b] for a, b in text.spans]
    assert shown == ["I", " don", "'", "t", " kno", "w"]
    assert tags == [["tag:PRP"], ["tag:VBP"], ["tag:RB"], ["tag:RB"], ["tag:VB"], ["tag:VB"]]
    assert "relation:xcomp" in _names(data, 0, 5)
    assert "Tags: the file's own." in data.card.notes
    untagged = _open(tmp_path / "a.conllu", "\n".join(rows) + "\n", tagger="none")
    assert not any(c.category == "tag" for c in untagged.concepts)
    assert all(word.tag is None for word in untagged.read(0).sides[0].words)


def test_vocabulary_limits_each_of_token_word_and_word_before(tmp_path: Path) -> None:
    data = _open(tmp_path / "a.txt", "red blue red blue green red", vocabulary=2)
    words = {c.name for c in data.concepts if c.category in ("word", "prev")}
    assert words == {"word:red", "word:blue", "prev:red", "prev:blue"}
    assert len([c for c in data.concepts if c.category == "tok"]) == 2


def test_held_out_tokens_take_the_concepts_of_the_others(tmp_path: Path) -> None:
    data = _open(tmp_path / "a.txt", "red blue red")
    (tmp_path / "b.txt").write_text("blue black red", encoding="utf-8")
    held = open_texts(tmp_path / "b.txt", pieces=pieces, piece_text=piece_text, like=data)
    assert held.concepts == data.concepts
    assert "word:blue" in _names(held, 0, 0)


def test_own_property_of_tokens(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def vowel(token):\n    return token.piece[-1] in 'aeiou'\n", encoding="utf-8")
    data = _open(tmp_path / "a.txt", "some tone", properties=(f"{tmp_path / 'mine.py'}:vowel",))
    assert ["vowel" in _names(data, 0, k) for k in range(len(data.read(0).sets))] == [False, True, False, True]


def test_tokenizer_that_runs_backwards(tmp_path: Path) -> None:
    words = (Word("ab", 0, 2),)
    with pytest.raises(DataError, match="characters 0 to 1 of 2, after 1"):
        cut_text("ab", words, lambda text: ((1, 2), ((1, 2), (0, 1))), where="test")
