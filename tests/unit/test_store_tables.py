"""Rows to Parquet tables of fixed columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from microtome.store.tables import COLUMNS, make_table, table_schema


@pytest.mark.parametrize("name", COLUMNS)
def test_an_empty_table_has_its_columns_and_types(name: str, tmp_path: Path) -> None:
    table = make_table(name, [])
    assert table.num_rows == 0
    assert table.schema == table_schema(name)
    assert len(set(table.schema.names)) == len(table.schema.names)
    pq.write_table(table, tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").schema == table.schema


def test_nan_and_missing_become_null_and_numpy_becomes_plain() -> None:
    rows = [
        {"unit": np.int64(3), "formula": "sky", "iou": np.float32(0.5), "named": np.True_, "p": float("nan")},
        {"unit": 4, "iou": np.float64("nan"), "formula": None, "chance": np.inf},
    ]
    table = make_table("units", rows)
    assert table["unit"].to_pylist() == [3, 4]
    assert table["formula"].to_pylist() == ["sky", None]
    assert table["iou"].to_pylist() == [0.5, None]
    assert table["named"].to_pylist() == [True, None]
    assert table["p"].null_count == 2
    assert table["chance"].to_pylist() == [None, float("inf")]


def test_a_column_that_is_not_in_the_format_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match=r"'units' has no column \['colour', 'size'\]"):
        make_table("units", [{"unit": 1, "size": 2}, {"colour": 3}])


def test_a_value_of_the_wrong_type_is_refused() -> None:
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        make_table("units", [{"unit": "three"}])
