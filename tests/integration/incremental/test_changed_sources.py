"""Increments on top of sources that are not what they were: types, reloads, swapped tables, views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import BuildFailedError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import MODEL, START, Sale

LATER = START + 20


RETYPED = {
    "widened": ("sales", "amount", "DECIMAL(12,3)", "`sales.amount`"),
    "narrowed": ("sales", "amount", "DECIMAL(9,1)", "`sales.amount`"),
    "whole to decimal": ("sales", "quantity", "DECIMAL(9,2)", "`sales.quantity`"),
    "whole to long": ("sales", "quantity", "BIGINT", "`sales.quantity`"),
    "decimal to floating": ("sales", "amount", "DOUBLE PRECISION", "`sales.amount`"),
    "foreign key": ("sales", "shop_id", "BIGINT", "`sales.shop_id`"),
    "key": ("shop", "shop_id", "BIGINT", "`shop.shop_id`"),
    "name": ("shop", "city", "TEXT", "`shop.city`"),
}


@pytest.mark.parametrize("kind", RETYPED)
def test_a_type_that_has_changed_means_full(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    """It holds for all that is stored: measures, keys and names."""
    table, column, new, named = RETYPED[kind]
    if kind == "name" and workspace.warehouse.dialect.name == "duckdb":
        pytest.skip("TEXT is VARCHAR there")
    star.deploy_and_build(workspace, tmp_path)

    reason = star.reason_of_rebuild(workspace, f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {new}")

    assert f"{named} was" in reason
    assert "and is now" in reason


@pytest.mark.parametrize(
    ("before", "change", "expected"),
    [
        ("ALTER TABLE shop ALTER COLUMN city SET NOT NULL", "ALTER TABLE shop ALTER COLUMN city DROP NOT NULL", "city"),
        ("SELECT 1", "ALTER TABLE sales ALTER COLUMN quantity SET NOT NULL", "quantity"),
    ],
)
def test_null_that_became_possible_or_impossible_means_full(
    workspace: Workspace, tmp_path: Path, before: str, change: str, expected: str
) -> None:
    """The catalog says so, whether there are such rows or not."""
    star.deploy_and_build(workspace, tmp_path, "DELETE FROM shop WHERE city IS NULL", before)

    assert f"{expected}` was" in star.reason_of_rebuild(workspace, change)


@pytest.mark.postgres
@pytest.mark.parametrize("new", ['VARCHAR(20) COLLATE "C"', "VARCHAR(20) COLLATE blind"])
def test_another_collation_means_full(on_postgres: Workspace, tmp_path: Path, new: str) -> None:
    """Equal texts may be no longer equal, or the other way round."""
    collation = "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    try:
        star.deploy_and_build(on_postgres, tmp_path, collation if "blind" in new else "SELECT 1")
    except WarehouseError:
        pytest.skip("no ICU")

    assert "`shop.city` was character varying(20) and is now" in star.reason_of_rebuild(
        on_postgres, f"ALTER TABLE shop ALTER COLUMN city TYPE {new}"
    )


def test_another_collation_means_full_on_duckdb(tmp_path: Path) -> None:
    """It stands in the table's DDL alone."""
    with star.open_star(tmp_path) as workspace:
        star.deploy_and_build(workspace, tmp_path)

        reason = star.reason_of_rebuild(workspace, "ALTER TABLE shop ALTER COLUMN city TYPE VARCHAR COLLATE NOCASE")

    assert "`shop.city` was VARCHAR and is now VARCHAR COLLATE" in reason


def test_a_calculation_of_another_type_means_full(workspace: Workspace, tmp_path: Path) -> None:
    """No catalog knows it; the warehouse is asked for the type of its result."""
    more = "  - {name: twice, data_type: decimal, sql: quantity * 2}\n"
    folder = star.write_model(tmp_path / "model", more_columns=more)
    metric = folder / "metric_Quantity.yml"
    metric.write_text(metric.read_text().replace("column: quantity", "column: twice"))
    deploy(workspace, folder, now=utc_now())
    star.build(workspace, BuildType.FULL)
    tiny_star.run_sql(workspace, "ALTER TABLE sales ALTER COLUMN quantity TYPE DOUBLE PRECISION")

    report = star.build(workspace, at=START + 5)

    assert "`sales.twice` was" in star.reasons(report)["by_city"]


@pytest.mark.postgres
def test_a_column_that_was_dropped_and_added_again_means_full(on_postgres: Workspace, tmp_path: Path) -> None:
    """It has the type that it had, and no values."""
    star.deploy_and_build(on_postgres, tmp_path)
    tiny_star.run_sql(
        on_postgres, "ALTER TABLE sales DROP COLUMN quantity", "ALTER TABLE sales ADD COLUMN quantity INTEGER"
    )

    reason = star.reason_of_rebuild(on_postgres)

    assert reason == "`sales.quantity` is another column than it was: it was dropped and added again"


_COLORS = """\
unique_name: Colors
object_type: dimension
label: Colors
type: standard
is_degenerate: true
hierarchies:
  - unique_name: Color levels
    label: Color levels
    filter_empty: 'yes'
    levels:
      - unique_name: Color
level_attributes:
  - {unique_name: Color, label: Color, dataset: sales, key_columns: [quantity], name_column: quantity}
"""


def test_a_degenerate_attribute_of_another_type_means_full(workspace: Workspace, tmp_path: Path) -> None:
    """It stands on the fact, and no metric measures it."""
    folder = star.write_model(tmp_path / "model", aggregates={"by_city": (("City",), ("Amount",))})
    (folder / "colors.yml").write_text(_COLORS)
    model = folder / "model.yml"
    text = model.read_text().replace("metrics:\n", "dimensions: [Colors]\nmetrics:\n", 1)
    model.write_text(
        text.replace("      - name: City\n", "      - name: Color\n", 1).replace(
            "dimension: Shops\n    metrics", "dimension: Colors\n    metrics"
        )
    )
    deploy(workspace, folder, now=utc_now())
    star.build(workspace, BuildType.FULL)
    tiny_star.run_sql(workspace, "ALTER TABLE sales ALTER COLUMN quantity TYPE VARCHAR(9)")

    report = star.build(workspace, at=START + 1)

    assert "`sales.quantity` was" in star.reasons(report)["by_city"]
    assert star.is_incremental(star.reasons(star.build(workspace, at=START + 2))["by_city"])


def test_a_query_dataset_of_another_type_means_full(workspace: Workspace, tmp_path: Path) -> None:
    """A dimension that is a query: its columns stand in no catalog."""
    folder = star.write_model(tmp_path / "model")
    file = folder / "dataset_shop.yml"
    file.write_text(file.read_text().replace("table: shop\n", "sql: SELECT shop_id, shop_name, city FROM shop\n"))
    deploy(workspace, folder, now=utc_now())
    star.build(workspace, BuildType.FULL)
    assert star.is_incremental(star.reason_of_rebuild(workspace))
    tiny_star.run_sql(workspace, "ALTER TABLE shop ALTER COLUMN shop_id TYPE BIGINT")

    assert "`shop.shop_id` was" in star.reason_of_rebuild(workspace, at=LATER + 20)


def test_a_table_that_became_a_view_means_full(workspace: Workspace, tmp_path: Path) -> None:
    """Nobody knows what the view leaves out."""
    star.deploy_and_build(workspace, tmp_path)

    reason = star.reason_of_rebuild(
        workspace, "ALTER TABLE shop RENAME TO shops", "CREATE VIEW shop AS SELECT * FROM shops"
    )

    assert "`shop` was table and is now view" in reason


_COPY = "CREATE TABLE copied AS SELECT * FROM sales"
_TWICE = "UPDATE {} SET amount = amount * 2"
RELOADS = {
    "swapped": (_COPY, _TWICE.format("copied"), "DROP TABLE sales", "ALTER TABLE copied RENAME TO sales"),
    "truncated": (_COPY, _TWICE.format("copied"), "TRUNCATE sales", "INSERT INTO sales SELECT * FROM copied"),
    "deleted": (_COPY, _TWICE.format("copied"), "DELETE FROM sales", "INSERT INTO sales SELECT * FROM copied"),
    "made anew": (
        _COPY,
        _TWICE.format("copied"),
        "DROP TABLE sales",
        star.SETUP_SQL[2],
        "INSERT INTO sales SELECT * FROM copied",
    ),
    "corrected too late": (_TWICE.format("sales"),),
}


@pytest.mark.parametrize("kind", RELOADS)
def test_a_reload_with_as_many_rows_means_full(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    """Old amounts and new ones are never added up."""
    star.deploy_and_build(workspace, tmp_path)

    reason = star.reason_of_rebuild(workspace, *RELOADS[kind])

    assert "is not the one that it was built from" in reason or "are not what they were" in reason
    assert star.is_incremental(star.reason_of_rebuild(workspace, at=LATER + 20))


def test_a_reload_and_a_late_row_mean_full(workspace: Workspace, tmp_path: Path) -> None:
    """A row more does not hide that the others are others."""
    star.deploy_and_build(workspace, tmp_path)
    star.load(workspace, Sale(at=START - 300, amount=9))

    assert not star.is_incremental(star.reason_of_rebuild(workspace, *RELOADS["swapped"]))


def test_rows_that_come_late_are_told_and_no_reload(workspace: Workspace, tmp_path: Path) -> None:
    """An increment does not read them; they are no reason to read everything."""
    star.deploy_and_build(workspace, tmp_path)
    star.load(workspace, Sale(at=START - 300, amount=9), Sale(at=START - 200, amount=9))

    report = star.build(workspace, at=LATER)

    assert star.is_incremental(star.reasons(report)["by_city"])
    assert any("2 rows of sales came later" in note for note in report.batch.notes)


def test_the_check_of_older_rows_can_be_switched_off(tmp_path: Path) -> None:
    """DuckDB's catalog does not tell a table from its successor, so nothing is seen then."""
    with star.open_star(tmp_path) as workspace:
        star.deploy_and_build(workspace, tmp_path)
        star.put_setting(workspace, "aggregate.incrementalUpdate.checkOlderRows.enabled", "false")
        tiny_star.run_sql(workspace, *RELOADS["swapped"])

        assert star.is_incremental(star.reasons(star.build(workspace, at=LATER))["by_city"])


HARMLESS = {
    "analyzed": "ANALYZE sales",
    "vacuumed": "VACUUM sales",
    "one column more": "ALTER TABLE sales ADD COLUMN note VARCHAR(9)",
    "one column more with a default": "ALTER TABLE sales ADD COLUMN note INTEGER DEFAULT 7",
    "an index": "CREATE INDEX sales_day ON sales (day_id)",
    "a comment": "COMMENT ON TABLE sales IS 'facts'",
    "a view on it": "CREATE VIEW sales_of_today AS SELECT * FROM sales",
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_leaves_the_rows_alone_leaves_increments_alone(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    """Otherwise every batch would be full somewhere."""
    star.deploy_and_build(workspace, tmp_path)

    assert star.is_incremental(star.reason_of_rebuild(workspace, HARMLESS[kind]))


@pytest.mark.postgres
def test_a_swapped_partition_means_full_and_a_new_one_does_not(on_postgres: Workspace, tmp_path: Path) -> None:
    """The parent stays the same table; what hangs on it is another one."""
    bound = "'2025-10-09 08:53:00'"
    tiny_star.run_sql(
        on_postgres,
        "ALTER TABLE sales RENAME TO plain",
        "CREATE TABLE sales (LIKE plain) PARTITION BY RANGE (loaded_at)",
        f"CREATE TABLE old_sales PARTITION OF sales FOR VALUES FROM (MINVALUE) TO ({bound})",
        f"CREATE TABLE new_sales PARTITION OF sales FOR VALUES FROM ({bound}) TO ('2026-01-01')",
        "INSERT INTO sales SELECT * FROM plain",
    )
    star.deploy_and_build(on_postgres, tmp_path)

    assert star.is_incremental(
        star.reason_of_rebuild(
            on_postgres, "CREATE TABLE next_sales PARTITION OF sales FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
        )
    )
    reason = star.reason_of_rebuild(
        on_postgres,
        "CREATE TABLE corrected AS SELECT * FROM old_sales",
        "UPDATE corrected SET amount = amount + 1",
        "ALTER TABLE sales DETACH PARTITION old_sales",
        f"ALTER TABLE sales ATTACH PARTITION corrected FOR VALUES FROM (MINVALUE) TO ({bound})",
        at=LATER + 20,
    )
    assert "table `public.old_sales` is not the one that it was built from" in reason


def test_a_table_under_a_view_that_is_swapped_means_full(workspace: Workspace, tmp_path: Path) -> None:
    """The fact is a view; what lies under it counts."""
    is_duckdb = workspace.warehouse.dialect.name == "duckdb"
    view = "CREATE {} VIEW sales AS SELECT * FROM loaded"
    tiny_star.run_sql(workspace, "ALTER TABLE sales RENAME TO loaded", view.format(""))
    star.deploy_and_build(workspace, tmp_path)
    tiny_star.run_sql(workspace, f"INSERT INTO loaded VALUES {Sale(at=START + 5).sql()}")
    report = star.build(workspace, at=START + 5)
    assert star.is_incremental(star.reasons(report)["by_city"])

    tiny_star.run_sql(
        workspace,
        "CREATE TABLE copied AS SELECT * FROM loaded",
        "UPDATE copied SET amount = amount + 1",
        *([] if is_duckdb else ["CREATE OR REPLACE VIEW sales AS SELECT * FROM copied"]),
        "DROP TABLE loaded",
        "ALTER TABLE copied RENAME TO loaded",
    )
    report = star.build(workspace, at=START + 6)

    assert not star.is_incremental(star.reasons(report)["by_city"])
    star.check_views(workspace)


UNDER_VIEWS: dict[str, tuple[str, ...]] = {
    "a correction": ("UPDATE loaded SET amount = amount + 1 WHERE loaded_at = (SELECT MIN(loaded_at) FROM loaded)",),
    "a reload": (
        "CREATE TABLE copied AS SELECT * FROM loaded",
        "DELETE FROM loaded",
        "UPDATE copied SET amount = amount + 1",
        "INSERT INTO loaded SELECT * FROM copied",
    ),
    "a function": (),
}


@pytest.mark.parametrize("kind", UNDER_VIEWS)
def test_what_changes_under_a_view_means_full(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    """Settled rows change, or what a function makes of them. Rows that come in order leave increments alone."""
    is_duckdb = workspace.warehouse.dialect.name == "duckdb"

    def function(factor: int) -> str:
        if is_duckdb:
            return f"CREATE OR REPLACE MACRO doubled(x) AS CAST(x * {factor} AS DECIMAL(12, 2))"
        text = f"SELECT CAST(x * {factor} AS NUMERIC(12, 2))"
        return f"CREATE OR REPLACE FUNCTION doubled(x NUMERIC) RETURNS NUMERIC LANGUAGE sql IMMUTABLE AS '{text}'"

    others = "day_id, shop_id, quantity, loaded_at"
    view = f"CREATE VIEW sales AS SELECT {others}, CAST(doubled(amount) AS DECIMAL(12, 2)) AS amount FROM loaded"
    tiny_star.run_sql(workspace, function(2), "ALTER TABLE sales RENAME TO loaded", view)
    star.deploy_and_build(workspace, tmp_path)
    tiny_star.run_sql(workspace, f"INSERT INTO loaded VALUES {Sale(at=START + 5).sql()}")
    assert star.is_incremental(star.reasons(star.build(workspace, at=START + 5))["by_city"])

    tiny_star.run_sql(workspace, *(UNDER_VIEWS[kind] or (function(3),)))
    report = star.build(workspace, at=START + 6)

    assert "are not what they were" in star.reasons(report)["by_city"]
    star.check_views(workspace)


def test_a_column_of_a_view_that_breaks_stops_only_who_reads_it(workspace: Workspace, tmp_path: Path) -> None:
    """It is refused by name; the others go on by increments."""
    view = "CREATE {} VIEW sales AS SELECT day_id, shop_id, {} AS quantity, amount, loaded_at FROM loaded"
    tiny_star.run_sql(workspace, "ALTER TABLE sales RENAME TO loaded", view.format("", "quantity"))
    star.deploy_and_build(workspace, tmp_path)
    is_duckdb = workspace.warehouse.dialect.name == "duckdb"
    breaking = "CAST(error('no number') AS INTEGER)" if is_duckdb else "quantity / (quantity - quantity)"
    tiny_star.run_sql(workspace, view.format("OR REPLACE", breaking))

    report = star.build(workspace, at=START + 5)

    assert [instance.step.aggregate for instance in report.instances] == ["by_month"]
    refused = {note.partition(" is not built: dataset `sales` cannot be read")[0] for note in report.batch.notes}
    assert {"by_city", "by_day_and_shop"} <= refused


@pytest.mark.postgres
def test_a_table_that_is_swapped_while_the_batch_runs_is_not_mixed(on_postgres: Workspace, tmp_path: Path) -> None:
    """The increment fails and says why; the next batch reads everything."""
    star.deploy_and_build(on_postgres, tmp_path)
    star.load(on_postgres, Sale(at=START + 5))
    fetch_all = DbApiSession.fetch_all
    is_swapped: list[bool] = []

    def swapping(session: DbApiSession, sql: str) -> Any:
        if "pg_rewrite" in sql and is_swapped and len(is_swapped) == 1:
            is_swapped.append(True)
            tiny_star.run_sql(on_postgres, *RELOADS["swapped"])
        if "pg_rewrite" in sql:
            is_swapped.append(True)
        return fetch_all(session, sql)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DbApiSession, "fetch_all", swapping)
        with pytest.raises(
            BuildFailedError, match="was replaced, truncated or written anew after this increment was pl"
        ):
            star.build(on_postgres, at=START + 5)


def test_the_reason_is_told_before_anything_is_built(workspace: Workspace, tmp_path: Path) -> None:
    """The reason stands in `plan`, in the notes of the batch, and with each step."""
    from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch

    star.deploy_and_build(workspace, tmp_path)
    tiny_star.run_sql(workspace, "ALTER TABLE sales ALTER COLUMN amount TYPE DECIMAL(12,3)")

    numbers = iter(range(99))
    plan = plan_batch(
        workspace,
        MODEL,
        build_type=BuildType.INCREMENTAL,
        now=utc_now(),
        new_id=lambda: str(next(numbers)),
    )

    assert any("`sales.amount` was" in note for note in plan.notes)
    assert all("`sales.amount` was" in step.full_reason for step in plan.steps)
