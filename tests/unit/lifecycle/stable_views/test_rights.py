"""What was given to the table of an aggregate is given to its successor before anybody reads it.

DuckDB knows no roles; comments stand for grants here, since both are given by statements of the catalog.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import begin_batch
from airflow_atscale_aggs.engine.lifecycle.stable_views.rights import carry_rights
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import BatchRecord
from tests.support.stars.incremental_star import START, Sale, load
from tests.support.stars.stable_views import change_catalog, forget_catalog
from tests.support.stars.standing_star import MODEL, OWNER, begin, open_batch, rows_of, run_sql, serving

_COMMENTS = """\
SELECT table_name, NULL, comment FROM duckdb_tables() WHERE comment IS NOT NULL UNION ALL
SELECT view_name, NULL, comment FROM duckdb_views() WHERE comment IS NOT NULL UNION ALL
SELECT table_name, column_name, comment FROM duckdb_columns() WHERE comment IS NOT NULL"""


def _new_table(workspace: Workspace, aggregate: str = "by_city") -> str:
    """The table that the open batch has built of an aggregate."""
    instances = workspace.read.instances.find(batch_id=open_batch(workspace).id)
    return next(str(instance.table) for instance in instances if instance.step.aggregate == aggregate)


def _comments_on(workspace: Workspace, table: str) -> set[tuple[str | None, str]]:
    """Column, or nothing, and comment."""
    return {(column, comment) for name, column, comment in rows_of(workspace, _COMMENTS) if name == table}


def _carried(workspace: Workspace, batch: BatchRecord) -> tuple[str, ...]:
    """The notes of a carrying, as an activation asks for it."""
    return carry_rights(workspace, batch, workspace.read.instances.find(batch_id=batch.id))


def test_the_new_table_of_an_aggregate_has_what_the_old_one_had(staged_star: Workspace) -> None:
    old = serving(staged_star, "by_city").table
    run_sql(staged_star, f"COMMENT ON TABLE aggs.{old} IS 'for the board'", f"COMMENT ON COLUMN aggs.{old}.city IS 'x'")

    assert _carried(staged_star, open_batch(staged_star)) == ()

    assert _comments_on(staged_star, _new_table(staged_star)) == {(None, "for the board"), ("city", "x")}
    assert _comments_on(staged_star, _new_table(staged_star, "by_day_and_shop")) == set()


def test_what_belongs_to_a_column_that_is_gone_goes_with_it(staged_star: Workspace) -> None:
    old, new = serving(staged_star, "by_city").table, _new_table(staged_star)
    run_sql(
        staged_star,
        f"COMMENT ON COLUMN aggs.{old}.city IS 'where'",
        f"COMMENT ON COLUMN aggs.{old}.row_count IS 'how many'",
        f"ALTER TABLE aggs.{new} RENAME COLUMN city TO town",
    )

    assert _carried(staged_star, open_batch(staged_star)) == ()

    assert _comments_on(staged_star, new) == {("row_count", "how many")}


def test_the_view_of_an_incremental_aggregate_takes_the_place_of_a_table(incremental_star: Workspace) -> None:
    """What is carried over from a view of segments is given to such a view."""
    old = serving(incremental_star, "by_city").table
    run_sql(incremental_star, f"COMMENT ON VIEW aggs.{old} IS 'for the board'")
    load(incremental_star, Sale(at=START + 60))
    now = datetime.fromtimestamp(START + 90, UTC)
    begun = begin_batch(incremental_star, MODEL, build_type=BuildType.INCREMENTAL, owner=OWNER, now=now)
    build_instance(incremental_star, begun.instances[0].id, owner=OWNER)

    assert _carried(incremental_star, begun.batch) == ()

    assert _comments_on(incremental_star, _new_table(incremental_star)) == {(None, "for the board")}


def test_a_failure_is_a_note_and_gives_nothing(staged_star: Workspace) -> None:
    """Other tables get what is theirs."""
    old = serving(staged_star, "by_city").table
    run_sql(staged_star, f"COMMENT ON TABLE aggs.{old} IS 'for the board'")
    change_catalog(
        staged_star.warehouse,
        belongings=(
            f"SELECT '{old}', 'comment', NULL, 'COMMENT ON TABLE ' || {{target}} || ' IS ''first''' "
            f"WHERE '{old}' IN ({{names}}) UNION ALL SELECT '{old}', 'grant', NULL, 'GRANT NOTHING ON ' || {{target}}"
        ),
    )

    (note,) = _carried(staged_star, open_batch(staged_star))

    new = _new_table(staged_star)
    assert note.startswith(f"Grants on {old} were not carried over to {new} of `by_city`: Parser Error")
    assert _comments_on(staged_star, new) == set()


def test_the_owner_is_not_carried_over(staged_star: Workspace) -> None:
    """Who builds tables must be able to drop them."""
    old = serving(staged_star, "by_city").table
    change_catalog(
        staged_star.warehouse,
        belongings=f"SELECT '{old}', 'owner', NULL, 'ALTER TABLE ' || {{target}} WHERE '{old}' IN ({{names}})",
    )

    assert _carried(staged_star, open_batch(staged_star)) == ()


def test_a_first_table_has_no_predecessor(deployed_star: Workspace) -> None:
    begin(deployed_star)

    assert _carried(deployed_star, open_batch(deployed_star)) == ()


def test_a_warehouse_whose_catalog_nobody_knows_is_not_asked(staged_star: Workspace) -> None:
    old = serving(staged_star, "by_city").table
    run_sql(staged_star, f"COMMENT ON TABLE aggs.{old} IS 'for the board'")
    batch, new = open_batch(staged_star), _new_table(staged_star)
    forget_catalog(staged_star.warehouse)

    assert _carried(staged_star, batch) == ()
    assert _comments_on(staged_star, new) == set()
