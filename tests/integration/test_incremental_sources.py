"""Increments on top of sources that are not what they were: types, reloads, swapped tables, segments that somebody
changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

ENGINES = ["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)]
LATER = START + 20


@pytest.fixture(params=ENGINES)
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """The tables with a minute of facts; nothing is deployed."""
    with star.open_star(
        tmp_path, str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else ""
    ) as made:
        yield made


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_url: str) -> Iterator[Workspace]:
    """The same on PostgreSQL alone."""
    with star.open_star(tmp_path, postgres_url) as made:
        yield made


def _built(workspace: Workspace, folder: Path, *before: str, **model: Any) -> None:
    """Deployed and built, after some statements."""
    tiny_star.run_sql(workspace, *before)
    deploy(workspace, star.write_model(folder / "model", **model), now=utc_now())
    star.build(workspace, BuildType.FULL)


def _told(workspace: Workspace, *changes: str, aggregate: str = "by_city", at: int = LATER) -> str:
    """Why an aggregate is built in full, some new rows and changes later; all of them are right afterwards."""
    tiny_star.run_sql(workspace, *changes)
    star.load(workspace, Sale(at=at - 3, amount=3), Sale(at=at, amount=4))
    report = star.build(workspace, at=at)
    star.check(workspace)
    return star.reasons(report)[aggregate]


def _is_incremental(reason: str) -> bool:
    return reason in {"", "increment"}


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
    """Whatever is stored: measures, keys, names."""
    table, column, new, named = RETYPED[kind]
    if kind == "name" and workspace.warehouse.dialect.name == "duckdb":
        pytest.skip("TEXT is VARCHAR there")
    _built(workspace, tmp_path)

    reason = _told(workspace, f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {new}")

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
    _built(workspace, tmp_path, "DELETE FROM shop WHERE city IS NULL", before)

    assert f"{expected}` was" in _told(workspace, change)


@pytest.mark.postgres
@pytest.mark.parametrize("new", ['VARCHAR(20) COLLATE "C"', "VARCHAR(20) COLLATE blind"])
def test_another_collation_means_full(on_postgres: Workspace, tmp_path: Path, new: str) -> None:
    """Equal texts may be no longer equal, or the other way round."""
    collation = "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    try:
        _built(on_postgres, tmp_path, collation if "blind" in new else "SELECT 1")
    except WarehouseError:
        pytest.skip("no ICU")

    assert "`shop.city` was character varying(20) and is now" in _told(
        on_postgres, f"ALTER TABLE shop ALTER COLUMN city TYPE {new}"
    )


def test_another_collation_means_full_on_duckdb(tmp_path: Path) -> None:
    """It stands in the table's DDL alone."""
    with star.open_star(tmp_path) as workspace:
        _built(workspace, tmp_path)

        reason = _told(workspace, "ALTER TABLE shop ALTER COLUMN city TYPE VARCHAR COLLATE NOCASE")

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
    _built(on_postgres, tmp_path)
    tiny_star.run_sql(
        on_postgres, "ALTER TABLE sales DROP COLUMN quantity", "ALTER TABLE sales ADD COLUMN quantity INTEGER"
    )

    reason = _told(on_postgres)

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
    assert _is_incremental(star.reasons(star.build(workspace, at=START + 2))["by_city"])


def test_a_query_dataset_of_another_type_means_full(workspace: Workspace, tmp_path: Path) -> None:
    """A dimension that is a query: its columns stand in no catalog."""
    folder = star.write_model(tmp_path / "model")
    file = folder / "dataset_shop.yml"
    file.write_text(file.read_text().replace("table: shop\n", "sql: SELECT shop_id, shop_name, city FROM shop\n"))
    deploy(workspace, folder, now=utc_now())
    star.build(workspace, BuildType.FULL)
    assert _is_incremental(_told(workspace))
    tiny_star.run_sql(workspace, "ALTER TABLE shop ALTER COLUMN shop_id TYPE BIGINT")

    assert "`shop.shop_id` was" in _told(workspace, at=LATER + 20)


def test_a_table_that_became_a_view_means_full(workspace: Workspace, tmp_path: Path) -> None:
    """Nobody knows what the view leaves out."""
    _built(workspace, tmp_path)

    reason = _told(workspace, "ALTER TABLE shop RENAME TO shops", "CREATE VIEW shop AS SELECT * FROM shops")

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
    _built(workspace, tmp_path)

    reason = _told(workspace, *RELOADS[kind])

    assert "is not the one that it was built from" in reason or "are not what they were" in reason
    assert _is_incremental(_told(workspace, at=LATER + 20))


def test_a_reload_and_a_late_row_mean_full(workspace: Workspace, tmp_path: Path) -> None:
    """A row more does not hide that the others are others."""
    _built(workspace, tmp_path)
    star.load(workspace, Sale(at=START - 300, amount=9))

    assert not _is_incremental(_told(workspace, *RELOADS["swapped"]))


def test_rows_that_come_late_are_told_and_no_reload(workspace: Workspace, tmp_path: Path) -> None:
    """An increment does not read them; they are no reason to read everything."""
    _built(workspace, tmp_path)
    star.load(workspace, Sale(at=START - 300, amount=9), Sale(at=START - 200, amount=9))

    report = star.build(workspace, at=LATER)

    assert _is_incremental(star.reasons(report)["by_city"])
    assert any("2 rows of sales came later" in note for note in report.batch.notes)


def test_the_check_of_older_rows_can_be_switched_off(tmp_path: Path) -> None:
    """DuckDB's catalog does not tell a table from its successor, so nothing is seen then."""
    with star.open_star(tmp_path) as workspace:
        _built(workspace, tmp_path)
        star.put_setting(workspace, "aggregate.incrementalUpdate.checkOlderRows.enabled", "false")
        tiny_star.run_sql(workspace, *RELOADS["swapped"])

        assert _is_incremental(star.reasons(star.build(workspace, at=LATER))["by_city"])


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
    _built(workspace, tmp_path)

    assert _is_incremental(_told(workspace, HARMLESS[kind]))


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
    _built(on_postgres, tmp_path)

    assert _is_incremental(
        _told(
            on_postgres, "CREATE TABLE next_sales PARTITION OF sales FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
        )
    )
    reason = _told(
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
    _built(workspace, tmp_path)
    tiny_star.run_sql(workspace, f"INSERT INTO loaded VALUES {Sale(at=START + 5).sql()}")
    report = star.build(workspace, at=START + 5)
    assert _is_incremental(star.reasons(report)["by_city"])

    tiny_star.run_sql(
        workspace,
        "CREATE TABLE copied AS SELECT * FROM loaded",
        "UPDATE copied SET amount = amount + 1",
        *([] if is_duckdb else ["CREATE OR REPLACE VIEW sales AS SELECT * FROM copied"]),
        "DROP TABLE loaded",
        "ALTER TABLE copied RENAME TO loaded",
    )
    report = star.build(workspace, at=START + 6)

    assert not _is_incremental(star.reasons(report)["by_city"])
    star.check(workspace)


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
    """Rows that were settled, and what a function makes of them; rows that come in order leave increments alone."""
    is_duckdb = workspace.warehouse.dialect.name == "duckdb"

    def function(factor: int) -> str:
        if is_duckdb:
            return f"CREATE OR REPLACE MACRO doubled(x) AS CAST(x * {factor} AS DECIMAL(12, 2))"
        text = f"SELECT CAST(x * {factor} AS NUMERIC(12, 2))"
        return f"CREATE OR REPLACE FUNCTION doubled(x NUMERIC) RETURNS NUMERIC LANGUAGE sql IMMUTABLE AS '{text}'"

    others = "day_id, shop_id, quantity, loaded_at"
    view = f"CREATE VIEW sales AS SELECT {others}, CAST(doubled(amount) AS DECIMAL(12, 2)) AS amount FROM loaded"
    tiny_star.run_sql(workspace, function(2), "ALTER TABLE sales RENAME TO loaded", view)
    _built(workspace, tmp_path)
    tiny_star.run_sql(workspace, f"INSERT INTO loaded VALUES {Sale(at=START + 5).sql()}")
    assert _is_incremental(star.reasons(star.build(workspace, at=START + 5))["by_city"])

    tiny_star.run_sql(workspace, *(UNDER_VIEWS[kind] or (function(3),)))
    report = star.build(workspace, at=START + 6)

    assert "are not what they were" in star.reasons(report)["by_city"]
    star.check(workspace)


def test_a_column_of_a_view_that_breaks_stops_only_who_reads_it(workspace: Workspace, tmp_path: Path) -> None:
    """It is refused by name; the others go on by increments."""
    view = "CREATE {} VIEW sales AS SELECT day_id, shop_id, {} AS quantity, amount, loaded_at FROM loaded"
    tiny_star.run_sql(workspace, "ALTER TABLE sales RENAME TO loaded", view.format("", "quantity"))
    _built(workspace, tmp_path)
    is_duckdb = workspace.warehouse.dialect.name == "duckdb"
    breaking = "CAST(error('no number') AS INTEGER)" if is_duckdb else "quantity / (quantity - quantity)"
    tiny_star.run_sql(workspace, view.format("OR REPLACE", breaking))

    report = star.build(workspace, at=START + 5)

    assert [instance.step.aggregate for instance in report.instances] == ["by_month"]
    told = {note.partition(" is not built: dataset `sales` cannot be read")[0] for note in report.batch.notes}
    assert {"by_city", "by_day_and_shop"} <= told


@pytest.mark.postgres
def test_a_table_that_is_swapped_while_the_batch_runs_is_not_mixed(on_postgres: Workspace, tmp_path: Path) -> None:
    """The increment fails and says why; the next batch reads everything."""
    _built(on_postgres, tmp_path)
    star.load(on_postgres, Sale(at=START + 5))
    fetch_all, is_swapped = DbApiSession.fetch_all, []

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


DAMAGES: dict[str, Callable[[str], tuple[str, ...]]] = {
    "a row less": lambda table: (f"DELETE FROM {table} WHERE city = 'North'",),
    "emptied": lambda table: (f"DELETE FROM {table}",),
    "rows more": lambda table: (f"INSERT INTO {table} SELECT * FROM {table}",),
    "other counts": lambda table: (f"UPDATE {table} SET row_count = row_count + 1",),
    "other amounts": lambda table: (f"UPDATE {table} SET sum_amount = sum_amount + 1 WHERE city = 'North'",),
    "another table": lambda table: (
        f"CREATE TABLE aggs.other AS SELECT * FROM {table}",
        "UPDATE aggs.other SET sum_amount = 0",
        f"ALTER TABLE {table} RENAME TO gone",
        f"ALTER TABLE aggs.other RENAME TO {table.removeprefix('aggs.')}",
    ),
    "other columns": lambda table: (
        f"ALTER TABLE {table} RENAME TO gone",
        f"CREATE TABLE {table} AS SELECT 1 AS city",
    ),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_segment_that_somebody_changed_is_not_kept(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    """The registry knows what it was made with."""
    _built(workspace, tmp_path)
    segment = star.segments(workspace)[0].table

    reason = _told(workspace, *DAMAGES[kind](f"aggs.{segment}"))

    assert f"`{segment}`" in reason
    assert _is_incremental(_told(workspace, at=LATER + 20))


def _failing(session: DbApiSession, sql: str) -> str:
    """A statement that fails while it runs, which ends the transaction that it is in."""
    return "SELECT CAST('x' || 'y' AS INTEGER)" if sql else sql


@pytest.mark.parametrize("level", ["totals", "off"])
def test_groups_that_cannot_be_compared_are_made_anew(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """What fails ends the transaction; the segments are made in a new one."""
    _built(workspace, tmp_path)
    star.put_setting(workspace, "aggregates.batch.verify", level)
    before = star.segments(workspace)
    fetch_all, failed = DbApiSession.fetch_all, []

    def failing(session: DbApiSession, sql: str) -> Any:
        is_comparison = '"of_facts_0"' in sql
        failed.extend([sql] * is_comparison)
        return fetch_all(session, _failing(session, sql) if is_comparison else sql)

    monkeypatch.setattr(DbApiSession, "fetch_all", failing)
    star.build(workspace, at=START + 1)
    monkeypatch.undo()

    assert failed
    assert star.segments(workspace) != before
    star.check(workspace)


@pytest.mark.postgres
def test_statistics_that_cannot_be_gathered_cost_nothing(
    on_postgres: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ANALYZE fails where another session holds a lock, or rights are missing."""
    _built(on_postgres, tmp_path)
    star.load(on_postgres, Sale(at=LATER))
    execute, failed = DbApiSession.execute, []

    def failing(session: DbApiSession, sql: str) -> Any:
        failed.extend([sql] * sql.startswith("ANALYZE"))
        return execute(session, _failing(session, sql) if sql.startswith("ANALYZE") else sql)

    monkeypatch.setattr(DbApiSession, "execute", failing)
    star.build(on_postgres, at=LATER)
    monkeypatch.undo()

    assert failed
    star.check(on_postgres)


def test_merged_segments_that_cannot_be_compared_serve(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is told; it does not spoil what was made with them."""
    _built(workspace, tmp_path)
    star.put_setting(workspace, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 2)
    star.load(workspace, Sale(at=LATER))
    star.build(workspace, at=LATER)
    star.load(workspace, Sale(at=LATER + 30))
    fetch_all, failed = DbApiSession.fetch_all, []

    def failing(session: DbApiSession, sql: str) -> Any:
        is_comparison = (
            "UNION ALL" in sql and '"stored"' in sql and "_s1" in sql and '"t1"' in sql and "a1_s2" not in sql
        )
        failed.extend([sql] * is_comparison)
        return fetch_all(session, _failing(session, sql) if is_comparison else sql)

    monkeypatch.setattr(DbApiSession, "fetch_all", failing)
    star.build(workspace, at=LATER + 30)
    monkeypatch.undo()

    star.check(workspace)


def test_the_reason_is_told_before_anything_is_built(workspace: Workspace, tmp_path: Path) -> None:
    """By `plan`, in the notes of the batch, and with each step."""
    from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch

    _built(workspace, tmp_path)
    tiny_star.run_sql(workspace, "ALTER TABLE sales ALTER COLUMN amount TYPE DECIMAL(12,3)")

    plan = plan_batch(
        workspace,
        MODEL,
        build_type=BuildType.INCREMENTAL,
        now=utc_now(),
        new_id=lambda number=iter(range(99)): str(next(number)),
    )

    assert any("`sales.amount` was" in note for note in plan.notes)
    assert all("`sales.amount` was" in step.full_reason for step in plan.steps)
