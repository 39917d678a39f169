"""Runs of the shipped models that several tests look at, each made once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from microtome.data.text.open import open_texts
from microtome.models.load import load_text
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.run import audit
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.recipes.result import Dissection

QUICK = DissectSettings(method="netdissect", permutations=20)
"""Single concepts alone: what units are called matters less here than what is proved."""
HALF = replace(QUICK, units=tuple(range(0, 128, 2)))
"""Every second unit of the shipped network is enough to suspect what it leans on."""
IMAGES = 640


@pytest.fixture(scope="session")
def scenes_run(tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    """The shipped network's last layer, named on planted scenes."""
    return dissect(data=f"world@{IMAGES}", out=tmp_path_factory.mktemp("scenes") / "units", settings=HALF)


@pytest.fixture(scope="session")
def scenes_audit(scenes_run: Dissection, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """The shipped network audited, its repair and its cases written."""
    folder = tmp_path_factory.mktemp("audit")
    inputs = AuditInputs(
        run=scenes_run.path, write=folder / "mended.safetensors", write_cases=folder / "cases",
        also=("world:scenes",),
    )  # fmt: skip
    settings = AuditSettings(images=960, directions=1, suspects=9)
    return audit(
        data="world@960", out=folder / "run", inputs=inputs, settings=settings,
        command=("microtome", "audit", "world:scenes", "--out", "runs/audit"),
    )  # fmt: skip


@pytest.fixture(scope="session")
def nli_audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """The shipped classifier of sentence pairs audited."""
    folder = tmp_path_factory.mktemp("nli")
    model = load_text("world:nli")
    data = open_texts("world@1500", pieces=model.pieces, piece_text=model.piece_text)
    run = dissect(
        model, None, data, out=folder / "units", settings=DissectSettings(method="netdissect", permutations=20)
    )
    inputs = AuditInputs(run=run.path, write=folder / "mended.safetensors", write_cases=folder / "cases")
    return audit(
        model, None, data, out=folder / "run", inputs=inputs, settings=AuditSettings(images=1500),
        command=("microtome", "audit", "world:nli", "--out", str(Path("runs/nli"))),
    )  # fmt: skip
