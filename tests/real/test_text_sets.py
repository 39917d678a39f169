"""Real sentence pairs and a treebank, read as a user would name them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from microtome.data.text.base import LabelledText, TextData
from microtome.data.text.conllu import gold_sentences, read_conllu
from microtome.data.text.open import open_texts
from microtome.data.text.readers import read_rows
from microtome.data.text.settings import TextSettings
from microtome.data.text.tags import PerceptronTagger


def _labels_where(texts: list[LabelledText], data: TextData, name: str) -> Counter[str]:
    concept = next(k for k, c in enumerate(data.concepts) if c.name == name)
    return Counter(data.classes[t.label] for t in texts if t.label is not None and concept in t.sets[0])


def test_known_artefacts_of_snli_are_in_its_concepts(shared: Callable[[str], Path]) -> None:
    assert len(read_rows(shared("nli/snli_dev.jsonl"), TextSettings()).rows) == 9842
    data = open_texts(shared("nli/snli_dev.jsonl"), TextSettings(limit=3000))
    texts = [data.read(k) for k in range(len(data))]
    sides = Counter(c.category for c in data.concepts)
    assert sides["pre:tok"] <= 2000
    assert sides["hyp:tok"] <= 2000
    # Gururangan et al. 2018: negation goes with contradiction. McCoy et al. 2019: overlap goes with entailment.
    nobody = _labels_where(texts, data, "hyp:tok:nobody")
    assert nobody["contradiction"] > 0.95 * nobody.total()
    subset = _labels_where(texts, data, "oth:subset")
    assert subset["entailment"] > 0.9 * subset.total()
    overlap = _labels_where(texts, data, "oth:overlap:75")
    assert overlap["entailment"] > 0.6 * overlap.total()


@pytest.mark.parametrize("part", ["dev", "test"])
def test_treebank_text_is_that_of_its_words(shared: Callable[[str], Path], part: str) -> None:
    # The reader compares every sentence with the `text` that the treebank states.
    rows = read_conllu(shared(f"ud_ewt/en_ewt-ud-{part}.conllu"))
    for row in rows.rows:
        assert all(row.texts[0][w.start : w.end] == w.text for words in row.words or () for w in words)


def test_perceptron_learns_the_treebank(shared: Callable[[str], Path]) -> None:
    pytest.importorskip("nltk")
    tagger = PerceptronTagger(shared("ud_ewt/en_ewt-ud-dev.conllu"))
    right = total = 0
    for sentence in gold_sentences(shared("ud_ewt/en_ewt-ud-test.conllu")):
        tags = tagger.tag([word for word, _ in sentence])
        right += sum(tag == gold for tag, (_, gold) in zip(tags, sentence, strict=True))
        total += len(sentence)
    # Measured: 88.6 % from 2,001 sentences.
    assert right > 0.87 * total


def test_universal_tags_of_a_treebank(shared: Callable[[str], Path]) -> None:
    data = open_texts(f"{shared('ud_ewt/en_ewt-ud-dev.conllu')}?tag=upos", TextSettings(level="sentence", limit=200))
    tags = {c.name for c in data.concepts if c.category == "tag"}
    assert {"tag:NOUN", "tag:VERB", "tag:ADJ"} <= tags
    assert "tag:PUNCT" not in tags
