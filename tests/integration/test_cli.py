"""The command line as people use it: real processes, real files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from tests.support.command_line import run_command, start_command
from tests.support.stars import tiny_star
from tests.support.stars.tiny_folder import make_folder

_VERBS = (
    "deploy",
    "models",
    "definitions",
    "instances",
    "batches",
    "plan",
    "build",
    "query",
    "explain",
    "recommend",
    "cancel",
    "verify",
    "retire",
    "sweep",
    "adopt",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a star in warehouse.duckdb and its model in m/."""
    return make_folder(tmp_path)


def test_from_deployment_to_aggregates(folder: Path) -> None:
    """The four commands of the help text, with defaults in the current folder."""
    assert run_command(folder, "deploy", "m")[:2] == (
        0,
        "tiny_sales (version 1)\n  appeared     4  by_city, by_day_and_shop, by_month, by_month_and_city\n",
    )
    code, out, err = run_command(folder, "plan", "tiny_sales", "--sql")
    assert code == 0
    assert 'CREATE TABLE "as_agg_' in out
    assert "4 steps, ordered by derivability. Nothing was built." in err
    code, out, err = run_command(folder, "build", "tiny_sales")
    assert code == 0
    assert "[2/4] by_month_and_city: 16 rows" in err
    assert "Activated 4 aggregates with 84 rows" in err
    code, out, _ = run_command(folder, "instances", "--json")
    assert {instance["aggregate"]: (instance["status"], instance["source"]) for instance in json.loads(out)} == {
        "by_day_and_shop": ("active", "sales"),
        "by_month_and_city": ("active", "by_day_and_shop"),
        "by_city": ("active", "by_month_and_city"),
        "by_month": ("active", "by_month_and_city"),
    }


@pytest.mark.parametrize("verb", ["models", "definitions", "instances", "batches"])
def test_reads_have_json_and_tables(folder: Path, verb: str) -> None:
    """One JSON document on standard output; a table otherwise; nothing on standard error."""
    run_command(folder, "deploy", "m")
    run_command(folder, "build", "tiny_sales")

    code, out, err = run_command(
        folder,
        verb,
        "--json",
        "--model" if verb != "models" else "--json",
        *(["tiny_sales"] if verb != "models" else []),
    )
    table = run_command(folder, verb)[1]

    assert (code, err) == (0, "")
    assert isinstance(json.loads(out), list)
    assert len(table.splitlines()) == len(json.loads(out)) + 1


def test_build_as_json_is_one_document(folder: Path) -> None:
    """It shows no progress and no summary."""
    run_command(folder, "deploy", "m", "--json")
    code, out, err = run_command(folder, "build", "tiny_sales", "--json", "--jobs", "2")

    assert (code, err) == (0, "")
    assert [instance["status"] for instance in json.loads(out)["instances"]] == ["active"] * 4


@pytest.mark.parametrize(
    ("arguments", "code", "part_of_message"),
    [
        (("deploy", "nowhere"), 1, "nowhere: there is no such folder"),
        (("deploy", "m", "--model", "tiny_sale"), 1, "Did you mean `tiny_sales`"),
        (("plan", "tiny"), 1, "The registry has no model `tiny`"),
        (("build", "tiny_sales", "--resume", "x"), 1, "The registry has no batch `x`"),
        (("verify", "tiny_sales", "--aggregate", "by_city"), 1, "no active instance of aggregate `by_city`"),
        (("verify", "tiny_sales", "--level", "off"), 2, "'off' is not one of 'totals', 'sample', 'full'"),
        (("settings", "set", "aggregates.batch.verify", "ful"), 1, "Did you mean `full`"),
        (("build", "tiny_sales", "--jobs", "0"), 2, "0 is not in the range x>=1"),
        (("biuld", "tiny_sales"), 2, "No such command 'biuld'"),
        (("build",), 2, "Missing argument 'MODEL'"),
        (("settings", "set", "aggregates.batch.max.failuers", "1"), 1, "Did you mean `aggregates.batch.max.failures`"),
        (("settings", "set", "aggregates.batch.max.failures", "many"), 1, "`many` is not a whole number"),
        (("models", "--registry", "mysql://me:hunter2@h/x"), 1, "a registry lives in SQLite or PostgreSQL"),
        (("build", "tiny_sales", "--warehouse", "oracle://h/x"), 1, "no warehouse dialect has this URL scheme"),
    ],
)
def test_errors_are_one_sentence(folder: Path, arguments: tuple[str, ...], code: int, part_of_message: str) -> None:
    """Exit code 1 or 2, what is wrong and near names on standard error, no traceback, no password."""
    run_command(folder, "deploy", "m")

    exit_code, out, err = run_command(folder, *arguments)

    assert (exit_code, out) == (code, "")
    assert part_of_message in err
    assert "Traceback" not in err
    assert "hunter2" not in err


def test_a_broken_model_shows_all_errors(folder: Path) -> None:
    """With file and line; nothing is registered."""
    tiny_star.write_model(folder / "bad", {"a": (("City",), ("Amuont",)), "b": (("Citty",), ("Amount",))})

    code, _, err = run_command(folder, "deploy", "bad")

    assert code == 1
    assert "2 errors; nothing was registered" in err
    assert err.count("model.yml:") == 2
    assert json.loads(run_command(folder, "models", "--json")[1]) == []


def test_a_failed_build_says_how_to_go_on(folder: Path) -> None:
    """The failed aggregate, its error, and the command that resumes; then that command works."""
    run_command(folder, "deploy", "m")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("ALTER TABLE sales RENAME TO sales_table")
        connection.execute(
            "CREATE VIEW sales AS SELECT * REPLACE (CASE WHEN day_id >= 0 THEN CAST(error('gone') AS INTEGER) END "
            "AS quantity) FROM sales_table"
        )
    code, _, err = run_command(folder, "build", "tiny_sales")
    batch = json.loads(run_command(folder, "batches", "--json")[1])[0]["id"]
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("DROP VIEW sales")
        connection.execute("ALTER TABLE sales_table RENAME TO sales")

    assert code == 1
    assert "failed: by_day_and_shop: The warehouse refused a statement. duckdb:" in err
    assert f"--resume {batch}" in err
    assert run_command(folder, "build", "tiny_sales", "--resume", batch)[0] == 0


def test_verify_tells_what_is_behind_and_what_is_wrong(folder: Path) -> None:
    """Exit code 0 when all agree, 1 on a mismatch; the measure, what it should be and what it is."""
    run_command(folder, "deploy", "m")
    nothing = run_command(folder, "verify", "tiny_sales")
    for verb in ("instances", "batches"):
        assert run_command(folder, verb)[2] == "Nothing is built; begin with: atscale-aggs build tiny_sales\n"
    run_command(folder, "build", "tiny_sales")
    sound = run_command(folder, "verify", "tiny_sales", "--level", "full")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("INSERT INTO sales VALUES (1, 2, 3, 1000.00)")
    behind = run_command(folder, "verify", "tiny_sales")
    table = json.loads(run_command(folder, "instances", "--json")[1])[0]["table"]
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute(f'UPDATE "{table}" SET sum_amount = sum_amount + 0.25')
    wrong = run_command(folder, "verify", "tiny_sales", "--aggregate", "by_day_and_shop", "--json")

    assert (nothing[0], nothing[2]) == (
        0,
        "Nothing is active; begin with: atscale-aggs build tiny_sales\n0 compared at level totals.\n",
    )
    assert sound[0] == 0
    assert "4 compared at level full: 4 agrees." in sound[2]
    assert behind[0] == 1
    assert "behind: by_city: `count_rows(sales)` should be 61 but is 60" in behind[2]
    assert "The facts have changed since the last build; run: atscale-aggs build tiny_sales" in behind[2]
    (aggregate,) = json.loads(wrong[1])["aggregates"]
    assert (wrong[0], wrong[2], aggregate["finding"]) == (1, "", "differs")
    assert {"measure": "sum(sales.amount)", "group": "", "expected": "2785", "found": "1800"} in aggregate[
        "differences"
    ]


def test_sweep_lists_before_it_drops(folder: Path) -> None:
    """Without a terminal and without --yes nothing is dropped."""
    run_command(folder, "deploy", "m")
    run_command(folder, "settings", "set", "aggregates.drop.delaySeconds", "0")
    run_command(folder, "build", "tiny_sales")
    run_command(folder, "build", "tiny_sales")

    listed = run_command(folder, "sweep")
    dropped = run_command(folder, "sweep", "--yes", "--json")
    empty = run_command(folder, "sweep", "--dry-run", "--json")

    assert "4 tables; nothing was dropped (--yes drops them)" in listed[2]
    assert [swept_table["dropped"] for swept_table in json.loads(dropped[1])["tables"]] == [True] * 4
    assert json.loads(empty[1])["tables"] == []


def test_options_stand_before_or_after_the_verb_or_in_the_environment(folder: Path) -> None:
    """An option after the verb wins over one before it, and that one wins over the environment."""
    other = f"sqlite:///{folder / 'other.sqlite'}"
    run_command(folder, "deploy", "m", ATSCALE_AGGS_REGISTRY=other)

    assert len(json.loads(run_command(folder, "--registry", other, "models", "--json")[1])) == 1
    assert len(json.loads(run_command(folder, "models", "--json", "--registry", other)[1])) == 1
    assert json.loads(run_command(folder, "models", "--json")[1]) == []


def test_ctrl_c_says_how_to_go_on(folder: Path) -> None:
    """The statement is interrupted, what was built is kept, and the command that is told goes on."""
    run_command(folder, "deploy", "m")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        # A measure takes a second each time that it is read, by the mark of the facts too, and is what it was.
        connection.execute("ALTER TABLE sales RENAME TO sales_table")
        connection.execute(
            "CREATE VIEW sales AS SELECT day_id, shop_id, quantity, CAST(amount + 0 * (SELECT COUNT(*) "
            "FROM range(4000) a, "
            "range(100000) b WHERE (a.range * b.range) % 7 = 3) AS DECIMAL(9,2)) AS amount FROM sales_table"
        )
    process = start_command(folder, "build", "tiny_sales")
    assert process.stderr is not None
    assert "Begun batch" in process.stderr.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "go on with: atscale-aggs build tiny_sales --resume" in err
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("DROP VIEW sales")
        connection.execute("ALTER TABLE sales_table RENAME TO sales")
    batch = err.split("--resume ")[1].split()[0].rstrip(".`")
    code, _, err = run_command(folder, "build", "tiny_sales", "--resume", batch)
    assert code == 0
    assert "Resumed batch" in err


def test_every_verb_teaches(folder: Path) -> None:
    """--help of each verb has a sentence and an example."""
    for verb in _VERBS:
        code, out, _ = run_command(folder, verb, "--help")
        assert code == 0
        assert f"atscale-aggs {verb}" in out.split("Example:")[1]


def test_help_is_quick_because_it_imports_little(folder: Path) -> None:
    """It imports no SQL library, no database driver and no rich."""
    code = (
        "import sys; from airflow_atscale_aggs.cli.main import run; run(['--help']); "
        "print([m for m in ('sqlalchemy', 'sqlglot', 'duckdb', 'rich', 'airflow', 'msgspec') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_a_closed_pipe_is_no_error(folder: Path) -> None:
    """`… | head -1` ends quietly."""
    run_command(folder, "deploy", "m")
    run_command(folder, "build", "tiny_sales")
    done = subprocess.run(
        f"{sys.executable} -m airflow_atscale_aggs.cli.main instances --json | head -1",
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""


def test_queries_are_answered_and_explained(folder: Path) -> None:
    """Rows come as table, CSV or JSON with their source.

    An explanation says why no aggregate answers, before and after a build.
    """
    run_command(folder, "deploy", "m")
    by_city = 'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" IS NOT NULL ORDER BY 1'

    code, out, err = run_command(folder, "explain", by_city)
    assert (code, "aggregates are defined for them, but not built" in err) == (0, True)
    run_command(folder, "build", "tiny_sales")
    code, out, err = run_command(folder, "query", by_city, "--format", "csv")
    assert (code, out) == (0, "City,Amount\nNorth,555.00\nSouth,292.50\n")
    assert "from aggregate `by_city` (4 rows, as of " in err
    code, out, err = run_command(folder, "query", by_city, "--no-aggregates")
    assert "2 rows from the facts `sales`" in err
    code, out, err = run_command(folder, "query", by_city, "--max-staleness", "0s", "--json")
    assert json.loads(out)["rows"] == [["North", 555.0], ["South", 292.5]]
    assert json.loads(out)["sources"][0]["aggregate"] is None

    listed = json.loads(run_command(folder, "definitions", "--json")[1])
    saved = {
        definition["name"]: (definition["average_saving_seconds"], definition["average_saving_measured_share"])
        for definition in listed
    }
    assert saved["by_city"][1] == 1
    assert isinstance(saved["by_city"][0], float)
    assert saved["by_month"] == (None, None)
    used = {definition["name"]: definition["uses"] for definition in listed}
    assert used == {"by_city": 1, "by_day_and_shop": 0, "by_month": 0, "by_month_and_city": 0}

    code, out, err = run_command(folder, "explain", 'SELECT "Shop", "Day", "Amount", "Month" FROM tiny_sales', "--json")
    (part,) = json.loads(out)["parts"]
    assert part["aggregate"] == "by_day_and_shop"
    code, out, err = run_command(folder, "query", 'SELECT "Ctiy" FROM tiny.tiny_sales')
    assert (code, err) == (
        1,
        (
            'Error: Model `tiny_sales` has no attribute or metric `Ctiy` (in `"Ctiy"`). Did you mean `City`?\n'
            "More about it: atscale-aggs help unknown-column\n"
        ),
    )


def test_a_dropped_aggregate_leaves_the_answer_to_the_next(folder: Path) -> None:
    """It is seen before the plan is made, so that nothing has to fall back."""
    run_command(folder, "deploy", "m")
    run_command(folder, "build", "tiny_sales")
    by_city = 'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" = \'North\''
    table = json.loads(run_command(folder, "query", by_city, "--json")[1])["sql"].split('FROM "')[1].split('"')[0]
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute(f'DROP TABLE "{table}" CASCADE')

    code, out, err = run_command(folder, "query", by_city, "--json")

    document = json.loads(out)
    assert (code, document["rows"]) == (0, [["North", 555.0]])
    assert document["sources"][0]["aggregate"] == "by_month_and_city"
    assert document["planned_sources"] == document["sources"]
    assert "could not be read" not in err


def test_warnings_of_the_parser_are_not_shown(folder: Path) -> None:
    """What a library logs about statements that it does not know is nothing for a user."""
    for sql in ("SHOW TABLES", "DESCRIBE shop", "EXPLAIN SELECT 1"):
        code, out, err = run_command(folder, "query", sql)
        assert (code, bool(out), "Command" in err) == (0, True, False), err
