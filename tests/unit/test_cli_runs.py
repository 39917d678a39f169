"""`query` and `report` on a small real run, and on what is none."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from microtome.store.tables import COLUMNS
from tests.support.commands import QUICK, microtome, network, nothing_new, pictures, refused


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    out = folder / "run"
    outcome = microtome(
        "dissect", network(folder / "m"), "--data", pictures(folder / "data"), "--out", out, *QUICK, "--layer", "conv"
    )
    assert outcome.code == 0, outcome.err
    return out


def test_dissect_prints_where_the_report_is(tmp_path: Path, run: Path) -> None:
    words = ("dissect", network(tmp_path / "m"), "--data", pictures(tmp_path / "data"), *QUICK, "--layer", "conv")
    outcome = microtome(*words, "--out", tmp_path / "a")
    assert f"Report: {tmp_path / 'a' / 'index.html'}" in outcome.out
    assert "of 4 named" in outcome.out
    content = json.loads(microtome(*words, "--out", tmp_path / "b", "--json").out)
    assert content["summary"]["units"] == len(content["units"]) == 4
    assert content["report"] == str(tmp_path / "b" / "index.html")


def test_the_manifest_says_what_was_asked(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["command"][:2] == ["microtome", "dissect"]
    assert "--permutations" in manifest["command"]
    assert manifest["settings"]["permutations"] == 2


OF_TEXT = {
    "passages",
    "artefacts",
    "class_weights",
    "edits",
    "edit_pairs",
    "adversarial",
    "adversarial_pairs",
}


def test_every_table_is_there_with_its_columns(run: Path) -> None:
    lines = dict(line.split(": ") for line in microtome("query", run).out.strip().splitlines())
    assert {name: [c.split(":")[0] for c in COLUMNS[name].split()] for name in COLUMNS if name not in OF_TEXT} == {
        name: columns.split(", ") for name, columns in lines.items()
    }


def test_query_answers_as_table_json_and_csv(run: Path) -> None:
    sql = "select unit, status from units order by unit"
    assert "status" in microtome("query", run, sql).out
    rows = json.loads(microtome("query", run, sql, "--json").out)
    assert [row["unit"] for row in rows] == [0, 1, 2, 3]
    lines = list(csv.reader(io.StringIO(microtome("query", run, sql, "--csv").out)))
    assert lines[0] == ["unit", "status"]
    assert [line[0] for line in lines[1:]] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "sql",
    [
        "drop table units",
        "delete from units",
        "insert into units select * from units",
        "update units set named = true",
        "create table mine as select 1",
        "copy units to '{folder}/stolen.csv'",
        "attach '{folder}/other.db'",
        "install httpfs",
        "set enable_external_access = true",
        "pragma database_list",
        "select 1; drop table units",
        "select 1; select 2",
        "export database '{folder}/copy'",
        "   ;",
        "/* nothing */",
    ],
)
def test_only_a_single_select_is_run(run: Path, sql: str, tmp_path: Path) -> None:
    with nothing_new(tmp_path), nothing_new(run):
        refused(microtome("query", run, sql.format(folder=tmp_path)), "no single SELECT", "tables: ")


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('{file}')",
        "select * from read_text('{file}')",
        "select * from '{file}'",
        "select * from glob('{folder}/*')",
        "select * from read_parquet('{run}/units.parquet')",
        "with stolen as (select * from read_csv('{file}')) select * from stolen",
        "select (select content from read_text('{file}'))",
    ],
)
def test_no_other_file_is_read(run: Path, sql: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhunter2\n")
    outcome = microtome("query", run, sql.format(file=secret, folder=tmp_path, run=run), "--json")
    refused(outcome, "The query failed")
    assert "hunter2" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select nothing from units", "nothing"),
        ("select * from nonsense", "nonsense"),
        ("selekt 1", "failed"),
        ("select error('[red]own[/blue]')", "[red]own[/blue]"),
    ],
)
def test_faults_of_the_statement_are_passed_on(run: Path, sql: str, said: str) -> None:
    refused(microtome("query", run, sql), said)


@pytest.mark.parametrize("command", ["report", "query"])
def test_a_folder_that_is_no_run(tmp_path: Path, command: str) -> None:
    words = (command, tmp_path / "absent") if command == "report" else (command, tmp_path / "absent", "select 1")
    with nothing_new(tmp_path):
        refused(microtome(*words), "manifest.json")
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "photo.txt").write_text("x")
    with nothing_new(tmp_path):
        refused(microtome(*words), "manifest.json")


@pytest.mark.parametrize("command", ["report", "query"])
@pytest.mark.parametrize("manifest", ["{nonsense", '{"format": 99}', "[]", ""])
def test_a_manifest_that_is_none(tmp_path: Path, command: str, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    words = (command, tmp_path) if command == "report" else (command, tmp_path, "select 1")
    with nothing_new(tmp_path):
        refused(microtome(*words), str(tmp_path))


def test_a_run_with_a_damaged_table(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "units.parquet").write_bytes(b"PAR1 nonsense")
    before = (copy / "index.html").read_bytes()
    with nothing_new(tmp_path):
        refused(microtome("query", copy, "select 1"), "units")
        refused(microtome("report", copy), "units")
    assert (copy / "index.html").read_bytes() == before


def test_a_run_without_a_table(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "units.parquet").unlink()
    refused(microtome("report", copy), "units")


def test_report_is_made_again_from_the_folder_alone(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    before = (copy / "index.html").read_bytes()
    (copy / "index.html").unlink()
    shutil.rmtree(copy / "report")
    outcome = microtome("report", copy)
    assert outcome.code == 0
    assert f"Report: {copy / 'index.html'}" in outcome.out
    assert (copy / "index.html").read_bytes() == before
