"""`microtome audit` and `microtome explain`: exit codes, what is printed, and input that cannot be used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from microtome.data.world.dataset import World
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from tests.support.commands import Outcome, microtome, network, nothing_new, refused

ONLY = ("--data", "world@320", "--images", "320", "--no-repair", "--cases", "10")
SMALL = (*ONLY, "--directions", "0")
ONE = ("--concept", "water", "--target", "waterbird", "--source", "landbird")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network's layer named quickly."""
    out = tmp_path_factory.mktemp("units") / "run"
    some = DissectSettings(method="netdissect", permutations=20, units=tuple(range(90, 106)))
    dissect(data="world@320", out=out, settings=some)
    return out


@pytest.fixture(scope="module")
def audited(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """One fault audited, with its direction, and what the command said."""
    out = tmp_path_factory.mktemp("audited") / "a"
    return out, microtome("audit", "world:scenes", *ONLY, *ONE, "--directions", "1", "--run", run, "--out", out)


def test_a_fault_is_said_and_the_report_named(audited: tuple[Path, Outcome]) -> None:
    _, outcome = audited
    assert outcome.code == 0, outcome.err
    assert "becomes waterbird" in outcome.out
    assert "Report:" in outcome.out


def test_a_proved_fault_ends_with_code_three_where_that_is_asked(run: Path, tmp_path: Path) -> None:
    words = ("audit", "world:scenes", *SMALL, *ONE, "--run", run)
    failing = microtome(*words, "--out", tmp_path / "b", "--fail-on", "proved", "--json")
    content = json.loads(failing.out)
    proved = [row for row in content["findings"] if row["verdict"] == "proved"]
    assert failing.code == (3 if proved else 0)
    assert (tmp_path / "b" / "index.html").exists()
    # With ten images the verdict may be open; the rate is not.
    assert content["findings"][0]["rate"] > 0.5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--place", "nowhere"), "--place is 'nowhere'"),
        (("--cases", "3"), "--cases is 3"),
        (("--classes", "castle"), "--classes names 'castle'"),
        (("--concept", "water"), "--concept and --target belong together"),
        (("--fail-on", "never"), "--fail-on is 'never'"),
        (("--write", "mended.bin"), "ends in .safetensors"),
        (("--write", "mended.safetensors"), "--no-repair makes none"),
        (("--concept", "unicorn", "--target", "farm"), "unicorn"),
        (("--concept", "water", "--target", "castle"), "--target is 'castle'"),
        (("--layer", "layer3"), "layer4"),
        (("--run", "nowhere"), "nowhere is no run"),
        (("--also", "world:nowhere"), "world:nowhere"),
    ],
)
def test_options_out_of_range_are_refused(run: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    given = ("--run", run) if "--run" not in words else ()
    with nothing_new(tmp_path):
        outcome = microtome("audit", "world:scenes", *SMALL, *given, *words, "--out", tmp_path / "x")
    refused(outcome, said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lake = 3", "not a list"),
        ("[allow]\nlake = ['unicorn']", "'unicorn' of lake is no concept"),
        ("[allow]\nfairyland = ['water']", "'fairyland' is no class"),
        ("[allow", "cannot be read"),
        ("[allow]", "allows nothing"),
    ],
)
def test_an_allow_list_that_names_what_is_not_there_is_refused(run: Path, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "allow.toml"
    file.write_text(text)
    with nothing_new(tmp_path):
        outcome = microtome("audit", "world:scenes", *SMALL, "--run", run, "--allow", file, "--out", tmp_path / "x")
    refused(outcome, said)


def test_an_allow_list_clears_what_may_make_a_class(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "allow.toml"
    file.write_text("[allow]\nwaterbird = ['water', 'gull', 'wing', 'body', 'leg', 'head', 'rock', 'rock face']\n")
    words = ("--classes", "waterbird", "--suspects", "4", "--trials", "2")
    outcome = microtome(
        "audit", "world:scenes", *SMALL, *words, "--run", run, "--allow", file, "--out", tmp_path / "x", "--json"
    )
    assert outcome.code == 0, outcome.err
    assert "water" not in [row["concept"] for row in json.loads(outcome.out)["findings"]]


def test_a_concept_without_segments_is_refused(run: Path, tmp_path: Path) -> None:
    with nothing_new(tmp_path):
        outcome = microtome(
            "audit", "world:scenes", *SMALL, "--run", run, "--concept", "eye AND snow", "--target", "farm", "--out",
            tmp_path / "x",
        )  # fmt: skip
    refused(outcome, "cannot be tested")


def test_a_model_without_classes_is_refused(tmp_path: Path) -> None:
    spec = network(tmp_path)
    with nothing_new(tmp_path):
        refused(microtome("audit", spec, "--size", "16", "--out", tmp_path / "x"), "has no classes")


def test_data_without_classes_that_the_model_knows_are_refused(run: Path, tmp_path: Path) -> None:
    for name in ("lion", "zebra"):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (96, 96), (number, 0, 0)).save(folder / f"{number}.png")
    with nothing_new(tmp_path):
        outcome = microtome("audit", "world:scenes", "--data", tmp_path / "data", "--run", run, "--out", tmp_path / "x")
    refused(outcome, "zebra")


def test_one_answer_is_explained_by_the_units_that_fire(run: Path, tmp_path: Path) -> None:
    world = World("heldout", count=32)
    Image.fromarray(world.read(3).pixels).save(tmp_path / "scene.png")
    outcome = microtome("explain", tmp_path / "scene.png", "--run", run, "--out", tmp_path / "e", "--json")
    assert outcome.code == 0, outcome.err
    content = json.loads(outcome.out)
    assert content["summary"]["top"][0][0] == world.scene(3).scene
    assert [row["rank"] for row in content["units"]] == list(range(len(content["units"])))
    firing = [row for row in content["units"] if row["fires"]]
    assert firing == content["units"][: len(firing)]
    assert (tmp_path / "e" / "index.html").exists()


def test_an_audits_directions_are_explained_after_the_units(audited: tuple[Path, Outcome], tmp_path: Path) -> None:
    run, _ = audited
    Image.fromarray(World("heldout", count=32).read(3).pixels).save(tmp_path / "scene.png")
    outcome = microtome("explain", tmp_path / "scene.png", "--run", run, "--out", tmp_path / "e", "--json")
    assert outcome.code == 0, outcome.err
    last = json.loads(outcome.out)["units"][-1]
    assert (last["part"], last["title"]) == (None, "direction of water")
    assert last["without_change"] != 0
    assert last["adds"] != 0
    shown = microtome("explain", tmp_path / "scene.png", "--run", run, "--out", tmp_path / "f")
    assert "direction of water" in shown.out
    assert "direction of water" in (tmp_path / "f" / "index.html").read_text(encoding="utf-8")


def test_an_audit_whose_dissection_is_gone_is_refused(
    audited: tuple[Path, Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(audited[0], copied)
    told = json.loads((copied / "manifest.json").read_text())
    told["summary"]["run"] = "runs/gone"
    (copied / "manifest.json").write_text(json.dumps(told))
    monkeypatch.chdir(tmp_path)
    explained = ("explain", tmp_path / "x.png", "--run", copied, "--out", tmp_path / "e")
    refused(microtome(*explained), "stands on runs/gone")
    told["summary"]["run"] = "."
    (copied / "manifest.json").write_text(json.dumps(told))
    refused(microtome(*explained), "stands on .")
    # Another run has the name of the one that is gone.
    dissect(data="world@40", out=tmp_path / "other", settings=DissectSettings(method="netdissect", permutations=1))
    told["summary"]["run"] = "other"
    (copied / "manifest.json").write_text(json.dumps(told))
    refused(microtome(*explained), "stands on other")


def test_what_cannot_be_explained_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with nothing_new(tmp_path):
        refused(microtome("explain", tmp_path / "text.png", "--run", run, "--out", tmp_path / "e"), "text.png")
        refused(microtome("explain", tmp_path / "none.png", "--run", run, "--out", tmp_path / "e"), "none.png")
        refused(microtome("explain", tmp_path / "text.png", "--run", tmp_path, "--out", tmp_path / "e"), "is no run")
