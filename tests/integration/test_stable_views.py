"""Stable views among other people's things: what is theirs stays, and nothing of theirs stops a batch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from airflow_atscale_aggs.engine.errors import AggregatesRefusedError
from airflow_atscale_aggs.engine.lifecycle.build import activate
from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import SweepReport, sweep
from airflow_atscale_aggs.engine.lifecycle.stable_views import switch as views
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.stars import incremental_star, tiny_star

CITY = "aggs.agg_tiny_sales_by_city"
MONTH = "aggs.agg_tiny_sales_by_month"
_ALL = dict(tiny_star.AGGREGATES)
_LONG_AFTER = timedelta(days=30)


@dataclass
class Place:
    """A tiny star, its model, and another person at the same warehouse."""

    workspace: Workspace
    folder: Path
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))

    def deploy(self, aggregates: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] | None = None) -> None:
        """The model with these aggregates."""
        deploy(self.workspace, tiny_star.write_model(self.folder, aggregates), now=utc_now())

    def build(self, owner: str = "") -> BatchReport:
        """One more sale, and a batch."""
        self.sql("INSERT INTO sales VALUES (1, 1, 1, 10.00)")
        return run_batch(self.workspace, "tiny_sales", owner=owner or f"builder {next(self.numbers)}")

    def sql(self, *statements: str) -> None:
        """What the other person does."""
        tiny_star.run_sql(self.workspace, *statements)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """What the other person sees."""
        with self.workspace.warehouse.session() as session:
            return session.fetch_all(sql)

    def total(self, view: str, column: str = "sum_amount") -> Any:
        """A measure of a view."""
        return self.fetch(f"SELECT SUM({column}) FROM {view}")[0][0]

    def truth(self) -> Any:
        """The same from the facts."""
        return self.fetch("SELECT SUM(amount) FROM sales")[0][0]

    def sweep(self) -> SweepReport:
        """When all delays are over."""
        return sweep(self.workspace, dry_run=False, now=utc_now() + _LONG_AFTER)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers are waited for, but not for minutes."""
    monkeypatch.setattr(activate, "SWITCH_SECONDS", 1.0)
    monkeypatch.setattr(activate.switch_views, "__kwdefaults__", {"patience": 1.0})
    monkeypatch.setattr(views, "_TOGETHER_SECONDS", 0.2)


@pytest.fixture
def place(empty_workspace: Workspace, tmp_path: Path) -> Place:
    """Built once, on DuckDB and on PostgreSQL."""
    return _built(empty_workspace, tmp_path)


def _built(workspace: Workspace, tmp_path: Path) -> Place:
    made = Place(workspace, tmp_path / "model")
    made.sql(*tiny_star.SETUP_SQL)
    made.deploy()
    made.build()
    return made


@pytest.fixture
def pg(postgres_url: str, tmp_path: Path) -> Iterator[Place]:
    """Built once, on PostgreSQL."""
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=postgres_url, aggregate_schema="aggs") as workspace:
        yield _built(workspace, tmp_path)


@dataclass
class Roles:
    """Roles of one test: they belong to the server, so they have names of their own and go with the test."""

    url: str
    made: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> str:
        """A role that may log in."""
        role = f"{name}_{os.getpid()}"
        with psycopg.connect(_plain(self.url), autocommit=True) as server:
            server.execute(f'CREATE ROLE "{role}" LOGIN')
        self.made.append(role)
        return role

    def url_of(self, role: str) -> str:
        """The database as a role sees it."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()

    def drop(self) -> None:
        """All of them, with what they own here."""
        with psycopg.connect(_plain(self.url), autocommit=True) as server:
            for role in self.made:
                server.execute(f'DROP OWNED BY "{role}" CASCADE')
            for role in self.made:
                server.execute(f'DROP ROLE "{role}"')


@pytest.fixture
def roles(postgres_url: str) -> Iterator[Roles]:
    """Makes roles for one test."""
    made = Roles(postgres_url)
    yield made
    made.drop()


def _plain(url: str) -> str:
    return urlsplit(url)._replace(scheme="postgresql").geturl()


def _fetch_as(roles: Roles, role: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(_plain(roles.url_of(role)), autocommit=True) as connection:
        return connection.execute(sql).fetchall()


def _widen(place: Place) -> None:
    """An attribute of another type, so that a view has to be made anew."""
    place.sql("ALTER TABLE shop ALTER COLUMN city TYPE VARCHAR(40)")


def _rights(place: Place) -> list[tuple[Any, ...]]:
    """All that belongs to a view beside its rows."""
    return place.fetch(
        "SELECT (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a), pg_get_userbyid(c.relowner), c.reloptions, obj_description(c.oid), "
        "(SELECT array_agg((a.attname, a.attacl::text, col_description(c.oid, a.attnum)) ORDER BY a.attname) "
        f"FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) FROM pg_class c WHERE c.oid = '{CITY}'::regclass"
    )


@pytest.mark.postgres
@pytest.mark.parametrize("is_made_anew", [False, True])
def test_all_that_belongs_to_a_view_stays(pg: Place, roles: Roles, is_made_anew: bool) -> None:
    reader, admin, keeper = roles("reader"), roles("admin"), roles("keeper")
    pg.sql(
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
    before = _rights(pg)
    if is_made_anew:
        _widen(pg)

    report = pg.build()

    assert report.batch.notes == ()
    assert _rights(pg) == before
    assert _fetch_as(roles, reader, f"SELECT SUM(sum_amount) FROM {CITY}") == [(pg.truth(),)]


@pytest.mark.postgres
def test_who_reads_tables_of_aggregates_goes_on_reading_them(pg: Place, roles: Roles) -> None:
    reader = roles("reader")
    old = next(instance for instance in pg.workspace.read.instances.find() if instance.step.aggregate == "by_city")
    pg.sql(
        f'GRANT USAGE ON SCHEMA aggs TO "{reader}"',
        f'GRANT SELECT ON aggs.{old.table} TO "{reader}"',
        f"COMMENT ON TABLE aggs.{old.table} IS 'for the router'",
    )

    report = pg.build()

    new = next(instance for instance in report.instances if instance.step.aggregate == "by_city")
    assert _fetch_as(roles, reader, f"SELECT SUM(sum_amount) FROM aggs.{new.table}") == [(pg.truth(),)]
    assert pg.fetch(f"SELECT obj_description('aggs.{new.table}'::regclass)") == [("for the router",)]


@pytest.mark.postgres
def test_a_view_that_asks_for_the_rights_of_its_reader_goes_on_being_read(pg: Place, roles: Roles) -> None:
    reader = roles("reader")
    old = next(instance for instance in pg.workspace.read.instances.find() if instance.step.aggregate == "by_city")
    pg.sql(
        f'GRANT USAGE ON SCHEMA aggs TO "{reader}"',
        f'GRANT SELECT ON {CITY}, aggs.{old.table} TO "{reader}"',
        f"ALTER VIEW {CITY} SET (security_invoker = true)",
    )

    pg.build()

    assert _fetch_as(roles, reader, f"SELECT SUM(sum_amount) FROM {CITY}") == [(pg.truth(),)]


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
                assert _fetch_as(roles, reader, f"SELECT SUM(sum_amount) FROM {relation}") == truth
        assert not any(
            swept_table.error for swept_table in sweep(workspace, dry_run=False, now=utc_now() + _LONG_AFTER).tables
        )
        assert incremental_star.fetch(workspace, "SELECT SUM(sum_amount) FROM report") == truth


def test_a_comment_stays_on_both_warehouses(place: Place) -> None:
    place.sql(f"COMMENT ON VIEW {CITY} IS 'it''s ours'", f"COMMENT ON COLUMN {CITY}.city IS 'where'")
    said = (
        "SELECT obj_description('{0}'::regclass), col_description('{0}'::regclass, 1)"
        if place.workspace.warehouse.dialect.name == "postgres"
        else "SELECT (SELECT comment FROM duckdb_views() WHERE view_name = 'agg_tiny_sales_by_city'), "
        "(SELECT comment FROM duckdb_columns() WHERE table_name = 'agg_tiny_sales_by_city' AND column_name = 'city')"
    )

    place.build()

    assert place.fetch(said.format(CITY)) == [("it's ours", "where")]


def test_a_view_on_a_view_goes_on_working(place: Place) -> None:
    place.sql(f"CREATE VIEW report AS SELECT city, sum_amount FROM {CITY}", "CREATE VIEW board AS SELECT * FROM report")

    report = place.build()

    assert report.batch.notes == ()
    assert not report.batch.views_pending
    assert place.total("board") == place.total(CITY) == place.truth()
    assert not any(swept_table.error or swept_table.kept_for for swept_table in place.sweep().tables)
    assert place.total("board") == place.truth()


def test_a_new_column_comes_last(place: Place) -> None:
    place.sql(f"CREATE VIEW report AS SELECT city, sum_amount FROM {CITY}")
    place.deploy({**_ALL, "by_city": (("Month", "City"), ("Quantity", "Amount"))})

    assert place.build().batch.notes == ()

    names = [
        row[0]
        for row in place.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'aggs' "
            "AND table_name = 'agg_tiny_sales_by_city' ORDER BY ordinal_position"
        )
    ]
    assert names[:3] == ["city", "shop_matched" if "shop_matched" in names else names[1], names[2]]
    assert {"month", "sum_quantity"} <= set(names[3:])
    assert place.total("report") == place.truth()


def test_a_column_that_goes_and_that_somebody_reads_keeps_the_view_as_it_was(place: Place) -> None:
    place.deploy({**_ALL, "by_city": (("City",), ("Amount", "Quantity"))})
    place.build()
    was = place.truth()
    place.sql(f"CREATE VIEW report AS SELECT city, sum_quantity, sum_amount FROM {CITY}")
    place.deploy()
    foreseen = plan_batch(place.workspace, "tiny_sales", now=utc_now(), new_id=lambda: "0" * 36).notes

    report = place.build()

    assert any("agg_tiny_sales_by_city" in note and "report reads column `sum_quantity`" in note for note in foreseen)
    (note,) = report.batch.notes
    assert "agg_tiny_sales_by_city" in note
    assert "sum_quantity" in note
    assert "report" in note
    assert report.batch.views_pending
    assert place.total(MONTH, "sum_amount") == place.truth()
    # Nothing that it shows is taken away, and the next batch ends as well.
    swept = place.sweep()
    assert [True for swept_table in swept.tables if swept_table.kept_for and "by_city" in swept_table.table] == [True]
    assert not any(swept_table.error for swept_table in swept.tables)
    assert place.total("report") == was
    assert place.build().batch.status == "done"

    place.sql("DROP VIEW report")
    assert place.sweep().notes == ()
    assert place.total(CITY) == place.truth()
    assert not place.workspace.read.batches.with_pending_views()


@pytest.mark.postgres
def test_a_column_that_goes_and_that_nobody_reads_becomes_null(pg: Place) -> None:
    pg.deploy({**_ALL, "by_city": (("City",), ("Amount", "Quantity"))})
    pg.build()
    pg.sql(
        f"CREATE MATERIALIZED VIEW report AS SELECT city, sum_amount FROM {CITY}",
        f"CREATE VIEW counted AS SELECT COUNT(*) AS n FROM {CITY}",
    )
    pg.deploy()

    assert pg.build().batch.notes == ()

    pg.sql("REFRESH MATERIALIZED VIEW report")
    assert pg.total("report") == pg.truth()
    assert pg.fetch(f"SELECT COUNT(sum_quantity) FROM {CITY}") == [(0,)]
    pg.sql("DROP MATERIALIZED VIEW report", "DROP VIEW counted")
    pg.build()
    with pytest.raises(Exception, match="sum_quantity"):
        pg.fetch(f"SELECT sum_quantity FROM {CITY}")


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
def test_what_depends_on_a_view_keeps_its_types(pg: Place, dependent: str) -> None:
    was = pg.truth()
    pg.sql(dependent.format(CITY))
    _widen(pg)

    report = pg.build()

    (note,) = report.batch.notes
    assert "character varying(40)" in note
    assert "report" in note
    assert (pg.total(CITY), pg.total(MONTH)) == (was, pg.truth())
    pg.sql(
        f"DROP RULE report ON {CITY}"
        if "RULE" in dependent
        else f"DROP {dependent.split(' report', maxsplit=1)[0][7:]} report"
    )
    pg.sweep()
    assert pg.total(CITY) == pg.truth()


@pytest.mark.postgres
def test_a_type_that_is_narrower_now_is_cast_for_those_who_depend_on_it(pg: Place) -> None:
    pg.sql("ALTER TABLE shop ALTER COLUMN city TYPE TEXT")
    pg.build()
    pg.sql(f"CREATE VIEW report AS SELECT city, sum_amount FROM {CITY}")
    pg.sql("ALTER TABLE shop ALTER COLUMN city TYPE VARCHAR(30)")

    assert pg.build().batch.notes == ()

    assert pg.total("report") == pg.truth()
    assert pg.fetch(f"SELECT DISTINCT pg_typeof(city)::text FROM {CITY}") == [("text",)]


@pytest.mark.parametrize("kind", ["TABLE", "VIEW", "SEQUENCE", "MATERIALIZED VIEW", "TYPE"])
def test_what_has_the_name_of_a_view_stays_and_stops_nobody(place: Place, kind: str) -> None:
    is_duckdb = place.workspace.warehouse.dialect.name == "duckdb"
    if is_duckdb and kind not in {"TABLE", "VIEW"}:
        pytest.skip("these have names of their own in DuckDB")
    body = {"SEQUENCE": "", "TYPE": " AS ENUM ('x')"}.get(kind, " AS SELECT 42 AS mine")
    place.sql(f"DROP VIEW {CITY}", f"CREATE {kind} {CITY}{body}")
    foreseen = plan_batch(place.workspace, "tiny_sales", now=utc_now(), new_id=lambda: "0" * 36).notes

    report = place.build()

    assert any("agg_tiny_sales_by_city" in note and f"a {kind.lower()}" in note for note in foreseen)
    assert [f"a {kind.lower()}" in note for note in report.batch.notes] == [True]
    assert place.total(MONTH) == place.truth()
    if body.endswith("mine"):
        assert place.fetch(f"SELECT mine FROM {CITY}") == [(42,)]
    assert not any(swept_table.error for swept_table in place.sweep().tables)
    assert place.build().batch.status == "done"
    place.sql(f"DROP {kind} {CITY}")
    place.sweep()
    assert place.total(CITY) == place.truth()


@pytest.mark.postgres
def test_a_view_of_another_role_is_told_before_the_build_and_stops_nobody(
    pg: Place, roles: Roles, tmp_path: Path
) -> None:
    builder, other = roles("builder"), roles("other")
    pg.sql(
        f'CREATE SCHEMA theirs AUTHORIZATION "{builder}"',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{builder}"',
        f'GRANT USAGE, CREATE ON SCHEMA theirs TO "{other}"',
    )
    url = roles.url_of(builder)
    registry = f"sqlite:///{tmp_path / 'theirs.sqlite'}"
    with open_workspace(registry=registry, warehouse=url, aggregate_schema="theirs") as workspace:
        deploy(workspace, pg.folder, now=utc_now())
        run_batch(workspace, "tiny_sales", owner="first")
        pg.sql(f'ALTER VIEW theirs.agg_tiny_sales_by_city OWNER TO "{other}"')
        plan = plan_batch(workspace, "tiny_sales", now=utc_now(), new_id=lambda: "0" * 36)

        report = run_batch(workspace, "tiny_sales", owner="second")

        assert any(other in note and "agg_tiny_sales_by_city" in note for note in plan.notes)
        assert [other in note for note in report.batch.notes] == [True]
        pg.sql("INSERT INTO sales VALUES (1, 1, 1, 10.00)", f'GRANT "{other}" TO "{builder}"')
        # A member acts for the owner, who reads the new table from now on.
        assert run_batch(workspace, "tiny_sales", owner="third").batch.notes == ()
        assert pg.total("theirs.agg_tiny_sales_by_city") == pg.truth()

        pg.sql(
            f'REVOKE "{other}" FROM "{builder}"',
            "ALTER SCHEMA theirs OWNER TO CURRENT_USER",
            f'GRANT USAGE ON SCHEMA theirs TO "{builder}"',
        )
        with pytest.raises(AggregatesRefusedError, match=f"role `{builder}` may not create tables in schema `theirs`"):
            run_batch(workspace, "tiny_sales", owner="fourth")


def test_the_view_of_an_aggregate_that_left_stays_while_somebody_reads_it(place: Place) -> None:
    was = place.truth()
    place.sql(f"CREATE VIEW report AS SELECT city, sum_amount FROM {CITY}")
    place.deploy({name: one for name, one in _ALL.items() if name != "by_city"})

    for _ in range(2):
        report = place.build()
        assert [("report" in note, "its aggregate is gone" in note) for note in report.batch.notes] == [(True, True)]
    assert place.total("report") == was
    assert place.total(MONTH) == place.truth()
    assert not any(swept_table.error for swept_table in place.sweep().tables)
    assert place.total("report") == was

    place.sql("DROP VIEW report")
    assert place.build().batch.notes == ()
    with pytest.raises(Exception, match="agg_tiny_sales_by_city"):
        place.total(CITY)


@pytest.mark.postgres
def test_a_reader_of_one_view_holds_up_no_other(pg: Place) -> None:
    was = pg.truth()
    with psycopg.connect(_dsn(pg)) as reader:
        reader.execute(f"SELECT * FROM {CITY}")

        report = pg.build()

        assert ["others hold it" in note for note in report.batch.notes] == [True]
        assert report.batch.views_pending
        assert (pg.total(CITY), pg.total(MONTH)) == (was, pg.truth())
    assert pg.sweep().notes == ()
    assert pg.total(CITY) == pg.truth()


def test_a_table_that_a_view_reads_is_not_swept(place: Place) -> None:
    (old,) = [
        instance.table for instance in place.workspace.read.instances.find() if instance.step.aggregate == "by_city"
    ]
    place.sql(f"CREATE VIEW mine AS SELECT city, sum_amount FROM aggs.{old}")
    was = place.total("mine")
    place.build()

    swept = place.sweep()

    assert [swept_table.kept_for.split(" ")[0] for swept_table in swept.tables if swept_table.table == old] == ["view"]
    assert not any(swept_table.error for swept_table in swept.tables)
    assert place.total("mine") == was
    place.sql("DROP VIEW mine")
    assert old in [swept_table.table for swept_table in place.sweep().tables if swept_table.dropped]


def test_views_that_a_dead_process_has_left_are_switched_by_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DiedError(Exception):
        pass

    def die(*_: object, **__: object) -> None:
        raise DiedError

    was = place.truth()
    with monkeypatch.context() as patched:
        patched.setattr(activate, "switch", die)
        with contextlib.suppress(DiedError):
            place.build()
    assert place.total(CITY) == was

    place.sweep()

    assert place.total(CITY) == place.truth()


def test_a_view_that_shows_another_model_is_not_taken_from_it(place: Place, tmp_path: Path) -> None:
    other = tiny_star.write_model(tmp_path / "other")
    (other / "catalog.yml").write_text(
        (other / "catalog.yml").read_text().replace("unique_name: tiny", "unique_name: twin")
    )
    deploy(place.workspace, other, now=utc_now())

    report = run_batch(place.workspace, "twin.tiny_sales", owner="twin")

    assert len(report.batch.notes) == len(_ALL)
    assert all("of model `tiny.tiny_sales`" in note for note in report.batch.notes)
    assert place.total(CITY) == place.truth()


def _dsn(place: Place) -> str:
    (row,) = place.fetch(
        "SELECT current_database(), current_setting('unix_socket_directories'), current_setting('port')"
    )
    return f"dbname={row[0]} host={row[1]} port={row[2]} user=postgres"
