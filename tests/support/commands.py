"""The command line from within the tests, and small things to give it."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microtome.cli.main import run
from tests.support.pictures import indexed_set, photo, write_picture

QUICK = ("--permutations", "2", "--size", "16", "--batch-size", "8")
"""Options with which a dissection of the small network takes about a second."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def microtome(*words: str | Path) -> Outcome:
    """Run `microtome WORDS` in this process, through its entry point."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["microtome", *map(str, words)]
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run()
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.argv = before
    return Outcome(int(str(code or 0)), out.getvalue(), err.getvalue())


def refused(outcome: Outcome, *said: str) -> None:
    """Assert exit code 2 and one clear message that holds all of `said`."""
    assert outcome.code == 2, (outcome.out, outcome.err)
    assert "Traceback" not in outcome.out + outcome.err
    assert len(re.findall("^[eE]rror: ", outcome.err, re.MULTILINE)) == 1, outcome.err
    for words in said:
        assert words in outcome.err, outcome.err


@contextlib.contextmanager
def nothing_new(folder: Path) -> Iterator[None]:
    """Assert that a command leaves no file and no folder behind."""
    before = sorted(folder.rglob("*"))
    yield
    assert sorted(folder.rglob("*")) == before


NETWORK = """
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.fc = nn.Linear(4, 3)

    def after(self, maps):
        {after}

    def forward(self, x):
        maps = self.after(torch.relu(self.conv(x)))
        return self.fc(maps.mean((2, 3)))


def make_model():
    model = Small(){change}
    return model
"""


def network(folder: Path, *, after: str = "return maps", change: str = "") -> str:
    """A file with a network of four channels, spoilt as told; the spec that loads it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = NETWORK.format(after=after, change="".join(f"\n    {line}" for line in change.splitlines()))
    (folder / "net.py").write_text(text)
    return f"{folder}/net.py:make_model"


def pictures(folder: Path, *, count: int = 12) -> Path:
    """A labelled set of 16 x 16 images: three classes in stripes, some pixels void."""
    rng = np.random.default_rng(0)
    labels = {f"p{i:02d}": np.repeat(rng.integers(0, 3, (4, 1)), 4, axis=0).repeat(16, axis=1) for i in range(count)}
    for label in labels.values():
        label[0, :3] = 9
    return indexed_set(folder, labels)


def photos(folder: Path, *, count: int = 4) -> Path:
    """A folder of plain images."""
    for i in range(count):
        write_picture(folder / f"{i}.png", photo(16, 16, seed=i))
    return folder
