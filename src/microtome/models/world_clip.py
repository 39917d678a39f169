"""The shipped CLIP: a small vision transformer and a small text transformer that share one space.

    image -> patches -> blocks -> norm of the class row -> projection   \
                                                                          cosine
    words -> blocks (each word sees those before it) -> norm of the last row -> projection  /
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class ClipSizes:
    """Sizes of the shipped CLIP.

    Attributes
    ----------
    image, patch:
        Pixels of the image's and of a patch's side.
    width, layers, heads:
        Of the vision transformer; `width` is a multiple of `heads`.
    text_width, text_layers, text_heads:
        Of the text transformer.
    context:
        Longest text in tokens, with its start and end.
    words:
        Size of the vocabulary.
    shared:
        Width of the shared space.
    """

    image: int = 64
    patch: int = 8
    width: int = 160
    layers: int = 6
    heads: int = 8
    text_width: int = 128
    text_layers: int = 4
    text_heads: int = 4
    context: int = 40
    words: int = 160
    shared: int = 128


class SelfAttention(nn.Module):
    """Attention of a sequence to itself.

    Parameters
    ----------
    width, heads:
        Width of the stream and number of heads.
    causal:
        Whether a row sees only itself and the rows before it.

    Source: Vaswani et al. 2017, Attention is all you need, section 3.2.
    """

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch pos width"]) -> Float[Tensor, "batch pos width"]:
        batch, rows, width = x.shape
        q, k, v = (
            part(x).view(batch, rows, self.heads, width // self.heads).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5
        if self.causal:
            later = torch.ones(rows, rows, dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(later, torch.finfo(scores.dtype).min)
        mixed = scores.softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, rows, width))


class Mlp(nn.Module):
    """Two linear maps about a GELU, four times as wide inside.

    Parameters
    ----------
    width:
        Width of the stream.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "batch pos width"]) -> Float[Tensor, "batch pos width"]:
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    """Attention, then an MLP, each on the normalised stream and added to it.

    Parameters
    ----------
    width, heads, causal:
        See `SelfAttention`.
    """

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, causal=causal)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x: Float[Tensor, "batch pos width"]) -> Float[Tensor, "batch pos width"]:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ClipVision(nn.Module):
    """The image tower.

    Parameters
    ----------
    sizes:
        See `ClipSizes`.
    """

    def __init__(self, sizes: ClipSizes) -> None:
        super().__init__()
        rows = (sizes.image // sizes.patch) ** 2 + 1
        self.patches = nn.Conv2d(3, sizes.width, sizes.patch, stride=sizes.patch, bias=False)
        self.class_row = nn.Parameter(torch.randn(sizes.width) * 0.02)
        self.places = nn.Parameter(torch.randn(rows, sizes.width) * 0.02)
        self.norm_before = nn.LayerNorm(sizes.width)
        self.blocks = nn.ModuleList(Block(sizes.width, sizes.heads, causal=False) for _ in range(sizes.layers))
        self.norm_after = nn.LayerNorm(sizes.width)
        self.project = nn.Linear(sizes.width, sizes.shared, bias=False)

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch shared"]:
        patches = self.patches(pixels).flatten(2).transpose(1, 2)
        first = self.class_row.expand(len(patches), 1, -1)
        x = self.norm_before(torch.cat((first, patches), dim=1) + self.places)
        for block in self.blocks:
            x = block(x)
        return self.project(self.norm_after(x[:, 0]))


class ClipText(nn.Module):
    """The text tower; the row of the end token is the text's.

    Parameters
    ----------
    sizes:
        See `ClipSizes`.
    """

    def __init__(self, sizes: ClipSizes) -> None:
        super().__init__()
        self.words = nn.Embedding(sizes.words, sizes.text_width)
        self.places = nn.Parameter(torch.randn(sizes.context, sizes.text_width) * 0.02)
        self.blocks = nn.ModuleList(
            Block(sizes.text_width, sizes.text_heads, causal=True) for _ in range(sizes.text_layers)
        )
        self.norm_after = nn.LayerNorm(sizes.text_width)
        self.project = nn.Linear(sizes.text_width, sizes.shared, bias=False)
        nn.init.normal_(self.words.weight, std=0.02)

    def forward(self, ids: Int[Tensor, "batch pos"], last: Int[Tensor, " batch"]) -> Float[Tensor, "batch shared"]:
        x = self.words(ids) + self.places[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.project(self.norm_after(x[torch.arange(len(x), device=x.device), last]))


class WorldClip(nn.Module):
    """Both towers and the temperature of their cosine.

    Parameters
    ----------
    sizes:
        See `ClipSizes`.

    Source: Radford et al. 2021, Learning transferable visual models from natural language supervision, section 2.
    """

    def __init__(self, sizes: ClipSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.vision = ClipVision(sizes)
        self.text = ClipText(sizes)
        self.log_scale = nn.Parameter(torch.tensor(2.659))

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch shared"]:
        """The images in the shared space, not normalised."""
        return self.vision(pixels)

    def similarity(
        self, images: Float[Tensor, "image shared"], texts: Float[Tensor, "text shared"]
    ) -> Float[Tensor, "image text"]:
        """Scaled cosines."""
        cosines = functional.normalize(images, dim=-1) @ functional.normalize(texts, dim=-1).T
        return cosines * self.log_scale.exp().clamp(max=100.0)
