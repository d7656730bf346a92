"""Joins that the warehouse refuses are told by deployment and refused by name, and the warehouse does refuse them."""

from __future__ import annotations

import uuid
from itertools import product
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import DeployReport, deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.sql.join_types import are_incomparable
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from tests.support.stars import tiny_star

CODE = "refused-join"

_DAY, _ID = "'2020-01-01'", "'00000000-0000-0000-0000-000000000001'"
_SHARED = {
    **dict.fromkeys(("smallint", "integer", "bigint", "decimal(9,2)", "decimal(38,0)", "real"), "1"),
    "double precision": "1",
    "boolean": "true",
    **dict.fromkeys(("date", "timestamp", "timestamp with time zone"), _DAY),
    **dict.fromkeys(("time", "time with time zone"), "'10:00:00+00'"),
    "interval": "'1 day'",
    "uuid": _ID,
    **dict.fromkeys(("varchar(40)", "char(40)", "text"), "'1'"),
    "json": "'1'",
    "integer[]": "ARRAY[1]",
}
TYPES = {
    "postgres": {
        **_SHARED,
        "timestamp(3)": _DAY,
        "bytea": "'a'",
        "oid": "1",
        "money": "1",
        "jsonb": "'1'",
        "name": "'1'",
    },
    "duckdb": {
        **_SHARED,
        **dict.fromkeys(("tinyint", "utinyint", "usmallint", "uinteger", "ubigint", "hugeint", "uhugeint"), "1"),
        **dict.fromkeys(("timestamp_s", "timestamp_ms", "timestamp_ns"), _DAY),
        "blob": "'a'",
        "bit": "'1'",
        "decimal(9,2)[]": "[1]",
        "struct(a integer)": "{'a': 1}",
        "enum('1')": "'1'",
    },
}
"""Type to a value, by warehouse; of every family and of none."""

REFUSED = {
    "postgres": [
        ("integer", "timestamp"),
        ("decimal(9,2)", "date"),
        ("integer", "text"),
        ("date", "varchar(40)"),
        ("boolean", "integer"),
        ("uuid", "text"),
        ("bytea", "text"),
        ("time", "timestamp"),
    ],
    "duckdb": [
        ("integer", "timestamp"),
        ("decimal(9,2)", "date"),
        ("boolean", "date"),
        ("uuid", "bigint"),
        ("blob", "integer"),
        ("time", "timestamp"),
        ("interval", "integer"),
    ],
}
ALLOWED = {
    "postgres": [
        ("integer", "decimal(9,2)"),
        ("bigint", "double precision"),
        ("date", "timestamp"),
        ("char(40)", "text"),
    ],
    "duckdb": [("integer", "decimal(9,2)"), ("integer", "text"), ("date", "timestamp"), ("boolean", "integer")],
}


def _is_refused(session: WarehouseSession, first: str, second: str) -> bool:
    """Whether the warehouse will not make the join."""
    try:
        session.fetch_all(f'SELECT COUNT(*), COUNT(b.x) FROM "{first}" AS a LEFT JOIN "{second}" AS b ON a.x = b.x')
    except PermanentWarehouseError:
        return True
    return False


def test_what_is_said_to_be_refused_is_refused(empty_workspace: Workspace) -> None:
    """Every pair of types is joined; within a family nothing is said. Each family has been tried with all its types."""
    dialect = empty_workspace.warehouse.dialect
    types = TYPES[dialect.name]
    tiny_star.run_sql(empty_workspace, *(f'CREATE TABLE "{kind}" (x {kind})' for kind in types))
    tiny_star.run_sql(empty_workspace, *(f'INSERT INTO "{kind}" VALUES ({value})' for kind, value in types.items()))
    with empty_workspace.warehouse.session() as session:
        columns = session.columns([(None, None, kind) for kind in types])
        column_types = {kind: columns[None, None, kind]["x"] for kind in types}
        incomparable = {
            (first, second)
            for first, second in product(types, types)
            if are_incomparable(column_types[first], column_types[second], dialect)
        }

        assert [pair for pair in sorted(incomparable) if not _is_refused(session, *pair)] == []
        assert [pair for pair in ALLOWED[dialect.name] if _is_refused(session, *pair)] == []
    assert set(REFUSED[dialect.name]) <= incomparable
    assert incomparable == {(second, first) for first, second in incomparable}
    assert incomparable.isdisjoint(ALLOWED[dialect.name])
    tried = {kind.casefold().partition("(")[0] for kind in column_types.values()}
    assert {kind for family in dialect.comparable for kind in family} <= tried


def _deploy(workspace: Workspace, folder: Path) -> DeployReport:
    return deploy(workspace, folder, now=utc_now())


def _messages(report: DeployReport) -> list[str]:
    return [str(issue) for issue in report.issues if issue.code == CODE]


@pytest.fixture
def clashing_star(empty_workspace: Workspace) -> Workspace:
    """The tiny star with a fact whose day is a timestamp, where the calendar's is a number."""
    tiny_star.run_sql(
        empty_workspace,
        *tiny_star.SETUP_SQL,
        "ALTER TABLE sales ADD COLUMN day_at TIMESTAMP",
        "UPDATE sales SET day_at = TIMESTAMP '2020-01-01 00:00:00' + day_id * INTERVAL '1 day'",
        "ALTER TABLE sales DROP COLUMN day_id",
        "ALTER TABLE sales RENAME COLUMN day_at TO day_id",
    )
    return empty_workspace


def test_deploy_tells_and_the_rest_is_usable(clashing_star: Workspace, tmp_path: Path) -> None:
    """The issue has place, columns, types and what to do; aggregates and queries that need the join say the same."""
    folder = tiny_star.write_model(tmp_path / "model")
    dialect = clashing_star.warehouse.dialect.name
    spelled = "TIMESTAMP WITHOUT TIME ZONE" if dialect == "postgres" else "TIMESTAMP"
    reason = f"`sales`.`day_id` ({spelled}) is joined to `day`.`day_id` (INTEGER), which {dialect} refuses to compare"
    line = (folder / "model.yml").read_text().splitlines().index("  - unique_name: sales_day") + 1

    (message,) = _messages(_deploy(clashing_star, folder))

    assert message.startswith(
        f"model.yml:{line}: relationship `sales_day`: {reason}; queries and aggregates that need it"
    )
    assert message.endswith("Give both columns one type, or join on a calculated column that casts one of them.")
    plan = plan_batch(clashing_star, "tiny_sales", now=utc_now(), new_id=lambda: uuid.uuid4().hex)
    assert [step.aggregate for step in plan.steps] == ["by_city"]
    assert {refusal.aggregate for refusal in plan.refused} == {"by_day_and_shop", "by_month", "by_month_and_city"}
    assert all(refusal.reason.startswith(reason) and refusal.is_failure for refusal in plan.refused)
    with pytest.raises(UnsupportedQueryError, match=r"`day`\.`day_id` \(INTEGER\), which"):
        answer(clashing_star, 'SELECT "Month", "Amount" FROM tiny_sales')
    assert len(answer(clashing_star, 'SELECT "City", "Amount" FROM tiny_sales').rows) == 3


def test_a_cast_column_is_the_remedy(clashing_star: Workspace, tmp_path: Path) -> None:
    """As the message says: deployment is silent, and every aggregate is built."""
    folder = tiny_star.write_model(tmp_path / "model")
    model, sales = folder / "model.yml", folder / "dataset_sales.yml"
    model.write_text(model.read_text().replace("join_columns: [day_id]", "join_columns: [day_number]"))
    cast = "  - name: day_number\n    data_type: int\n    sql: CAST(EXTRACT(DAY FROM day_id) AS INTEGER) - 1\n"
    sales.write_text(sales.read_text() + cast)

    assert _messages(_deploy(clashing_star, folder)) == []
    assert len(run_batch(clashing_star, "tiny_sales", owner="test").instances) == len(tiny_star.AGGREGATES)
    assert len(answer(clashing_star, 'SELECT "Month", "Amount" FROM tiny_sales').rows) == 4


def test_prediction_leaves_out_what_is_refused(clashing_star: Workspace, tmp_path: Path) -> None:
    """The engine's own definitions do not stand in the way of a batch."""
    folder = tiny_star.write_model(tmp_path / "model", {})
    catalog = folder / "catalog.yml"
    catalog.write_text(catalog.read_text().replace("build_speculative_aggs: false", "build_speculative_aggs: true"))

    (predicted,) = _deploy(clashing_star, folder).predictions

    assert (bool(predicted.appeared), predicted.notes) == (True, ())
    assert run_batch(clashing_star, "tiny_sales", owner="test").batch.notes == ()


_SNOWFLAKE = """\
  - unique_name: Region
    label: Region
    dataset: region
    key_columns: [region_id]
    name_column: region_id
relationships:
  - unique_name: shop_region
    type: snowflake
    from: {dataset: shop, join_columns: [Opened]}
    to: {level: Region}
"""


def test_relationships_within_a_dimension_are_told_too(empty_workspace: Workspace, tmp_path: Path) -> None:
    """The issue names the dimension's file; names are matched without case."""
    tiny_star.run_sql(
        empty_workspace,
        *tiny_star.SETUP_SQL,
        "ALTER TABLE shop ADD COLUMN opened DATE",
        "CREATE TABLE region (region_id DECIMAL(9,2))",
    )
    folder = tiny_star.write_model(tmp_path / "model")
    shops = folder / "shops.yml"
    text = shops.read_text().replace("    levels:\n", "    levels:\n      - unique_name: Region\n", 1) + _SNOWFLAKE
    shops.write_text(text)
    (folder / "region.yml").write_text(tiny_star.dataset("region", ("region_id int",)))
    line = text.splitlines().index("  - unique_name: shop_region") + 1

    (message,) = _messages(_deploy(empty_workspace, folder))

    assert message.startswith(
        f"shops.yml:{line}: relationship `shop_region`: `shop`.`Opened` (DATE) is joined to `region`."
    )


_DAYS_IN_MONTHS = """\
relationships:
  - unique_name: day_month
    type: snowflake
    from: {dataset: day, join_columns: [month_id]}
    to: {level: Month}
"""
_DAY_BEFORE = """\
unique_name: Day Before
object_type: metric_calc
label: Day Before
expression: '([Calendar].[Calendar levels].CurrentMember.PrevMember, [Measures].[Amount])'
"""


@pytest.mark.parametrize("columns", ['"Month", "Amount"', '"Month", "Day Before"', '"Month", "Day", "Day Before"'])
def test_members_that_cannot_be_joined_are_refused_with_that_reason(
    empty_workspace: Workspace, tmp_path: Path, columns: str
) -> None:
    """What could not be asked of the data is not said to be broken by it."""
    tiny_star.run_sql(
        empty_workspace,
        *tiny_star.SETUP_SQL,
        "ALTER TABLE day ADD COLUMN month_id DATE",
        "CREATE TABLE month (month_id INTEGER, month VARCHAR(20))",
    )
    folder = tiny_star.write_model(tmp_path / "model", {})
    calendar, model = folder / "calendar.yml", folder / "model.yml"
    days = "dataset: day\n    key_columns: [month]"
    assert days in calendar.read_text()
    in_months = calendar.read_text().replace(days, "dataset: month\n    key_columns: [month_id]")
    calendar.write_text(in_months + _DAYS_IN_MONTHS)
    model.write_text(model.read_text() + "  - unique_name: Day Before\n")
    (folder / "month.yml").write_text(tiny_star.dataset("month", ("month_id int", "month string")))
    (folder / "day_before.yml").write_text(_DAY_BEFORE)
    _deploy(empty_workspace, folder)

    with pytest.raises(UnsupportedQueryError, match=r"`day`\.`month_id` \(DATE\) is joined to .* refuses to compare"):
        answer(empty_workspace, f"SELECT {columns} FROM tiny_sales")
    assert len(answer(empty_workspace, 'SELECT "Day", "Day Before" FROM tiny_sales').rows) > 0


_AS_QUERY = ("table: sales", "sql: SELECT * FROM sales")
_CALCULATED = ("  - name: day_id\n    data_type: int\n", "  - name: day_id\n    data_type: int\n    sql: day_id\n")


@pytest.mark.parametrize(
    ("statement", "edit"),
    [
        ("SELECT 1", None),
        ("DROP TABLE day", None),
        ("ALTER TABLE day ALTER COLUMN day_id TYPE DECIMAL(38,0)", None),
        ("ALTER TABLE sales ALTER COLUMN day_id TYPE TIMESTAMP USING TIMESTAMP '2020-01-01 00:00:00'", _AS_QUERY),
        ("ALTER TABLE sales ALTER COLUMN day_id TYPE TIMESTAMP USING TIMESTAMP '2020-01-01 00:00:00'", _CALCULATED),
        ("ALTER TABLE sales ALTER COLUMN day_id TYPE JSON USING NULL", None),
    ],
)
def test_nothing_is_said_of_sound_joins_and_of_what_is_not_known(
    empty_workspace: Workspace, tmp_path: Path, statement: str, edit: tuple[str, str] | None
) -> None:
    """There is no table, or a query, a calculation, or a type of no family stands in its place."""
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL, statement)
    folder = tiny_star.write_model(tmp_path / "model")
    if edit is not None:
        sales = folder / "dataset_sales.yml"
        assert edit[0] in sales.read_text()
        sales.write_text(sales.read_text().replace(*edit))

    assert [str(issue) for issue in _deploy(empty_workspace, folder).issues] == []


def test_a_warehouse_that_does_not_answer_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """The model is deployed, and nobody takes it for checked."""
    nowhere = f"duckdb:///{tmp_path / 'no' / 'such' / 'folder.duckdb'}"
    with open_workspace(registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse=nowhere) as workspace:
        report = _deploy(workspace, tiny_star.write_model(tmp_path / "model"))

    (issue,) = report.issues
    assert (issue.code, issue.file) == ("columns-not-checked", "model.yml")
    assert (
        "could not be asked for column types, so neither columns nor joins nor indicators were checked" in issue.message
    )
    assert [model.model for model in report.models] == ["tiny_sales"]
