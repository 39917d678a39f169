"""Where the real data lies: `$MICROTOME_SHARED`, else `../shared/data` beside the repository."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared(name)` is the path of a piece of real data.

    Where it is absent the test is skipped and says so, or fails under `MICROTOME_REQUIRE_ALL=1`.
    """
    root = Path(os.environ.get("MICROTOME_SHARED") or REPOSITORY.parent / "shared" / "data")

    def find(name: str) -> Path:
        path = root / name
        if not path.exists():
            reason = f"real data '{path}' is absent (set MICROTOME_SHARED to the folder that holds it)"
            if os.environ.get("MICROTOME_REQUIRE_ALL") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find


@pytest.fixture(scope="session")
def two_minute_classifier(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the classifier of real sentence pairs, trained for two minutes on one thread."""
    from microtome.zoo.train_nli import SETTINGS, train_real

    folder = tmp_path_factory.mktemp("two-minute-nli")
    train_real(replace(SETTINGS, minutes=2.0, threads=1), data=shared("nli"), out=folder)
    return folder
