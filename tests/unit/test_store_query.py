"""SQL over a run: every table by name, one SELECT, and nothing but reading."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from microtome.core.errors import RunError
from microtome.store.atomic import write_json
from microtome.store.query import query, table_names
from microtome.store.run import FORMAT


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with two tables, in a folder whose name needs quoting."""
    folder = tmp_path / "it's a run"
    folder.mkdir()
    write_json(folder / "manifest.json", {"format": FORMAT})
    pq.write_table(pa.table({"unit": [0, 1, 2], "iou": [0.1, None, 0.3]}), folder / "units.parquet")
    pq.write_table(pa.table({"unit": [0, 0], "low": [1.0, 2.0]}), folder / "histogram.parquet")
    (folder / ".units.parquet.7.tmp").write_text("half a table")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tables_go_by_name(run: Path) -> None:
    assert table_names(run) == ["histogram", "units"]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select unit from units where iou > 0.2", [{"unit": 2}]),
        ("select count(*) as n from units join histogram using (unit);", [{"n": 2}]),
        ("with few as (select * from units limit 1) select iou from few", [{"iou": 0.1}]),
        ('select sum(iou) as s from "units" -- a remark', [{"s": 0.4}]),
        ("select unit from units where false", []),
    ],
)
def test_one_select_is_answered(run: Path, sql: str, rows: list[dict[str, object]]) -> None:
    assert query(run, sql).to_pylist() == rows


FORBIDDEN = [
    "insert into units values (9, 1.0)",
    "update units set iou = 1",
    "delete from units",
    "drop table units",
    "create table more as select 1",
    "with x as (select 9 as unit, 1.0 as iou) insert into units select * from x",
    "copy units to '{other}/stolen.csv'",
    "copy (select 1) to '{other}/stolen.csv'",
    "export database '{other}'",
    "attach '{other}/new.db' as other",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "pragma enable_profiling",
    "select 1; select 2",
    "select unit from units; drop table units",
    "select * from read_csv('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('{run}/manifest.json')",
    "select * from read_parquet('{run}/units.parquet')",
    "select * from glob('/etc/*')",
    "select * from query('copy units to ''{other}/stolen.csv''')",
    "select * from names",
    "",
    "   ",
    "-- nothing",
    "select",
    "select nothing from units",
    "select * from missing",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_everything_else_is_refused_with_the_tables_named(run: Path, sql: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    before = content(tmp_path)
    with pytest.raises(RunError) as caught:
        query(run, sql.format(other=other, run=str(run).replace("'", "''")))
    assert "histogram, units" in caught.value.next_step
    assert content(tmp_path) == before
    assert list(other.iterdir()) == []


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "units.parquet")
    with pytest.raises(RunError, match="is no run"):
        query(tmp_path, "select * from units")
