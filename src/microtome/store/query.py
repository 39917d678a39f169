"""SQL over the Parquet tables of a run, read-only (DuckDB)."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from microtome.core.errors import RunError
from microtome.store.run import read_manifest


def table_names(run: Path) -> list[str]:
    """Tables of a run, by name."""
    read_manifest(run)
    return sorted(path.stem for path in run.glob("*.parquet"))


def query(run: Path, sql: str) -> pa.Table:
    """The answer of one SELECT over the run's tables, each visible under its name.

    The tables are views on the files and the connection can neither write nor read anything else.

    Raises
    ------
    RunError
        If `run` is no run, or DuckDB does not accept the statement; its message is passed on.
    """
    import duckdb

    names = table_names(run)
    connection = duckdb.connect(":memory:")
    try:
        for name in names:
            # The file is read into the connection first: afterwards all access to files is switched off.
            path = str(run / f"{name}.parquet").replace("'", "''")
            connection.execute(f"CREATE TABLE \"{name}\" AS SELECT * FROM read_parquet('{path}')")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise RunError(
                "The query is no single SELECT.",
                expected='one statement such as "select unit, formula, iou from units limit 5"',
                next_step=f"tables: {', '.join(names)}",
            )
        return connection.sql(statements[0].query).to_arrow_table()
    except duckdb.Error as error:
        raise RunError(f"The query failed: {error}", next_step=f"tables: {', '.join(names)}") from error
    finally:
        connection.close()
