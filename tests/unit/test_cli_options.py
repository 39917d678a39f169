"""Options out of their range, of `dissect` and of the command line as a whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import microtome as package
from microtome.cli.progress import progress_bar
from microtome.core.errors import RunError
from tests.support.commands import QUICK, microtome, network, nothing_new, pictures, refused


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("options")
    return network(folder / "m"), pictures(folder / "data")


BAD = [
    ("--method", "exat", "'exact'"),
    ("--metric", "iuo", "expected iou, precision"),
    ("--metric", "recall", "--method compositional"),
    ("--max-length", "0", "1 to 10"),
    ("--max-length", "11", "1 to 10"),
    ("--max-length", "three", "--max-length"),
    ("--beam", "0", "1 to 1000"),
    ("--penalty", "0", "at most 1"),
    ("--penalty", "nan", "at most 1"),
    ("--quantile", "0", "--quantile"),
    ("--quantile", "0.9", "at most 0.5"),
    ("--quantile", "nan", "--quantile"),
    ("--ranges", "-1", "0 to 20"),
    ("--ranges", "21", "0 to 20"),
    ("--range-rule", "median", "expected kmeans, quantiles"),
    ("--units", "4", "units 0 to 3"),
    ("--units", "0-1,3-2", "range 3-2"),
    ("--units", "0-999999", "4, 5, 6, 7, 8 and 999,991 more; layer"),
    ("--units", "x", "0-31,40"),
    ("--units", "1,,2", "0-31,40"),
    ("--units", "-1", "--units"),
    ("--units", "0-99999999999", "1,000,000"),
    ("--permutations", "-1", "--permutations"),
    ("--permutations", "1000000000", "100,000"),
    ("--fdr", "0", "between 0 and 1"),
    ("--fdr", "1.5", "between 0 and 1"),
    ("--fdr", "nan", "between 0 and 1"),
    ("--elements", "voxel", "expected auto, pixel, image"),
    ("--grid", "0", "1 to 1024"),
    ("--grid", "5000", "1 to 1024"),
    ("--batch-size", "0", "at least 1"),
    ("--cache-dtype", "int8", "float16, float32"),
    ("--size", "0", "input size"),
    ("--mean", "1,2", "--mean"),
    ("--std", "0", "above 0"),
    ("--std", "a,b,c", "--std"),
    ("--limit", "0", "limit of 0"),
    ("--seed", "-1", "--seed"),
    ("--categories", "objekt", "'object'"),
    ("--segmenter", "deeplab", "hf:NAME"),
    ("--nonsense", "1", "--nonsense"),
]


@pytest.mark.parametrize(("option", "value", "said"), BAD, ids=[f"{o} {v}" for o, v, _ in BAD])
def test_bad_values(small: tuple[str, Path], tmp_path: Path, option: str, value: str, said: str) -> None:
    spec, data = small
    with nothing_new(tmp_path):
        refused(
            microtome("dissect", spec, "--data", data, "--out", tmp_path / "run", *QUICK, f"{option}={value}"), said
        )


def test_several_bad_values_are_said_at_once(small: tuple[str, Path], tmp_path: Path) -> None:
    spec, data = small
    outcome = microtome(
        "dissect",
        spec,
        "--data",
        data,
        "--out",
        tmp_path / "run",
        *QUICK,
        "--fdr",
        "2",
        "--ranges",
        "-1",
        "--units",
        "9",
    )
    refused(outcome, "--fdr", "--ranges", "--units")


def test_ranges_and_auroc_contradict(small: tuple[str, Path], tmp_path: Path) -> None:
    spec, data = small
    with nothing_new(tmp_path):
        refused(
            microtome(
                "dissect", spec, "--data", data, "--out", tmp_path / "run", *QUICK,
                "--method", "compositional", "--metric", "auroc", "--ranges", "2",
            ),
            "contradict",
        )  # fmt: skip


def test_the_reader_is_for_folders_alone(small: tuple[str, Path], tmp_path: Path) -> None:
    spec, data = small
    words = ("dissect", spec, *QUICK, "--layer", "conv", "--reader", "indexed")
    outcome = microtome(*words, "--data", data, "--heldout", "world@20?size=16", "--out", tmp_path / "a")
    assert outcome.code == 0, outcome.err
    outcome = microtome(*words, "--data", "world@20?size=16", "--heldout", data, "--out", tmp_path / "b")
    assert outcome.code == 0, outcome.err
    with nothing_new(tmp_path):
        refused(microtome(*words, "--data", "world@20", "--out", tmp_path / "c"), "needs no reader")
        refused(microtome(*words, "--data", "wordl", "--out", tmp_path / "c"), "wordl")


def test_without_a_terminal_a_stage_has_a_line_at_either_end(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as progress:
        progress("cache needs 1 MiB", 0, 30)
        for done in (10, 20, 30):
            progress("recording", done, 30)
            said = capsys.readouterr()
            assert said.out == ""
            expected = {10: "cache needs 1 MiB\nrecording: 10 of 30\n", 20: "", 30: "recording: done\n"}
            assert said.err == expected[done]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("words", [("nonsense",), ("dissect", "a", "b"), ("data", "nonsense"), ("query",), ("layers",)])
def test_words_that_are_no_command(words: tuple[str, ...]) -> None:
    refused(microtome(*words))


def test_without_a_command_the_help_is_shown() -> None:
    outcome = microtome()
    assert "dissect" in outcome.out + outcome.err


def test_version() -> None:
    outcome = microtome("--version")
    assert (outcome.code, outcome.out.strip()) == (0, f"microtome {package.__version__}")


@pytest.mark.parametrize("place", [0, 2])
def test_debug_shows_the_traceback_wherever_it_stands(place: int, tmp_path: Path) -> None:
    words = ["report", str(tmp_path / "absent")]
    refused(microtome(*words))
    words.insert(place, "--debug")
    with pytest.raises(RunError, match="absent"):
        microtome(*words)


def test_the_installed_command_exits_with_2(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("microtome")
    outcome = subprocess.run([command, "report", tmp_path], capture_output=True, text=True, check=False)
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("error: ")
    assert "Traceback" not in outcome.stderr
    shown = subprocess.run([command, "report", tmp_path, "--debug"], capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert "Traceback (most recent call last)" in shown.stderr


def test_an_interrupt_says_that_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("microtome.report.pages.write_report", stop)
    outcome = microtome("report", "runs/any")
    assert outcome.code == 130
    assert "Stopped. The same command goes on from here." in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "sheet.jpg"), ".png"),
        (("--out", "sheet.png", "--split", "tarin"), "one of train"),
        (("--out", "sheet.png", "--count", "0"), "--count"),
        (("--out", "sheet.png", "--size", "4"), "--size"),
        (("--out", "file/sheet.png"), "Cannot write"),
    ],
)
def test_world_preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    with nothing_new(tmp_path):
        refused(microtome("world", "preview", *words), said)
