"""`torchvision:NAME`: the classifiers of torchvision."""

from __future__ import annotations

import pickle
from typing import Any

from microtome.core.errors import ModelError, nearest
from microtome.models.adapters.family import Built, Family, Request, library, seeded, with_state
from microtome.models.preprocess import Preprocess
from microtome.models.state import load_weights


def build(request: Request) -> Built:
    """A torchvision classifier with its published weights, the user's weights, or random ones.

    Raises
    ------
    ModelError
        If torchvision cannot be imported, has no such classifier, or the weights cannot be downloaded.
    """
    models = library("torchvision.models", extra="torchvision")
    import torchvision

    names = models.list_models(module=torchvision.models)
    if request.name not in names:
        raise ModelError(
            f"torchvision has no image classifier '{request.name}'.",
            expected=f"one of {len(names)}, for example {nearest(request.name, names)}",
        )
    published = models.get_model_weights(request.name).DEFAULT
    preprocess = _preprocess(published.transforms())

    def make(classes: int) -> Any:
        options = {"num_classes": classes} if classes else {}
        return models.get_model(request.name, weights=None, **options)

    if request.state is not None:
        module, notes = with_state(make, request)
        return Built(module, preprocess, (), notes)
    module = seeded(lambda: make(request.classes))
    if request.random:
        return Built(module, preprocess, (), ("The weights are random (seed 0).",))
    if hasattr(module, "transform_input"):
        # GoogLeNet and Inception were trained on another range; their published weights come with this switch
        # on.
        module.transform_input = True
    notes = load_weights(module, _download(request.name, published), source=f"torchvision:{request.name}")
    return Built(module, preprocess, tuple(published.meta["categories"]), notes)


def _download(name: str, published: Any) -> dict[str, Any]:
    try:
        return published.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"The published weights of torchvision:{name} could not be fetched: {error}",
            expected=f"a connection to {published.url}, or the file in torch's cache",
            next_step=f"give a weight file with --weights, or torchvision:{name}@random for random weights",
        ) from error


def _preprocess(transforms: Any) -> Preprocess:
    (crop,), (short,) = transforms.crop_size, transforms.resize_size
    mean, std = transforms.mean, transforms.std
    return Preprocess(
        crop,
        (mean[0], mean[1], mean[2]),
        (std[0], std[1], std[2]),
        crop="center",
        # Inception and a few others crop nothing off; a resize below the crop does not occur.
        resize_short=max(short, crop),
        interpolation=transforms.interpolation.value,
    )


FAMILY = Family("torchvision", "torchvision:resnet18", build)
