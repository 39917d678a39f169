"""Texts that a language model writes of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError, OptionError
from microtome.models.encode import Encoder
from microtome.models.outputs import first_tensor

_AT_ONCE = 64


def sample_pieces(
    module: nn.Module,
    encoder: Encoder,
    count: int,
    *,
    tokens: int,
    seed: int,
    temperature: float,
    device: torch.device,
) -> list[tuple[int, ...]]:
    """Draw texts token by token from a causal language model, from its start token on.

    Token t of text i is where the cumulated softmax(logits / temperature) passes the i-th stream's t-th uniform
    number: text i is the same whatever `count` is.

    Parameters
    ----------
    module:
        A causal language model of transformers.
    encoder:
        Its encoder; what it puts before a window is the start.
    count:
        How many texts, from 1.
    tokens:
        Most tokens a text, 1 to the encoder's `longest`; a text ends before that where the model writes a start or
        end token, and one that begins with such a token is empty.
    seed:
        Of the uniform numbers.
    temperature:
        Above 0. 1 is the model's own distribution; lower is duller.
    device:
        Where the module is.

    Returns
    -------
    Token ids of each text, without special tokens.

    Raises
    ------
    OptionError
        If a number is out of range.
    ModelError
        If the module is no causal language model, or has no start token.
    """
    if count < 1 or not 1 <= tokens <= encoder.longest or not temperature > 0:
        raise OptionError(
            f"Cannot sample {count} texts of {tokens} tokens at temperature {temperature}.",
            expected=f"at least 1 text, 1 to {encoder.longest} tokens, a temperature above 0",
        )
    config: Any = getattr(module, "config", None)
    start = encoder.special()[0] or _ids(getattr(config, "bos_token_id", None))[:1]
    if not start:
        raise ModelError(
            "The model has no start token to sample from.",
            expected="a tokenizer that adds one, or bos_token_id in config.json",
        )
    ends = {*start, *_ids(getattr(config, "bos_token_id", None)), *_ids(getattr(config, "eos_token_id", None))}
    texts: list[tuple[int, ...]] = []
    for first in range(0, count, _AT_ONCE):
        rows = range(first, min(first + _AT_ONCE, count))
        draws = np.stack([np.random.default_rng([seed, row]).random(tokens) for row in rows])
        drawn = _drawn(module, start, torch.from_numpy(draws), temperature, device, ends)
        texts += [_until_end(row, ends) for row in drawn.tolist()]
    return texts


@torch.no_grad()
def _drawn(
    module: nn.Module, start: tuple[int, ...], draws: Tensor, temperature: float, device: torch.device, ends: set[int]
) -> Tensor:
    """Token ids [text token]; what follows an end token in a row means nothing."""
    ids = torch.tensor([start] * draws.shape[0], dtype=torch.long, device=device)
    ended = torch.zeros(draws.shape[0], dtype=torch.bool)
    stops = torch.tensor(sorted(ends), dtype=torch.long)
    columns: list[Tensor] = []
    memory: Any = None
    for at in range(draws.shape[1]):
        output: Any = module(input_ids=ids, past_key_values=memory, use_cache=True)
        memory = getattr(output, "past_key_values", None)
        logits = first_tensor(getattr(output, "logits", None))
        if memory is None or logits is None or logits.ndim != 3:
            raise ModelError(
                f"{type(module).__name__} is no causal language model.",
                expected="logits for each token and a cache of keys and values",
                next_step="sample from a model whose config.json names a ...ForCausalLM architecture",
            )
        shares = torch.softmax(logits[:, -1].double().cpu() / temperature, dim=-1).cumsum(dim=-1)
        # Rounding may leave the last share below 1 and a draw beyond it.
        chosen = torch.searchsorted(shares, draws[:, at : at + 1] * shares[:, -1:], right=True)
        chosen = chosen.clamp(max=shares.shape[1] - 1)
        columns.append(chosen)
        ended |= torch.isin(chosen[:, 0], stops)
        if bool(ended.all()):
            break
        ids = chosen.to(device)
    return torch.cat(columns, dim=1)


def _until_end(row: list[int], ends: set[int]) -> tuple[int, ...]:
    stop = next((at for at, piece in enumerate(row) if piece in ends), len(row))
    return tuple(row[:stop])


def _ids(value: Any) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,)
    return tuple(value) if isinstance(value, list | tuple) else ()
