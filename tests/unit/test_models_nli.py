"""The classifier of sentence pairs: its arithmetic, its words, its files, and the one that is shipped."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
import torch

from microtome.core.errors import DataError, ModelError
from microtome.data.world.dataset import WORLD_VERSION
from microtome.data.world.pairs import PAIRS_VERSION, WorldPairs
from microtome.data.world.pairs_artefacts import ARTEFACTS
from microtome.data.world.pairs_edit import counterfactual
from microtome.data.world.pairs_forms import LABELS, NliPair
from microtome.models.encode import Encoder
from microtome.models.load import load_any, load_text
from microtome.models.nli import (
    PROBE,
    UNKNOWN,
    NliNet,
    WordEncoder,
    load_nli,
    load_world_nli,
    vocabulary_of,
    words_of,
    world_nli_card_text,
)
from microtome.models.text import TextModel
from microtome.zoo.nli_card import describe_net, measured_use
from microtome.zoo.nli_training import EncodedPairs, NliSettings, encode_pairs, predictions, train_nli, write_model
from microtome.zoo.train_nli import read_pairs, train_real
from microtome.zoo.train_world_nli import train_world

WORDS = ("a", "boat", "is", "red", "no")


def _net(seed: int = 0) -> NliNet:
    torch.manual_seed(seed)
    return NliNet(len(WORDS) + 2, 3, width=5, state=4, hidden=6).eval()


def _lstm_by_hand(net: NliNet, ids: list[int]) -> torch.Tensor:
    """The last hidden state of an LSTM, gate by gate, in float64."""
    state, lstm = net.encoder.hidden_size, net.encoder
    weight_x, weight_h = lstm.weight_ih_l0.double(), lstm.weight_hh_l0.double()
    bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0).double()
    h, c = torch.zeros(state, dtype=torch.double), torch.zeros(state, dtype=torch.double)
    for word in ids:
        gates = weight_x @ net.embedding.weight[word].double() + weight_h @ h + bias
        i, f, g, o = gates.split(state)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    return h


def test_logits_agree_with_the_formula_and_padding_is_never_read() -> None:
    net, encoder = _net(), WordEncoder(WORDS)
    texts = [("A boat is red.", "No boat"), ("Boat", "a red red red red boat is a boat"), ("no", "is")]
    together = net(**encoder.encode(texts))
    for row, (premise, hypothesis) in enumerate(texts):
        p = _lstm_by_hand(net, list(encoder.pieces(premise)[0]))
        h = _lstm_by_hand(net, list(encoder.pieces(hypothesis)[0]))
        linear = net.mlp.get_submodule("0")
        assert isinstance(linear, torch.nn.Linear)
        hidden = torch.relu(linear.weight.double() @ torch.cat([p, h, p - h, p * h]) + linear.bias.double())
        logits = net.classifier.weight.double() @ hidden + net.classifier.bias.double()
        torch.testing.assert_close(together[row].double(), logits, atol=1e-5, rtol=1e-5)
        alone = net(**encoder.encode([texts[row]]))[0]
        torch.testing.assert_close(together[row], alone, atol=1e-6, rtol=1e-5)


def test_words_are_lower_cased_with_the_places_where_they_stand() -> None:
    assert [word for word, _, _ in words_of("A red-hot Boat isn't 12 m long_ago!")] == [
        "a", "red", "-", "hot", "boat", "isn't", "12", "m", "long", "_", "ago", "!",
    ]  # fmt: skip
    text = "Two  BOATS, here."
    assert [text[start:end].lower() for _, start, end in words_of(text)] == [word for word, _, _ in words_of(text)]
    assert vocabulary_of(["b a", "a c", "c a"], least=2) == ("a", "c")


def test_the_encoder_keeps_its_contract() -> None:
    encoder = WordEncoder(WORDS)
    assert isinstance(encoder, Encoder)
    ids, spans = encoder.pieces("A blue boat")
    assert ids == (2, UNKNOWN, 3)
    assert spans == ((0, 1), (2, 6), (7, 11))
    assert [encoder.piece_text(piece) for piece in ids] == ["a", "<unknown>", "boat"]
    assert encoder.text_of((2, 5, 3)) == "a red boat"
    inputs = encoder.encode([("a", "boat is red"), ("no boat", "no")])
    assert {name: tuple(value.shape) for name, value in inputs.items()} == {"premise": (2, 2), "hypothesis": (2, 3)}
    assert encoder.mask(inputs).tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize("item", [("one side",), ("three", "sides", "here"), ("", "empty"), ("a", "   ")])
def test_what_is_no_pair_is_refused(item: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match="tem 1"):
        WordEncoder(WORDS).encode([("a", "boat"), item])


def test_windows_and_unknown_ids_are_refused() -> None:
    encoder = WordEncoder(WORDS)
    with pytest.raises(ModelError, match="sentence pairs"):
        encoder.batch_of([[2, 3]])
    with pytest.raises(ModelError, match="no word 99"):
        encoder.piece_text(99)


def _write(folder: Path) -> NliNet:
    net = _net()
    write_model(
        folder,
        net,
        lambda: {**describe_net(net, name="tiny", classes=LABELS, words=WORDS), "accuracy": {"none": 0.5}},
    )
    return net


def test_a_stored_classifier_comes_back_as_it_was(tmp_path: Path) -> None:
    net = _write(tmp_path)
    again, card = load_nli(tmp_path)
    assert (card.words, card.classes, card.hidden) == (WORDS, LABELS, 6)
    inputs = WordEncoder(card.words).encode([("a boat", "no boat")])
    assert torch.equal(net(**inputs), again(**inputs))
    model = load_text(f"nli:{tmp_path}")
    assert model.classes == LABELS
    torch.testing.assert_close(model.logits([("a boat", "no boat")]), net(**inputs).detach())


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nli\.safetensors"):
        load_nli(tmp_path / "nowhere")
    _write(tmp_path)
    card = json.loads((tmp_path / "nli.json").read_text())
    (tmp_path / "nli.json").write_text(json.dumps({**card, "words": ["one"]}))
    with pytest.raises(ModelError, match="do not fit the card"):
        load_nli(tmp_path)
    (tmp_path / "nli.json").write_text("{}")
    with pytest.raises(ModelError, match="damaged"):
        load_nli(tmp_path)
    (tmp_path / "nli.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="UTF-8"):
        load_nli(tmp_path)
    with pytest.raises(ModelError, match="@random"):
        load_any("world:nli@random")


def test_the_loop_learns_what_can_be_learnt_and_keeps_the_best_epoch() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(2, 7, (240, 4), generator=generator).tolist()
    pairs = EncodedPairs(
        tuple((row[0],) for row in rows), tuple(tuple(row[1:]) for row in rows), tuple(int(row[0] == 6) for row in rows)
    )
    settings = NliSettings(width=8, state=8, hidden=8, epochs=12, batch=16, learning_rate=0.02, threads=1, dropout=0.0)
    net, history = train_nli(settings, pairs, pairs, vocabulary=7, classes=2)
    said = predictions(net, pairs)
    assert sum(a == b for a, b in zip(said, pairs.labels, strict=True)) / len(pairs) == max(history) == 1.0
    again, _ = train_nli(settings, pairs, pairs, vocabulary=7, classes=2)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
    assert set(pairs.hypothesis_only().premises) == {(UNKNOWN,)}


def test_use_is_all_of_a_model_that_reads_the_cue_alone_and_none_of_one_that_knows_the_truth() -> None:
    world = WorldPairs("heldout", count=150, artefacts=frozenset())
    pairs = [world.pair(index) for index in range(150)]

    def truth(given: list[NliPair]) -> list[int]:
        return [LABELS.index(pair.label) for pair in given]

    def cue(given: list[NliPair]) -> list[int]:
        return [2 if {"no", "not", "nothing"} & set(pair.hypothesis.lower().split()) else 0 for pair in given]

    honest = measured_use(ARTEFACTS["negation"], truth, pairs)  # type: ignore[arg-type]
    fooled = measured_use(ARTEFACTS["negation"], cue, pairs)  # type: ignore[arg-type]
    assert honest["share"] == 0.0
    assert (fooled["share"], fooled["control"]["share"]) == (1.0, 0.0)
    assert fooled["pairs"] > 40


def _jsonl(path: Path, rows: list[object]) -> None:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))


def test_real_pairs_are_read_and_bad_lines_named(tmp_path: Path) -> None:
    good = {"premise": "A man sleeps.", "hypothesis": "He rests.", "label": "entailment"}
    path = tmp_path / "pairs.jsonl"
    _jsonl(path, [good, {**good, "label": "-"}])
    assert read_pairs(path).labels == (0,)
    _jsonl(path, [good, "{", {**good, "label": "maybe"}, {"premise": "a"}, {**good, "premise": " "}])
    with pytest.raises(DataError) as error:
        read_pairs(path)
    assert all(f"{path}:{line}" in str(error.value) for line in (2, 3, 4, 5))
    with pytest.raises(DataError, match="cannot be read"):
        read_pairs(tmp_path / "absent.jsonl")


def test_the_script_for_real_pairs_writes_a_model_with_its_card(tmp_path: Path) -> None:
    subjects, verbs = ("man", "dog", "girl", "bird"), ("sleeps", "runs", "sings")
    rows: list[object] = [
        {"premise": f"The {s} {v} {n}.", "hypothesis": h, "label": label}
        for n in range(8)
        for s in subjects
        for v in verbs
        for h, label in ((f"A {s} {v}", "entailment"), (f"No {s} {v}", "contradiction"), (f"Old {s}", "neutral"))
    ]
    for name in ("snli_test.jsonl", "mnli_dev.jsonl", "snli_dev.jsonl"):
        _jsonl(tmp_path / name, rows)
    settings = NliSettings(width=8, state=8, hidden=16, epochs=3, learning_rate=0.02, minutes=1.0, threads=1)
    card = train_real(settings, data=tmp_path, out=tmp_path / "model")
    assert card["accuracy"]["snli_dev.jsonl"] > 0.8
    assert card["hypothesis_only_accuracy"]["snli_dev.jsonl"] > 0.8
    assert card["most_frequent_class"] == pytest.approx(1 / 3, abs=0.01)
    assert load_text(f"nli:{tmp_path / 'model'}").default_site().units == 16


def test_the_script_for_the_planted_world_writes_a_model_with_its_card(tmp_path: Path) -> None:
    settings = NliSettings(width=8, state=8, hidden=16, epochs=1, threads=1)
    train_world(settings, count=60, check=30, out=tmp_path)
    card = json.loads((tmp_path / "nli.json").read_text())
    assert set(card["artefacts"]) == set(ARTEFACTS)
    assert set(card["accuracy"]) == {"validation", "heldout", "shift", "heldout, artefacts off"}
    assert load_nli(tmp_path)[1].classes == LABELS


@pytest.fixture(scope="module")
def shipped() -> TextModel:
    return load_text("world:nli")


@pytest.fixture(scope="module")
def heldout() -> list[NliPair]:
    world = WorldPairs("heldout", count=400)
    return [world.pair(index) for index in range(400)]


def test_the_shipped_classifier_is_small_alive_and_of_this_world(shipped: TextModel, heldout: list[NliPair]) -> None:
    folder = resources.files("microtome.models").joinpath("weights")
    assert len(folder.joinpath("nli.safetensors").read_bytes()) < 5_000_000
    card = json.loads(world_nli_card_text())
    assert (card["pairs_version"], card["world_version"]) == (PAIRS_VERSION, WORLD_VERSION)
    values, logits = shipped.pooled([(pair.premise, pair.hypothesis) for pair in heldout], PROBE)
    assert shipped.default_site().layer == PROBE
    assert 128 <= values.shape[1] <= 256
    assert (values >= 0).all()
    assert ((values > 0).float().mean(0) > 0.01).float().mean() > 0.9
    weights = shipped.class_weights(PROBE)
    assert weights is not None
    assert logits is not None
    torch.testing.assert_close(values @ weights.T + load_world_nli()[0].classifier.bias.detach(), logits)


def test_the_shipped_card_tells_the_truth(shipped: TextModel, heldout: list[NliPair]) -> None:
    card = json.loads(world_nli_card_text())
    assert _accuracy(shipped, heldout) == pytest.approx(card["accuracy"]["heldout"], abs=0.06)
    shift = WorldPairs("shift", count=400)
    shifted = _accuracy(shipped, [shift.pair(index) for index in range(400)])
    assert shifted == pytest.approx(card["accuracy"]["shift"], abs=0.08)
    assert shifted < card["accuracy"]["heldout"] - 0.1
    assert card["accuracy"]["heldout"] > card["hypothesis_only_accuracy"]["heldout"] + 0.05


def test_the_shipped_classifier_uses_its_artefacts(shipped: TextModel, heldout: list[NliPair]) -> None:
    card = json.loads(world_nli_card_text())
    used = [
        name
        for name, artefact in card["artefacts"].items()
        if artefact["use"]["heldout"]["interval"][0] > artefact["use"]["heldout"]["control"]["interval"][1]
    ]
    assert len(used) >= 2
    assert all(artefact["use"]["heldout"]["pairs"] >= 400 for artefact in card["artefacts"].values())

    def predict(given: list[NliPair]) -> list[int]:
        return shipped.logits([(pair.premise, pair.hypothesis) for pair in given]).argmax(1).tolist()

    for name in used:
        use = measured_use(ARTEFACTS[name], predict, heldout)  # type: ignore[arg-type]
        assert use["share"] == pytest.approx(card["artefacts"][name]["use"]["heldout"]["share"], abs=0.13)


def test_the_shipped_vocabulary_knows_every_word_of_the_pairs(shipped: TextModel, heldout: list[NliPair]) -> None:
    for pair in heldout:
        edits = [counterfactual(pair, name, on=on) for name in ARTEFACTS for on in (True, False)]
        for each in (pair, *(edit for edit in edits if edit is not None)):
            assert UNKNOWN not in shipped.pieces(each.premise)[0] + shipped.pieces(each.hypothesis)[0], each


def _accuracy(model: TextModel, pairs: list[NliPair]) -> float:
    said = model.logits([(pair.premise, pair.hypothesis) for pair in pairs]).argmax(1).tolist()
    return sum(LABELS[k] == pair.label for k, pair in zip(said, pairs, strict=True)) / len(pairs)


def test_encoding_cuts_to_the_longest() -> None:
    encoder = WordEncoder(WORDS)
    pairs = encode_pairs(encoder, [("a " * 1000, "boat")], [0])
    assert (len(pairs.premises[0]), len(pairs.hypotheses[0])) == (encoder.longest, 1)
