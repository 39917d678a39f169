"""Concepts of pairs and sentences, against their definitions written out; tags, properties, marks, neighbours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from microtome.core.concept import Concept
from microtome.core.errors import DataError, OptionError
from microtome.data.text.base import TextData
from microtome.data.text.open import open_texts
from microtome.data.text.settings import TextSettings
from microtome.data.text.vectors import Vectors, concept_neighbours, nearest_words, read_vectors
from microtome.data.text.views import PairView, Side

PAIRS = [
    ("Two dogs run in the park.", "Dogs run in the park.", "entailment"),
    ("A man eats.", "Nobody is eating the large green apple of his friend today.", "contradiction"),
    ("A man isn't sleeping.", "The man sleeps", "neutral"),
    ("A man walks his dog.", "A man runs.", "neutral"),
]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.jsonl"
    rows = (json.dumps({"premise": p, "hypothesis": h, "label": label}) for p, h, label in PAIRS)
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def _names(data: TextData, index: int, element: int = 0) -> set[str]:
    return {data.concepts[c].name for c in data.read(index).sets[element]}


def test_names_of_a_pair(pairs: Path) -> None:
    data = open_texts(pairs)
    assert _names(data, 3) == {
        *(["pre:tok:a", "pre:tok:man", "pre:tok:walks", "pre:tok:his", "pre:tok:dog", "pre:tok:."]),
        *(["hyp:tok:a", "hyp:tok:man", "hyp:tok:runs", "hyp:tok:."]),
        *(["oth:overlap:25", "oth:overlap:50", "oth:length:hyp-short"]),
    }
    assert {"oth:subset", "oth:overlap:75"} <= _names(data, 0)
    assert {"oth:negation:hyp", "oth:length:hyp-long", "oth:longer:hyp"} <= _names(data, 1)
    assert "oth:negation:pre" not in _names(data, 1)
    assert {"oth:negation:pre", "pre:tok:n't"} <= _names(data, 2)
    assert data.read(1).label == 2
    assert {c.category for c in data.concepts if c.name.startswith("oth:o")} == {"oth:overlap"}


def test_overlap_is_strictly_above_its_share(pairs: Path) -> None:
    pair = PairView(Side("", ("a", "b", ".")), Side("", ("a", "c", "d", "e", ".", ".")))
    assert pair.shared == {"a"}
    from microtome.data.text.pair_concepts import overlap, subset

    assert overlap(pair) == []
    assert overlap(PairView(Side("", ("a", "b")), Side("", ("a", "b", "d", "e")))) == ["25"]
    assert overlap(PairView(Side("", ("a",)), Side("", ("a", "a")))) == ["25", "50", "75"]
    assert not subset(PairView(Side("", ("a",)), Side("", (".",))))


def test_vocabulary_counts_both_sides_and_shares_its_words(pairs: Path) -> None:
    data = open_texts(pairs, TextSettings(vocabulary=3))
    # Over both sides `.` comes 7 times, `man` 5 and `a` 4: alone, the hypotheses would keep another word.
    kept = {c.name for c in data.concepts if c.category in ("pre:tok", "hyp:tok")}
    assert kept == {f"{side}:tok:{word}" for side in ("pre", "hyp") for word in (".", "man", "a")}
    assert [c.name for c in data.concepts][:3] == ["pre:tok:.", "pre:tok:man", "pre:tok:a"]


def test_stop_words(pairs: Path, tmp_path: Path) -> None:
    names = {c.name for c in open_texts(pairs, TextSettings(stop_words="english")).concepts}
    assert "pre:tok:man" in names
    assert names.isdisjoint({"pre:tok:a", "hyp:tok:the"})
    (tmp_path / "stop.txt").write_text("Man\n", encoding="utf-8")
    names = {c.name for c in open_texts(pairs, TextSettings(stop_words=str(tmp_path / "stop.txt"))).concepts}
    assert "pre:tok:a" in names
    assert "pre:tok:man" not in names
    with pytest.raises(OptionError, match="no stop list 'englisch'"):
        open_texts(pairs, TextSettings(stop_words="englisch"))


def test_held_out_pairs_take_the_concepts_of_the_others(pairs: Path, tmp_path: Path) -> None:
    data = open_texts(pairs)
    file = tmp_path / "held.jsonl"
    file.write_text('{"premise": "A zebra runs.", "hypothesis": "A man runs.", "label": "neutral"}\n', encoding="utf-8")
    held = open_texts(file, like=data)
    assert held.concepts == data.concepts
    assert {"hyp:tok:man", "hyp:tok:runs", "pre:tok:a"} <= _names(held, 0)
    assert not any("zebra" in name for name in _names(held, 0))
    assert held.classes == data.classes


def test_words_that_show_a_concept(pairs: Path) -> None:
    data = open_texts(pairs)
    where = {c.name: k for k, c in enumerate(data.concepts)}

    def shown(index: int, name: str) -> list[tuple[int, str]]:
        text = data.read(index)
        return [(m.side, text.sides[m.side].words[m.word].text) for m in data.marks(text, where[name])]

    assert shown(0, "hyp:tok:dogs") == [(1, "Dogs")]
    assert shown(1, "oth:negation:hyp") == [(1, "Nobody")]
    assert shown(2, "oth:negation:pre") == [(0, "n't")]
    assert shown(3, "oth:overlap:50") == [(0, "A"), (0, "man"), (1, "A"), (1, "man")]
    assert shown(3, "oth:length:hyp-short") == []
    assert shown(3, "hyp:tok:dogs") == []


def test_single_sentences(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("text\tlabel\nNot a good film.\tbad\nA very good film that I saw twice last week.\tgood\n", "utf-8")
    data = open_texts(file)
    assert (data.level, data.sides, data.classes) == ("sentence", ("text",), ("bad", "good"))
    assert {"tok:good", "negation", "length:short"} <= _names(data, 0)
    assert "length:long" in _names(data, 1)
    assert Concept("negation", "negation") in data.concepts
    text = data.read(0)
    marks = data.marks(text, [c.name for c in data.concepts].index("negation"))
    assert [text.sides[m.side].words[m.word].text for m in marks] == ["Not"]


def test_own_property_is_one_function(pairs: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "def loud(pair):\n    return '!' in pair.hypothesis.words or pair.premise.length > 4\n"
        "def first(pair):\n    return pair.hypothesis.words[0]\n"
        "def fails(pair):\n    return pair.nothing\n",
        encoding="utf-8",
    )
    data = open_texts(pairs, TextSettings(properties=(f"{file}:loud", f"{file}:first")))
    assert {"loud", "first:dogs"} <= _names(data, 0)
    assert "loud" not in _names(data, 1)
    assert {c.category for c in data.concepts} >= {"loud", "first"}
    with pytest.raises(OptionError, match=r"'fails' failed at .*pairs.jsonl, line 1: AttributeError"):
        open_texts(pairs, TextSettings(properties=(f"{file}:fails",)))
    with pytest.raises(OptionError, match="did you mean 'loud'"):
        open_texts(pairs, TextSettings(properties=(f"{file}:lout",)))
    with pytest.raises(OptionError, match="exists already"):
        open_texts(pairs, TextSettings(properties=(f"{file}:loud", f"{file}:loud")))


def test_level_that_the_data_cannot_have(pairs: Path) -> None:
    with pytest.raises(OptionError, match="has 2 texts a row"):
        open_texts(pairs, TextSettings(level="sentence"))
    with pytest.raises(OptionError, match="no tokenizer was given"):
        open_texts(_one_text(pairs), TextSettings(level="token"))
    with pytest.raises(OptionError, match="wordnet compares two sides"):
        open_texts(_one_text(pairs), TextSettings(wordnet=True))


def _one_text(pairs: Path) -> Path:
    file = pairs.parent / "one.txt"
    file.write_text("Some text.\n", encoding="utf-8")
    return file


def test_fingerprint_follows_bytes_and_settings(pairs: Path) -> None:
    before = open_texts(pairs).fingerprint()
    assert before == open_texts(pairs).fingerprint()
    assert before != open_texts(pairs, TextSettings(vocabulary=3)).fingerprint()
    pairs.write_text(pairs.read_text(encoding="utf-8").replace("man", "boy"), encoding="utf-8")
    assert before != open_texts(pairs).fingerprint()


def _vectors() -> Vectors:
    table = {"man": [1, 0, 0], "woman": [0.9, 0.1, 0], "boy": [0.8, 0.3, 0], "dog": [0, 1, 0], "zero": [0, 0, 0]}
    return Vectors(tuple(table), np.array(list(table.values()), dtype=np.float32))


def test_nearest_words_by_cosine() -> None:
    words = ("dog", "boy", "unknown", "man", "zero", "woman")
    found = nearest_words(_vectors(), words, k=2)
    assert found == ((1, 5), (5, 3), (), (5, 1), (), (3, 1))


def test_neighbours_stay_on_their_side() -> None:
    names = [("pre:tok", "man"), ("pre:tok", "boy"), ("hyp:tok", "man"), ("hyp:tok", "woman"), ("hyp:tag", "NN")]
    concepts = [Concept(f"{category}:{word}", category) for category, word in names]
    assert concept_neighbours(concepts, _vectors(), 5) == ((0, 1), (1, 0), (2, 3), (3, 2), ())


def test_neighbours_of_opened_pairs(pairs: Path, tmp_path: Path) -> None:
    data = open_texts(pairs, vectors=_vectors())
    where = {c.name: k for k, c in enumerate(data.concepts)}
    assert data.neighbours[where["pre:tok:man"]] == (where["pre:tok:man"], where["pre:tok:dog"])
    assert data.neighbours[where["oth:subset"]] == ()
    assert open_texts(pairs).neighbours == ()
    file = tmp_path / "vectors.txt"
    rows = zip(_vectors().words, _vectors().array, strict=True)
    file.write_text("".join(f"{word} {' '.join(map(str, row))}\n" for word, row in rows), encoding="utf-8")
    assert open_texts(pairs, vectors=file).neighbours == data.neighbours
    assert open_texts(pairs, like=data).neighbours == data.neighbours


@pytest.mark.parametrize("head", ["", "3 2\n"])
def test_vectors_as_glove_and_word2vec_write_them(tmp_path: Path, head: str) -> None:
    file = tmp_path / "v.txt"
    file.write_text(head + "man 1.0 0.5\n. . 2 3e-1\nthe -1 0 \n", encoding="utf-8")
    vectors = read_vectors(file)
    assert vectors.words == ("man", ". .", "the")
    np.testing.assert_allclose(vectors.array, [[1, 0.5], [2, 0.3], [-1, 0]], rtol=1e-6)
    assert read_vectors(file, keep=frozenset({"the"})).words == ("the",)


def test_perceptron_trained_on_the_users_file(pairs: Path, tmp_path: Path) -> None:
    pytest.importorskip("nltk")
    lines = ["1\tA\ta\tDET\tDT", "2\tman\tman\tNOUN\tNN", "3\truns\trun\tVERB\tVBZ", "4\t.\t.\tPUNCT\t."]
    block = "\n".join(f"{line}\t_\t0\tdep\t_\t_" for line in lines)
    file = tmp_path / "gold.conllu"
    file.write_text((block + "\n\n") * 8, encoding="utf-8")
    data = open_texts(pairs, TextSettings(tagger=f"nltk:{file}"))
    assert {"hyp:tag:DT", "hyp:tag:NN", "hyp:tag:VBZ"} <= _names(data, 3)
    assert [word.tag for word in data.read(3).sides[1].words] == ["DT", "NN", "VBZ", "."]
    assert "hyp:tag:." not in _names(data, 3)
    assert any(note.startswith("Tags: NLTK perceptron trained on XPOS of gold.conllu") for note in data.card.notes)
    upos = open_texts(pairs, TextSettings(tagger=f"nltk:{file}?tag=upos"))
    assert "hyp:tag:NOUN" in _names(upos, 3)


def test_spacy_model_of_the_user(pairs: Path, tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    model = spacy.blank("en")
    ruler = model.add_pipe("attribute_ruler")
    ruler.add(patterns=[[{"IS_ALPHA": True}]], attrs={"TAG": "WORD"})
    model.to_disk(tmp_path / "model")
    with pytest.raises(DataError, match=r"gives the word '\.' no tag"):
        open_texts(pairs, TextSettings(tagger=f"spacy:{tmp_path / 'model'}"))
    ruler.add(patterns=[[{"IS_ALPHA": False}]], attrs={"TAG": "SIGN"})
    model.to_disk(tmp_path / "model")
    data = open_texts(pairs, TextSettings(tagger=f"spacy:{tmp_path / 'model'}"))
    assert {"pre:tag:WORD", "pre:tag:SIGN"} <= _names(data, 3)
    with pytest.raises(DataError, match="cannot be loaded") as caught:
        open_texts(pairs, TextSettings(tagger="spacy:no_such_model"))
    assert "python -m spacy download no_such_model" in str(caught.value)


def test_no_tags_from_nothing(pairs: Path) -> None:
    data = open_texts(pairs)
    assert not any(c.category.endswith("tag") for c in data.concepts)
    assert "No tags: no tagger was named." in data.card.notes
    with pytest.raises(DataError, match="has no tags of its own"):
        open_texts(pairs, TextSettings(tagger="gold"))
    with pytest.raises(OptionError, match="no tagger 'treetagger'"):
        open_texts(pairs, TextSettings(tagger="treetagger"))


def test_wordnet_names_its_data_when_missing(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nltk = pytest.importorskip("nltk")
    from nltk.corpus import wordnet

    if not type(wordnet).__name__.startswith("Lazy"):
        pytest.skip("WordNet was loaded before")
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(DataError, match="NLTK's data 'wordnet'") as caught:
        open_texts(pairs, TextSettings(wordnet=True))
    assert "nltk.downloader wordnet" in str(caught.value)


class _Synset:
    def __init__(self, name: str, above: tuple[_Synset, ...] = (), depth: int = 9) -> None:
        self._name, self._above, self._depth = name, above, depth

    def name(self) -> str:
        return self._name

    def hypernyms(self) -> tuple[_Synset, ...]:
        return self._above

    def min_depth(self) -> int:
        return self._depth

    def closure(self, step: object) -> list[_Synset]:
        return [s for direct in self._above for s in (direct, *direct.closure(step))]


class _Lemma:
    def __init__(self, name: str, opposites: tuple[str, ...] = ()) -> None:
        self._name, self._opposites = name, opposites

    def name(self) -> str:
        return self._name

    def antonyms(self) -> list[_Lemma]:
        return [_Lemma(word) for word in self._opposites]


class _SmallNet:
    """Five words of WordNet, enough for both properties."""

    def __init__(self) -> None:
        thing = _Synset("thing", depth=1)
        animal = _Synset("animal", (thing,))
        self.nouns = {"thing": thing, "animal": animal, "dog": _Synset("dog", (animal,))}

    def ensure_loaded(self) -> None:
        pass

    def morphy(self, word: str, kind: str) -> str | None:
        return word.removesuffix("s") if kind == "n" else None

    def synsets(self, word: str, kind: str) -> list[_Synset]:
        return [self.nouns[name] for name in (word, word.removesuffix("s")) if name in self.nouns][:1]

    def lemmas(self, word: str) -> list[_Lemma]:
        return {"man": [_Lemma("man", ("woman",))], "woman": [_Lemma("woman", ("man",))]}.get(word, [])


@pytest.mark.parametrize(
    ("premise", "hypothesis", "antonym", "hypernym"),
    [
        ("a man sits", "a woman sits", True, False),
        ("the men and a man", "two womans", False, False),
        ("a man and a woman", "a man", False, False),
        ("a dog", "an animal", False, True),
        ("animals", "dogs", False, True),
        ("a dog", "a thing", False, False),
        ("a dog and an animal", "an animal", False, False),
    ],
)
def test_wordnet_relations(
    monkeypatch: pytest.MonkeyPatch, premise: str, hypothesis: str, antonym: bool, hypernym: bool
) -> None:
    corpus = pytest.importorskip("nltk.corpus")
    monkeypatch.setattr(corpus, "wordnet", _SmallNet())
    from microtome.data.text.wordnet import WordNet

    pair = PairView(Side(premise, tuple(premise.split())), Side(hypothesis, tuple(hypothesis.split())))
    net = WordNet()
    # "womans" is reduced to "woman", whose antonym "man" is in the premise.
    expected = antonym or hypothesis == "two womans"
    assert (net.antonym(pair), net.hypernym(pair)) == (expected, hypernym)
