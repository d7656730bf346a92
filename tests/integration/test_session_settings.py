"""What a setting of a session decides: aggregates answer as the facts do in the session that asks, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.verify import verify
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from airflow_atscale_aggs.engine.settings import VerificationLevel
from tests.support.stars.session_star import attributes, tables, write_session_model
from tests.support.stars.tiny_star import run_sql

Settings = Mapping[str, str]
Open = Callable[[Settings], Workspace]

_CHOICES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "postgres": {
        "TimeZone": ("UTC", "Europe/Berlin", "America/Los_Angeles"),
        "DateStyle": ("ISO, MDY", "German, DMY", "SQL, DMY"),
        "IntervalStyle": ("postgres", "iso_8601"),
        "extra_float_digits": ("1", "-3"),
        "standard_conforming_strings": ("on", "off"),
        "search_path": ("public", "other, public", "empty, public"),
    },
    "duckdb": {
        "TimeZone": ("UTC", "Europe/Berlin", "America/Los_Angeles"),
        "default_collation": ("", "nocase"),
        "integer_division": ("false", "true"),
        "ieee_floating_point_ops": ("false", "true"),
        "default_null_order": ("nulls_last", "nulls_first"),
    },
}
_BERLIN = {"TimeZone": "Europe/Berlin"}
_UTC = {"TimeZone": "UTC"}


def _dialect(url: str) -> str:
    return "duckdb" if url.startswith("duckdb") else "postgres"


@pytest.fixture
def open_with(warehouse_url: str, tmp_path: Path) -> Iterator[Open]:
    """Opens the one workspace with settings of the session, as a URL gives them."""
    opened: list[Workspace] = []

    def open_workspace_with(session_settings: Settings) -> Workspace:
        while opened:
            opened.pop().close()
        if _dialect(warehouse_url) == "duckdb":
            query = urlencode(session_settings)
        else:
            options = " ".join(
                f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in session_settings.items()
            )
            query = f"options={quote(options)}"
        url = f"{warehouse_url}{'&' if '?' in warehouse_url else '?'}{query}" if session_settings else warehouse_url
        registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
        opened.append(open_workspace(registry=registry, warehouse=url, aggregate_schema="aggs"))
        return opened[0]

    yield open_workspace_with
    while opened:
        opened.pop().close()


@pytest.fixture
def deployed_dialect(open_with: Open, warehouse_url: str, tmp_path: Path) -> str:
    """The dialect, once the table and its model are there; on PostgreSQL the table is in three schemas."""
    dialect = _dialect(warehouse_url)
    workspace = open_with({})
    run_sql(workspace, *tables(dialect), "CREATE SCHEMA other", "CREATE SCHEMA empty", *tables(dialect, "other.", 5000))
    deploy(workspace, write_session_model(tmp_path / "model", dialect), now=utc_now())
    return dialect


def _build(workspace: Workspace) -> None:
    run_batch(workspace, "moments", build_type=BuildType.FULL, owner="test")


def _query(attribute: str) -> str:
    return f'SELECT "{attribute}", "Amount", "Mean" FROM moments ORDER BY 2, 1'


def _aggregate(workspace: Workspace, attribute: str) -> str | None:
    return explain(workspace, _query(attribute)).sources[0].aggregate


def _rows(workspace: Workspace, attribute: str, *, use_aggregates: bool) -> list[str]:
    return sorted(map(repr, answer(workspace, _query(attribute), use_aggregates=use_aggregates).rows))


def test_an_aggregate_of_another_time_zone_does_not_answer(deployed_dialect: str, open_with: Open) -> None:
    """The facts do, as the session sees them; what the zone does not decide is answered from its aggregate."""
    _build(open_with(_UTC))
    assert _aggregate(open_with(_UTC), "Local Day") == "by Local Day"

    workspace = open_with(_BERLIN)
    plan = explain(workspace, _query("Local Day"))

    assert plan.sources[0].aggregate is None
    (by_local_day,) = [candidate for candidate in plan.candidates[0] if candidate.aggregate == "by Local Day"]
    assert by_local_day.miss is Miss.OTHER_SETTINGS
    assert by_local_day.missing == ("TimeZone of its session was `UTC` and is now `Europe/Berlin`",)
    days = {str(row[0]): row[1] for row in answer(workspace, _query("Local Day")).rows}
    assert days == {"2024-03-31": 11, "2025-01-01": 1100}
    assert _aggregate(workspace, "Doubled") == "by Doubled"
    assert _aggregate(workspace, "Letter") == "by Letter"


def test_plain_sql_passes_by_what_a_view_makes_of_another_time_zone(deployed_dialect: str, open_with: Open) -> None:
    """Nobody knows what a view does, so all settings may matter to it; the statement is run as it stands."""
    days = "CAST(CAST(moment AS DATE) AS VARCHAR(20)) AS letter, number, divisor, fraction, amount"
    run_sql(
        open_with({}),
        "ALTER TABLE facts RENAME TO moments_of_facts",
        f"CREATE VIEW facts AS SELECT moment, written, {days} FROM moments_of_facts",
    )
    _build(open_with(_UTC))
    sql = "SELECT letter, SUM(amount) AS amount FROM facts GROUP BY letter"
    assert explain(open_with(_UTC), sql).sources[0].aggregate == "by Letter"

    result = answer(open_with(_BERLIN), sql)

    assert not result.plan.uses_aggregates
    assert dict(result.rows) == {"2024-03-31": 11, "2025-01-01": 1100}


@pytest.mark.parametrize("needed", [None, ("TimeZone",)], ids=["not looked at", "not kept"])
def test_what_was_built_before_settings_were_recorded(
    deployed_dialect: str, open_with: Open, needed: tuple[str, ...] | None
) -> None:
    """It serves where no setting matters."""
    workspace = open_with(_UTC)
    _build(workspace)
    assert _aggregate(workspace, "Doubled") == "by Doubled"
    with workspace.registry.database.writing() as connection:
        connection.exec_driver_sql("UPDATE atscale_aggs_batches SET surroundings = NULL")
        if needed is None:
            text = (
                "UPDATE atscale_aggs_steps "
                "SET document = CAST(json_remove(CAST(document AS TEXT), '$.settings_needed') AS BLOB)"
            )
            connection.exec_driver_sql(text)

    workspace = open_with(_UTC)

    assert _aggregate(workspace, "Local Day") is None
    # PostgreSQL has two tables of that name, and nobody knows which one was meant.
    assert _aggregate(workspace, "Doubled") is None
    run_sql(workspace, "DROP TABLE other.facts")
    assert _aggregate(open_with(_UTC), "Doubled") == "by Doubled"


def test_verification_runs_under_the_settings_of_the_build(deployed_dialect: str, open_with: Open) -> None:
    """An aggregate is not wrong because somebody looks from elsewhere; the session has its own settings again
    afterwards.
    """
    _build(open_with(_UTC))

    workspace = open_with(_BERLIN)
    report = verify(workspace, "moments", level=VerificationLevel.FULL)

    assert {str(instance.finding) for instance in report.instances} == {"agrees"}
    with workspace.warehouse.session() as session:
        before = session.settings()
        with session.apply_settings({"TimeZone": "Asia/Tokyo"}):
            assert session.settings()["TimeZone"] == "Asia/Tokyo"
        assert session.settings() == before


@pytest.mark.postgres
def test_a_default_that_changes_while_a_router_lives(
    postgres_url: str, open_with: Open, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The session that runs the query decides, not the one that planned it."""
    if request.getfixturevalue("warehouse_url") != postgres_url:
        pytest.skip("DuckDB has no defaults that others change")
    workspace = open_with({})
    run_sql(workspace, *tables("postgres"))
    deploy(workspace, write_session_model(tmp_path / "model", "postgres"), now=utc_now())
    database = sqlalchemy.make_url(postgres_url).database
    run_sql(workspace, f"ALTER DATABASE {database} SET TimeZone = 'UTC'")
    _build(workspace)
    router = QueryRouter(workspace)
    assert router.answer(_query("Local Day")).plan.uses_aggregates

    run_sql(workspace, f"ALTER DATABASE {database} SET TimeZone = 'Europe/Berlin'")
    result = router.answer(_query("Local Day"))

    assert {str(row[0]): row[1] for row in result.rows} == {"2024-03-31": 11, "2025-01-01": 1100}
    assert result.fallback_reason == "TimeZone of its session was `UTC` and is now `Europe/Berlin`"
    assert router.answer(_query("Local Day")).fallback_reason == ""


@pytest.mark.postgres
def test_a_name_without_schema_means_the_same_table(deployed_dialect: str, open_with: Open) -> None:
    """Another search path leads to another table, which no aggregate knows; its second schema is looked in as well."""
    if deployed_dialect != "postgres":
        pytest.skip("a DuckDB URL has no search path")
    _build(open_with({"search_path": "public"}))

    other = open_with({"search_path": "other,public"})
    assert _aggregate(other, "Doubled") is None
    assert sum(row[1] for row in answer(other, _query("Doubled")).rows) == 5111
    same = open_with({"search_path": "empty,public"})
    assert _aggregate(same, "Doubled") == "by Doubled"
    assert sum(row[1] for row in answer(same, _query("Doubled")).rows) == 1111


def _session_settings(dialect: str) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({name: st.sampled_from(values) for name, values in _CHOICES[dialect].items()})


@settings(
    max_examples=int(os.environ.get("SESSION_EXAMPLES", "8")),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_answers_are_those_of_the_facts_under_any_settings(
    deployed_dialect: str, open_with: Open, data: st.DataObject
) -> None:
    """Aggregates are built under some settings and asked under others, for each attribute."""
    _build(open_with(data.draw(_session_settings(deployed_dialect), label="built under")))

    workspace = open_with(data.draw(_session_settings(deployed_dialect), label="asked under"))

    for attribute in attributes(deployed_dialect):
        try:
            expected_rows = _rows(workspace, attribute, use_aggregates=False)
        except Exception as error:  # noqa: BLE001 - the same must be said of both
            expected_rows = [type(error).__name__]
        try:
            rows = _rows(workspace, attribute, use_aggregates=True)
        except Exception as error:  # noqa: BLE001
            rows = [type(error).__name__]
        assert rows == expected_rows, attribute


@pytest.mark.postgres
def test_a_backslash_is_a_backslash_in_every_session(deployed_dialect: str, open_with: Open) -> None:
    """`standard_conforming_strings = off` would read our literals as escapes."""
    if deployed_dialect != "postgres":
        pytest.skip("DuckDB has no such setting")
    run_sql(open_with({}), r"UPDATE facts SET letter = 'a\nb' WHERE amount = 10")
    _build(open_with({}))
    query = r"""SELECT "Letter", "Amount" FROM moments WHERE "Letter" = 'a\nb' ORDER BY 2"""

    workspace = open_with({"standard_conforming_strings": "off"})

    for use_aggregates in (True, False):
        assert answer(workspace, query, use_aggregates=use_aggregates).rows == [("a\\nb", 10)]


def test_a_schema_in_the_url_of_duckdb(warehouse_url: str, open_with: Open, tmp_path: Path) -> None:
    """Names without schema mean its tables, at the build and afterwards; another schema's aggregate does not answer."""
    if _dialect(warehouse_url) != "duckdb":
        pytest.skip("PostgreSQL has a search path")
    run_sql(open_with({}), *tables("duckdb"), "CREATE SCHEMA other", *tables("duckdb", "other.", 5000))
    deploy(open_with({}), write_session_model(tmp_path / "model", "duckdb"), now=utc_now())
    _build(open_with({"schema": "main"}))
    assert _aggregate(open_with({"schema": "main"}), "Doubled") == "by Doubled"

    other = open_with({"schema": "other"})

    assert _aggregate(other, "Doubled") is None
    assert sum(row[1] for row in answer(other, _query("Doubled")).rows) == 5111
