"""Rights, owners, comments and options of stable views stay, and views of other roles stop nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import AggregatesRefusedError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from tests.support.stars import incremental_star, tiny_star
from tests.support.stars.shared_warehouse import CITY, LONG_AFTER, Roles, Star, fetch_as, widen_city


def _rights(star: Star) -> list[tuple[Any, ...]]:
    """All that belongs to a view beside its rows."""
    return star.fetch(
        "SELECT (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a), "
        "pg_get_userbyid(c.relowner), c.reloptions, obj_description(c.oid), "
        "(SELECT array_agg((a.attname, a.attacl::text, col_description(c.oid, a.attnum)) ORDER BY a.attname) "
        "FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) FROM pg_class c "
        f"WHERE c.oid = '{CITY}'::regclass"
    )


@pytest.mark.postgres
@pytest.mark.parametrize("is_made_anew", [False, True])
def test_all_that_belongs_to_a_view_stays(postgres_star: Star, roles: Roles, is_made_anew: bool) -> None:
    reader, admin, keeper = roles("reader"), roles("admin"), roles("keeper")
    postgres_star.sql(
        f'GRANT USAGE, CREATE ON SCHEMA aggs TO "{keeper}"',
        f'GRANT USAGE ON SCHEMA aggs TO "{reader}"',
        f'ALTER VIEW {CITY} OWNER TO "{keeper}"',
        f'GRANT SELECT ON {CITY} TO "{reader}"',
        f'GRANT SELECT, INSERT ON {CITY} TO "{admin}" WITH GRANT OPTION',
        f"GRANT SELECT (city), UPDATE (sum_amount) ON {CITY} TO PUBLIC",
        f"COMMENT ON VIEW {CITY} IS 'the owner''s board'",
        f"COMMENT ON COLUMN {CITY}.city IS 'where'",
        f"ALTER VIEW {CITY} SET (security_barrier = true)",
        # What a schema gives by itself is not what this view was given.
        f'ALTER DEFAULT PRIVILEGES IN SCHEMA aggs GRANT ALL ON TABLES TO "{keeper}"',
        f'ALTER DEFAULT PRIVILEGES IN SCHEMA aggs GRANT DELETE ON TABLES TO "{reader}"',
    )
    before = _rights(postgres_star)
    if is_made_anew:
        widen_city(postgres_star)

    report = postgres_star.build()

    assert report.batch.notes == ()
    assert _rights(postgres_star) == before
    assert fetch_as(roles, reader, f"SELECT SUM(sum_amount) FROM {CITY}") == [(postgres_star.truth(),)]


@pytest.mark.postgres
def test_who_reads_tables_of_aggregates_goes_on_reading_them(postgres_star: Star, roles: Roles) -> None:
    reader = roles("reader")
    old = next(
        instance for instance in postgres_star.workspace.read.instances.find() if instance.step.aggregate == "by_city"
    )
    postgres_star.sql(
        f'GRANT USAGE ON SCHEMA aggs TO "{reader}"',
        f'GRANT SELECT ON aggs.{old.table} TO "{reader}"',
        f"COMMENT ON TABLE aggs.{old.table} IS 'for the router'",
    )

    report = postgres_star.build()

    new = next(instance for instance in report.instances if instance.step.aggregate == "by_city")
    assert fetch_as(roles, reader, f"SELECT SUM(sum_amount) FROM aggs.{new.table}") == [(postgres_star.truth(),)]
    assert postgres_star.fetch(f"SELECT obj_description('aggs.{new.table}'::regclass)") == [("for the router",)]


@pytest.mark.postgres
def test_a_view_that_asks_for_the_rights_of_its_reader_goes_on_being_read(postgres_star: Star, roles: Roles) -> None:
    reader = roles("reader")
    old = next(
        instance for instance in postgres_star.workspace.read.instances.find() if instance.step.aggregate == "by_city"
    )
    postgres_star.sql(
        f'GRANT USAGE ON SCHEMA aggs TO "{reader}"',
        f'GRANT SELECT ON {CITY}, aggs.{old.table} TO "{reader}"',
        f"ALTER VIEW {CITY} SET (security_invoker = true)",
    )

    postgres_star.build()

    assert fetch_as(roles, reader, f"SELECT SUM(sum_amount) FROM {CITY}") == [(postgres_star.truth(),)]


@pytest.mark.postgres
def test_rights_and_views_stay_over_segments(postgres_url: str, roles: Roles, tmp_path: Path) -> None:
    reader = roles("reader")
    with incremental_star.open_star(tmp_path, postgres_url) as workspace:
        deploy(workspace, incremental_star.write_model(tmp_path / "model"), now=utc_now())
        first = incremental_star.build(workspace)
        table = next(instance.table for instance in first.instances if instance.step.aggregate == "by_city")
        tiny_star.run_sql(
            workspace,
            f'GRANT USAGE ON SCHEMA aggs TO "{reader}"',
            f'GRANT SELECT ON {CITY}, aggs.{table} TO "{reader}"',
            f"CREATE VIEW report AS SELECT city, sum_amount FROM {CITY}",
        )
        for minutes in (1, 2):
            incremental_star.load(workspace, incremental_star.Sale(at=incremental_star.START + 60 * minutes))

            report = incremental_star.build(workspace, at=incremental_star.START + 60 * minutes)

            assert not [note for note in report.batch.notes if "Stable view" in note or "Grants" in note]
            truth = incremental_star.fetch(workspace, "SELECT SUM(amount) FROM sales")
            assert incremental_star.fetch(workspace, "SELECT SUM(sum_amount) FROM report") == truth
            new = next(instance.table for instance in report.instances if instance.step.aggregate == "by_city")
            for relation in (CITY, f"aggs.{new}"):
                assert fetch_as(roles, reader, f"SELECT SUM(sum_amount) FROM {relation}") == truth
        assert not any(
            swept_table.error for swept_table in sweep(workspace, dry_run=False, now=utc_now() + LONG_AFTER).tables
        )
        assert incremental_star.fetch(workspace, "SELECT SUM(sum_amount) FROM report") == truth


@pytest.mark.postgres
def test_a_view_of_another_role_is_told_before_the_build_and_stops_nobody(
    postgres_star: Star, roles: Roles, tmp_path: Path
) -> None:
    builder, other = roles("builder"), roles("other")
    postgres_star.sql(
        f'CREATE SCHEMA theirs AUTHORIZATION "{builder}"',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{builder}"',
        f'GRANT USAGE, CREATE ON SCHEMA theirs TO "{other}"',
    )
    url = roles.url_of(builder)
    registry = f"sqlite:///{tmp_path / 'theirs.sqlite'}"
    with open_workspace(registry=registry, warehouse=url, aggregate_schema="theirs") as workspace:
        deploy(workspace, postgres_star.folder, now=utc_now())
        run_batch(workspace, "tiny_sales", owner="first")
        postgres_star.sql(f'ALTER VIEW theirs.agg_tiny_sales_by_city OWNER TO "{other}"')
        plan = plan_batch(workspace, "tiny_sales", now=utc_now(), new_id=lambda: "0" * 36)

        report = run_batch(workspace, "tiny_sales", owner="second")

        assert any(other in note and "agg_tiny_sales_by_city" in note for note in plan.notes)
        assert [other in note for note in report.batch.notes] == [True]
        postgres_star.sql("INSERT INTO sales VALUES (1, 1, 1, 10.00)", f'GRANT "{other}" TO "{builder}"')
        # A member acts for the owner, who reads the new table from now on.
        assert run_batch(workspace, "tiny_sales", owner="third").batch.notes == ()
        assert postgres_star.total("theirs.agg_tiny_sales_by_city") == postgres_star.truth()

        postgres_star.sql(
            f'REVOKE "{other}" FROM "{builder}"',
            "ALTER SCHEMA theirs OWNER TO CURRENT_USER",
            f'GRANT USAGE ON SCHEMA theirs TO "{builder}"',
        )
        with pytest.raises(AggregatesRefusedError, match=f"role `{builder}` may not create tables in schema `theirs`"):
            run_batch(workspace, "tiny_sales", owner="fourth")
