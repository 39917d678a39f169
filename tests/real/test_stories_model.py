"""A small trained language model through our loader: its tokens, neurons and logits, and what it writes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from microtome.models.load import load_text
from microtome.models.text import TextModel

TEXT = "Once upon a time, there was a little girl named Lily."
GREEDY = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
"""What the model is known to write when it always takes the likeliest token."""

BLOCKS, HEADS, GROUPS, WIDTH = 5, 8, 4, 8


@pytest.fixture(scope="module")
def folder(shared: Callable[[str], Path]) -> Path:
    return shared("models/stories260k_llama")


@pytest.fixture(scope="module")
def stories(folder: Path) -> TextModel:
    pytest.importorskip("transformers")
    return load_text(f"hf:{folder}", device="cpu")


def normed(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5) * scale


def turned(x: np.ndarray) -> np.ndarray:
    """Rotary positions: pairs (i, i + WIDTH / 2) turned by token * 10000^(-2 i / WIDTH)."""
    half = WIDTH // 2
    angle = np.arange(len(x))[:, None] * 10000.0 ** (-np.arange(half) / half)
    a, b = x[:, :half], x[:, half:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], axis=1)


def literal(folder: Path, ids: list[int]) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """MLP neurons and head norms of each block, and logits, written out in float64."""
    w = {name: tensor.astype(np.float64) for name, tensor in load_file(folder / "model.safetensors").items()}
    x = w["model.embed_tokens.weight"][ids]
    future = np.triu(np.full((len(ids), len(ids)), -np.inf), 1)
    neurons, norms = [], []
    for block in range(BLOCKS):
        at = f"model.layers.{block}."
        y = normed(x, w[f"{at}input_layernorm.weight"])
        q, k, v = (y @ w[f"{at}self_attn.{name}_proj.weight"].T for name in "qkv")
        written = np.zeros((HEADS, *x.shape))
        for head in range(HEADS):
            own = slice(head * WIDTH, (head + 1) * WIDTH)
            group = slice(head // (HEADS // GROUPS) * WIDTH, (head // (HEADS // GROUPS) + 1) * WIDTH)
            scores = turned(q[:, own]) @ turned(k[:, group]).T / np.sqrt(WIDTH) + future
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
            written[head] = shares @ v[:, group] @ w[f"{at}self_attn.o_proj.weight"][:, own].T
        norms.append(np.linalg.norm(written, axis=2).T)
        x = x + written.sum(axis=0)
        y = normed(x, w[f"{at}post_attention_layernorm.weight"])
        gate = y @ w[f"{at}mlp.gate_proj.weight"].T
        neurons.append(gate / (1 + np.exp(-gate)) * (y @ w[f"{at}mlp.up_proj.weight"].T))
        x = x + neurons[-1] @ w[f"{at}mlp.down_proj.weight"].T
    return neurons, norms, normed(x, w["model.norm.weight"]) @ w["model.embed_tokens.weight"].T


def test_its_tokens_cover_the_text(stories: TextModel) -> None:
    pieces, spans = stories.pieces(TEXT)
    shown = [stories.piece_text(piece) for piece in pieces]
    assert shown[:5] == ["_Once", "_upon", "_a", "_time", ","]
    assert [TEXT[start:end] for start, end in spans] == [text.removeprefix("_") for text in shown]
    gaps = [TEXT[a:b] for (_, a), (b, _) in pairwise(spans)]
    assert set(gaps) == {"", " "}
    assert stories.text_of(pieces) == TEXT
    odd = "Zoë\n  “ok” _"
    pieces, spans = stories.pieces(odd)
    covered = {place for start, end in spans for place in range(start, end)}
    assert all(place in covered for place, character in enumerate(odd) if not character.isspace())


def test_neurons_heads_and_logits_against_the_network_written_out(stories: TextModel, folder: Path) -> None:
    pieces, _ = stories.pieces(TEXT)
    neurons, norms, logits = literal(folder, [1, *pieces])
    for block in range(BLOCKS):
        at = f"model.layers.{block}"
        (found,) = stories.tokens([pieces], f"{at}.mlp.down_proj:in")
        assert np.allclose(found.numpy(), neurons[block][1:], atol=1e-4)
        (found,) = stories.tokens([pieces], f"{at}.self_attn.o_proj:heads")
        assert np.allclose(found.numpy(), norms[block][1:], atol=1e-4)
    (found,) = stories.tokens([pieces], "lm_head")
    assert np.allclose(found.numpy(), logits[1:], atol=1e-3)
    assert stories.default_site().layer == "model.layers.2.mlp.down_proj:in"


def test_what_it_writes(stories: TextModel) -> None:
    (likeliest,) = stories.sample(1, tokens=40, seed=0, temperature=1e-4)
    assert stories.text_of(likeliest).startswith(GREEDY)
    samples = stories.sample(8, tokens=60, seed=0)
    assert samples == stories.sample(8, tokens=60, seed=0)
    assert len(set(samples)) == 8

    def loss(pieces: tuple[int, ...]) -> float:
        (logits,) = stories.tokens([pieces], "lm_head")
        shares = torch.log_softmax(logits, dim=-1)
        return -float(shares[torch.arange(len(pieces) - 1), list(pieces[1:])].mean())

    order = np.random.default_rng(0)
    own = [loss(text) for text in samples]
    shuffled = [loss(tuple(int(piece) for piece in order.permutation(text))) for text in samples]
    assert np.mean(own) < 2.0 < np.mean(shuffled)
