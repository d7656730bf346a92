"""TPC-DS and TPC-H data for tests: generated once per run, loaded into DuckDB, PostgreSQL and Spark."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import psycopg

from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

_POSTGRES_TYPES = {"VARCHAR": "text", "DOUBLE": "double precision"}
_CHUNK_BYTES = 1 << 20


def generate(benchmark: str, scale: str, folder: Path) -> Path:
    """Parquet files of ``tpcds`` or ``tpch``, one per table, below the folder.

    Raises:
        FileNotFoundError: `tpcgen-cli` is not installed beside this Python.
    """
    beside = Path(sys.executable).with_name("tpcgen-cli")
    program = str(beside) if beside.exists() else shutil.which("tpcgen-cli")
    if program is None:
        message = "tpcgen-cli is not installed; `pip install tpcgen-cli`"
        raise FileNotFoundError(message)
    target = folder / f"{benchmark}_{scale}"
    command = [program, benchmark, "parquet", "-s", scale, "--output-dir", str(target), "-q"]
    subprocess.run(command, check=True)
    return target


def load_duckdb(parquet: Path, database: Path, schema: str, statements: Iterable[str] = ()) -> None:
    """Make a DuckDB file with every table in a schema, then run some statements there."""
    with contextlib.closing(duckdb.connect(str(database))) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"SET search_path = '{schema}'")
        for file in sorted(parquet.glob("*.parquet")):
            connection.execute(f"CREATE TABLE {file.stem} AS SELECT * FROM read_parquet('{file}')")
        for statement in statements:
            connection.execute(statement)


def load_postgres(
    parquet: Path, url: str, schema: str, tables: Sequence[str], scratch: Path, statements: Iterable[str] = ()
) -> None:
    """Make the named tables in a schema of a PostgreSQL database, by COPY, then run some statements there."""
    dsn = urlsplit(url)._replace(scheme="postgresql").geturl()
    with psycopg.connect(dsn, autocommit=True) as target, contextlib.closing(duckdb.connect()) as reader:
        target.execute(f"CREATE SCHEMA {schema}")
        target.execute(f"SET search_path = {schema}")
        for table in tables:
            source = f"read_parquet('{parquet / table}.parquet')"
            columns = reader.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
            spelled = ", ".join(f"{name} {_POSTGRES_TYPES.get(kind, kind)}" for name, kind, *_ in columns)
            target.execute(f"CREATE UNLOGGED TABLE {table} ({spelled})")
            text = scratch / f"{table}.csv"
            reader.execute(f"COPY (SELECT * FROM {source}) TO '{text}' (HEADER false, NULLSTR '\\N')")
            with (
                text.open("rb") as lines,
                target.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv, NULL '\\N')") as copy,
            ):
                while chunk := lines.read(_CHUNK_BYTES):
                    copy.write(chunk)
            text.unlink()
        for statement in statements:
            target.execute(statement)
        target.execute("ANALYZE")


def load_spark(parquet: Path, url: str, schema: str, tables: Sequence[str]) -> None:
    """Make the named tables in a schema of a server of Spark Connect, which reads the same files."""
    warehouse = open_warehouse(url)
    with warehouse.session() as session:
        session.make_schema(schema)
        for table in tables:
            source = f"parquet.`{parquet / table}.parquet`"
            session.execute(f"CREATE TABLE {schema}.{table} USING parquet AS SELECT * FROM {source}")
    warehouse.close()
