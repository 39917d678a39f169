"""`timm:NAME`: the models of timm."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Any

from torch import nn

from microtome.core.errors import ModelError, nearest
from microtome.models.adapters.family import Built, Family, Request, library, seeded, with_state
from microtome.models.preprocess import Preprocess


def build(request: Request) -> Built:
    """A timm model with its published weights, the user's weights, or random ones.

    Raises
    ------
    ModelError
        If timm cannot be imported, has no such model, or the weights cannot be fetched.
    """
    timm = library("timm", extra="timm")
    if not timm.is_model(request.name):
        architecture = request.name.split(".")[0]
        raise ModelError(
            f"timm has no model '{request.name}'.",
            expected=f"one of its models, for example {nearest(architecture, timm.list_models())}",
        )
    config = timm.get_pretrained_cfg(request.name)
    fixed = config is not None and config.fixed_input_size

    def make(classes: int, *, pretrained: bool = False) -> nn.Module:
        options: dict[str, Any] = {"num_classes": classes} if classes else {}
        if fixed and request.size is not None:
            options["img_size"] = request.size
        return timm.create_model(request.name, pretrained=pretrained, **options)

    notes: tuple[str, ...] = ()
    if request.state is not None:
        module, notes = with_state(make, request)
    elif request.random:
        module, notes = seeded(lambda: make(request.classes)), ("The weights are random (seed 0).",)
    else:
        module = _published(request.name, lambda: make(0, pretrained=True))
    classes = () if request.random or request.state is not None else _names(timm, module)
    return Built(module, preprocess_of(module), classes, notes)


def preprocess_of(module: nn.Module) -> Preprocess | None:
    """Preprocessing from the configuration that timm keeps on its modules; None for other modules."""
    config = getattr(module, "pretrained_cfg", None)
    if not isinstance(config, Mapping) or "input_size" not in config:
        return None
    channels, height, width = config["input_size"]
    if channels != 3:
        return None
    mean, std, crop = config["mean"], config["std"], config.get("crop_pct") or 1.0
    short = (floor(height / crop), floor(width / crop))
    return Preprocess(
        height if height == width else (height, width),
        (mean[0], mean[1], mean[2]),
        (std[0], std[1], std[2]),
        crop="center",
        # timm's crop mode "squash" resizes both sides; "center" and "border" keep the aspect.
        resize_short=short if config.get("crop_mode") == "squash" else max(short),
        interpolation=config.get("interpolation") or "bilinear",
    )


def _published(name: str, make: Any) -> nn.Module:
    try:
        return make()
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise ModelError(
            f"The published weights of timm:{name} could not be fetched: {type(error).__name__}: {error}",
            expected="a connection to the model's host, or the file in its cache",
            next_step=f"give a weight file with --weights, or timm:{name}@random for random weights",
        ) from error


def _names(timm: Any, module: nn.Module) -> tuple[str, ...]:
    config = getattr(module, "pretrained_cfg", {})
    if config.get("label_names"):
        return tuple(config["label_names"])
    info = library("timm.data", extra="timm")
    subset = info.infer_imagenet_subset(module)
    if not subset:
        return ()
    labels = info.ImageNetInfo(subset)
    return tuple(labels.index_to_description(index) for index in range(labels.num_classes()))


FAMILY = Family("timm", "timm:resnet18", build)
