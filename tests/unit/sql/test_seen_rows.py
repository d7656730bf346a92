"""Which rows a condition leaves, and how a restricted relation keeps expressions from the others."""

from __future__ import annotations

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.row_security import Reader, RowRules
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.seen_rows import SeenRows, guarded
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.documents import resolve_documents
from tests.support.stars.secured_star import COLUMNS, Rule, documents

_SHOP_KEY = ("shop", ("shop_id",))
_CITY_KEY = ("city", ("city_id",))


def _seen(rule: Rule, reader: Reader, *keys: tuple[str, tuple[str, ...]], dialect: str = "postgres") -> SeenRows:
    model = resolve_documents(documents(rule), "star").model
    physical: dict[TableKey, dict[str, str]] = {
        (None, None, name): dict(column.split(" ", 1) for column in columns) for name, columns in COLUMNS.items()
    }
    sources = Sources(model.datasets, physical, find_dialect(dialect))
    return SeenRows(RowRules(model, JoinPaths(model)), model.row_securities, sources, reader, frozenset(keys))


def _condition(seen: SeenRows, dataset: str) -> str:
    return render(seen.of_dataset(dataset, seen.rules.of(dataset), "t"), seen.sources.dialect)


def test_a_fact_is_seen_by_what_its_joins_meet() -> None:
    seen = _seen(Rule(("region",)), Reader("ann"), _SHOP_KEY, _CITY_KEY)

    assert _condition(seen, "returns") == (
        '"t"."shop_id" IN (SELECT "seen_2"."shop_id" FROM "shop" AS "seen_2" WHERE "seen_2"."city_id" IN (SELECT '
        '"seen_1"."city_id" FROM "city" AS "seen_1" WHERE "seen_1"."region" IN (SELECT "rights"."key" FROM "rights" AS '
        '"rights" WHERE CAST("rights"."person" AS TEXT) = \'ann\')))'
    )


def test_of_several_rows_of_a_key_all_must_be_seen() -> None:
    condition = _condition(_seen(Rule(("region",)), Reader("ann"), _CITY_KEY), "returns")

    assert 'GROUP BY "seen_2"."shop_id" HAVING COUNT(*) = COUNT(CASE WHEN "seen_2"."city_id" IN' in condition


@pytest.mark.parametrize(
    ("reader", "who"),
    [
        (Reader("ann", ("red",)), 'CAST("rights"."team" AS TEXT) = \'red\''),
        (Reader("ann", ("red", "o'blue")), "CAST(\"rights\".\"team\" AS TEXT) IN ('red', 'o''blue')"),
        (Reader("red", ()), "FALSE"),
    ],
)
def test_who_is_meant(reader: Reader, who: str) -> None:
    """A user of a group's name is not the group, and somebody without groups sees nothing."""
    condition = _condition(_seen(Rule(("kind of the sale",), "group"), reader), "sales")

    assert condition == f'"t"."kind" IN (SELECT "rights"."key" FROM "rights" AS "rights" WHERE {who})'


def test_members_are_seen_where_facts_that_are_seen_have_them() -> None:
    seen = _seen(Rule(("kind of the sale",)), Reader("ann"))

    assert '"t"."day_id" IN (SELECT "met_1"."day_id" FROM "sales" AS "met_1" WHERE "met_1"."kind" IN' in _condition(
        seen, "day"
    )


@pytest.mark.parametrize(
    ("dialect", "marker", "end"), [("postgres", "TRUE", " OFFSET 0"), ("duckdb", "RANDOM() < 2", "")]
)
def test_a_restricted_relation_has_a_marker_that_is_known_behind_it_only(dialect: str, marker: str, end: str) -> None:
    seen = _seen(Rule(("region",)), Reader("ann"), dialect=dialect)
    relation = exp.Table(this=exp.to_identifier("sales", quoted=True), alias=exp.to_identifier("f", quoted=True))

    sql = render(seen.restrict(relation, "f", exp.false()), seen.sources.dialect)

    assert sql == f'(SELECT "f".*, {marker} AS "row is seen" FROM "sales" AS "f" WHERE FALSE{end}) AS "f"'


def test_a_value_depends_on_the_marker() -> None:
    value = guarded(exp.column("city", quoted=True), "f")

    assert value.sql("postgres") == 'CASE WHEN "f"."row is seen" THEN "city" END'
