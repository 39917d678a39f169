"""Weights come from files that may be wrong or hostile; nothing in them is ever run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from microtome.core.errors import ModelError
from microtome.models.load import load
from microtome.models.state import load_weights, read_weights

MAKER = """
from torch import nn

def make_model():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 5))
"""


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 5))


class Payload:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.path}'",)


@pytest.fixture
def maker(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(MAKER)
    return f"{tmp_path / 'net.py'}:make_model"


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_weights_arrive(tmp_path: Path, maker: str, suffix: str) -> None:
    torch.manual_seed(3)
    source, path = network(), tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(source.state_dict(), path)
    else:
        torch.save(source.state_dict(), path)
    model = load(maker, weights=path, size=8)
    untrained = load(maker, size=8)
    for name, tensor in source.state_dict().items():
        assert torch.equal(model.module.state_dict()[name], tensor), name
    assert model.fingerprint() != untrained.fingerprint()
    assert load(maker, weights=str(path), size=8).fingerprint() == model.fingerprint()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_wants_to_run_code_is_refused_and_nothing_runs(tmp_path: Path, maker: str, legacy: bool) -> None:
    mark, path = tmp_path / "ran", tmp_path / "evil.pth"
    state = {**network().state_dict(), "0.weight": Payload(mark)}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelError, match="could run code"):
        load(maker, weights=path, size=8)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "control: the file does run code where it is let"


def test_a_whole_pickled_module_is_refused(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "whole.pt")
    with pytest.raises(ModelError, match="save it anew"):
        read_weights(tmp_path / "whole.pt")


def test_nested_and_prefixed_state_dicts_are_unwrapped_and_it_is_said(tmp_path: Path, maker: str) -> None:
    source = network()
    wrapped = {f"_orig_mod.module.{name}": tensor for name, tensor in source.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": wrapped}, tmp_path / "w.pth")
    model = load(maker, weights=tmp_path / "w.pth", size=8)
    assert torch.equal(model.module.get_parameter("3.weight"), source[3].weight)
    said = " ".join(model.notes)
    assert "'state_dict'" in said
    assert "'module.'" in said
    assert "'_orig_mod.'" in said


def test_all_misfits_are_reported_at_once_and_the_module_stays_as_it_was() -> None:
    module = network()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = {name: tensor + 1 for name, tensor in before.items()}
    state["3.wieght"] = state.pop("3.weight")
    del state["1.bias"]
    state["0.bias"] = torch.zeros(9)
    with pytest.raises(ModelError) as caught:
        load_weights(module, state, source="w.pt")
    text = str(caught.value)
    assert "2 names missing, 1 unexpected, 1 of another shape" in text
    assert "'3.weight' is missing; the file has '3.wieght'" in text
    assert "'3.wieght' is unexpected; the model has '3.weight'" in text
    assert "'0.bias' has shape (9,) in the file, (4,) in the model" in text
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_name_too_many_is_refused() -> None:
    state = {**network().state_dict(), "4.weight": torch.zeros(1)}
    with pytest.raises(ModelError, match=r"1 unexpected[^$]*'4.weight' is unexpected"):
        load_weights(network(), state, source="w")


def test_only_batch_counters_may_be_missing() -> None:
    state = {n: t for n, t in network().state_dict().items() if not n.endswith("num_batches_tracked")}
    load_weights(network(), state, source="w")
    del state["1.running_mean"]
    with pytest.raises(ModelError, match="running_mean"):
        load_weights(network(), state, source="w")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.safetensors", b"not safetensors", "no readable safetensors"),
        ("w.pth", b"not a torch file", "w.pth"),
        ("w.pth", b"", "no readable torch"),
        ("w.h5", b"", "ending '.h5'"),
        (None, b"", "no weight file"),
    ],
)
def test_damaged_and_foreign_files(tmp_path: Path, name: str | None, content: bytes, message: str) -> None:
    if name is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_weights(tmp_path / (name or "absent.pt"))


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {}, torch.zeros(2)])
def test_files_without_named_tensors(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ModelError, match="holds no state_dict"):
        read_weights(tmp_path / "w.pt")
