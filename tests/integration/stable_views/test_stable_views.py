"""Stable views among other people's things: what is theirs stays, and nothing of theirs stops a batch."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psycopg
import pytest

from airflow_atscale_aggs.engine.lifecycle.build import activate
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from tests.support.stars import tiny_star
from tests.support.stars.shared_warehouse import AGGREGATES, CITY, MONTH, Star, dsn_of, widen_city


def test_a_comment_stays_on_both_warehouses(star: Star) -> None:
    star.sql(f"COMMENT ON VIEW {CITY} IS 'it''s ours'", f"COMMENT ON COLUMN {CITY}.city IS 'where'")
    comments = (
        "SELECT obj_description('{0}'::regclass), col_description('{0}'::regclass, 1)"
        if star.workspace.warehouse.dialect.name == "postgres"
        else "SELECT (SELECT comment FROM duckdb_views() WHERE view_name = 'agg_tiny_sales_by_city'), "
        "(SELECT comment FROM duckdb_columns() WHERE table_name = 'agg_tiny_sales_by_city' AND column_name = 'city')"
    )

    star.build()

    assert star.fetch(comments.format(CITY)) == [("it's ours", "where")]


def test_a_view_on_a_view_goes_on_working(star: Star) -> None:
    star.sql(f"CREATE VIEW report AS SELECT city, sum_amount FROM {CITY}", "CREATE VIEW board AS SELECT * FROM report")

    report = star.build()

    assert report.batch.notes == ()
    assert not report.batch.views_pending
    assert star.total("board") == star.total(CITY) == star.truth()
    assert not any(swept_table.error or swept_table.kept_for for swept_table in star.sweep().tables)
    assert star.total("board") == star.truth()


def test_a_new_column_comes_last(star: Star) -> None:
    star.sql(f"CREATE VIEW report AS SELECT city, sum_amount FROM {CITY}")
    star.deploy({**AGGREGATES, "by_city": (("Month", "City"), ("Quantity", "Amount"))})

    assert star.build().batch.notes == ()

    names = [
        row[0]
        for row in star.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'aggs' "
            "AND table_name = 'agg_tiny_sales_by_city' ORDER BY ordinal_position"
        )
    ]
    assert names[:3] == ["city", "shop_matched" if "shop_matched" in names else names[1], names[2]]
    assert {"month", "sum_quantity"} <= set(names[3:])
    assert star.total("report") == star.truth()


def test_a_column_that_goes_and_that_somebody_reads_keeps_the_view_as_it_was(star: Star) -> None:
    star.deploy({**AGGREGATES, "by_city": (("City",), ("Amount", "Quantity"))})
    star.build()
    was = star.truth()
    star.sql(f"CREATE VIEW report AS SELECT city, sum_quantity, sum_amount FROM {CITY}")
    star.deploy()
    foreseen = plan_batch(star.workspace, "tiny_sales", now=utc_now(), new_id=lambda: "0" * 36).notes

    report = star.build()

    assert any("agg_tiny_sales_by_city" in note and "report reads column `sum_quantity`" in note for note in foreseen)
    (note,) = report.batch.notes
    assert "agg_tiny_sales_by_city" in note
    assert "sum_quantity" in note
    assert "report" in note
    assert report.batch.views_pending
    assert star.total(MONTH, "sum_amount") == star.truth()
    # Nothing that it shows is taken away, and the next batch ends as well.
    swept = star.sweep()
    assert [True for swept_table in swept.tables if swept_table.kept_for and "by_city" in swept_table.table] == [True]
    assert not any(swept_table.error for swept_table in swept.tables)
    assert star.total("report") == was
    assert star.build().batch.status == "done"

    star.sql("DROP VIEW report")
    assert star.sweep().notes == ()
    assert star.total(CITY) == star.truth()
    assert not star.workspace.read.batches.with_pending_views()


@pytest.mark.postgres
def test_a_column_that_goes_and_that_nobody_reads_becomes_null(postgres_star: Star) -> None:
    postgres_star.deploy({**AGGREGATES, "by_city": (("City",), ("Amount", "Quantity"))})
    postgres_star.build()
    postgres_star.sql(
        f"CREATE MATERIALIZED VIEW report AS SELECT city, sum_amount FROM {CITY}",
        f"CREATE VIEW counted AS SELECT COUNT(*) AS n FROM {CITY}",
    )
    postgres_star.deploy()

    assert postgres_star.build().batch.notes == ()

    postgres_star.sql("REFRESH MATERIALIZED VIEW report")
    assert postgres_star.total("report") == postgres_star.truth()
    assert postgres_star.fetch(f"SELECT COUNT(sum_quantity) FROM {CITY}") == [(0,)]
    postgres_star.sql("DROP MATERIALIZED VIEW report", "DROP VIEW counted")
    postgres_star.build()
    with pytest.raises(Exception, match="sum_quantity"):
        postgres_star.fetch(f"SELECT sum_quantity FROM {CITY}")


@pytest.mark.postgres
@pytest.mark.parametrize(
    "dependent",
    [
        "CREATE VIEW report AS SELECT city FROM {0}",
        "CREATE MATERIALIZED VIEW report AS SELECT city FROM {0}",
        "CREATE FUNCTION report() RETURNS SETOF {0} LANGUAGE sql AS 'SELECT * FROM {0}'",
        "CREATE RULE report AS ON INSERT TO {0} DO INSTEAD NOTHING",
    ],
)
def test_what_depends_on_a_view_keeps_its_types(postgres_star: Star, dependent: str) -> None:
    was = postgres_star.truth()
    postgres_star.sql(dependent.format(CITY))
    widen_city(postgres_star)

    report = postgres_star.build()

    (note,) = report.batch.notes
    assert "character varying(40)" in note
    assert "report" in note
    assert (postgres_star.total(CITY), postgres_star.total(MONTH)) == (was, postgres_star.truth())
    postgres_star.sql(
        f"DROP RULE report ON {CITY}"
        if "RULE" in dependent
        else f"DROP {dependent.split(' report', maxsplit=1)[0][7:]} report"
    )
    postgres_star.sweep()
    assert postgres_star.total(CITY) == postgres_star.truth()


@pytest.mark.postgres
def test_a_type_that_is_narrower_now_is_cast_for_those_who_depend_on_it(postgres_star: Star) -> None:
    postgres_star.sql("ALTER TABLE shop ALTER COLUMN city TYPE TEXT")
    postgres_star.build()
    postgres_star.sql(f"CREATE VIEW report AS SELECT city, sum_amount FROM {CITY}")
    postgres_star.sql("ALTER TABLE shop ALTER COLUMN city TYPE VARCHAR(30)")

    assert postgres_star.build().batch.notes == ()

    assert postgres_star.total("report") == postgres_star.truth()
    assert postgres_star.fetch(f"SELECT DISTINCT pg_typeof(city)::text FROM {CITY}") == [("text",)]


@pytest.mark.parametrize("kind", ["TABLE", "VIEW", "SEQUENCE", "MATERIALIZED VIEW", "TYPE"])
def test_what_has_the_name_of_a_view_stays_and_stops_nobody(star: Star, kind: str) -> None:
    is_duckdb = star.workspace.warehouse.dialect.name == "duckdb"
    if is_duckdb and kind not in {"TABLE", "VIEW"}:
        pytest.skip("these have names of their own in DuckDB")
    body = {"SEQUENCE": "", "TYPE": " AS ENUM ('x')"}.get(kind, " AS SELECT 42 AS mine")
    star.sql(f"DROP VIEW {CITY}", f"CREATE {kind} {CITY}{body}")
    foreseen = plan_batch(star.workspace, "tiny_sales", now=utc_now(), new_id=lambda: "0" * 36).notes

    report = star.build()

    assert any("agg_tiny_sales_by_city" in note and f"a {kind.lower()}" in note for note in foreseen)
    assert [f"a {kind.lower()}" in note for note in report.batch.notes] == [True]
    assert star.total(MONTH) == star.truth()
    if body.endswith("mine"):
        assert star.fetch(f"SELECT mine FROM {CITY}") == [(42,)]
    assert not any(swept_table.error for swept_table in star.sweep().tables)
    assert star.build().batch.status == "done"
    star.sql(f"DROP {kind} {CITY}")
    star.sweep()
    assert star.total(CITY) == star.truth()


def test_the_view_of_an_aggregate_that_left_stays_while_somebody_reads_it(star: Star) -> None:
    was = star.truth()
    star.sql(f"CREATE VIEW report AS SELECT city, sum_amount FROM {CITY}")
    star.deploy({name: content for name, content in AGGREGATES.items() if name != "by_city"})

    for _ in range(2):
        report = star.build()
        assert [("report" in note, "its aggregate is gone" in note) for note in report.batch.notes] == [(True, True)]
    assert star.total("report") == was
    assert star.total(MONTH) == star.truth()
    assert not any(swept_table.error for swept_table in star.sweep().tables)
    assert star.total("report") == was

    star.sql("DROP VIEW report")
    assert star.build().batch.notes == ()
    with pytest.raises(Exception, match="agg_tiny_sales_by_city"):
        star.total(CITY)


@pytest.mark.postgres
def test_a_reader_of_one_view_holds_up_no_other(postgres_star: Star) -> None:
    was = postgres_star.truth()
    with psycopg.connect(dsn_of(postgres_star)) as reader:
        reader.execute(f"SELECT * FROM {CITY}")

        report = postgres_star.build()

        assert ["others hold it" in note for note in report.batch.notes] == [True]
        assert report.batch.views_pending
        assert (postgres_star.total(CITY), postgres_star.total(MONTH)) == (was, postgres_star.truth())
    assert postgres_star.sweep().notes == ()
    assert postgres_star.total(CITY) == postgres_star.truth()


def test_a_table_that_a_view_reads_is_not_swept(star: Star) -> None:
    (old,) = [
        instance.table for instance in star.workspace.read.instances.find() if instance.step.aggregate == "by_city"
    ]
    star.sql(f"CREATE VIEW mine AS SELECT city, sum_amount FROM aggs.{old}")
    was = star.total("mine")
    star.build()

    swept = star.sweep()

    assert [swept_table.kept_for.split(" ")[0] for swept_table in swept.tables if swept_table.table == old] == ["view"]
    assert not any(swept_table.error for swept_table in swept.tables)
    assert star.total("mine") == was
    star.sql("DROP VIEW mine")
    assert old in [swept_table.table for swept_table in star.sweep().tables if swept_table.dropped]


def test_views_that_a_dead_process_has_left_are_switched_by_the_next(
    star: Star, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DiedError(Exception):
        pass

    def die(*_: object, **__: object) -> None:
        raise DiedError

    was = star.truth()
    with monkeypatch.context() as patched:
        patched.setattr(activate, "switch", die)
        with contextlib.suppress(DiedError):
            star.build()
    assert star.total(CITY) == was

    star.sweep()

    assert star.total(CITY) == star.truth()


def test_a_view_that_shows_another_model_is_not_taken_from_it(star: Star, tmp_path: Path) -> None:
    other = tiny_star.write_model(tmp_path / "other")
    (other / "catalog.yml").write_text(
        (other / "catalog.yml").read_text().replace("unique_name: tiny", "unique_name: twin")
    )
    deploy(star.workspace, other, now=utc_now())

    report = run_batch(star.workspace, "twin.tiny_sales", owner="twin")

    assert len(report.batch.notes) == len(AGGREGATES)
    assert all("of model `tiny.tiny_sales`" in note for note in report.batch.notes)
    assert star.total(CITY) == star.truth()
