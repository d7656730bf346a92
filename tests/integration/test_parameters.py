"""Bind parameters in every form that drivers use, on models and on tables."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import QueryError
from airflow_atscale_aggs.engine.lifecycle.query.router import answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace

_MODEL = 'SELECT "City", SUM("Amount") AS a FROM tiny_sales WHERE "City" = {} GROUP BY 1 HAVING SUM("Amount") > {}'
_TABLES = (
    "SELECT s.city, SUM(f.amount) AS a FROM sales f JOIN shop s ON f.shop_id = s.shop_id WHERE s.city = {} "
    "GROUP BY 1 "
    "HAVING SUM(f.amount) > {}"
)


@pytest.mark.parametrize("sql", [_MODEL, _TABLES])
def test_values_take_the_places_of_parameters(workspace: Workspace, sql: str) -> None:
    """They do so by order, by number and by name; the aggregate answers as with the values in the text."""
    wanted = answer(workspace, sql.format("'North'", "-1")).rows
    assert len(wanted) == 1
    forms: list[tuple[str, str, Any]] = [
        ("?", "?", ["North", -1]),
        ("%s", "%s", ("North", Decimal("-1.0"))),
        ("$1", "$2", ["North", -1]),
        ("$2", "$1", [-1, "North"]),
        (":city", ":least", {"city": "North", "least": -1, "unused": None}),
        ("%(city)s", "%(least)s", {"city": "North", "least": -1.5}),
    ]
    for city, least, values in forms:
        result = answer(workspace, sql.format(city, least), parameters=values)
        assert (result.rows, result.plan.uses_aggregates) == (wanted, True), city
        assert explain(workspace, sql.format(city, least), parameters=values).uses_aggregates
    hostile = answer(workspace, sql.format("?", "?"), parameters=["x' OR '1' = '1", 0])
    assert hostile.rows == []


def test_values_are_of_many_types(workspace: Workspace) -> None:
    """What they are in the warehouse is what they were."""
    moment = datetime(2024, 2, 29, 12, 30, 1, tzinfo=UTC)
    sql = "SELECT %s AS a, %s AS b, 5 - %s AS c, %s AS d, %s AS e, %s AS f, 7 %% 4 AS g, '%s?' AS h"
    ((*row,),) = answer(workspace, sql, parameters=[None, True, -2, "it's", date(2024, 2, 29), moment]).rows
    assert row == [None, True, 7, "it's", date(2024, 2, 29), moment, 3, "%s?"]
    assert answer(
        workspace, "SELECT city FROM shop WHERE shop_id = ANY(?) ORDER BY 1 LIMIT ?", parameters=[[1, 3], 1]
    ).rows == [("North",)]


@pytest.mark.parametrize("sql", [_MODEL, _TABLES])
def test_a_list_takes_one_place(workspace: Workspace, sql: str) -> None:
    """It stands behind IN, in its parentheses or not, and behind ANY with the type that drivers add."""
    wanted = sorted(answer(workspace, sql.replace("= {}", "IN ('North', 'South')").format("0")).rows)
    assert [city for city, _ in wanted] == ["North", "South"]
    cities = ["North", "South"]
    forms: list[tuple[str, Any]] = [
        ("IN %s", [tuple(cities)]),
        ("IN (?)", [cities]),
        ("IN (:cities)", {"cities": cities}),
        ("= ANY(%s)", [cities]),
        ("= ANY($1::text[])", [cities]),
    ]
    for form, values in forms:
        result = answer(workspace, sql.replace("= {}", form).format("0"), parameters=values)
        assert sorted(result.rows) == wanted, form


@pytest.mark.parametrize(
    ("sql", "values", "message"),
    [
        (_MODEL.format("?", "?"), None, "a parameter without a value"),
        (_TABLES.format("?", "?"), None, "a parameter without a value"),
        (_MODEL.format("?", "?"), ["North"], "2 places for values, and 1 values were given"),
        (_MODEL.format("'North'", "0"), ["North"], "0 places for values"),
        (_MODEL.format("$1", "$0"), ["North"], "places for values"),
        (_MODEL.format("?", "$1"), ["North", 1], "with and without numbers"),
        (_MODEL.format(":city", "0"), {"town": "North"}, "no value has this name; there are `town`"),
        (_MODEL.format("?", "0"), {"city": "North"}, "0 places for values"),
        (_MODEL.format("?", "?"), ["North", float("nan")], "has no literal"),
        (_MODEL.format("?", "?"), [b"North", 1], "a value of type `bytes`"),
        (_MODEL.format("?", "?"), ["No\x00rth", 1], "has no literal"),
        (_MODEL.format("?", "?"), "North", "a list of values or a mapping"),
        (_MODEL.replace("= {}", "IN {}").format("?", "0"), [()], "the list behind IN is empty"),
    ],
)
def test_values_that_do_not_fit_are_refused(workspace: Workspace, sql: str, values: Any, message: str) -> None:
    """The error says why."""
    with pytest.raises(QueryError) as caught:
        answer(workspace, sql, parameters=values)
    assert message in str(caught.value)


@pytest.mark.parametrize("warehouse_url", ["duckdb"], indirect=True)
def test_the_command_line_takes_values(workspace: Workspace, tmp_path: Path) -> None:
    """They are given by order or by name."""
    workspace.close()
    at = [f"sqlite:///{tmp_path / 'registry.sqlite'}", f"duckdb:///{tmp_path / 'w.duckdb'}"]
    for place, value, most in (("?", "North", "1"), (":city", "city=North", "most=1")):
        sql = f"{_MODEL.format(place, '0')} LIMIT {'?' if place == '?' else ':most'}"
        command = [sys.executable, "-m", "airflow_atscale_aggs.cli.main", "query", sql, "--format", "csv"]
        command += ["--param", value, "--param", most, "--registry", at[0], "--warehouse", at[1]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "North,555.00" in done.stdout, done.stderr
