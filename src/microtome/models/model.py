"""A model as the rest of microtome sees it: a module, its preprocessing, its classes, its sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError, OptionError
from microtome.core.site import Site
from microtome.models.fingerprint import fingerprint_of
from microtome.models.hooks import unknown_layer
from microtome.models.outputs import first_tensor, full_precision
from microtome.models.preprocess import Preprocess, Triple
from microtome.models.probe import Call, last_spatial, probe, sites_of
from microtome.models.texts import TextTower

NOT_NORMALISED = "No mean and std were given: pixels go into the model as 0..1."


@final
@dataclass(frozen=True, eq=False)
class Model:
    """An image model that is ready to run. Made by `load` or `wrap`.

    Attributes
    ----------
    module:
        The network, in evaluation mode, on `device`.
    spec:
        What it was loaded from (`torchvision:resnet18`).
    preprocess:
        From RGB bytes to its input.
    classes:
        Names of its outputs, in order; empty when nobody named them.
    device:
        Where it runs.
    notes:
        Sentences that the user should read: prefixes dropped from weight names, a mean that was not given ...
    texts:
        The text side of a CLIP-like model, whose output is then a vector of the space that it shares with texts.
    """

    module: nn.Module
    spec: str
    preprocess: Preprocess
    classes: tuple[str, ...]
    device: torch.device
    notes: tuple[str, ...] = ()
    texts: TextTower | None = None

    @property
    def dtype(self) -> torch.dtype:
        """Type of the network's parameters, which is the type of input that it takes."""
        for tensor in (*self.module.parameters(), *self.module.buffers()):
            if tensor.is_floating_point():
                return tensor.dtype
        return torch.float32

    @property
    def parameters(self) -> int:
        """How many parameters the network has."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Every call of a submodule in one forward pass of zeros at the input size, in order."""
        shape = (2, 3, self.preprocess.height, self.preprocess.width)
        return probe(self.module, torch.zeros(shape, dtype=self.dtype, device=self.device))

    @cached_property
    def _sites(self) -> dict[str, Site]:
        return sites_of(self.calls, [name for name, _ in self.module.named_modules() if name])

    def sites(self) -> dict[str, Site]:
        """Sites by layer name, in the order in which the module declares them.

        A site is a submodule that ran in a forward pass of zeros (batch 2, at the input size) and returned a
        float tensor with the batch axis in front, or a tuple or transformers output whose first item is one.
        A module that runs k > 1 times in one pass (a shared ReLU) is listed under its name, which stands for
        the last call, and as `name#0` ... `name#k-1`. A module that is registered under two names is listed
        under the first.

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
        """The last layer with a spatial map: the site whose module ended last in the pass.

        Raises
        ------
        ModelError
            If no layer has a spatial map.
        """
        site = last_spatial(self.calls, self._sites)
        if site is None:
            raise ModelError(
                f"No layer of {self.spec} returns a spatial map ([batch unit height width]).",
                next_step="choose a layer with --layer; `microtome layers MODEL` lists them",
            )
        return site

    def prepared(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        """`x` on the model's device and in its type."""
        return x.to(device=self.device, dtype=self.dtype)

    def logits(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch klass"]:
        """The model's output for preprocessed images, float32, without gradients.

        Raises
        ------
        ModelError
            If the output is no `[batch class]` tensor, nor a tuple or transformers output that begins with
            one.
        """
        with torch.no_grad():
            output = self.module(self.prepared(x))
        tensor = first_tensor(getattr(output, "logits", output))
        if tensor is None or tensor.ndim != 2:
            got = type(output).__name__ if tensor is None else f"a tensor of shape {tuple(tensor.shape)}"
            raise ModelError(
                f"The output of {self.spec} is {got}.",
                expected="one number a class: [batch class]",
                next_step="wrap the model in a module that returns its class scores",
            )
        return full_precision(tensor)

    def fingerprint(self) -> str:
        """Hash of the weights, see `fingerprint_of`."""
        return fingerprint_of(self.module)


def wrap(
    module: nn.Module,
    *,
    size: int | tuple[int, int] | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
    preprocess: Preprocess | None = None,
    classes: Sequence[str] = (),
    device: str | torch.device = "auto",
    spec: str = "",
) -> Model:
    """Make a Model of any `nn.Module` that takes `[batch 3 height width]`.

    The module itself is used, not a copy: it is put into evaluation mode and moved to `device`.

    Parameters
    ----------
    module:
        The network.
    size:
        Input size in pixels, one number or (height, width).
    mean, std:
        Normalisation of pixels in 0..1; without them pixels go in as 0..1, and `notes` says so.
    preprocess:
        The whole preprocessing, in place of `size`, `mean` and `std`.
    classes:
        Names of the outputs.
    device:
        `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1` ...
    spec:
        Name under which the model is reported; its type name by default.

    Raises
    ------
    OptionError
        If the size is missing, preprocessing is given twice, or the device cannot be used.

    Examples
    --------
    >>> model = wrap(torchvision.models.resnet18(), size=224)
    >>> model.site("layer4").shape
    (512, 7, 7)
    """
    notes: tuple[str, ...] = ()
    if preprocess is None and size is not None:
        preprocess = Preprocess(size, mean or (0.0, 0.0, 0.0), std or (1.0, 1.0, 1.0))
        notes = (NOT_NORMALISED,) if mean is None and std is None else ()
    elif preprocess is None or size is not None or mean is not None or std is not None:
        raise OptionError(
            f"wrap({type(module).__name__}) needs to be told how images are prepared, once.",
            expected="either size (with mean and std), or preprocess",
            next_step="for example wrap(module, size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))",
        )
    place = torch_device(device)
    name = spec or type(module).__name__
    return Model(module.eval().to(place), name, preprocess, tuple(classes), place, notes)


def torch_device(name: str | torch.device) -> torch.device:
    """The device of that name; `auto`: a CUDA GPU if there is one, else the CPU.

    Raises OptionError if it cannot be used.
    """
    if isinstance(name, torch.device):
        return name
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(name)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise OptionError(
            f"Device '{name}' cannot be used: {error}",
            expected="auto, cpu, cuda or cuda:NUMBER",
            next_step="leave --device out to have it chosen",
        ) from error
    return place
