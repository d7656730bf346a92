"""`atscale-aggs init`: from tables that nobody modelled to answers from aggregates, without a file edited by hand."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
import sqlalchemy

from airflow_atscale_aggs.cli.connection_options import repeat_options
from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.lifecycle.discover.discover import DiscoverRequest, discover
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.terminal import Conversation

_TABLES = (
    "CREATE TABLE {0}stores (id INT, name VARCHAR(20), city VARCHAR(20), state VARCHAR(20), opened DATE)",
    "CREATE TABLE {0}staff (staff_id INT, staff_name VARCHAR(20), manager_id INT)",
    "CREATE TABLE {0}dim_date (date_key INT, day DATE, year INT, month_no INT)",
    "CREATE TABLE {0}fiscal_date (date_key INT, day DATE, year INT)",
    "CREATE TABLE {0}products (product_id VARCHAR(8), product_name VARCHAR(20), category VARCHAR(20))",
    "CREATE TABLE {0}suppliers (supplier_id INT, supplier_name VARCHAR(20))",
    'CREATE TABLE {0}"Group" ("Group Key" INT, "from" VARCHAR(9))',
    "CREATE TABLE {0}nothing (store_id INT, amount INT)",
    """CREATE TABLE {0}orders (store_id INT, staff_id INT, ordered_date_key INT, product_id VARCHAR(8), supplier_id INT,
       "Group Key" INT, lines INT, unit_price DECIMAL(9, 2), amount DECIMAL(9, 2),
       ordered_at TIMESTAMP, kind VARCHAR(9))""",
)
_STATES = ("NY", "NY", "IL", "MO", "IL", "MO")
_CITIES = ("Albany", "Buffalo", "Springfield", "Springfield", "Chicago", "Joplin")


def _rows() -> dict[str, list[tuple[object, ...]]]:
    """Traps: orphans, NULL keys, keys that are there twice, trailing blanks, two calendars, small numbers."""
    days = [(20240101 + 100 * (n // 28) + n % 28, f"2024-{1 + n // 28:02}-{1 + n % 28:02}") for n in range(112)]
    return {
        "stores": [(n + 1, f"Store {n}", _CITIES[n % 6], _STATES[n % 6], "2020-01-01") for n in range(12)],
        "staff": [(n, f"Person {n}", 1 if n > 1 else None) for n in range(1, 9)],
        "dim_date": [(key, day, 2024, key // 100 % 100) for key, day in days],
        "fiscal_date": [(key, day, 2024) for key, day in days],
        "products": [(f"P{n}", f"Thing {n}", "AB"[n % 2]) for n in range(20)],
        "suppliers": [(1 + n % 9, f"Supplier {n}") for n in range(10)],
        "Group": [(n, f"g{n}") for n in range(1, 6)],
        "nothing": [],
        "orders": [
            (
                None if n % 50 == 0 else 999 if n % 40 == 0 else 1 + n % 12,
                1 + n % 8,
                days[n % 112][0],
                f"P{n % 20}  ",
                1 + n % 9,
                1 + n % 5,
                1 + n % 3,
                2 + n % 7,
                (1 + n % 3) * (2 + n % 7),
                f"2024-01-{1 + n % 28:02} 10:00:00",
                ("web", "shop")[n % 2],
            )
            for n in range(600)
        ],
    }


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def star(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a warehouse with a star in schema ``shop``."""
    if request.param == "postgres":
        url = request.getfixturevalue("init_postgres")
    else:
        url = f"duckdb:///{tmp_path_factory.mktemp('init') / 'w.duckdb'}"
    warehouse = open_warehouse(url)
    with warehouse.session() as session:
        session.execute("CREATE SCHEMA shop")
        for statement in _TABLES:
            session.execute(statement.format("shop."))
        for table, rows in _rows().items():
            if rows:
                session.execute(f'INSERT INTO shop."{table}" VALUES {", ".join(map(_values, rows))}')
    warehouse.close()
    return str(url)


@pytest.fixture(scope="module")
def init_postgres(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    """A database that lives as long as the module."""
    with request.getfixturevalue("postgres_database")("init_star") as url:
        yield url


def _values(row: Sequence[object]) -> str:
    return "(" + ", ".join("NULL" if value is None else f"'{value}'" for value in row) + ")"


def _run(*arguments: str) -> int:
    return run(list(arguments))


@pytest.fixture
def options(star: str, tmp_path: Path) -> list[str]:
    return ["--warehouse", star, "--registry", f"sqlite:///{tmp_path / 'r.sqlite'}", "--schema", "init_aggs"]


def test_traps_are_left_out_and_told(star: str) -> None:
    """What is right is found beside them."""
    warehouse = open_warehouse(star)
    proposal = discover(warehouse, DiscoverRequest(schema="shop", model="shop"))
    warehouse.close()
    told = {entry.what: entry.reason for entry in proposal.left_out}

    assert {(found.table, *found.columns, found.to_table) for found in proposal.references} == {
        ("orders", "store_id", "stores"),
        ("orders", "staff_id", "staff"),
        ("orders", "Group Key", "Group"),
    }
    assert [(question.column, len(question.options)) for question in proposal.questions] == [("ordered_date_key", 2)]
    assert told["orders.product_id to products.product_id"].endswith("blanks at the end of the values keep them apart")
    assert "manager_id" in " ".join(told)
    assert told["nothing"] == "it has no rows, so nothing can be proven of it"
    assert "lead nowhere" in next(found.reason for found in proposal.references if found.to_table == "stores")
    assert not any(found.to_table == "suppliers" for found in proposal.references)


def test_from_tables_to_answers_from_aggregates(
    star: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands that init prints are run as they are printed; the answer is that of SQL by hand."""
    folder = tmp_path / "shop"

    assert _run("init", str(folder), "--from-schema", "shop", "--yes", *options) == 0
    # A URL with a password is not printed.
    printed = capsys.readouterr().err.replace('"$ATSCALE_AGGS_WAREHOUSE"', shlex.quote(star))
    commands = [shlex.split(line)[1:] for line in printed.splitlines() if line.startswith("  atscale-aggs ")]
    assert [command[0] for command in commands] == ["deploy", "build", "query", "recommend"]
    for command in commands[:2]:
        assert run(command) == 0
        assert "warning" not in capsys.readouterr().err
    assert run([*commands[2], "--format", "json"]) == 0
    capsys.readouterr()
    query = 'SELECT "Stores City", "Stores State", SUM("Amount") AS a FROM shop GROUP BY 1, 2 ORDER BY 1, 2'
    assert _run("query", query, "--format", "json", *options) == 0
    answer = json.loads(capsys.readouterr().out)
    assert _run("instances", "--json", *options) == 0
    assert len(json.loads(capsys.readouterr().out)) > 2

    warehouse = open_warehouse(star)
    with warehouse.session() as session:
        by_hand = session.fetch_all(
            "SELECT city, state, SUM(amount) FROM shop.orders o JOIN shop.stores s ON s.id = o.store_id "
            "GROUP BY 1, 2 ORDER BY 1, 2"
        )
    warehouse.close()
    assert len(by_hand) == 6
    rows = answer["rows"]
    assert [(row[0], row[1], float(row[2])) for row in rows] == [(c, s, float(a)) for c, s, a in by_hand]


def test_a_proposal_is_shown_without_writing(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("init", str(tmp_path / "m"), "--from-schema", "shop", "--dry-run", "--json", "--fact", "ORDERS")

    assert _run(*arguments, *options) == 0
    document = json.loads(capsys.readouterr().out)
    assert [fact["table"] for fact in document["facts"]] == ["orders"]
    assert not (tmp_path / "m").exists()


def test_the_schema_that_has_tables_is_told(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("init", str(tmp_path / "m"), "--from-schema", "shops", "--yes", *options) == 1
    told = capsys.readouterr().err
    assert "schema `shops` has no tables that this user can see; there are tables in `shop` (9 tables)" in told
    assert "Did you mean `shop`? Try --from-schema shop" in told
    assert not (tmp_path / "m").exists()


def test_without_a_terminal_nothing_is_asked(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("init", str(tmp_path / "m"), *options) == 2
    assert "add --yes" in capsys.readouterr().err


def test_a_url_with_a_password_is_not_repeated() -> None:
    context = click.Context(click.Command("init"), obj={"warehouse": "postgresql://me:secret@host/db", "schema": "a b"})

    assert repeat_options(context) == " --warehouse \"$ATSCALE_AGGS_WAREHOUSE\" --schema 'a b'"


def test_a_folder_that_holds_something_is_refused(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "notes.txt").write_text("mine", encoding="utf-8")

    assert _run("init", str(tmp_path / "m"), "--from-schema", "shop", "--yes", *options) == 1
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.postgres
def test_a_table_that_may_not_be_read_is_told(init_postgres_reader: str) -> None:
    """Everything else is looked at."""
    warehouse = open_warehouse(init_postgres_reader)
    proposal = discover(warehouse, DiscoverRequest(model="shop"))
    warehouse.close()

    assert [(found.table, found.to_table) for found in proposal.references] == [("sales", "shops")]
    told = {entry.what: entry.reason for entry in proposal.left_out}
    assert told["secrets"] == "this user has no right to read it (on the table)"


def _init_command(star: str, folder: Path) -> list[str]:
    program = "from airflow_atscale_aggs.cli.main import main; main()"
    return [sys.executable, "-c", program, "init", str(folder), "--warehouse", star, "--from-schema", "shop"]


def test_what_nothing_decides_is_asked_in_a_terminal(star: str, tmp_path: Path) -> None:
    """A number that is none of the answers is asked for again."""
    folder = tmp_path / "model"
    with Conversation(_init_command(star, folder), folder=tmp_path) as init:
        init.wait_for("orders.ordered_date_key may refer to several tables:")
        options = init.wait_for("0  none of them")
        assert "dim_date.date_key" in options
        chosen = "1" if options.index("fiscal_date.date_key") < options.index("dim_date.date_key") else "2"
        init.wait_for("Which one")
        init.write("7\n")
        init.wait_for("is not in the range")
        init.write(f"{chosen}\n")
        init.wait_for("Write this model into")
        init.write("y\n")
        init.wait_for("deploy")
        assert init.close() == 0

    names = " ".join(path.stem for path in folder.rglob("*.yml"))
    assert "fiscal_date" in names
    assert "dim_date" not in names


@pytest.mark.parametrize("question", ["Which one", "Write this model into"])
@pytest.mark.parametrize("answer", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_a_question_that_is_left_writes_nothing(star: str, tmp_path: Path, question: str, answer: str) -> None:
    with Conversation(_init_command(star, tmp_path / "model"), folder=tmp_path) as init:
        init.wait_for("Which one")
        if question != "Which one":
            init.write("0\n")
            init.wait_for(question)
        init.write(answer)
        try:
            init.wait_for("Interrupted. Nothing was written.", seconds=5)
        except AssertionError:
            # GNU readline misses a signal that comes in the very moment in which it begins to wait for keys.
            init.write(answer)
            init.wait_for("Interrupted. Nothing was written.")
        assert init.close() == 130
        assert "Traceback" not in init.seen

    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def init_postgres_reader(postgres_url: str) -> str:
    """The URL of a role that may not read one table."""
    url = sqlalchemy.make_url(postgres_url)
    role = f"init_reader_{url.database}"
    warehouse = open_warehouse(postgres_url)
    with warehouse.session() as session:
        for statement in (
            "CREATE TABLE shops AS SELECT i AS shop_id, 'S' || i AS shop_name FROM generate_series(1, 9) AS t(i)",
            "CREATE TABLE sales AS SELECT 1 + i % 9 AS shop_id, i AS amount FROM generate_series(1, 99) AS t(i)",
            "CREATE TABLE secrets AS SELECT 1 AS secret_id",
            f"DROP ROLE IF EXISTS {role}",
            f"CREATE ROLE {role} LOGIN PASSWORD 'reading'",
            f"GRANT SELECT ON shops, sales TO {role}",
            f"GRANT USAGE ON SCHEMA public TO {role}",
        ):
            session.execute(statement)
    warehouse.close()
    return url.set(username=role, password="reading").render_as_string(False)
