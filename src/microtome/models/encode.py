"""From texts to a model's inputs, and from a text to the tokens that the model sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from microtome.core.errors import ModelError

Pool = Literal["any", "max", "last", "class"]
"""How the tokens of an item become one number a unit.

`max`: the largest activation over the tokens of its texts. `any`: 1 where any of them is above 0, else 0. `last`: the
last of them. `class`: the first position, which is the class token of BERT and its kin.
"""


@runtime_checkable
class Encoder(Protocol):
    """What turns texts into the keyword inputs of one module's forward pass."""

    @property
    def sides(self) -> int:
        """Texts in an item: 2 for a model of pairs alone, else 1."""
        ...

    @property
    def longest(self) -> int:
        """Most tokens a window may have, without the special tokens that `batch_of` adds."""
        ...

    @property
    def vocabulary(self) -> int:
        """How many token ids there are."""
        ...

    def encode(self, texts: Sequence[tuple[str, ...]]) -> dict[str, Tensor]:
        """Keyword inputs of the forward pass for items of one or two texts, padded to the longest."""
        ...

    def batch_of(self, pieces: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Keyword inputs for windows of token ids; special tokens are put around each, padding behind."""
        ...

    def mask(self, inputs: dict[str, Tensor]) -> Bool[Tensor, "batch token"]:
        """True at the tokens of the texts: no padding, no special tokens."""
        ...

    def special(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Ids that `batch_of` puts before and behind each window."""
        ...

    def pieces(self, text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        """Token ids of a text without special tokens, and the characters [start, end) that each covers."""
        ...

    def piece_text(self, piece: int) -> str:
        """How a token is shown."""
        ...

    def text_of(self, pieces: Sequence[int]) -> str:
        """The text that token ids spell."""
        ...


def pool_tokens(
    values: Float[Tensor, "batch token unit"], mask: Bool[Tensor, "batch token"], pool: Pool
) -> Float[Tensor, "batch unit"]:
    """One number a unit and item from its activations at every token; see `Pool`.

    Parameters
    ----------
    values:
        Activations, padding included.
    mask:
        True at the tokens that count. `class` does not look at it.
    pool:
        Which of the four.

    Raises
    ------
    ModelError
        If an item has no token that counts.
    """
    if pool == "class":
        return values[:, 0]
    empty = torch.nonzero(~mask.any(dim=1)).flatten().tolist()
    if empty:
        raise ModelError(
            f"Item {empty[0]} of the batch has no token to pool over.",
            expected="at least one token in every text",
            next_step="leave empty texts out of the data",
        )
    if pool == "last":
        order = torch.arange(mask.shape[1], device=mask.device)
        last = torch.where(mask, order, -1).amax(dim=1)
        return values[torch.arange(values.shape[0], device=values.device), last]
    largest = values.masked_fill(~mask[:, :, None], float("-inf")).amax(dim=1)
    return largest if pool == "max" else (largest > 0).to(values.dtype)


def padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """Rows of ids as one tensor [batch token], `fill` behind the shorter ones."""
    width = max((len(row) for row in rows), default=0)
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], dtype=torch.long)
