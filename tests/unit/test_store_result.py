"""The result object: everything is read from the run folder when asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from microtome.core.errors import RunError
from microtome.recipes.result import Dissection
from tests.support.fake_run import FakeRun, write_fake_run


@pytest.fixture
def result(tmp_path: Path) -> Dissection:
    return Dissection(write_fake_run(tmp_path / "run", FakeRun()))


def test_tables_by_name(result: Dissection) -> None:
    assert {"units", "explanations", "overlaps", "chance"} <= set(result.tables)
    assert result.units.equals(result.table("units"))
    assert result.explanations.num_rows > result.units.num_rows > 0
    assert result.report == result.path / "index.html"
    with pytest.raises(RunError, match="no table 'nonsense'"):
        result.table("nonsense")


def test_sql_sees_the_same_rows(result: Dissection) -> None:
    expected = [row["unit"] for row in result.units.to_pylist() if row["named"]]
    answer = result.query("select unit from units where named order by unit, range")
    assert sorted(expected) == answer["unit"].to_pylist()
    assert expected
    with pytest.raises(RunError, match="no single SELECT"):
        result.query("drop table units")


def test_views_for_terminal_and_notebook(result: Dissection) -> None:
    summary = result.manifest["summary"]
    assert repr(result).endswith(f"{summary['named']} of {summary['units']} units named)")
    shown = result._repr_html_()
    assert shown.count("<tr>") > 1
    assert str(result.report) in shown
    assert "src=" not in shown.replace('src="data:', ""), "a notebook needs no file beside it"


def test_a_result_can_be_opened_by_its_path(result: Dissection) -> None:
    again = Dissection(str(result.path))
    assert again.manifest == result.manifest
    assert again.units.equals(result.units)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no run"):
        Dissection(tmp_path)
