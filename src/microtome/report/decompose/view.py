"""Reads a run of `microtome decompose` once: its manifest and its tables as rows. It computes no score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from microtome.core.errors import RunError, problems_together
from microtome.report.nouns import NOUNS, Nouns
from microtome.report.told import Row, ToldRun
from microtome.store.run import read_manifest
from microtome.store.tables import DECOMPOSE

MANIFEST_KEYS = ("command", "model", "data", "settings", "summary")

NEEDED: dict[str, dict[str, str]] = {
    "heads": {
        "heads": (
            "layer head variance share texts explained explained_heldout lead lead_explained chance chance_high p fdr "
            "label label_share label_expected label_p labelled score score_chance score_p accuracy accuracy_mean"
        ),
        "head_texts": "layer head rank text property gain explained explained_heldout chance chance_high",
        "head_images": "layer head text_rank end place image value label sprite tile heat_tile",
    },
    "neurons": {
        "neurons": "layer neuron variance first_share cosine score score_chance score_p heldout_share",
        "neuron_texts": "layer neuron rank text property coefficient cosine",
        "neuron_images": "layer neuron end place image value label sprite tile heat_tile",
    },
}
"""Tables that the pages of a kind cannot do without, with their columns. Other kinds show the tables that are there."""

KNOWN: dict[str, str] = {
    "codes": "method texts cosine cosine_chance",
    "effects": "what neurons kind probe accuracy low high base images",
}
"""Columns of tables that some runs have; as in store.tables, which comes first."""


@dataclass(frozen=True)
class DecomposeView(ToldRun):
    """Everything the report shows of one run of `decompose`."""

    @property
    def nouns(self) -> Nouns:
        """Images are what the run is about."""
        return NOUNS["image"]

    @property
    def data(self) -> str:
        """The name of the data."""
        return str(self.manifest["data"].get("name", "the images"))


def read_decompose(run: Path) -> DecomposeView:
    """Read a run folder.

    Parameters
    ----------
    run:
        A folder that `microtome decompose` wrote; its format is docs/run-format.md.

    Raises
    ------
    RunError
        If the folder is no run, or a table or a column that its pages need is missing; all problems at once.
    """
    manifest = read_manifest(run)
    kind = str(manifest.get("kind", "")).removeprefix("decompose ")
    problems = [f"manifest.json lacks {key}" for key in MANIFEST_KEYS if key not in manifest]
    needed = {name: columns.split() for name, columns in NEEDED.get(kind, {}).items()}
    problems += [f"{name}.parquet is missing" for name in needed if not (run / f"{name}.parquet").is_file()]
    tables = {
        path.stem: read_rows(path, needed.get(path.stem, []), _known(path.stem), problems)
        for path in sorted(run.glob("*.parquet"))
    }
    if problems:
        raise RunError(
            f"The run '{run}' cannot be reported:\n{problems_together(problems)}",
            expected="the tables that docs/run-format.md lists",
            next_step="make the run again with this version of microtome",
        )
    return DecomposeView(run, kind, manifest, tables)


def _known(name: str) -> list[str]:
    """The columns that a table of this name may have."""
    return columns_of(DECOMPOSE.get(name, KNOWN.get(name, "")))


def columns_of(listed: str) -> list[str]:
    """The names in a list of columns of `store.tables`."""
    return [column.split(":")[0] for column in listed.split()]


def read_rows(path: Path, needed: list[str], known: list[str], problems: list[str]) -> tuple[Row, ...]:
    """Rows as dictionaries; NaN and infinities, which mean 'no number' to a reader, become None.

    Parameters
    ----------
    needed, known:
        Columns that must be there, and those that may be: a key of every row.
    problems:
        What is wrong is added here.
    """
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        problems.append(f"{path.name} cannot be read ({error})")
        return ()
    missing = [column for column in needed if column not in table.column_names]
    if missing:
        problems.append(f"{path.name} lacks the column(s) {', '.join(missing)}")
    blank = dict.fromkeys(known)
    return tuple({**blank, **{key: _plain(value) for key, value in row.items()}} for row in table.to_pylist())


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
