"""Drivers of other languages, where they are: pgjdbc and psqlODBC."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from tests.server.conftest import Served

_JAR = Path("/usr/share/java/postgresql.jar")
_ODBC = next(iter(Path("/usr/lib").glob("*/odbc/psqlodbcw.so")), None)
_PROGRAM = Path(__file__).parent / "clients" / "Ask.java"


@pytest.mark.skipif(
    shutil.which("java") is None or not _JAR.is_file(),
    reason="Debian's default-jdk and libpostgresql-jdbc-java are not here",
)
def test_pgjdbc_describes_models_and_asks_them(served: Served) -> None:
    url = f"jdbc:postgresql://{served.host}:{served.port}/tiny"
    done = subprocess.run(
        ["java", "-cp", str(_JAR), str(_PROGRAM), url], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr

    lines = done.stdout.splitlines()
    assert "table tiny_sales" in lines
    assert "column Amount numeric" in lines
    for turn in range(8):
        sql = f'SELECT "City", SUM("Amount") FROM tiny_sales WHERE "Month" = \'month {turn % 4}\' GROUP BY 1 ORDER BY 1'
        rows = answer(served.workspace, sql, use_aggregates=False).rows
        expected = [f"turn {turn} {'null' if city is None else city} {amount} numeric" for city, amount in rows]
        assert [line for line in lines if line.startswith(f"turn {turn} ")] == expected
    count = len(answer(served.workspace, 'SELECT "Day", "Shop", "Amount" FROM tiny_sales').rows)
    assert lines[-2:] == [f"rows in parts {count}", "error 42703"]


@pytest.mark.skipif(
    shutil.which("isql") is None or _ODBC is None, reason="Debian's unixodbc and odbc-postgresql are not here"
)
@pytest.mark.parametrize("options", ["", "UseDeclareFetch=1;Fetch=3;", "UseServerSidePrepare=0;Protocol=7.4-2;"])
def test_psqlodbc_asks_models(served: Served, options: str) -> None:
    place = f"Servername={served.host};Port={served.port};Database=tiny;Username=analyst;{options}"
    done = subprocess.run(
        ["isql", "-b", "-d,", "-k", f"Driver={_ODBC};{place}"],
        input='SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1 ORDER BY 1\nhelp tiny_sales\n',
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout

    rows = answer(served.workspace, 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1 ORDER BY 1').rows
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith(("North,", "South,", ","))] == [
        f"{city or ''},{amount}" for city, amount in rows
    ]
    assert any(",tiny_sales,Average Amount," in line for line in lines), lines
