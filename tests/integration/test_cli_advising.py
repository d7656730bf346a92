"""``recommend`` and predictions at ``deploy`` as people use them: real processes, real files."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.support.command_line import run_command
from tests.support.stars import tiny_star


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A star with some thousand facts, its model without user-defined aggregates, deployed."""
    tiny_star.write_model(tmp_path / "m", {})
    tiny_star.make_file(tmp_path / "warehouse.duckdb")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("INSERT INTO sales SELECT a.day_id, b.shop_id, a.quantity, b.amount FROM sales a, sales b")
    assert run_command(tmp_path, "deploy", "m")[0] == 0
    return tmp_path


def test_from_a_log_to_aggregates(folder: Path) -> None:
    """Somebody asks, looks, applies, builds and asks again."""
    by_month = 'SELECT "Month", "Amount" FROM tiny_sales'
    code, out, err = run_command(folder, "recommend", "tiny_sales")
    assert (code, out) == (0, "")
    assert err.endswith("Nothing was asked yet; try --queries FILE or --from-structure.\n")
    for _ in range(3):
        run_command(folder, "query", by_month)

    code, out, err = run_command(folder, "recommend", "tiny_sales")
    assert code == 0
    assert out.splitlines()[1].split() == ["sales_by_month", "4", "6%", "~144", "B", "99.9%", "10,968", "3,664"]
    assert "sales_by_month: asked 3 times: Month reads 4 rows instead of 3,660." in err
    assert "3 queries of the log would read 12 rows instead of 10,980 (100% less)." in err
    assert err.endswith("Nothing is defined yet; --apply does it.\n")
    assert json.loads(run_command(folder, "definitions", "--json")[1]) == []

    _, _, err = run_command(folder, "recommend", "tiny_sales", "--apply")
    assert err.endswith("Build them: atscale-aggs build tiny_sales\n")
    run_command(folder, "build", "tiny_sales")
    assert "from aggregate `sales_by_month` (4 rows, as of " in run_command(folder, "query", by_month)[2]
    err = run_command(folder, "recommend", "tiny_sales")[2]
    assert "no further aggregate saves more than it costs. Budget: 915 rows and 20 aggregates; spent before: 4." in err


def test_queries_of_a_file(folder: Path) -> None:
    """The answer is one JSON document, with what cannot be read."""
    (folder / "log.sql").write_text('SELECT "City", "Amount" FROM tiny_sales; SELECT "Nothing" FROM tiny_sales;\n')
    code, out, err = run_command(folder, "recommend", "tiny_sales", "--queries", "log.sql", "--json")

    document = json.loads(out)
    assert (code, err, document["source"], document["queries"]) == (0, "", "queries", 2)
    (recommendation,) = document["recommendations"]
    assert (recommendation["aggregate"], recommendation["attributes"], recommendation["metrics"]) == (
        "sales_by_city",
        ["City"],
        ["Amount"],
    )
    assert (recommendation["rows"], recommendation["outcome"]) == (3, None)
    assert [each["query"] for each in document["unserved"]] == ['SELECT "Nothing" FROM tiny_sales']
    assert run_command(folder, "recommend", "tiny_sales", "--queries", "log.sql", "--from-structure")[0] == 2


def test_a_budget_in_bytes(folder: Path) -> None:
    """An option or a setting gives it. What does not fit is not proposed, and what is no size is a usage error."""
    log = folder / "log.sql"
    log.write_text('SELECT "Shop", "Month", "Amount" FROM tiny_sales; SELECT "City", "Amount" FROM tiny_sales;')
    base = ("recommend", "tiny_sales", "--queries", "log.sql", "--most", "9")

    _, out, _ = run_command(folder, *base, "--json")
    sizes = [recommendation["bytes"] for recommendation in json.loads(out)["recommendations"]]
    assert len(sizes) == 2
    code, out, err = run_command(folder, *base, "--budget-bytes", "0.5kB")
    assert code == 0
    assert "sales_by_city" in out
    assert "month" not in out
    assert "Budget: 500 B and 9 aggregates; spent before: about 0 B; these: about " in err
    assert run_command(folder, "settings", "set", "aggregates.demandDefined.budgetBytes", "500")[0] == 0
    document = json.loads(run_command(folder, *base, "--json")[1])
    assert document["budget"] == {"unit": "bytes", "size": 500, "spent": 0, "count": 9}
    assert [recommendation["bytes"] for recommendation in document["recommendations"]] == [min(sizes)]
    assert len(json.loads(run_command(folder, *base, "--budget-percent", "25", "--json")[1])["recommendations"]) == 2
    assert run_command(folder, *base, "--budget-bytes", "some")[0] == 2
    assert run_command(folder, *base, "--budget-bytes", "1MB", "--budget-percent", "1")[0] == 2


def test_settings_that_change_nothing_say_so(folder: Path) -> None:
    """The reason is told by name; they are listed with the others."""
    code, _, err = run_command(folder, "settings", "set", "AGGREGATES.CREATE.JOINS.PRIME.COMPRESSION", "3")

    assert code == 0
    assert "has no effect here: there is no preferred storage" in err
    assert err.endswith("Nothing was set.\n")
    assert "aggregates.create.joins.nonInner.enabled" in run_command(folder, "settings", "list")[1]
    assert run_command(folder, "settings", "set", "aggregates.create.joins.nonOuter.enabled", "true")[0] == 1


def test_predictions_are_told(folder: Path) -> None:
    """The deployment that switches them on tells them, and so does the one that switches them off."""
    catalog = folder / "m" / "catalog.yml"
    text = catalog.read_text()
    catalog.write_text(text.replace("build_speculative_aggs: false", "build_speculative_aggs: true"))
    code, out, _ = run_command(folder, "deploy", "m")
    assert code == 0
    assert "tiny_sales, predicted\n  appeared " in out
    assert "sales_total" in out
    catalog.write_text(text)
    assert "retired         sales_total: `build_speculative_aggs` is off" in run_command(folder, "deploy", "m")[1]
