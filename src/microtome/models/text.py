"""A text model as the rest of microtome sees it: a module, its encoder, its classes, its sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.site import Site
from microtome.models.encode import Encoder, Pool, pool_tokens
from microtome.models.fingerprint import fingerprint_of
from microtome.models.hooks import unknown_layer
from microtome.models.model import torch_device
from microtome.models.outputs import first_tensor, full_precision
from microtome.models.sampling import sample_pieces
from microtome.models.text_read import Reader
from microtome.models.text_sites import TextProbe, default_text_site, probe_text, role_of, text_sites

_EXAMPLES = (("a man is outside", "he sleeps"), ("two", "a dog"))


@final
@dataclass(frozen=True, eq=False)
class TextModel:
    """A text model that is ready to run. Made by `load_text` or `wrap_text`.

    Every call that takes texts or windows is one forward pass: the caller chooses the batches. Activations come as
    float32 (float64 of a float64 model), without gradients.

    Attributes
    ----------
    module:
        The network, in evaluation mode, on `device`.
    spec:
        What it was loaded from (`hf:FOLDER`).
    encoder:
        From texts to its inputs.
    classes:
        Names of its outputs, in order; empty for a language model.
    device:
        Where it runs.
    notes:
        Sentences that the user should read.
    """

    module: nn.Module
    spec: str
    encoder: Encoder
    classes: tuple[str, ...]
    device: torch.device
    notes: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """How many parameters the network has."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    @property
    def longest(self) -> int:
        """Most tokens a window may have."""
        return self.encoder.longest

    @cached_property
    def probed(self) -> TextProbe:
        """What every submodule returned for two short texts of different lengths."""
        inputs = self._placed(self.encoder.encode([texts[: self.encoder.sides] for texts in _EXAMPLES]))
        tokens = self.encoder.mask(inputs).shape[1]
        return probe_text(self.module, inputs, batch=len(_EXAMPLES), tokens=tokens)

    @cached_property
    def _sites(self) -> dict[str, Site]:
        return text_sites(self.module, self.probed, heads=self._configured("num_attention_heads"))

    def sites(self) -> dict[str, Site]:
        """Sites by layer name, in the order in which the module declares them.

        A site is a submodule that returned [batch token unit] (unit axis 2) or [batch unit] (unit axis 1) for two
        short texts; its number of tokens in `shape` is theirs. `NAME:in` is the input of a linear layer (the neurons
        of an MLP are the input of its output projection). `NAME:heads` is an attention output projection with one
        unit a head: the length of what the head writes.

        Raises
        ------
        ModelError
            If the forward pass fails.
        """
        return dict(self._sites)

    def site(self, layer: str) -> Site:
        """The site of `layer`. Raises ModelError with the nearest names when there is none."""
        if layer not in self._sites:
            raise unknown_layer(layer, list(self._sites))
        return self._sites[layer]

    def default_site(self) -> Site:
        """The layer used if none is named.

        Of a classifier the last [batch unit] layer before the classifier, else the last block's MLP neurons; of a
        language model the MLP neurons of the middle block.

        Raises
        ------
        ModelError
            If there is no such layer.
        """
        site = self.suggested_site()
        if site is None:
            raise ModelError(
                f"{self.spec} has no layer that suggests itself: no hidden layer before a classifier, no MLP that is "
                "known by its name.",
                next_step="choose a layer with --layer; `microtome layers MODEL` lists them",
            )
        return site

    def suggested_site(self) -> Site | None:
        """The default site, or None where `default_site` would raise."""
        return default_text_site(self.module, self.probed, self._sites, classes=len(self.classes))

    def roles(self) -> dict[str, str]:
        """For each layer "MLP neurons", "attention heads", "residual stream", or "" where its name tells nothing."""
        width = self._configured("hidden_size")
        return {layer: role_of(self.module, site, width=width) for layer, site in self._sites.items()}

    def pooled(
        self, texts: Sequence[tuple[str, ...]], layer: str, *, pool: Pool = "max"
    ) -> tuple[Float[Tensor, "item unit"], Float[Tensor, "item klass"] | None]:
        """One number a unit for each item, and the logits of the same forward pass.

        Parameters
        ----------
        texts:
            One or two texts an item.
        layer:
            A site's name.
        pool:
            How tokens become one number; a [batch unit] layer needs none, and it is not looked at.

        Returns
        -------
        Activations, and the logits of a classifier; None of a model without classes.

        Raises
        ------
        ModelError
            If the layer is unknown, or a text is empty or longer than the model takes.
        """
        site = self.site(layer)
        inputs = self._placed(self.encoder.encode(texts))
        values, output = self._reader(layer, whole=bool(self.classes)).run(inputs)
        if site.unit_axis == 2:
            values = pool_tokens(values, self._mask(inputs, values, layer), pool)
        return values, self._class_scores(output) if self.classes else None

    def tokens(self, pieces: Sequence[Sequence[int]], layer: str) -> list[Float[Tensor, "_ unit"]]:
        """Activations [token unit] at every token of each window; special tokens are added and taken off again.

        Parameters
        ----------
        pieces:
            Token ids of each window, 1 to `longest` of them, as `pieces()` gives them.
        layer:
            Name of a [batch token unit] site.

        Raises
        ------
        ModelError
            If the layer has no tokens, or a window is empty or too long.
        """
        if self.site(layer).unit_axis != 2:
            raise ModelError(
                f"Layer '{layer}' has one value a unit for a whole text, not one a token.",
                expected="a layer that returns [batch token unit]",
                next_step="`microtome layers MODEL` lists them",
            )
        for place, window in enumerate(pieces):
            if not 1 <= len(window) <= self.longest:
                raise ModelError(
                    f"Window {place} has {len(window)} tokens.",
                    expected=f"1 to {self.longest} tokens",
                    next_step="cut the text into windows of that length",
                )
        values, _ = self._reader(layer).run(self._placed(self.encoder.batch_of(pieces)))
        start = len(self.encoder.special()[0])
        return [values[row, start : start + len(window)] for row, window in enumerate(pieces)]

    def pieces(self, text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        """Token ids of a text without special tokens, and the characters [start, end) that each covers."""
        return self.encoder.pieces(text)

    def piece_text(self, piece: int) -> str:
        """How a token is shown."""
        return self.encoder.piece_text(piece)

    def text_of(self, pieces: Sequence[int]) -> str:
        """The text that token ids spell."""
        return self.encoder.text_of(pieces)

    def logits(self, texts: Sequence[tuple[str, ...]]) -> Float[Tensor, "item klass"]:
        """Class scores of each item.

        Raises
        ------
        ModelError
            If the model has no classes, or returns no [batch class] tensor.
        """
        with torch.no_grad():
            return self._class_scores(self.module(**self._placed(self.encoder.encode(texts))))

    def sample(self, count: int, *, tokens: int, seed: int, temperature: float = 1.0) -> list[tuple[int, ...]]:
        """Texts that a language model writes of itself, as token ids; see `sampling.sample_pieces`."""
        return sample_pieces(
            self.module, self.encoder, count, tokens=tokens, seed=seed, temperature=temperature, device=self.device
        )

    def word_vectors(self) -> tuple[tuple[str, ...], Float[np.ndarray, "word width"]]:
        """The model's own input embedding: how each token is shown, and its vector (float32).

        Raises
        ------
        ModelError
            If the module has no `nn.Embedding` with a row for every token.
        """
        own = getattr(self.module, "get_input_embeddings", None)
        found = own() if callable(own) else None
        tables = [found] if isinstance(found, nn.Embedding) else list(self.module.modules())
        count = self.encoder.vocabulary
        for table in tables:
            if isinstance(table, nn.Embedding) and table.num_embeddings >= count:
                vectors = table.weight.detach()[:count].float().cpu().numpy()
                return tuple(self.encoder.piece_text(piece) for piece in range(count)), vectors
        raise ModelError(
            f"{self.spec} has no embedding with a row for each of its {count} tokens.",
            next_step="give word vectors in a file",
        )

    def class_weights(self, layer: str) -> Float[Tensor, "klass unit"] | None:
        """Weights of the last linear layer, when it reads exactly what `layer` returns; else None.

        Whether it does is seen in a forward pass: the linear layer's input is compared with the layer's output.
        """
        if not self.classes or self.site(layer).unit_axis != 1:
            return None
        linear = [
            (name, each)
            for name, each in self.module.named_modules()
            if isinstance(each, nn.Linear) and each.out_features == len(self.classes)
        ]
        if not linear:
            return None
        name, classifier = linear[-1]
        inputs = self._placed(self.encoder.encode([texts[: self.encoder.sides] for texts in _EXAMPLES]))
        returned, _ = Reader(self.module, layer).run(inputs)
        taken, _ = Reader(self.module, f"{name}:in").run(inputs)
        if returned.shape != taken.shape or not torch.allclose(returned, taken, rtol=1e-5, atol=1e-6):
            return None
        return full_precision(classifier.weight.detach())

    def fingerprint(self) -> str:
        """SHA-256 (64 hex digits) over names, types, shapes and bytes of all parameters and buffers."""
        return fingerprint_of(self.module)

    def _reader(self, layer: str, *, whole: bool = False) -> Reader:
        """A reader of `layer`; unless the whole pass is wanted it ends where the layer has run."""
        stop = 0 if whole or "#" in layer else max(self.probed.times(layer), 1)
        return Reader(self.module, layer, heads=self._configured("num_attention_heads"), stop_after=stop)

    def _placed(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}

    def _mask(self, inputs: dict[str, Tensor], values: Tensor, layer: str) -> Bool[Tensor, "batch token"]:
        mask = self.encoder.mask(inputs).to(values.device)
        if mask.shape != values.shape[:2]:
            raise ModelError(
                f"Layer '{layer}' returned {values.shape[1]} tokens where the texts have {mask.shape[1]}.",
                expected="one position for each token",
                next_step="choose a layer that keeps the tokens, or one that returns [batch unit]",
            )
        return mask

    def _class_scores(self, output: Any) -> Float[Tensor, "item klass"]:
        tensor = first_tensor(getattr(output, "logits", output))
        if not self.classes or tensor is None or tensor.ndim != 2 or tensor.shape[1] != len(self.classes):
            got = "no classes" if not self.classes else f"an output of {_shape_text(tensor)}"
            raise ModelError(
                f"{self.spec} has {got}.",
                expected=f"one number a class: [batch {len(self.classes) or 'class'}]",
                next_step="use a sequence classifier, or name as many classes as it has outputs",
            )
        return full_precision(tensor.detach())

    def _configured(self, name: str) -> int:
        """A number of the transformers configuration; 0 where there is none."""
        value = getattr(getattr(self.module, "config", None), name, 0)
        return value if isinstance(value, int) else 0


def wrap_text(
    module: nn.Module,
    *,
    encoder: Encoder,
    classes: Sequence[str] = (),
    device: str | torch.device = "auto",
    spec: str = "",
) -> TextModel:
    """Make a TextModel of any `nn.Module` whose keyword inputs `encoder` makes.

    The module itself is used, not a copy: it is put into evaluation mode and moved to `device`.

    Parameters
    ----------
    module:
        The network.
    encoder:
        From texts to its inputs.
    classes:
        Names of the outputs of a classifier.
    device:
        `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1` ...
    spec:
        Name under which the model is reported; its type name by default.

    Raises
    ------
    OptionError
        If the device cannot be used.
    """
    place = torch_device(device)
    return TextModel(module.eval().to(place), spec or type(module).__name__, encoder, tuple(classes), place)


def _shape_text(tensor: Tensor | None) -> str:
    return "no tensor" if tensor is None else f"shape {tuple(tensor.shape)}"
