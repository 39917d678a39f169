"""`microtome decompose heads` on the command line: what works, what is refused, what is not imported."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.support.commands import Outcome, microtome, nothing_new, photos, pictures, refused
from tests.support.decompose_worlds import text_file
from tests.support.pictures import write_broken_picture

QUICK = ("--layers", "5", "--count", "3", "--chance-draws", "19")
GOOD = [
    "red things\tcolor",
    "blue things\tcolor",
    "a tree\tobject",
    "a car\tobject",
    "on grass\tsurface",
    "two things\tcount",
]


def heads(tmp_path: Path, *more: str | Path, model: str = "world:clip", data: str | Path | None = None) -> Outcome:
    """The command on 24 plain pictures, which all tests share, or on other data."""
    if data is None:
        data = tmp_path.parent / "photos for heads"
        if not data.exists():
            photos(data, count=24)
    return microtome("decompose", "heads", model, "--data", data, "--out", tmp_path / "run", *QUICK, *more)


def refuse(
    tmp_path: Path, *more: str | Path, said: tuple[str, ...], model: str = "world:clip", data: str | Path | None = None
) -> None:
    """Assert exit code 2, one message that holds all of `said`, and nothing new on the disk."""
    with nothing_new(tmp_path):
        refused(heads(tmp_path, *more, model=model, data=data), *said)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return text_file(tmp_path / "texts.tsv", GOOD)


def test_heads_are_named(tmp_path: Path, texts: Path) -> None:
    outcome = heads(tmp_path, "--texts", texts, "--json")
    assert outcome.code == 0, outcome.err
    said = json.loads(outcome.out)
    assert {(row["layer"], row["head"]) for row in said["heads"]} == {(5, head) for head in range(8)}
    assert said["summary"]["images"] == 24
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["command"][:4] == ["microtome", "decompose", "heads", "world:clip"]
    assert manifest["texts"]["name"] == "texts.tsv"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "texts.tsv"]


def test_the_table_shows_heads_and_texts(tmp_path: Path, texts: Path) -> None:
    outcome = heads(tmp_path, "--texts", texts)
    assert outcome.code == 0, outcome.err
    assert "5.0" in outcome.out
    assert any(line.split("\t")[0] in outcome.out for line in GOOD)
    assert "of 8 heads" in outcome.out
    assert "Report: " in outcome.out


def test_texts_given_twice_are_dropped_with_a_note(tmp_path: Path) -> None:
    texts = text_file(tmp_path / "texts.tsv", [*GOOD, GOOD[0], "  a   tree\tobject"])
    outcome = heads(tmp_path, "--texts", texts)
    assert outcome.code == 0, outcome.err
    assert "2 lines with a text that came before were left out." in outcome.out
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["texts"]["texts"] == 6


TEXT_FILES = {
    "empty": ([], "is empty"),
    "blank": (["", "  ", "# a word"], "holds no text"),
    "too long": (["a red car and " * 20], "too many"),
    "unknown word": (["red things", "a zeppelin"], "zeppelin"),
    "no word": (["red things", "!!!"], "no word"),
    "another script": (["красный"], "no word"),
    "some properties": (["red things\tcolor", "a tree"], "has no property"),
    "two properties": (["red things\tcolor", "red things\tobject"], "line 2"),
    "three columns": (["red\tcolor\tx"], "3 columns"),
    "control": (["red\x07 things"], "control character"),
}


@pytest.mark.parametrize("case", TEXT_FILES)
def test_text_files_that_cannot_be_used(tmp_path: Path, case: str) -> None:
    lines, said = TEXT_FILES[case]
    refuse(tmp_path, "--texts", text_file(tmp_path / "texts.tsv", lines), said=(said,))


def test_text_files_that_are_none(tmp_path: Path) -> None:
    refuse(tmp_path, "--texts", tmp_path / "absent.txt", said=("no file of that name",))
    refuse(tmp_path, "--texts", "genral", said=("genral", "'general'"))
    (tmp_path / "folder").mkdir()
    refuse(tmp_path, "--texts", tmp_path / "folder", said=("folder",))
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00\xff\n")
    refuse(tmp_path, "--texts", tmp_path / "bytes.txt", said=("UTF-8",))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("world:scenes", "cannot be decomposed"),
        ("world:nli", "text model"),
        ("world:clp", "world:clip"),
        ("nonsense", "names no model"),
        ("hf:./absent", "absent"),
        ("torchvision:resnet18@random", "cannot be decomposed"),
    ],
)
def test_models_that_cannot_be_decomposed(tmp_path: Path, model: str, said: str) -> None:
    refuse(tmp_path, model=model, said=(said,))


def test_a_transformer_without_texts(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    refuse(tmp_path, model="timm:vit_tiny_patch16_224@random", said=("has no text side",))


@pytest.mark.parametrize("part", ["vision.blocks.2.mlp.fc1.weight", "text.project.weight"])
def test_weights_that_are_no_numbers(tmp_path: Path, part: str) -> None:
    with resources.as_file(resources.files("microtome.models").joinpath("weights", "clip.safetensors")) as path:
        state = {name: value.float() for name, value in load_file(path).items()}
    state[part][0, 0] = float("nan")
    save_file(state, tmp_path / "nan.safetensors")
    refuse(tmp_path, "--weights", tmp_path / "nan.safetensors", said=("NaN",))


def test_too_few_images(tmp_path: Path) -> None:
    refuse(
        tmp_path,
        data="arranged@3",
        said=(
            "too few",
            "at least 20",
        ),
    )
    photos(tmp_path / "data", count=3)
    refuse(
        tmp_path,
        data=tmp_path / "data",
        said=(
            "too few",
            "at least 20",
        ),
    )
    refuse(tmp_path, "--limit", "5", said=("too few",))


def test_images_that_cannot_be_decoded(tmp_path: Path) -> None:
    for n in range(22):
        write_broken_picture(tmp_path / "data" / f"{n:02d}.png")
    refuse(tmp_path, data=tmp_path / "data", said=("None of the 22 images can be read", "00.png"))
    refuse(tmp_path, "--strict", data=tmp_path / "data", said=("00.png",))


def test_some_images_that_cannot_be_decoded(tmp_path: Path, texts: Path) -> None:
    photos(tmp_path / "data", count=22)
    write_broken_picture(tmp_path / "data" / "5.png")
    refuse(tmp_path, "--texts", texts, "--strict", data=tmp_path / "data", said=("5.png",))
    outcome = heads(tmp_path, "--texts", texts, data=tmp_path / "data")
    assert outcome.code == 0, outcome.err
    assert "1 images could not be read" in outcome.out
    assert "5.png" in outcome.out


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("absent", "absent"), ("arranged:tomorrow@30", "tomorrow"), ("arranged@0", "0"), ("arranged@many", "many"),
        ("", "empty name"),
    ],
)  # fmt: skip
def test_data_that_are_none(tmp_path: Path, data: str, said: str) -> None:
    refuse(tmp_path, data=data, said=(said,))


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    refuse(tmp_path, data=tmp_path / "data", said=("data",))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--layers", "6"), "no layer 6"),
        (("--layers", "4-9"), "no layer 6"),
        (("--layers", "5-3"), "No layer"),
        (("--layers", "x"), "--layers is 'x'"),
        (("--layers", ""), "--layers is ''"),
        (("--layers", "-1"), "--layers"),
        (("--count", "0"), "texts is 0"),
        (("--chance-draws", "5"), "chance_draws is 5"),
        (("--fdr", "0"), "fdr is 0"),
        (("--fdr", "nan"), "fdr is nan"),
        (("--batch-size", "0"), "batch size is 0"),
        (("--batch-size", "65"), "batch size is 65"),
        (("--limit", "0"), "0"),
        (("--device", "gpu"), "'gpu'"),
        (("--size", "0"), "0"),
        (("--size", "48"), "48"),
        (("--weights", "absent.safetensors"), "absent.safetensors"),
    ],
)
def test_options_out_of_range(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    refuse(tmp_path, *words, said=(said,))


@pytest.mark.parametrize("words", [("--seed", "-1"), ("--count", "many"), ("--nonsense",)])
def test_what_typer_refuses(tmp_path: Path, words: tuple[str, ...]) -> None:
    with nothing_new(tmp_path):
        outcome = heads(tmp_path, *words)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err


def test_class_texts_that_do_not_fit(tmp_path: Path) -> None:
    data = "world@24?size=32"
    refuse(tmp_path, "--classes", "a tree,a car", data=data, said=("2 class texts and 16 classes",))
    refuse(tmp_path, "--template", "a scene", data=data, said=("no place for the class",))
    refuse(tmp_path, "--template", "a {} zeppelin", data=data, said=("zeppelin",))


@pytest.mark.parametrize("template", ["a {} {name}", "{} {name"])
def test_templates_with_braces_of_their_own_are_words(tmp_path: Path, template: str) -> None:
    refuse(tmp_path, "--template", template, data="world@24?size=32", said=("no word 'name'",))


def test_out_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    refuse(tmp_path, said=("is no run of microtome",))
    refuse(tmp_path, "--overwrite", said=("is no run of microtome",))
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"


def test_a_run_is_not_replaced_unasked(tmp_path: Path, texts: Path) -> None:
    assert heads(tmp_path, "--texts", texts).code == 0
    refuse(tmp_path, "--texts", texts, said=("holds a run already", "--overwrite"))
    before = (tmp_path / "run" / "heads.parquet").read_bytes()
    refuse(tmp_path, "--texts", texts, "--overwrite", data="arranged@3", said=("too few",))
    assert (tmp_path / "run" / "heads.parquet").read_bytes() == before
    assert heads(tmp_path, "--texts", texts, "--overwrite", "--seed", "3").code == 0
    assert (tmp_path / "run" / "heads.parquet").read_bytes() != before


def test_annotated_pictures_are_pictures(tmp_path: Path, texts: Path) -> None:
    outcome = heads(tmp_path, "--texts", texts, data=pictures(tmp_path / "data", count=21))
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("words", [("decompose", "--help"), ("decompose", "heads", "--help")])
def test_help_comes_without_torch(words: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom microtome.cli.main import run\n"
        f"sys.argv = ['microtome', *{words!r}]\n"
        "try:\n    run()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "heavy = {'torch', 'numpy', 'transformers', 'PIL', 'pyarrow'} & set(sys.modules)\n"
        "assert 'torch' not in heavy and 'transformers' not in heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "heads" in done.stdout
