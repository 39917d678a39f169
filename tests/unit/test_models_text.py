"""Activations of text models against recomputations in float64, on tiny networks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from microtome.core.errors import ModelError, OptionError
from microtome.models.adapters.hf_text import FastEncoder, give_padding
from microtome.models.encode import Pool, pool_tokens
from microtome.models.text import TextModel, wrap_text
from microtome.models.text_read import weight_of
from tests.support.text_networks import LABELS, make_network, make_tokenizer

PAIRS = [("a man is outside", "he sleeps"), ("two dogs", "the red ball is not a dog ."), ("a", "dog")]
SINGLES = [("a man is outside",), ("two dogs",), ("a",)]
KINDS = ("llama", "gpt2", "gpt2-classes", "bert")


@cache
def model_of(kind: str) -> TextModel:
    net = make_network(kind)
    encoder = FastEncoder(make_tokenizer("words" if kind == "bert" else "bytes"), net.config)
    classes = tuple(LABELS.values()) if kind in ("bert", "gpt2-classes") else ()
    if classes:
        give_padding(net, encoder)
    return wrap_text(net, encoder=encoder, classes=classes, device="cpu", spec=kind)


def windows(model: TextModel, texts: Sequence[tuple[str, ...]] = SINGLES) -> list[tuple[int, ...]]:
    return [model.pieces(text[0])[0] for text in texts]


def read(model: TextModel, layer: str) -> torch.Tensor:
    return model.tokens(windows(model), layer)[0]


def weights(model: TextModel, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    module: Any = model.module.get_submodule(name)
    return weight_of(module), torch.zeros(1).double() if module.bias is None else module.bias.detach()


def test_mlp_neurons_of_a_llama_are_the_gated_products() -> None:
    model = model_of("llama")
    for block in range(3):
        at = f"model.layers.{block}"
        x = read(model, f"{at}.post_attention_layernorm")
        gate, up = (weights(model, f"{at}.mlp.{name}")[0] for name in ("gate_proj", "up_proj"))
        expected = functional.silu(x @ gate.T) * (x @ up.T)
        assert torch.allclose(read(model, f"{at}.mlp.down_proj:in"), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "before", "into", "out", "form"),
    [
        ("gpt2", "transformer.h.1.ln_2", "transformer.h.1.mlp.c_fc", "transformer.h.1.mlp.c_proj", "tanh"),
        ("bert", "bert.encoder.layer.0.attention.output", "bert.encoder.layer.0.intermediate.dense",
         "bert.encoder.layer.0.output.dense", "none"),
    ],
)  # fmt: skip
def test_mlp_neurons_of_gpt2_and_bert(kind: str, before: str, into: str, out: str, form: str) -> None:
    model = model_of(kind)
    weight, bias = weights(model, into)
    expected = functional.gelu(read(model, before) @ weight.T + bias, approximate=form)
    assert torch.allclose(read(model, f"{out}:in"), expected, atol=1e-12)
    if kind == "gpt2":
        module: Any = model.module.get_submodule(into)
        assert torch.equal(weight, module.weight.T), "Conv1D holds its weight input by output"


@pytest.mark.parametrize(
    ("kind", "projection"),
    [
        ("llama", "model.layers.1.self_attn.o_proj"),
        ("gpt2", "transformer.h.0.attn.c_proj"),
        ("bert", "bert.encoder.layer.1.attention.output.dense"),
    ],
)
def test_what_the_heads_write_adds_up_to_the_projection(kind: str, projection: str) -> None:
    model = model_of(kind)
    weight, bias = weights(model, projection)
    z = read(model, f"{projection}:in")
    written = [z[:, 4 * h : 4 * h + 4] @ weight[:, 4 * h : 4 * h + 4].T for h in range(4)]
    assert torch.allclose(sum(written) + bias, read(model, projection), atol=1e-12)
    norms = read(model, f"{projection}:heads")
    assert norms.shape == (len(z), 4)
    for h in range(4):
        assert torch.allclose(norms[:, h], (written[h] ** 2).sum(dim=1).sqrt(), atol=1e-12)
    assert model.roles()[f"{projection}:heads"] == "attention heads"


@pytest.mark.parametrize("kind", KINDS)
def test_padding_never_changes_an_activation(kind: str) -> None:
    model = model_of(kind)
    texts = PAIRS if kind == "bert" else SINGLES
    for layer, site in model.sites().items():
        together, _ = model.pooled(texts, layer)
        alone = torch.cat([model.pooled([text], layer)[0] for text in texts])
        assert torch.allclose(together, alone, atol=1e-9), layer
        if site.unit_axis == 2:
            many = model.tokens(windows(model), layer)
            assert [len(one) for one in many] == [len(window) for window in windows(model)]
            for window, one in zip(windows(model), many, strict=True):
                assert torch.allclose(model.tokens([window], layer)[0], one, atol=1e-9), layer
    if model.classes:
        alone = torch.cat([model.logits([text]) for text in texts])
        assert torch.allclose(model.logits(texts), alone, atol=1e-9)


def test_logits_and_activations_come_of_one_pass_and_are_the_networks_own() -> None:
    model = model_of("bert")
    tokenizer = make_tokenizer("words")
    _, logits = model.pooled(PAIRS, "bert.pooler.activation")
    for row, pair in enumerate(PAIRS):
        with torch.no_grad():
            expected = model.module(**tokenizer(*pair, return_tensors="pt")).logits[0]
        assert logits is not None
        assert torch.allclose(logits[row], expected, atol=1e-9)
    assert model_of("llama").pooled(SINGLES, "model.norm")[1] is None


@pytest.mark.parametrize("pool", ["any", "max", "last", "class"])
def test_pooling_against_a_literal_loop(pool: Pool) -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(5, 7, 3, generator=generator) - 0.7
    mask = torch.rand(5, 7, generator=generator) < 0.5
    mask[:, 2] = True
    pooled = pool_tokens(values, mask, pool)
    for item in range(5):
        places = [at for at in range(7) if mask[item, at]]
        for unit in range(3):
            column = [float(values[item, at, unit]) for at in places]
            expected = {
                "any": 1.0 if any(value > 0 for value in column) else 0.0,
                "max": max(column),
                "last": column[-1],
                "class": float(values[item, 0, unit]),
            }
            assert float(pooled[item, unit]) == expected[pool]
    mask[3] = False
    if pool != "class":
        with pytest.raises(ModelError, match="Item 3"):
            pool_tokens(values, mask, pool)


def test_special_tokens_and_padding_take_no_part_in_pooling() -> None:
    model = model_of("bert")
    inputs = model.encoder.encode(PAIRS)
    words = [[inputs["input_ids"][row, at] for at in torch.nonzero(mask)] for row, mask in enumerate(
        model.encoder.mask(inputs))]  # fmt: skip
    assert [len(row) for row in words] == [6, 10, 2]
    ids = [sum((model.pieces(text)[0] for text in pair), ()) for pair in PAIRS]
    assert [tuple(int(word) for word in row) for row in words] == ids
    last, _ = model.pooled([PAIRS[0]], "bert.embeddings.word_embeddings", pool="last")
    table: Any = model.module.get_submodule("bert.embeddings.word_embeddings")
    assert torch.equal(last[0], table.weight[ids[0][-1]].detach())
    first, _ = model.pooled([PAIRS[0]], "bert.embeddings.word_embeddings", pool="class")
    assert torch.equal(first[0], table.weight[2].detach())


def test_windows_come_back_without_the_tokens_put_around_them() -> None:
    model = model_of("bert")
    table: Any = model.module.get_submodule("bert.embeddings.word_embeddings")
    found = model.tokens(windows(model), "bert.embeddings.word_embeddings")
    for window, values in zip(windows(model), found, strict=True):
        assert torch.equal(values, table.weight[list(window)].detach())


def hooks(model: TextModel) -> int:
    return sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in model.module.modules())


@pytest.mark.parametrize(
    "layer", ["model.layers.1", "model.layers.1.mlp.down_proj:in", "model.layers.1.self_attn.o_proj:heads"]
)
def test_no_hook_stays_behind(layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("llama")
    before = hooks(model)
    model.tokens(windows(model), layer)
    assert hooks(model) == before
    with pytest.raises(ModelError, match=r"mlp.down_proj"):
        model.tokens(windows(model), "model.layers.1.mlp.down_porj:in")
    assert hooks(model) == before

    def crash(*args: Any, **options: Any) -> None:
        assert hooks(model) > before, "the crash happens under the hooks"
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(model.module.get_submodule("model.layers.0.mlp"), "forward", crash)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        model.tokens(windows(model), layer)
    assert hooks(model) == before
    fresh = wrap_text(model.module, encoder=model.encoder, device="cpu")
    with pytest.raises(ModelError, match="broken on purpose"):
        fresh.sites()
    assert hooks(model) == before


def test_sites_and_defaults() -> None:
    llama, gpt2, classes, bert = (model_of(kind) for kind in KINDS)
    assert llama.default_site().layer == "model.layers.1.mlp.down_proj:in"
    assert gpt2.default_site().layer == "transformer.h.1.mlp.c_proj:in"
    assert classes.default_site().layer == "transformer.h.1.mlp.c_proj:in"
    assert bert.default_site().layer == "bert.pooler.activation"
    assert (bert.site("bert.pooler.activation").unit_axis, bert.site("bert.encoder.layer.0").unit_axis) == (1, 2)
    roles = llama.roles()
    assert [layer for layer, role in roles.items() if role == "residual stream"] == [
        f"model.layers.{k}" for k in range(3)
    ]
    assert sum(role == "MLP neurons" for role in roles.values()) == 3
    assert sum(role == "attention heads" for role in bert.roles().values()) == 2


def test_class_weights_only_where_the_classifier_reads_the_layer() -> None:
    bert = model_of("bert")
    classifier: Any = bert.module.get_submodule("classifier")
    found = bert.class_weights("bert.pooler.activation")
    assert found is not None
    assert torch.equal(found, classifier.weight.detach())
    assert bert.class_weights("bert.pooler.dense") is None, "before the activation function"
    assert bert.class_weights("bert.encoder.layer.1") is None
    assert model_of("llama").class_weights("model.norm") is None


def test_samples_follow_the_distribution_token_by_token() -> None:
    model = model_of("llama")
    texts = model.sample(5, tokens=12, seed=3, temperature=0.7)
    for row, text in enumerate(texts):
        draws = np.random.default_rng([3, row]).random(12)
        ids = [0]
        for draw in draws:
            with torch.no_grad():
                shares = torch.softmax(model.module(torch.tensor([ids])).logits[0, -1] / 0.7, dim=-1).numpy()
            ids.append(int(np.searchsorted(np.cumsum(shares), draw, side="right")))
            if ids[-1] in (0, 1):
                break
        assert text == tuple(piece for piece in ids if piece not in (0, 1))
    assert texts == model.sample(70, tokens=12, seed=3, temperature=0.7)[:5], "a text does not depend on the others"
    assert texts != model.sample(5, tokens=12, seed=4, temperature=0.7)
    for options in ({"tokens": 0}, {"tokens": 41}, {"tokens": 3, "temperature": 0.0}):
        with pytest.raises(OptionError):
            model.sample(1, seed=0, **options)
    with pytest.raises(ModelError, match="no causal language model"):
        model_of("bert").sample(1, tokens=3, seed=0)


def test_word_vectors_are_the_models_own_embedding() -> None:
    model = model_of("bert")
    words, vectors = model.word_vectors()
    table: Any = model.module.get_submodule("bert.embeddings.word_embeddings")
    assert words[:5] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a")
    assert len(set(words)) == len(words) == 19
    assert np.array_equal(vectors, table.weight.detach().float().numpy())


def test_texts_that_the_model_cannot_read() -> None:
    bert, llama = model_of("bert"), model_of("llama")
    with pytest.raises(ModelError, match=r"Item 1 .* has 21 tokens"):
        bert.pooled([("a",), ("a " * 19,)], "bert.pooler")
    with pytest.raises(ModelError, match="Item 0 has 3 texts"):
        bert.logits([("a", "b", "c")])
    with pytest.raises(ModelError, match="no token to pool"):
        bert.pooled([("",)], "bert.encoder.layer.0")
    with pytest.raises(ModelError, match="Item 1 is empty"):
        llama.pooled([("a",), ("",)], "model.norm")
    with pytest.raises(ModelError, match="Window 1 has 0 tokens"):
        llama.tokens([(5,), ()], "model.norm")
    with pytest.raises(ModelError, match="Window 0 has 41 tokens"):
        llama.tokens([(5,) * 41], "model.norm")
    with pytest.raises(ModelError, match="one value a unit for a whole text"):
        bert.tokens([(5,)], "bert.pooler")
    with pytest.raises(ModelError, match="no classes"):
        llama.logits(SINGLES)
    odd = wrap_text(bert.module, encoder=bert.encoder, classes=("yes", "no"), device="cpu")
    with pytest.raises(ModelError, match=r"shape \(1, 3\)"):
        odd.logits([("a",)])
