"""Families of models: torchvision, timm, transformers and the user's own code, with no network."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file

from microtome.core.errors import ModelError
from microtome.models.adapters.family import Families, Family
from microtome.models.adapters.hf import preprocess_of
from microtome.models.load import FAMILIES, load, parse_spec
from microtome.models.trace import trace

SOURCE = Path(__file__).parents[2] / "src"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture(scope="module")
def resnet() -> Any:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    return models.resnet18(num_classes=7).eval()


def test_a_torchvision_network_has_its_sites_and_preprocessing() -> None:
    model = load("torchvision:resnet18@random", device="cpu")
    assert model.default_site().layer == "layer4"
    assert model.site("layer4").shape == (512, 7, 7)
    assert not model.site("avgpool").spatial
    assert {"layer4.1.relu", "layer4.1.relu#0", "layer4.1.relu#1"} <= set(model.sites())
    pre = model.preprocess
    assert (pre.size, pre.resize_short, pre.crop, (pre.mean, pre.std)) == (224, 256, "center", IMAGENET)
    assert "random" in model.notes[0]
    assert model.fingerprint() == load("torchvision:resnet18@random", device="cpu").fingerprint()


def test_own_weights_for_torchvision_decide_the_number_of_classes(tmp_path: Path, resnet: Any) -> None:
    save_file(resnet.state_dict(), tmp_path / "w.safetensors")
    model = load("torchvision:resnet18", weights=tmp_path / "w.safetensors", size=64, device="cpu")
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(model.logits(x), resnet(x), atol=1e-6)
    assert "7 classes" in model.notes[0]
    assert (model.preprocess.size, model.preprocess.resize_short) == (64, 73)
    named = load("torchvision:resnet18", weights=tmp_path / "w.safetensors", classes=list("abcdefg"), device="cpu")
    assert named.classes == tuple("abcdefg")
    with pytest.raises(ModelError, match=r"'fc.weight' has shape \(7, 512\)"):
        load("torchvision:resnet18", weights=tmp_path / "w.safetensors", classes=["one", "two"])
    with pytest.raises(ModelError, match="do not fit"):
        load("torchvision:resnet34", weights=tmp_path / "w.safetensors")


def test_published_weights_of_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    api = pytest.importorskip("torchvision.models._api")
    torchvision = pytest.importorskip("torchvision.models")
    source = torchvision.squeezenet1_1().eval()
    asked: dict[str, Any] = {}

    def fetch(url: str, *args: Any, **options: Any) -> dict[str, Any]:
        asked.update(options)
        return source.state_dict()

    monkeypatch.setattr(api, "load_state_dict_from_url", fetch)
    model = load("torchvision:squeezenet1_1", device="cpu")
    assert asked["weights_only"] is True
    assert asked["check_hash"] is True
    assert torch.equal(model.module.get_parameter("features.0.weight"), source.features[0].weight)
    assert model.classes[1] == "goldfish"

    def offline(url: str, *args: Any, **options: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr(api, "load_state_dict_from_url", offline)
    with pytest.raises(ModelError, match="squeezenet1_1@random"):
        load("torchvision:squeezenet1_1")


@pytest.mark.parametrize(
    ("name", "layer", "shape", "axis"),
    [("resnet18", "layer4", (512, 7, 7), 1), ("vit_tiny_patch16_224", "blocks.11", (197, 192), 2)],
)
def test_a_timm_network(tmp_path: Path, name: str, layer: str, shape: tuple[int, ...], axis: int) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(4)
    source = timm.create_model(name, pretrained=False, num_classes=3).eval()
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    model = load(f"timm:{name}", weights=tmp_path / "w.safetensors", device="cpu")
    assert (model.site(layer).shape, model.site(layer).unit_axis) == (shape, axis)
    x = model.preprocess(torch.randint(0, 255, (2, 40, 60, 3), dtype=torch.uint8).numpy())
    with torch.no_grad():
        assert torch.allclose(model.logits(x), source(x), atol=1e-5)
    with trace(model, [layer], stop=True) as cache:
        assert cache.run(x)[layer].shape == (2, *shape)
    config = source.pretrained_cfg
    assert model.preprocess.mean == tuple(config["mean"])
    assert model.preprocess.interpolation == config["interpolation"]


def test_a_vision_transformer_of_timm_has_no_map_but_its_patches() -> None:
    model = load("timm:vit_tiny_patch16_224@random", device="cpu", size=64)
    assert model.preprocess.size == 64
    assert model.default_site().layer == "patch_embed.proj"
    assert [name for name, site in model.sites().items() if site.spatial] == ["patch_embed.proj"]


def save_hf(folder: Path, kind: str) -> Any:
    """A tiny image classifier with random weights and its processor's file, in a folder."""
    transformers = pytest.importorskip("transformers")
    labels = {0: "bird", 1: "boat", 2: "car"}
    torch.manual_seed(5)
    if kind == "resnet":
        config = transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", id2label=labels
        )
        net = transformers.ResNetForImageClassification(config)
        processor = {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 64}}
    else:
        config = transformers.ViTConfig(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32,
            patch_size=8, id2label=labels,
        )  # fmt: skip
        net = transformers.ViTForImageClassification(config)
        processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
        processor |= {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "resample": 2}
    net.eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return net


@pytest.mark.parametrize("kind", ["resnet", "vit"])
def test_an_image_classifier_of_transformers(tmp_path: Path, kind: str) -> None:
    net = save_hf(tmp_path, kind)
    model = load(f"hf:{tmp_path}", device="cpu")
    assert model.classes == ("bird", "boat", "car")
    x = model.preprocess(torch.randint(0, 255, (2, 40, 60, 3), dtype=torch.uint8).numpy())
    with torch.no_grad():
        assert torch.allclose(model.logits(x), net(x).logits, atol=1e-6)
    if kind == "resnet":
        assert (model.preprocess.size, model.preprocess.resize_short) == (64, 73)
        assert model.site("resnet.encoder").shape == (16, 8, 8)
    else:
        assert (model.preprocess.mean, model.preprocess.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
        assert model.site("vit").shape == (17, 16), "a model output counts by its first item"
        with trace(model, ["vit"], stop=True) as cache:
            assert cache.run(x)["vit"].shape == (2, 17, 16)
    assert load(f"hf:{tmp_path}@random", device="cpu").fingerprint() != model.fingerprint()


def test_own_weights_for_transformers_and_a_folder_without_processor(tmp_path: Path) -> None:
    net = save_hf(tmp_path, "vit")
    (tmp_path / "preprocessor_config.json").unlink()
    (tmp_path / "model.safetensors").unlink()
    save_file({name: tensor + 1 for name, tensor in net.state_dict().items()}, tmp_path / "own.safetensors")
    with pytest.raises(ModelError, match="--size"):
        load(f"hf:{tmp_path}", weights=tmp_path / "own.safetensors")
    model = load(f"hf:{tmp_path}", weights=tmp_path / "own.safetensors", size=32, device="cpu")
    assert torch.equal(model.module.get_parameter("classifier.bias"), net.classifier.bias + 1)
    with pytest.raises(ModelError, match="could not be loaded"):
        load(f"hf:{tmp_path}")


def test_half_precision_of_transformers_stays_half(tmp_path: Path) -> None:
    net = save_hf(tmp_path, "resnet")
    net.half().save_pretrained(tmp_path)
    model = load(f"hf:{tmp_path}", device="cpu")
    if model.dtype == torch.float16:
        assert model.logits(torch.zeros(1, 3, 64, 64)).dtype == torch.float32
    else:
        assert model.dtype == torch.float32, "transformers before 5 converts to float32"


class Payload:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.path}'",)


def test_a_hostile_file_in_a_transformers_folder_runs_nothing(tmp_path: Path) -> None:
    save_hf(tmp_path, "vit")
    (tmp_path / "model.safetensors").unlink()
    torch.save({"classifier.bias": Payload(tmp_path / "ran")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError):
        load(f"hf:{tmp_path}")
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(tmp_path / "ran")))
    with pytest.raises(ModelError):
        load(f"hf:{tmp_path}")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("config", "size", "crop", "short"),
    [
        ({"size": 48}, 48, "none", None),
        ({"size": {"height": 32, "width": 64}}, (32, 64), "none", None),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, 224, "center", 256),
        ({"size": {"shortest_edge": 384}, "crop_pct": 1.0}, 384, "none", None),
        ({"size": {"shortest_edge": 40}, "do_center_crop": True, "crop_size": 32}, 32, "center", 40),
        (
            {"size": {"height": 40, "width": 40}, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}},
            32,
            "center",
            (40, 40),
        ),
    ],
)
def test_sizes_and_crops_of_image_processors(config, size, crop, short) -> None:
    pre = preprocess_of(config)
    assert pre is not None
    assert (pre.size, pre.crop, pre.resize_short) == (size, crop, short)


def test_range_and_normalisation_of_image_processors() -> None:
    pre = preprocess_of({"size": 8, "do_rescale": False, "do_normalize": False, "image_mean": [9, 9, 9], "resample": 3})
    assert pre is not None
    assert (pre.scale, pre.mean, pre.std, pre.interpolation) == (1.0, (0.0,) * 3, (1.0,) * 3, "bicubic")
    pre = preprocess_of({"size": 8, "rescale_factor": 1 / 127.5, "image_mean": 1.0, "image_std": [1, 1, 2]})
    assert pre is not None
    assert (pre.scale, pre.mean, pre.std) == (1 / 127.5, (1.0,) * 3, (1.0, 1.0, 2.0))
    assert preprocess_of({"image_mean": [0, 0, 0]}) is None


OWN = """
from dataclasses import dataclass
from torch import nn
from sibling import WIDTH

@dataclass
class Settings:
    width: int = WIDTH

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, Settings().width, 3), nn.Flatten(), nn.LazyLinear(2))

def make_model():
    return nn.Sequential(nn.Conv2d(3, Settings().width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

ready = make_model()
ready.classes = ["a", "b", "c", "d"]
number = 5

def broken():
    raise ValueError("not today")

def needs(argument):
    return argument
"""


def test_the_users_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_net_7.py").write_text(OWN)
    (tmp_path / "sibling.py").write_text("WIDTH = 4")
    path = tmp_path / "own_net_7.py"
    before = list(sys.path)
    model = load(f"{path}:make_model", size=8, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2), device="cpu")
    assert model.site("0").shape == (4, 6, 6)
    assert model.preprocess.mean == (0.5, 0.5, 0.5)
    assert model.notes == ()
    assert model.fingerprint() == load(f"{path}:make_model", size=8).fingerprint()
    assert load(f"{path}:ready", size=8).classes == ("a", "b", "c", "d")
    monkeypatch.chdir(tmp_path)
    assert load("own_net_7:make_model", size=8).fingerprint() == model.fingerprint()
    assert load("./own_net_7.py:make_model", size=8).fingerprint() == model.fingerprint()
    assert sys.path == before
    for name, message in [
        ("make_modle", "'make_model'"),
        ("number", "gives a int"),
        ("broken", "not today"),
        ("needs", "argument"),
    ]:
        with pytest.raises(ModelError, match=message):
            load(f"{path}:{name}", size=8)
    with pytest.raises(ModelError, match="--size"):
        load(f"{path}:make_model")
    (tmp_path / "wrong.py").write_text("def make_model(:")
    with pytest.raises(ModelError, match="SyntaxError"):
        load(f"{tmp_path / 'wrong.py'}:make_model", size=8)


def test_a_module_may_carry_its_preprocessing(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\nfrom microtome.models.preprocess import Preprocess\n"
        "def make():\n    net = nn.Conv2d(3, 4, 1)\n"
        "    net.preprocess = Preprocess(12, (0.1, 0.1, 0.1), (0.2, 0.2, 0.2))\n    return net\n"
    )
    assert load(f"{tmp_path / 'net.py'}:make").preprocess.size == 12
    changed = load(f"{tmp_path / 'net.py'}:make", size=6, mean=(0.3, 0.3, 0.3)).preprocess
    assert (changed.size, changed.mean, changed.std) == (6, (0.3, 0.3, 0.3), (0.2, 0.2, 0.2))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("resnet18", "torchvision:resnet18"),
        ("torchvison:resnet18", "torchvision:resnet18"),
        ("torchvision:resnet81", "'resnet18'"),
        ("timm:vit_tny_patch16_224", "'vit_tiny_patch16_224'"),
        ("world:scene", "'scenes'"),
        ("world:scenes@random", "trained weights only"),
        ("hf:./absent", "no folder"),
        ("absent.py:make", "no file"),
        ("", "names no model"),
        ("timm:", "names no model"),
        ("no.such.package:make", "names no model"),
        ("json:absent", "has no 'absent'"),
    ],
)
def test_unknown_models_are_answered_with_what_is_near(spec: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load(spec)


def test_random_and_weights_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="drop one"):
        load("torchvision:resnet18@random", weights=tmp_path / "w.pt")
    assert parse_spec("hf:owner/name@random") == ("hf", "owner/name", True)


def test_the_table_of_families() -> None:
    families = Families()
    families.register(Family("mine", "mine:x", lambda request: None))  # type: ignore[arg-type, return-value]
    with pytest.raises(ModelError, match="twice"):
        families.register(families.get("mine"))
    with pytest.raises(ModelError, match="'mine'"):
        families.get("mien")
    assert all(family in FAMILIES for family in ("world", "torchvision", "timm", "hf"))


BROKEN = 'raise RuntimeError("operator torchvision::nms does not exist")'


@pytest.mark.parametrize("family", ["torchvision:resnet18@random", "timm:resnet18@random", "hf"])
def test_a_torchvision_of_another_build_is_a_clear_error(tmp_path: Path, family: str) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(BROKEN)
    if family == "hf":
        save_hf(tmp_path / "net", "vit")
        family = f"hf:{tmp_path / 'net'}"
    code = (
        "from microtome.models.load import load\nfrom microtome.core.errors import ModelError\n"
        f"try:\n    load({family!r})\nexcept ModelError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{SOURCE}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    if family.startswith("hf") and not done.stdout:
        pytest.skip("this version of transformers does without torchvision")
    assert "torchvision::nms does not exist" in done.stdout
    assert "Next: pip install --force-reinstall torch torchvision" in done.stdout


def test_a_package_that_is_not_installed_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torchvision", "timm", "transformers"):
        monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]
    for spec, extra in [
        ("torchvision:resnet18", "torchvision"),
        ("timm:resnet18", "timm"),
        ("hf:owner/net", "transformers"),
    ]:
        with pytest.raises(ModelError, match=rf"pip install 'microtome\[{extra}\]'"):
            load(spec)
