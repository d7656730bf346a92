"""Datasets as SQL: names as the warehouse spells them, variants of the dialect, errors by name."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, SqlVariant, TableColumns
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, find_dialect
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.oracles.composed_statements import datasets, physical

_TYPES = {"o_orderkey": "integer", "o_date": "date", "Mixed": "varchar", "mixed": "varchar", "is_new": "boolean"}


def _source(dialect="postgres", *, columns=(), types=_TYPES, schema=None, **dataset):
    row = find_dialect(dialect)
    made = Dataset(
        name="orders",
        schema=schema,
        columns={column.name: column for column in columns},
        where="orders.yml:1",
        **({"table": "orders"} | dataset),
    )
    return Sources({"orders": made}, {(None, schema, "orders"): types}, row)["orders"]


def _sql(source, name):
    return render(source.column(name, "t"), source.dialect)


def _calculated(*variants):
    return Column(name="c", variants=tuple(SqlVariant(dialect=name, sql=sql) for name, sql in variants))


@pytest.mark.parametrize(
    ("asked", "found"),
    [("O_ORDERKEY", '"t"."o_orderkey"'), ("mixed", '"t"."mixed"'), ("Mixed", '"t"."Mixed"')],
    ids=["without case", "exact lower", "exact mixed"],
)
def test_a_column_is_found_exactly_then_without_case(asked, found):
    assert _sql(_source(), asked) == found


def test_a_calculation_refers_to_physical_columns_under_the_alias():
    source = _source(columns=[_calculated((None, "O_OrderKey + 1"))])

    assert _sql(source, "c") == '("t"."o_orderkey" + 1)'


def test_a_calculation_may_use_another_calculation():
    inner = Column(name="d", variants=(SqlVariant(dialect=None, sql="o_orderkey * 2"),))

    assert _sql(_source(columns=[_calculated((None, "D + 1")), inner]), "c") == '(("t"."o_orderkey" * 2) + 1)'


def test_calculations_that_use_each_other_are_refused():
    other = Column(name="d", variants=(SqlVariant(dialect=None, sql="c + 1"),))

    with pytest.raises(DefinitionError, match=r"column `c` of dataset `orders`"):
        _sql(_source(columns=[_calculated((None, "d + 1")), other]), "c")


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [("snowflake", "1"), ("postgres", "2"), ("redshift", "2"), ("databricks", "3"), ("duckdb", "4"), ("trino", "4")],
)
def test_the_variant_of_the_dialect_is_taken_else_the_default(dialect, expected):
    column = _calculated(("Snowflake", "1"), ("Postgresql", "2"), ("DatabricksSQL", "3"), (None, "4"))

    assert _sql(_source(dialect, columns=[column]), "c") == f"({expected})"


def test_quarter_of_a_date_becomes_extract_on_postgres():
    assert _sql(_source(columns=[_calculated((None, "QUARTER(o_date)"))]), "c") == 'EXTRACT(QUARTER FROM "t"."o_date")'


def test_to_char_keeps_its_format_on_duckdb():
    source = _source("duckdb", columns=[_calculated((None, "TO_CHAR(o_date, 'YYYY-MM')"))])

    assert _sql(source, "c") == 'STRFTIME("t"."o_date", \'%Y-%m\')'


def test_sql_that_cannot_be_read_names_the_column_and_its_place():
    with pytest.raises(
        DefinitionError, match=r"calculated column `c` of dataset `orders` \(orders.yml:1\) cannot be read"
    ):
        _sql(_source(columns=[_calculated((None, "CASE WHEN"))]), "c")


def test_a_column_that_is_not_there_is_named_with_near_ones():
    with pytest.raises(DefinitionError, match=r"column `o_ordrkey` of dataset `orders`.*o_orderkey"):
        _sql(_source(), "o_ordrkey")


def test_a_table_that_is_not_there_is_named_with_near_ones():
    missing = Dataset(name="d", table="ordres", columns={}, where="d.yml:3")

    with pytest.raises(DefinitionError, match=r"table `ordres` of dataset `d` \(d.yml:3\).*`orders`"):
        Sources({"d": missing}, {(None, None, "orders"): _TYPES}, DIALECTS["duckdb"])["d"]


def test_a_value_out_of_a_map_is_refused_by_name():
    with pytest.raises(DefinitionError, match=r"column `color` of dataset `orders`.*map column `tags`"):
        _sql(_source(columns=[Column(name="color", parent_column="tags")]), "color")


def test_a_table_is_spelled_as_the_warehouse_does():
    source = _source("snowflake", schema="tpch", types=TableColumns(_TYPES, ("DB", "TPCH", "ORDERS")))

    assert render(source.relation("t"), source.dialect) == '"TPCH"."ORDERS" AS "t"'


@pytest.mark.parametrize(
    ("dialect", "folded"),
    [("postgres", '"a"'), ("snowflake", '"A"'), ("duckdb", '"A"')],
    ids=["lower", "upper", "keep"],
)
def test_a_query_is_folded_as_the_target_folds_and_quoted(dialect, folded):
    query = SqlVariant(dialect=None, sql='SELECT A, "Bc" FROM Orders')
    source = _source(dialect, table=None, variants=(query,))

    assert folded in render(source.relation("q"), source.dialect)
    assert _sql(source, "a") == f'"t".{folded}'
    assert _sql(source, "Bc") == '"t"."Bc"'


def test_a_query_that_selects_a_star_is_trusted():
    source = _source(table=None, variants=(SqlVariant(dialect=None, sql="SELECT * FROM orders"),))

    assert _sql(source, "Whatever") == '"t"."whatever"'


def test_each_use_of_a_column_is_its_own_tree():
    source = Sources(datasets(), physical(), DIALECTS["duckdb"])["day"]

    one, other = source.column("kind", "a"), source.column("kind", "b")

    assert '"a"."is_open"' in render(one, source.dialect)
    assert '"b"."is_open"' in render(other, source.dialect)


@pytest.mark.parametrize(
    ("sql", "data_type", "is_single"),
    [
        ("weight * 2", None, True),
        ("o_orderkey * 2", None, False),
        ("CAST(o_orderkey AS REAL)", None, True),
        ("CAST(weight AS DECIMAL(9, 2))", None, False),
        ("CAST(weight AS DECIMAL(9, 2))", "decimal", False),
        ("o_orderkey * 2", "double", True),
        ("d + 1", None, True),
    ],
)
def test_calculations_with_narrow_floating_numbers_are_known(sql, data_type, is_single):
    """What they are added up in decides whether small amounts are lost."""
    made = Column(name="c", data_type=data_type, variants=(SqlVariant(dialect=None, sql=sql),))
    other = Column(name="d", variants=(SqlVariant(dialect=None, sql="ABS(weight)"),))
    source = _source(columns=[made, other], types=_TYPES | {"weight": "real", "size": "double precision"})

    assert source.may_be_single("c") is is_single
    assert source.may_be_single("weight")
    assert not source.may_be_single("size")
