"""`hf:NAME_OR_FOLDER`: the image classifiers, sequence classifiers and language models of transformers."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from microtome.core.errors import ModelError
from microtome.models.adapters.family import Built, Family, Request, broken_library, library, seeded
from microtome.models.adapters.hf_bare import BARE, ClassRowImages, classifies, image_class
from microtome.models.adapters.hf_clip import IMAGE_TEXT, ClipImages, HfTexts, tokenizer_of
from microtome.models.adapters.hf_text import check_vocabulary, give_padding, text_class, text_encoder
from microtome.models.preprocess import Preprocess
from microtome.models.state import load_weights

_PACKAGE_ERRORS = (ImportError, RuntimeError, AttributeError)


def build(request: Request) -> Built:
    """A model of transformers, from a folder or the hub. Code from the hub is never run.

    The configuration says what it is: `...ForSequenceClassification`, `...ForCausalLM`, `...ForMaskedLM` or the bare
    model of such a family is a text model, and comes with its tokenizer as encoder; a CLIP or SigLIP comes as its image
    side with its text side beside it; a bare ViT or DINOv2 gives its class row; all else is taken for an image
    classifier.

    Raises
    ------
    ModelError
        If transformers cannot be imported, the folder or name is no such model, has no tokenizer where it needs one,
        or cannot be fetched.
    """
    _check_folder(request.name)
    transformers = library("transformers", extra="transformers")
    try:
        config = transformers.AutoConfig.from_pretrained(request.name, trust_remote_code=False)
        if config.model_type in IMAGE_TEXT and not classifies(config):
            return _image_text(transformers, config, request)
        textual = text_class(config)
        kind = textual or image_class(config)
        auto = getattr(transformers, kind)
        encoder = text_encoder(transformers, request.name, config) if textual else None
        notes: tuple[str, ...] = ()
        if request.state is not None or request.random:
            module = seeded(lambda: auto.from_config(config) if kind.startswith("Auto") else auto(config))
            notes = ("The weights are random (seed 0).",) if request.random else ()
        else:
            module = auto.from_pretrained(request.name, trust_remote_code=False)
    except (OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise _not_loaded(request.name, error) from error
    except _PACKAGE_ERRORS as error:
        raise broken_library("transformers", error) from error
    if request.state is not None:
        notes = load_weights(module, request.state, source=request.source)
    labels: dict[int, str] = config.id2label or {}
    classes = tuple(labels[index] for index in sorted(labels))
    if encoder is None:
        module = ClassRowImages(module) if kind in BARE else module
        classes = classes if kind.startswith("Auto") else ()
        return Built(module, _preprocess(transformers, request.name), classes, notes)
    check_vocabulary(module, encoder, request.name)
    if textual != "AutoModelForSequenceClassification":
        return Built(module, notes=notes, encoder=encoder)
    return Built(module, classes=classes, notes=notes + give_padding(module, encoder), encoder=encoder)


def _image_text(transformers: Any, config: Any, request: Request) -> Built:
    """A model with an image and a text side: its image side, and the text side beside it."""
    tokenizer = tokenizer_of(transformers, request.name)
    kind = getattr(transformers, IMAGE_TEXT[config.model_type])
    notes: tuple[str, ...] = ()
    if request.state is not None or request.random:
        both = seeded(lambda: kind(config))
        notes = ("The weights are random (seed 0).",) if request.random else ()
    else:
        both = kind.from_pretrained(request.name, trust_remote_code=False)
    if request.state is not None:
        notes = load_weights(both, request.state, source=request.source)
    both.eval()
    module, texts = ClipImages(both), HfTexts(both, tokenizer)
    return Built(module, _preprocess(transformers, request.name), notes=notes, texts=texts)


def preprocess_of(config: Mapping[str, Any]) -> Preprocess | None:
    """Preprocessing from the dictionary of an image processor (`preprocessor_config.json` with its defaults).

    None where it says nothing of the size. Understood: `size` and `crop_size` as a number, `{height, width}`
    or `{shortest_edge}`; `crop_pct`; switches `do_resize`, `do_center_crop`, `do_rescale`, `do_normalize`.
    """
    size = _sides(config.get("size"))
    if size is None:
        return None
    crop, short = "none", None
    shortest = _is_shortest(config["size"])
    crop_size = _sides(config.get("crop_size"))
    if config.get("do_center_crop") and crop_size is not None:
        crop, short, size = "center", size[0] if shortest else size, crop_size
    elif config.get("crop_pct") and shortest and size[0] < 384:
        # The ConvNeXt processor: below 384 pixels it resizes to size / crop_pct and crops, from 384 on it
        # squeezes.
        crop, short = "center", int(size[0] / config["crop_pct"])
    normalise = config.get("do_normalize", True)
    mean, std = _three(config.get("image_mean", 0.0)), _three(config.get("image_std", 1.0))
    resample = config.get("resample")
    return Preprocess(
        size[0] if size[0] == size[1] else size,
        mean if normalise else (0.0, 0.0, 0.0),
        std if normalise else (1.0, 1.0, 1.0),
        crop="center" if crop == "center" else "none",
        resize_short=short,
        scale=float(config.get("rescale_factor") or 1 / 255) if config.get("do_rescale", True) else 1.0,
        interpolation="bilinear" if resample is None else _filter(int(resample)),
    )


def _check_folder(name: str) -> None:
    folder = Path(name).expanduser()
    looks_local = name.startswith((".", "/", "~")) or folder.exists() or name.count("/") > 1
    if looks_local and not (folder / "config.json").is_file():
        raise ModelError(
            f"The folder {name} holds no config.json." if folder.exists() else f"There is no folder {name}.",
            expected="a folder saved by save_pretrained of transformers, or a name on the hub such as owner/model",
            next_step="check the path after hf:",
        )


def _preprocess(transformers: Any, name: str) -> Preprocess | None:
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(name)
    except (OSError, ValueError, KeyError):
        # A model without a processor file is complete without it: load() then asks for --size.
        return None
    except _PACKAGE_ERRORS as error:
        raise broken_library("transformers", error) from error
    return preprocess_of(processor.to_dict())


def _not_loaded(name: str, error: BaseException) -> ModelError:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return ModelError(
        f"hf:{name} could not be loaded: {lines[0] if lines else type(error).__name__}",
        expected="an image classifier, sequence classifier or language model of transformers: a folder with "
        "config.json and weights, or a name on the hub",
        next_step=f"check the name and the connection, give --weights, or use hf:{name}@random for random weights",
    )


def _is_shortest(size: Any) -> bool:
    return isinstance(size, Mapping) and "shortest_edge" in size


def _sides(size: Any) -> tuple[int, int] | None:
    if isinstance(size, Mapping):
        if size.get("height") and size.get("width"):
            return int(size["height"]), int(size["width"])
        size = size.get("shortest_edge")
    if isinstance(size, int | float):
        return int(size), int(size)
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[0]), int(size[1])
    return None


def _three(values: Any) -> tuple[float, float, float]:
    if isinstance(values, int | float):
        return float(values), float(values), float(values)
    return float(values[0]), float(values[1]), float(values[2])


def _filter(number: int) -> Any:
    return Image.Resampling(number).name.lower()


FAMILY = Family("hf", "hf:microsoft/resnet-18", build)
