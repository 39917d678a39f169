"""Bad models and weights on the command line, and strange ones that must work."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.commands import QUICK, microtome, network, nothing_new, photos, pictures, refused


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "data")


def dissect(spec: str, data: Path, tmp_path: Path, *more: str | Path, said: tuple[str, ...]) -> None:
    """Assert that the model is refused and nothing is left."""
    with nothing_new(tmp_path):
        refused(microtome("dissect", spec, "--data", data, "--out", tmp_path / "run", *QUICK, *more), *said)


def works(spec: str, data: Path, tmp_path: Path, *more: str | Path) -> tuple[dict, list[dict]]:
    """Manifest and units of a dissection that succeeds."""
    run = tmp_path / "run"
    outcome = microtome("dissect", spec, "--data", data, "--out", run, *QUICK, *more, "--json")
    assert outcome.code == 0, outcome.err
    assert (run / "index.html").exists()
    return json.loads((run / "manifest.json").read_text()), json.loads(outcome.out)["units"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nonsense", "names no model"),
        ("world:scens", "world:scenes"),
        ("torchvison:resnet18", "'torchvision:resnet18'"),
        ("torchvision:resnet1888", "resnet18"),
        ("timm:resnet1888", "resnet18"),
        ("absent/file.py:make", "There is no file"),
        ("hf:./absent", "absent"),
        ("", "names no model"),
    ],
)
def test_unknown_model(data: Path, tmp_path: Path, spec: str, said: str) -> None:
    dissect(spec, data, tmp_path, said=(said,))


def test_unknown_function_in_a_file(data: Path, tmp_path: Path) -> None:
    spec = network(tmp_path / "model").replace("make_model", "make_modle")
    dissect(spec, data, tmp_path, said=("has no 'make_modle'", "'make_model'"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def make_model(:", "SyntaxError"),
        ("import absent_package", "absent_package"),
        ("def make_model():\n    return 3", "gives a int"),
        ("def make_model():\n    raise ValueError('my own')", "my own"),
        ("from torch import nn\nmake_model = nn.Linear(3, 4)", "forward pass fails"),
        ("from torch import nn\nmake_model = nn.Sequential()", ""),
    ],
)
def test_code_that_makes_no_model(data: Path, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "net.py").write_text(text)
    dissect(f"{tmp_path}/net.py:make_model", data, tmp_path, said=(said,))


def test_a_forward_pass_that_fails(data: Path, tmp_path: Path) -> None:
    dissect(network(tmp_path / "m", after="raise ValueError('my own')"), data, tmp_path, said=("fails", "my own"))


@pytest.mark.parametrize("error", ["RuntimeError", "TypeError", "KeyError", "AssertionError"])
def test_a_forward_pass_that_fails_on_larger_batches_alone(data: Path, tmp_path: Path, error: str) -> None:
    spec = network(tmp_path / "m", after=f"if len(maps) > 2: raise {error}('my own')\n        return maps")
    said = ("fails on a batch of 8", error, "my own", "--batch-size 1")
    dissect(spec, data, tmp_path, "--layer", "fc", said=said)
    assert len(works(spec, data, tmp_path, "--layer", "fc", "--batch-size", "1")[1]) == 3


def test_unknown_layer_gets_the_nearest_names(data: Path, tmp_path: Path) -> None:
    dissect(network(tmp_path / "m"), data, tmp_path, "--layer", "convv", said=("'convv'", "'conv'", "microtome layers"))


def test_a_model_that_says_no_input_size(data: Path, tmp_path: Path) -> None:
    with nothing_new(tmp_path / "data"):
        outcome = microtome("dissect", network(tmp_path / "m"), "--data", data, "--out", tmp_path / "run")
        refused(outcome, "--size")
    assert not list(tmp_path.glob("run*"))


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_activations_that_are_no_numbers(data: Path, tmp_path: Path, value: str) -> None:
    spec = network(tmp_path / "m", change=f"model.conv.bias.data[2] = float('{value}')")
    dissect(spec, data, tmp_path, "--layer", "conv", said=("NaN or infinite" if value == "nan" else "conv", "p"))


def test_nan_on_a_single_image_names_it(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", count=12)
    spec = network(tmp_path / "m", after="return maps", change="model.register_forward_pre_hook(spoil)")
    path = tmp_path / "m" / "net.py"
    spoil = "def spoil(model, inputs):\n    x = inputs[0].clone()\n    if len(x) > 5:\n        x[5] = float('nan')\n"
    path.write_text(path.read_text() + "\n\n" + spoil + "    return x\n")
    dissect(spec, data, tmp_path, "--layer", "conv", said=("NaN", "on image '", "--layer"))


def test_values_beyond_float16_name_the_option(data: Path, tmp_path: Path) -> None:
    spec = network(tmp_path / "m", change="model.conv.weight.data *= 1e7")
    dissect(spec, data, tmp_path, "--layer", "conv", said=("largest float16", "--cache-dtype float32"))
    manifest, _ = works(spec, data, tmp_path, "--layer", "conv", "--cache-dtype", "float32")
    assert manifest["settings"]["cache_dtype"] == "float32"


def test_weights_of_another_model(data: Path, tmp_path: Path) -> None:
    wrong = {"conv.weight": torch.zeros(4, 3, 5, 5), "fc.bias": torch.zeros(3), "extra": torch.zeros(1)}
    save_file(wrong, tmp_path / "wrong.safetensors")
    dissect(
        network(tmp_path / "m"), data, tmp_path, "--weights", tmp_path / "wrong.safetensors",
        said=("do not fit", "'conv.bias' is missing", "'extra' is unexpected", "(4, 3, 5, 5)"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("w.safetensors", b"nonsense", "no readable safetensors"),
        ("w.pth", b"nonsense", "it was not loaded"),
        ("w.pth", b"", "no readable torch weight file"),
        ("w.txt", b"nonsense", "'.txt'"),
    ],
)
def test_weight_files_that_are_none(data: Path, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    dissect(network(tmp_path / "m"), data, tmp_path, "--weights", tmp_path / name, said=(said,))


def test_missing_weight_file(data: Path, tmp_path: Path) -> None:
    dissect(network(tmp_path / "m"), data, tmp_path, "--weights", tmp_path / "w.pth", said=("no weight file",))


class Attack:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "executed")


@pytest.mark.parametrize("how", ["zip", "legacy", "bare"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_weights_that_want_to_execute_code(data: Path, tmp_path: Path, how: str) -> None:
    trace, weights = tmp_path / "executed", tmp_path / "model.pth"
    if how == "bare":
        weights.write_bytes(pickle.dumps(Attack(trace)))
    else:
        content = {"conv.weight": torch.zeros(3), "attack": Attack(trace)}
        torch.save(content, weights, _use_new_zipfile_serialization=how == "zip")
    dissect(network(tmp_path / "m"), data, tmp_path, "--weights", weights, said=("it was not loaded", "safetensors"))
    assert not trace.exists()
    # The control: unpickled without care, the same file does execute.
    if how == "bare":
        pickle.loads(weights.read_bytes())
    else:
        torch.load(weights, weights_only=False)
    assert trace.read_text() == "executed"


def test_constant_units_are_silent(data: Path, tmp_path: Path) -> None:
    change = "model.conv.weight.data[:2] = 0\nmodel.conv.bias.data[0] = 3"
    _, units = works(network(tmp_path / "m", change=change), data, tmp_path, "--layer", "conv")
    assert [unit["status"] == "silent" for unit in units] == [True, True, False, False]
    assert "never fires" in units[0]["reason"]


def test_a_layer_without_a_map_is_treated_as_image_level(data: Path, tmp_path: Path) -> None:
    manifest, units = works(network(tmp_path / "m"), data, tmp_path, "--layer", "fc")
    assert len(units) == 3
    assert any("image" in note for note in manifest["notes"])
    with nothing_new(tmp_path):
        refused(
            microtome(
                "dissect", network(tmp_path / "m"), "--data", data, "--out", tmp_path / "other", *QUICK,
                "--layer", "fc", "--elements", "pixel",
            ),
            "has no map over the image",
        )  # fmt: skip


@pytest.mark.parametrize("kind", ["half", "bfloat16", "double"])
def test_models_of_another_precision(data: Path, tmp_path: Path, kind: str) -> None:
    spec = network(tmp_path / "m", change=f"model = model.{kind}()")
    _, units = works(spec, data, tmp_path, "--layer", "conv")
    assert len(units) == 4
    assert any(unit["status"] != "silent" for unit in units)


def test_unknown_device(data: Path, tmp_path: Path) -> None:
    dissect(network(tmp_path / "m"), data, tmp_path, "--device", "gpu", said=("'gpu'", "auto, cpu"))


def test_layers_lists_and_refuses(tmp_path: Path) -> None:
    outcome = microtome("layers", network(tmp_path / "m"), "--size", "16", "--json")
    assert [row["layer"] for row in json.loads(outcome.out)["layers"]] == ["conv", "fc"]
    refused(microtome("layers", "nonsense"), "names no model")
