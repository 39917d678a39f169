"""The shipped model through the loader, and the list of layers on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from safetensors.torch import save_file
from typer.testing import CliRunner

from microtome.cli.layers import layers
from microtome.core.errors import ModelError, OptionError
from microtome.models.load import load
from microtome.models.scenes import scenes_card


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(layers)
    return made


def test_the_shipped_model_loads_with_its_card() -> None:
    model, card = load("world:scenes", device="cpu"), scenes_card()
    assert model.classes == card.classes
    assert (model.preprocess.size, model.preprocess.mean) == (card.size, card.mean)
    assert model.default_site().layer == "layer4"
    assert model.notes == ()


def test_the_shipped_architecture_takes_other_weights(tmp_path: Path) -> None:
    model = load("world:scenes", device="cpu")
    state = {name: tensor * 2 for name, tensor in model.module.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    assert load("world:scenes", weights=tmp_path / "w.safetensors").fingerprint() != model.fingerprint()


def test_layers_prints_every_site(app: typer.Typer) -> None:
    done = CliRunner().invoke(app, ["world:scenes", "--device", "cpu", "--json"])
    assert done.exit_code == 0, done.output
    rows = {row["layer"]: row for row in json.loads(done.stdout)["layers"]}
    sites = load("world:scenes", device="cpu").sites()
    assert list(rows) == list(sites)
    assert rows["layer4"]["shape"] == list(sites["layer4"].shape)
    assert rows["layer4"]["units"] == sites["layer4"].units
    assert [name for name, row in rows.items() if row["default"]] == ["layer4"]
    assert rows["fc"]["spatial"] is False
    table = CliRunner().invoke(app, ["world:scenes", "--device", "cpu"], env={"COLUMNS": "120"})
    assert table.exit_code == 0
    assert "layer4 (default)" in table.stdout


def test_layers_takes_the_options_of_a_model_of_ones_own(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("from torch import nn\ndef make():\n    return nn.Conv2d(3, 4, 3)\n")
    spec = f"{tmp_path / 'net.py'}:make"
    seq = f"{tmp_path / 'seq.py'}:make"
    (tmp_path / "seq.py").write_text(
        "from torch import nn\ndef make():\n    return nn.Sequential(nn.Conv2d(3, 4, 3))\n"
    )
    arguments = [seq, "--size", "9", "--mean", "0.5", "--std", "0.2,0.2,0.2", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert json.loads(done.stdout)["layers"][0]["shape"] == [4, 7, 7]
    for extra, kind in [([], ModelError), (["--size", "9", "--mean", "a"], OptionError)]:
        failed = CliRunner().invoke(app, [spec, *extra])
        assert isinstance(failed.exception, kind)
