"""Calculated metrics at other members than a row's equal SELECTs written by hand; what cannot be proven is refused by
name.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from tests.support.oracles.query_cases import QueryCase
from tests.support.stars import tiny_star
from tests.support.stars.calendar_star import MODEL, SCHEMA, setup_sql, tables, write_model

AGGREGATES = """
aggregates:
  - unique_name: by month
    label: By month
    metrics: [Sales, Lines, Lowest, Mean]
    attributes:
      - {name: Month, dimension: Dates, relationships_path: [sold_day]}
      - {name: Year, dimension: Dates, relationships_path: [sold_day]}
"""

WorkspaceAndRouter = tuple[Workspace, QueryRouter]


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def forms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceAndRouter]:
    """The model, built, on a warehouse of each kind."""
    folder = tmp_path_factory.mktemp("forms")
    if request.param == "duckdb":
        yield from _open_forms(f"duckdb:///{folder / 'w.duckdb'}", f"sqlite:///{folder / 'r.sqlite'}", folder)
    else:
        with request.getfixturevalue("postgres_database")("forms") as url:
            yield from _open_forms(url, f"sqlite:///{folder / 'r.sqlite'}", folder)


def _open_forms(warehouse: str, registry: str, folder: Path) -> Iterator[WorkspaceAndRouter]:
    model = write_model(folder / "model", AGGREGATES)
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        with workspace.warehouse.session() as session:
            session.execute(f"CREATE SCHEMA {SCHEMA}")
            for statement in setup_sql(tables(), SCHEMA):
                session.execute(statement)
        deploy(workspace, model, now=utc_now())
        run_batch(workspace, MODEL, owner=process_owner())
        yield workspace, QueryRouter(workspace)


@pytest.mark.parametrize("case", QueryCase.read("forms"), ids=lambda case: case.name)
def test_a_form_equals_the_select_written_by_hand(forms: WorkspaceAndRouter, case: QueryCase) -> None:
    """The answer is the same from the facts and routed."""
    workspace, router = forms

    case.check(router, workspace, SCHEMA)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            '"Sold Weekday", "Sales Before"',
            r"`Sales` .* `Sold Weekday` is of the same dimension as hierarchy `Sold Calendar`",
        ),
        (
            """"Sold Month", "Sales Before" FROM forms WHERE "Sold Year" = 2003 OR "Category" = 'home'""",
            r"""`"Sold Year" = 2003 OR "Category" = 'home'` .* it binds `Sold Year`""",
        ),
        (
            """"Class", "Share of Classes" FROM forms WHERE "Class" = 'toys' OR "Code" = 'C1'""",
            r"""`"Class" = 'toys' OR "Code" = 'C1'` .* it binds `Class`""",
        ),
        ('"Sold Own Month", "Sales Own Year Ago"', r"several members of `Sold Own Month` have one name"),
        (
            '"Sold Own Month", "Sales Two Own Years Ago"',
            r"own parallel periods of `Own Month` lead one period back only",
        ),
        ('UPPER("Sold Month") AS m, "Sales Before"', r'the query groups by `UPPER\("Sold Month"\)`, not by a level'),
        ('"Code", "Share in Class"', r"the current member of `Class` is not told by the query. Group by it as well"),
        ('"Sold Month", "Sales Before", MAX("Code")', r"`MAX` .* beside metrics that are measured at other members"),
        ('"Sold Month", "Growth of Difference"', r"one time form inside another"),
        ('"Sold Month", "Before a Weekday"', r"`Sold Weekday` is an attribute, not a hierarchy"),
        (
            '"Sold Month", "Average of Differences"',
            r"takes a set's value of `Sales Difference`, which is itself calculated",
        ),
        ('"Sold Month", "Year to Date"', r"its MDX `YTD\(\[Sold Dates\].*\)` is a tuple, member or set"),
        ('"Sold Month", "Best Months"', r"its MDX `TopCount\(.*\)` is a tuple, member or set"),
        ('"Sold Month", "No Such Level"', r"hierarchy `Sold Calendar` has no level `Sold Decade`"),
        ('"Sold Month", "Stock to Date"', r"`Aggregate` of a semi-additive metric"),
        ('"Sold Month", "Two Months"', r"a tuple names two members of dimension `Dates`"),
    ],
)
def test_what_cannot_be_proven_is_refused_by_name(forms: WorkspaceAndRouter, query: str, message: str) -> None:
    """The error says what stands in the way."""
    _, router = forms
    select_list = query if " FROM " in query else f"{query} FROM forms"

    with pytest.raises(UnsupportedQueryError, match=message):
        router.answer(f"SELECT {select_list}")


def test_deploy_says_what_will_not_be_answered(empty_workspace: Workspace, tmp_path: Path) -> None:
    """Each is named with file, line and clause; nothing else is said of calculations."""
    report = deploy(empty_workspace, write_model(tmp_path / "model"), now=utc_now())

    messages = {str(issue) for issue in report.issues if issue.code == "untranslated-calculation"}
    names = {message.split("`")[1] for message in messages}
    assert names == {
        "Before a Weekday",
        "Average of Differences",
        "Year to Date",
        "Best Months",
        "No Such Level",
        "Two Months",
        "Growth of Difference",
    }
    assert any(
        message.startswith("calculation_") and "`YTD([Sold Dates].[Sold Calendar].CurrentMember)`" in message
        for message in messages
    )


@pytest.mark.parametrize(
    ("expression", "value"),
    [("Amount * 2", 3570.0), ("amount", 1785.0), ("IIF(Quantity > 0, Amount, 0)", 1785.0)],
)
def test_a_measure_may_stand_without_brackets(tmp_path: Path, expression: str, value: float) -> None:
    with _with_calculation(tmp_path, expression) as workspace:
        assert float(QueryRouter(workspace).answer('SELECT "Calc" FROM tiny_sales').rows[0][0]) == value


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("Amont * 2", "the metric `Amont`, which does not exist"),
        ("Amount.Quantity", "write [Measures].[…]"),
        ("(" * 60 + "Amount" + ")" * 60, "nested more than 50 levels deep"),
        ("Sum(", "is not translated"),
        ("[Measures].[Amount][Measures].[Quantity]", "`[Amount] AS [Quantity]`, which is not translated"),
        ("([Measures].[Amount])([Measures].[Quantity])", "`([Amount]) AS ([Quantity])`"),
        ("[Measures].[Amount] [Measures].[Quantity]", "`[Amount] AS [Quantity]`"),
        ("{" * 900, "nested more than 50 levels deep"),
    ],
)
def test_mdx_that_is_not_read_is_refused_by_name(tmp_path: Path, expression: str, reason: str) -> None:
    with (
        _with_calculation(tmp_path, expression) as workspace,
        pytest.raises(UnsupportedQueryError, match=re.escape(reason)),
    ):
        QueryRouter(workspace).answer('SELECT "Calc" FROM tiny_sales')


@contextlib.contextmanager
def _with_calculation(folder: Path, expression: str) -> Iterator[Workspace]:
    """The tiny star with one calculated metric."""
    model = tiny_star.write_model(folder / "model", {})
    (model / "calc.yml").write_text(
        f"unique_name: Calc\nobject_type: metric_calc\nlabel: Calc\nexpression: {json.dumps(expression)}\n"
    )
    text = (model / "model.yml").read_text().replace("metrics:\n", "metrics:\n  - unique_name: Calc\n", 1)
    (model / "model.yml").write_text(text)
    with open_workspace(
        registry=f"sqlite:///{folder / 'r.sqlite'}",
        warehouse=f"duckdb:///{folder / 'w.duckdb'}",
        aggregate_schema="aggs",
    ) as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, model, now=utc_now())
        yield workspace
