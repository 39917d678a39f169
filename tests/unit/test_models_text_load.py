"""Text models from specs and folders; their tokens as shown to people; errors that a user meets."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from microtome.core.errors import ModelError, OptionError
from microtome.models.load import load, load_any, load_text
from microtome.models.model import Model
from microtome.models.nli import PROBE, NliNet, WordEncoder
from microtome.models.text import TextModel, wrap_text
from tests.support.commands import microtome
from tests.support.text_networks import make_tokenizer, save_network


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for kind in ("llama", "gpt2-classes", "bert"):
        made[kind] = tmp_path_factory.mktemp(kind)
        save_network(made[kind], kind)
    return made


def test_the_configuration_decides_what_is_loaded(folders: dict[str, Path]) -> None:
    bert = load_text(f"hf:{folders['bert']}", device="cpu")
    assert bert.classes == ("entailment", "neutral", "contradiction")
    assert type(bert.module).__name__ == "BertForSequenceClassification"
    assert bert.longest == 18, "20 positions, two of them for special tokens"
    llama = load_any(f"hf:{folders['llama']}", device="cpu")
    assert isinstance(llama, TextModel)
    assert (llama.classes, llama.longest, type(llama.module).__name__) == ((), 40, "LlamaForCausalLM")
    assert llama.parameters == sum(tensor.numel() for tensor in llama.module.parameters())
    assert "padding" in load_text(f"hf:{folders['gpt2-classes']}", device="cpu").notes[0]
    assert isinstance(load_any("world:scenes", device="cpu"), Model)
    renamed = load_text(f"hf:{folders['bert']}", device="cpu", classes=["e", "n", "c"])
    assert renamed.classes == ("e", "n", "c")


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [("BertForMaskedLM", "BertForMaskedLM"), ("BertModel", "BertModel"), (None, "BertModel")],
)
def test_other_heads_of_the_same_family(
    folders: dict[str, Path], tmp_path: Path, architecture: str | None, expected: str
) -> None:
    shutil.copytree(folders["bert"], tmp_path / "net")
    config = json.loads((tmp_path / "net" / "config.json").read_text())
    config["architectures"] = [architecture] if architecture else None
    (tmp_path / "net" / "config.json").write_text(json.dumps(config))
    model = load_text(f"hf:{tmp_path / 'net'}@random", device="cpu")
    assert (type(model.module).__name__, model.classes) == (expected, ())
    assert model.default_site().layer.endswith("bert.encoder.layer.1.output.dense:in".removeprefix("bert."))


def test_random_and_own_weights(folders: dict[str, Path], tmp_path: Path) -> None:
    spec = f"hf:{folders['llama']}"
    random = load_text(f"{spec}@random", device="cpu")
    assert "random" in random.notes[0]
    assert random.fingerprint() == load_text(f"{spec}@random", device="cpu").fingerprint()
    assert random.fingerprint() != load_text(spec, device="cpu").fingerprint()
    state = {name: tensor.clone() for name, tensor in random.module.state_dict().items()}
    save_file(state, tmp_path / "own.safetensors")
    own = load_text(spec, weights=tmp_path / "own.safetensors", device="cpu")
    assert own.fingerprint() == random.fingerprint()


def test_each_kind_names_the_call_for_the_other(folders: dict[str, Path]) -> None:
    spec = f"hf:{folders['bert']}"
    with pytest.raises(ModelError, match=r"is a text model\.\n.*load_text\(\)"):
        load(spec)
    with pytest.raises(ModelError, match=r"is an image model\.\n.*load\(\)"):
        load_text("world:scenes")
    with pytest.raises(OptionError, match="no use for size"):
        load_any(spec, size=32)
    with pytest.raises(ModelError, match="drop one"):
        load_text(f"{spec}@random", weights="w.safetensors")
    with pytest.raises(ModelError, match="nli:runs/nli-real"):
        load_text("nil:folder")


def test_tokenizers_that_do_not_fit(folders: dict[str, Path], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(folders["llama"], bare)
    (bare / "tokenizer.json").unlink()
    for spec in (f"hf:{bare}", f"hf:{bare}@random"):
        with pytest.raises(ModelError, match="without its tokenizer"):
            load_text(spec)
    (bare / "tokenizer.json").write_text("{ not json")
    with pytest.raises(ModelError, match=r"tokenizer\.json is no readable tokenizer"):
        load_text(f"hf:{bare}")
    wide = tmp_path / "wide"
    shutil.copytree(folders["bert"], wide)
    make_tokenizer("bytes").save_pretrained(wide)
    with pytest.raises(ModelError, match="258 tokens, the model embeddings for 19"):
        load_text(f"hf:{wide}")


TEXT = "a man is\n outside.  Zoë said 'a_b\\n'"


def test_tokens_cover_the_text_and_are_shown_apart(folders: dict[str, Path]) -> None:
    llama = load_text(f"hf:{folders['llama']}", device="cpu")
    pieces, spans = llama.pieces(TEXT)
    assert llama.text_of(pieces) == TEXT
    covered = {place for start, end in spans for place in range(start, end)}
    assert all(place in covered for place, character in enumerate(TEXT) if not character.isspace())
    assert list(spans) == sorted(spans)
    shown = [llama.piece_text(piece) for piece in pieces]
    assert shown[:4] == ["a", "_ma", "n", "_"]
    assert spans[1] == (2, 4), "the space before a word is not counted to it"
    assert spans[3] == (5, 6), "a token of spaces alone keeps them"
    assert {"\\n", "\\_", "\\\\", "<0xC3>", "<0xAB>"} <= set(shown)
    own = (TEXT.index("ë"), TEXT.index("ë") + 1)
    assert [spans[at] for at, text in enumerate(shown) if text.startswith("<0x")] == [own, own]
    words = llama.word_vectors()[0]
    assert len(set(words)) == len(words) == 258, "no two tokens are shown alike"
    assert all(not re.search(r"\s", word) for word in words)
    with pytest.raises(ModelError, match="no token 258"):
        llama.piece_text(258)


def test_the_pair_classifier_as_a_text_model() -> None:
    torch.manual_seed(0)
    words = ("a", "man", "is", "outside", "he", "sleeps", "two", "dog")
    net = NliNet(10, 3, width=5, state=6, hidden=7)
    model = wrap_text(net, encoder=WordEncoder(words), classes=("e", "n", "c"), device="cpu", spec="nli")
    assert model.default_site().layer == PROBE
    assert "embedding" not in model.sites(), "it runs on either side, so no one token axis is its own"
    pairs = [("a man is outside", "he sleeps"), ("two dog", "a man sleeps outside")]
    values, logits = model.pooled(pairs, PROBE)
    weights = model.class_weights(PROBE)
    assert logits is not None
    assert weights is not None
    assert torch.allclose(values @ weights.T + net.classifier.bias, logits, atol=1e-5)
    assert model.class_weights("mlp.0") is None
    assert model.word_vectors()[1].shape == (10, 5)
    with pytest.raises(ModelError, match="pairs"):
        model.pooled([("a man",)], PROBE)


def test_layers_command_lists_a_text_model(folders: dict[str, Path]) -> None:
    done = microtome("layers", f"hf:{folders['llama']}", "--device", "cpu", "--json")
    rows = {row["layer"]: row for row in json.loads(done.out)["layers"]}
    assert rows["model.layers.1.mlp.down_proj:in"] == {
        "layer": "model.layers.1.mlp.down_proj:in", "type": "Linear", "shape": ["tokens", 24], "units": 24,
        "role": "MLP neurons", "default": True,
    }  # fmt: skip
    table = microtome("layers", f"hf:{folders['bert']}", "--device", "cpu").out
    assert "residual stream" in table
    assert "attention heads" in table
