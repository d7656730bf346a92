"""Datasets as SQL: names as the warehouse spells them, variants of the dialect, errors by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, ExistingTables, SqlVariant, TableColumns
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, find_dialect
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.oracles.composed_statements import datasets, physical
from tests.support.stars.small_star import calculation

_TYPES = {"o_orderkey": "integer", "o_date": "date", "Mixed": "varchar", "mixed": "varchar", "is_new": "boolean"}


def _source(
    dialect: str = "postgres",
    *,
    columns: Iterable[Column] = (),
    types: Mapping[str, str] = _TYPES,
    database: str | None = None,
    schema: str | None = None,
) -> DatasetSource:
    """The dataset ``orders`` on a table of that name."""
    dataset = Dataset(
        name="orders",
        table="orders",
        database=database,
        schema=schema,
        columns={column.name: column for column in columns},
        where="orders.yml:1",
    )
    return Sources({"orders": dataset}, {(database, schema, "orders"): types}, find_dialect(dialect))["orders"]


def _query_source(dialect: str, sql: str, *columns: Column) -> DatasetSource:
    """The dataset ``orders`` as a query."""
    query = SqlVariant(dialect=None, sql=sql)
    dataset = Dataset(
        name="orders", variants=(query,), columns={column.name: column for column in columns}, where="orders.yml:1"
    )
    return Sources({"orders": dataset}, {}, find_dialect(dialect))["orders"]


def _sql(source: DatasetSource, name: str) -> str:
    return render(source.column(name, "t"), source.dialect)


def _calculated(*variants: tuple[str | None, str]) -> Column:
    return Column(name="c", variants=tuple(SqlVariant(dialect=name, sql=sql) for name, sql in variants))


@pytest.mark.parametrize(
    ("column", "expected"),
    [("O_ORDERKEY", '"t"."o_orderkey"'), ("mixed", '"t"."mixed"'), ("Mixed", '"t"."Mixed"')],
    ids=["without case", "exact lower", "exact mixed"],
)
def test_a_column_is_found_exactly_then_without_case(column: str, expected: str) -> None:
    assert _sql(_source(), column) == expected


def test_a_calculation_refers_to_physical_columns_under_the_alias() -> None:
    source = _source(columns=[_calculated((None, "O_OrderKey + 1"))])

    assert _sql(source, "c") == '("t"."o_orderkey" + 1)'


def test_a_calculation_may_use_another_calculation() -> None:
    inner = calculation("d", "o_orderkey * 2")

    assert _sql(_source(columns=[_calculated((None, "D + 1")), inner]), "c") == '(("t"."o_orderkey" * 2) + 1)'


@pytest.mark.parametrize("own", ["d + 1", "c + 1"], ids=["each other", "itself"])
def test_calculations_that_use_each_other_or_themselves_are_refused(own: str) -> None:
    other = calculation("d", "c + 1")

    with pytest.raises(DefinitionError, match=r"column `c` of dataset `orders`"):
        _sql(_source(columns=[_calculated((None, own)), other]), "c")


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [("snowflake", "1"), ("postgres", "2"), ("redshift", "2"), ("databricks", "3"), ("duckdb", "4"), ("trino", "4")],
)
def test_the_variant_of_the_dialect_is_taken_else_the_default(dialect: str, expected: str) -> None:
    column = _calculated(("Snowflake", "1"), ("Postgresql", "2"), ("DatabricksSQL", "3"), (None, "4"))

    assert _sql(_source(dialect, columns=[column]), "c") == f"({expected})"


def test_without_a_default_the_first_variant_is_taken_and_read_in_its_own_dialect() -> None:
    """Snowflake's IFF is CASE elsewhere."""
    column = _calculated(("Snowflake", "IFF(is_new, 1, 0)"), ("DatabricksSQL", "3"))

    assert _sql(_source("duckdb", columns=[column]), "c") == 'CASE WHEN "t"."is_new" THEN 1 ELSE 0 END'


def test_quarter_of_a_date_becomes_extract_on_postgres() -> None:
    assert _sql(_source(columns=[_calculated((None, "QUARTER(o_date)"))]), "c") == 'EXTRACT(QUARTER FROM "t"."o_date")'


def test_to_char_keeps_its_format_on_duckdb() -> None:
    source = _source("duckdb", columns=[_calculated((None, "TO_CHAR(o_date, 'YYYY-MM')"))])

    assert _sql(source, "c") == 'STRFTIME("t"."o_date", \'%Y-%m\')'


@pytest.mark.parametrize(
    ("name", "columns", "words"),
    [
        (
            "c",
            [_calculated((None, "CASE WHEN"))],
            r"SQL of calculated column `c` of dataset `orders` \(orders.yml:1\) cannot be read: \S",
        ),
        ("c", [_calculated((None, "gone + 1"))], r"column `gone` of dataset `orders` \(orders.yml:1\) is not in the"),
        ("o_ordrkey", [], r"column `o_ordrkey` of dataset `orders`.*Did you mean `o_orderkey`\?"),
        ("zzz", [], r"column `zzz` of dataset `orders`.*Correct the dataset"),
        (
            "color",
            [Column(name="color", parent_column="tags")],
            r"column `color` of dataset `orders`.*map column `tags`.*add a calculated column",
        ),
    ],
)
def test_a_column_that_cannot_be_said_is_refused_by_name_and_place(
    name: str, columns: list[Column], words: str
) -> None:
    source = _source(columns=columns)

    with pytest.raises(DefinitionError, match=words):
        source.column(name, "t")

    assert source.own(name) is None


def _missing(physical_tables: ExistingTables | dict[tuple[str | None, str | None, str], dict[str, str]]) -> Sources:
    dataset = Dataset(name="d", table="ordres", columns={}, where="d.yml:3")
    return Sources({"d": dataset}, physical_tables, DIALECTS["duckdb"])


def test_a_table_that_is_not_there_is_named_with_near_ones() -> None:
    with pytest.raises(DefinitionError, match=r"table `ordres` of dataset `d` \(d.yml:3\).*`orders`"):
        _missing({(None, None, "orders"): _TYPES})["d"]


def test_a_table_that_is_elsewhere_is_refused_with_the_reason() -> None:
    tables = ExistingTables({}, {(None, None, "ordres"): "is in schema `b` only"})

    with pytest.raises(DefinitionError, match=r"table `ordres` .* is in schema `b` only. Correct the schema"):
        _missing(tables)["d"]


def test_a_dataset_that_the_model_has_not_or_that_has_nothing_behind_it_is_refused() -> None:
    sources = Sources({"d": Dataset(name="d", columns={}, where="d.yml:3")}, {}, DIALECTS["duckdb"])

    with pytest.raises(DefinitionError, match="the model has no dataset `sales`"):
        sources["sales"]
    with pytest.raises(DefinitionError, match=r"dataset `d` \(d.yml:3\) has neither a table nor SQL"):
        sources["d"]


@pytest.mark.parametrize(
    ("database", "schema", "expected"),
    [
        (None, None, '"ORDERS" AS "t"'),
        (None, "tpch", '"TPCH"."ORDERS" AS "t"'),
        ("db", "tpch", '"DB"."TPCH"."ORDERS" AS "t"'),
        ("db", None, '"ORDERS" AS "t"'),
    ],
)
def test_a_table_is_spelled_as_the_warehouse_does(database: str | None, schema: str | None, expected: str) -> None:
    """What the model leaves to the warehouse's defaults stays there."""
    table = TableColumns(_TYPES, ("DB", "TPCH", "ORDERS"))
    source = _source("snowflake", database=database, schema=schema, types=table)

    assert render(source.relation("t"), source.dialect) == expected
    assert source.place == ("DB", "TPCH", "ORDERS")


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        (
            "is_away",
            True,
            r"table `main.orders` of dataset `orders` \(orders.yml:1\) is not in the warehouse now.*load",
        ),
        ("closed", "schema", r"USAGE of its schema is not granted. Run: GRANT USAGE ON SCHEMA \"main\" TO ROLE"),
        ("closed", "table", r"SELECT is not granted. Run: GRANT SELECT ON \"main\".\"orders\" TO ROLE"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_what_is_to_be_done(
    attribute: str, value: object, words: str
) -> None:
    """Its columns are known all the same, so that what was built can be described."""
    table = TableColumns(_TYPES, ("", "main", "orders"))
    setattr(table, attribute, value)
    source = _source(types=table)

    with pytest.raises(DefinitionError, match=words):
        source.relation("t")

    assert _sql(source, "o_date") == '"t"."o_date"'


def test_a_column_that_may_not_be_read_is_refused_with_the_right_that_is_missing() -> None:
    table = TableColumns(_TYPES, ("", "main", "orders"))
    table.closed_columns = frozenset({"Mixed"})
    source = _source(types=table)

    with pytest.raises(DefinitionError, match=r'column `Mixed` .*GRANT SELECT \("Mixed"\) ON "main"."orders" TO ROLE'):
        source.column("Mixed", "t")

    assert render(source.relation("t"), source.dialect) == '"orders" AS "t"'
    assert _sql(source, "mixed") == '"t"."mixed"'


@pytest.mark.parametrize(
    ("dialect", "folded"),
    [("postgres", '"a"'), ("snowflake", '"A"'), ("duckdb", '"A"')],
    ids=["lower", "upper", "keep"],
)
def test_a_query_is_folded_as_the_target_folds_and_quoted(dialect: str, folded: str) -> None:
    source = _query_source(dialect, 'SELECT A, "Bc" FROM Orders')

    assert folded in render(source.relation("q"), source.dialect)
    assert _sql(source, "a") == f'"t".{folded}'
    assert _sql(source, "Bc") == '"t"."Bc"'
    assert source.place is None


def test_a_query_that_selects_a_star_is_trusted() -> None:
    assert _sql(_query_source("postgres", "SELECT * FROM orders"), "Whatever") == '"t"."whatever"'


def test_a_query_that_does_not_select_a_column_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"column `b` of dataset `orders`"):
        _query_source("postgres", "SELECT a FROM orders").column("b", "t")


def test_a_query_that_cannot_be_read_names_the_dataset_and_its_place() -> None:
    with pytest.raises(DefinitionError, match=r"the SQL of dataset `orders` \(orders.yml:1\) cannot be read"):
        _query_source("postgres", "SELECT FROM WHERE (")


@pytest.mark.parametrize("dialect", ["duckdb", "spark", "snowflake"])
def test_sql_that_cannot_be_said_in_a_dialect_is_refused_by_name(dialect: str) -> None:
    """Not when it is a part of a statement: that would stop the whole batch."""
    with pytest.raises(
        DefinitionError, match=rf"dataset `orders` \(orders.yml:1\) cannot be said in {dialect}: Locking"
    ):
        _query_source(dialect, "SELECT a FROM orders FOR UPDATE")


def test_sql_that_a_warehouse_means_otherwise_and_that_cannot_be_said_there_is_refused_by_name() -> None:
    refused = "o_orderkey NOT IN (SELECT 1)"

    with pytest.raises(DefinitionError, match=r"calculated column `c` of dataset `orders`.*cannot be said in clickh"):
        _source("clickhouse", columns=[_calculated((None, refused))]).column("c", "t")
    with pytest.raises(
        DefinitionError, match=r"dataset `orders` \(orders.yml:1\) cannot be said in clickhouse: NOT IN"
    ):
        _query_source("clickhouse", f"SELECT a FROM orders WHERE {refused}")
    assert "NOT" in _sql(_source("duckdb", columns=[_calculated((None, refused))]), "c")


def test_each_use_of_a_column_is_its_own_tree() -> None:
    source = Sources(datasets(), physical(), DIALECTS["duckdb"])["day"]

    first, second = source.column("kind", "a"), source.column("kind", "b")

    assert '"a"."is_open"' in render(first, source.dialect)
    assert '"b"."is_open"' in render(second, source.dialect)


@pytest.mark.parametrize(
    ("column", "data_type", "physical_name", "is_physical", "hashed"),
    [
        ("O_DATE", "date", "o_date", True, ("o_date",)),
        ("c", "bigint", None, False, ("is_new", "o_orderkey")),
        ("d", "", None, False, ("is_new", "o_orderkey")),
        ("now", "timestamp", None, False, ()),
        ("Declared", "date", "declared", True, ("declared",)),
    ],
)
def test_what_is_known_of_a_column(
    column: str, data_type: str, physical_name: str | None, is_physical: bool, hashed: tuple[str, ...]
) -> None:
    """The warehouse's type of a physical column goes before the model's; only the model tells that of a calculation."""
    own = "CASE WHEN is_new THEN o_orderkey END"
    source = _source(
        columns=[
            calculation("c", own, "BIGINT"),
            calculation("d", "c + 1"),
            calculation("now", "CURRENT_TIMESTAMP", "timestamp"),
            Column(name="Declared", data_type="DATE"),
            Column(name="O_DATE", data_type="string"),
        ],
        types=_TYPES | {"declared": ""},
    )

    assert source.data_type(column) == data_type
    assert source.physical_name(column) == physical_name
    assert source.is_physical(column) is is_physical
    assert source.hashable([column]) == hashed
    assert source.find_column_type(column) == (_TYPES.get(column.casefold(), "") if is_physical else "")


def test_a_calculation_stands_without_a_table_where_no_table_is_meant() -> None:
    own = _source(columns=[calculation("c", "(O_Orderkey + 1)")]).own("c")

    assert own is not None
    assert render(own, find_dialect("duckdb")) == '"o_orderkey" + 1'


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
        ("gone + 1", None, False),
    ],
)
def test_calculations_with_narrow_floating_numbers_are_known(sql: str, data_type: str | None, is_single: bool) -> None:
    """What they are added up in decides whether small amounts are lost."""
    source = _source(
        columns=[calculation("c", sql, data_type), calculation("d", "ABS(weight)")],
        types=_TYPES | {"weight": "real", "size": "double precision"},
    )

    assert source.may_be_single("c") is is_single
    assert source.may_be_single("weight")
    assert not source.may_be_single("size")


@pytest.mark.parametrize(
    ("data_type", "is_single"), [("double", True), ("float", True), ("decimal", False), (None, False)]
)
def test_a_column_of_a_query_is_as_narrow_as_the_model_says(data_type: str | None, is_single: bool) -> None:
    """Nobody else tells the types of a query's columns."""
    source = _query_source("postgres", "SELECT a FROM orders", Column(name="a", data_type=data_type))

    assert source.may_be_single("a") is is_single
