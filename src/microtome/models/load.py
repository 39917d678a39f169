"""From a spec, such as `torchvision:resnet18`, to a Model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from microtome.core.errors import ModelError, OptionError, nearest
from microtome.core.intervention import Intervention
from microtome.models.adapters import hf, nli, open_clip, python, timm, torchvision, world
from microtome.models.adapters.family import Built, Families, Request
from microtome.models.model import NOT_NORMALISED, Model, torch_device, wrap
from microtome.models.output_repair import OutputRepair, unpack_output
from microtome.models.preprocess import Preprocess, Triple, resized
from microtome.models.repaired import attach, unpack
from microtome.models.repaired_output import attach_output
from microtome.models.state import read_weights
from microtome.models.text import TextModel, wrap_text

FAMILIES = Families()
for _family in (world.FAMILY, nli.FAMILY, torchvision.FAMILY, timm.FAMILY, hf.FAMILY, open_clip.FAMILY):
    FAMILIES.register(_family)

Repair = tuple[Intervention, ...] | OutputRepair
"""What a weight file may hold beside weights; an empty tuple of an ordinary one."""
_PYTHON_EXAMPLES = ("path/to/file.py:make_model", "package.module:make_model")


def load(
    spec: str,
    *,
    weights: Path | str | None = None,
    size: int | tuple[int, int] | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
    device: str | torch.device = "auto",
    classes: Sequence[str] | None = None,
) -> Model:
    """Load an image model.

    Parameters
    ----------
    spec:
        `world:scenes` (the shipped model), `torchvision:NAME`, `timm:NAME`, `hf:NAME_OR_FOLDER`,
        `open_clip:NAME/TAG`, `path/to/file.py:make_model` or `package.module:make_model` (a function without
        arguments that returns an `nn.Module`, or a module that is ready). The first five load published weights;
        `torchvision:`, `timm:`, `hf:` and `open_clip:NAME` take `@random` at the end for the architecture alone,
        initialised from seed 0.
    weights:
        A file to take the weights from: safetensors, or `.pt`/`.pth` holding a state_dict. Every name must
        match.
    size, mean, std:
        Preprocessing, in place of what the model's own configuration says; `size` in pixels, `mean` and `std`
        for pixels in 0..1. A model without such a configuration needs `size`.
    device:
        `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1` ...
    classes:
        Names of the outputs, in place of the model's own. With `weights` they also decide how many outputs a
        torchvision or timm architecture gets.

    Returns
    -------
    The model, in evaluation mode, in the type of its weights.

    Raises
    ------
    ModelError
        If the spec, the weights or the model cannot be used; the message says what would be right.
    OptionError
        If `size`, `mean`, `std` or `device` cannot be used.

    Examples
    --------
    >>> load("world:scenes").default_site().layer
    'layer4'
    >>> load("torchvision:resnet18", weights="mine.safetensors", classes=["cat", "dog"])
    >>> load("nets/small.py:make_model", weights="small.pt", size=32, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    """
    place = torch_device(device)
    built, read_notes, repair = _built(spec, weights, classes, size)
    if built.encoder is not None:
        raise _other_kind(spec, "a text model", "load_text() or load_any()")
    model = _image_model(built, spec, read_notes, size=size, mean=mean, std=std, device=place, classes=classes)
    return _repaired(model, repair)


def load_text(
    spec: str,
    *,
    weights: Path | str | None = None,
    device: str | torch.device = "auto",
    classes: Sequence[str] | None = None,
) -> TextModel:
    """Load a text model.

    Parameters
    ----------
    spec:
        `world:nli` (the shipped classifier of sentence pairs), `nli:FOLDER` (the same network, trained by
        `python -m microtome.zoo.train_nli`) or `hf:NAME_OR_FOLDER` (sequence classifiers and language models of
        transformers with their tokenizers; `@random` at the end for random weights from seed 0).
    weights, device, classes:
        As for `load`.

    Raises
    ------
    ModelError
        If the spec, the weights or the model cannot be used, or it is an image model.
    OptionError
        If `device` cannot be used.

    Examples
    --------
    >>> model = load_text("hf:stories260k")
    >>> pieces, spans = model.pieces("Once upon a time")
    >>> model.tokens([pieces], "model.layers.2.mlp.down_proj:in")[0].shape
    torch.Size([4, 172])
    """
    place = torch_device(device)
    built, read_notes, repair = _built(spec, weights, classes, None)
    if built.encoder is None:
        raise _other_kind(spec, "an image model", "load() or load_any()")
    _no_repair(spec, repair)
    return _text_model(built, spec, read_notes, device=place, classes=classes)


def load_any(
    spec: str,
    *,
    weights: Path | str | None = None,
    size: int | tuple[int, int] | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
    device: str | torch.device = "auto",
    classes: Sequence[str] | None = None,
) -> Model | TextModel:
    """Load a model of images or of texts, whichever the spec names.

    Parameters
    ----------
    spec:
        As for `load` and `load_text`.
    weights, size, mean, std, device, classes:
        As for `load`. A text model takes no `size`, `mean` or `std`.

    Raises
    ------
    ModelError
        If the spec, the weights or the model cannot be used.
    OptionError
        If an option cannot be used, or is given to a model that has no use for it.
    """
    place = torch_device(device)
    built, read_notes, repair = _built(spec, weights, classes, size)
    if built.encoder is None:
        model = _image_model(built, spec, read_notes, size=size, mean=mean, std=std, device=place, classes=classes)
        return _repaired(model, repair)
    _no_repair(spec, repair)
    if size is not None or mean is not None or std is not None:
        raise OptionError(
            f"{spec} is a text model: it has no use for size, mean and std.", next_step="leave these options out"
        )
    return _text_model(built, spec, read_notes, device=place, classes=classes)


def _built(
    spec: str,
    weights: Path | str | None,
    classes: Sequence[str] | None,
    size: int | tuple[int, int] | None,
) -> tuple[Built, tuple[str, ...], Repair]:
    """What the spec's family makes of the request, notes on the weight file, and a repair that it holds."""
    prefix, name, random = parse_spec(spec)
    if random and weights is not None:
        raise ModelError(f"{spec} asks for random weights, and --weights names a file.", next_step="drop one of them")
    state, read_notes = read_weights(Path(weights)) if weights is not None else (None, ())
    repair: Repair = ()
    if state is not None:
        heads = unpack_output(state)
        state, steps = unpack(state)
        repair = steps if heads is None else heads
    request = Request(name, random, state, str(weights or ""), len(classes or ()), size)
    return (FAMILIES.get(prefix).build(request) if prefix else python.build(request)), read_notes, repair


def _repaired(model: Model, repair: Repair) -> Model:
    """The model with what its weight file says is to be done in every pass."""
    if isinstance(repair, OutputRepair):
        return attach_output(model, repair)
    return attach(model, repair) if repair else model


def _no_repair(spec: str, repair: Repair) -> None:
    if repair:
        raise ModelError(
            f"The weights for {spec} hold a repair beside them, which is for models of images.",
            next_step="write it again from a text model: there it is folded into the weights",
        )


def _image_model(
    built: Built,
    spec: str,
    read_notes: tuple[str, ...],
    *,
    size: int | tuple[int, int] | None,
    mean: Triple | None,
    std: Triple | None,
    device: str | torch.device,
    classes: Sequence[str] | None,
) -> Model:
    preprocess, missing = _preprocess(built, spec, size, mean, std)
    names = built.classes if classes is None else tuple(classes)
    model = wrap(built.module, preprocess=preprocess, classes=names, device=device, spec=spec)
    return replace(model, notes=read_notes + built.notes + missing, texts=built.texts)


def _text_model(
    built: Built,
    spec: str,
    read_notes: tuple[str, ...],
    *,
    device: str | torch.device,
    classes: Sequence[str] | None,
) -> TextModel:
    assert built.encoder is not None
    names = built.classes if classes is None else tuple(classes)
    model = wrap_text(built.module, encoder=built.encoder, classes=names, device=device, spec=spec)
    return replace(model, notes=read_notes + built.notes)


def _other_kind(spec: str, kind: str, call: str) -> ModelError:
    return ModelError(f"{spec} is {kind}.", next_step=f"load it with microtome.models.load.{call}")


def parse_spec(spec: str) -> tuple[str, str, bool]:
    """Family prefix (empty for Python code), the name within it, and whether random weights are asked for.

    Raises
    ------
    ModelError
        If the spec names no model.
    """
    prefix, colon, rest = spec.partition(":")
    if colon and rest and prefix in FAMILIES:
        name, at, variant = rest.rpartition("@")
        return (prefix, name, True) if at and variant == "random" else (prefix, rest, False)
    place, colon, attribute = spec.rpartition(":")
    dotted = all(part.isidentifier() for part in place.split("."))
    if colon and attribute.isidentifier() and (python.is_file(place) or _is_package(place, dotted)):
        return "", spec, False
    examples = [*FAMILIES.examples(), *_PYTHON_EXAMPLES]
    guesses = nearest(spec, [f"{family}:{spec}" for family in ("torchvision", "timm")] if not colon else examples)
    raise ModelError(
        f"'{spec}' names no model.",
        expected=f"a spec like one of {', '.join(examples)}",
        next_step=f"perhaps {guesses}",
    )


def _is_package(place: str, dotted: bool) -> bool:
    # A misspelt family ("torchvison:resnet18") is not a package; a package of the user's is found without
    # running it.
    if not dotted:
        return False
    top = place.split(".")[0]
    return python.exists(top)


def _preprocess(
    built: Built,
    spec: str,
    size: int | tuple[int, int] | None,
    mean: Triple | None,
    std: Triple | None,
) -> tuple[Preprocess, tuple[str, ...]]:
    """The model's own preprocessing with what the user said instead, and a note on what nobody said."""
    own = built.preprocess
    if own is None:
        if size is None:
            raise ModelError(
                f"{spec} does not say what input size it needs.",
                expected="the size, mean and std that it was trained with",
                next_step="give --size, --mean and --std, or set the module's attribute `preprocess`",
            )
        notes = (NOT_NORMALISED,) if mean is None and std is None else ()
        return Preprocess(size, mean or (0.0, 0.0, 0.0), std or (1.0, 1.0, 1.0)), notes
    if size is not None:
        own = resized(own, size)
    # --mean and --std are for pixels in 0..1, whatever scale the model's own configuration had.
    if mean is not None or std is not None:
        factor = own.scale * 255
        old_mean = tuple(value / factor for value in own.mean)
        old_std = tuple(value / factor for value in own.std)
        own = replace(own, scale=1 / 255, mean=mean or old_mean, std=std or old_std)
    return own, ()
