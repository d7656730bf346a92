"""Models in the views of a catalog: each view has the columns that are shown, and DuckDB knows all the words."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.sql.model_relations import (
    CATALOG_FUNCTIONS,
    DUCKDB_MISSING,
    DUCKDB_TEXTS,
    DUCKDB_VALUES,
    DUCKDB_VIEWS,
    HARMLESS,
    MODEL_VIEWS,
    POSTGRES_VALUES,
    PRIVILEGES,
    TO_RELATION,
    VISIBLE,
    Shown,
)

_VIEWS = pytest.mark.parametrize("view", MODEL_VIEWS, ids=".".join)

_MODELS = """\
WITH models(schema, schema_number, model, number, width, name, place, type) AS
(VALUES ('retail', 70, 'Sales', 71, 2, 'Net Price', 1, '{kind}'))"""


@_VIEWS
def test_what_is_shown_of_a_model_is_a_value_of_the_views_column(view: tuple[str, str]) -> None:
    """Columns that DuckDB's view has not are PostgreSQL's. The values fit under the view's own rows."""
    connection = duckdb.connect()
    own = connection.execute(f"SELECT * FROM {view[0]}.{view[1]} LIMIT 0").description or ()
    names = [column[0] for column in own]
    values = {**MODEL_VIEWS[view].columns, **DUCKDB_VALUES}

    ours = ", ".join(values.get(name, "NULL") for name in names)
    rows = connection.execute(
        f"{_MODELS.format(kind='DECIMAL(9,2)')} SELECT * FROM {view[0]}.{view[1]} WHERE FALSE "
        f"UNION ALL SELECT {ours} FROM models"
    ).fetchall()

    (row,) = (dict(zip(names, row, strict=True)) for row in rows)
    shown = {value for name, value in row.items() if name in MODEL_VIEWS[view].columns}
    assert shown >= _WHAT_A_MODEL_SHOWS[MODEL_VIEWS[view].shown]
    assert MODEL_VIEWS[view].columns.keys() & set(names)


_WHAT_A_MODEL_SHOWS: dict[Shown, set[object]] = {
    Shown.SCHEMA: {"retail"},
    Shown.RELATION: {"Sales"},
    Shown.COLUMN: {"Net Price", 1},
}


@pytest.mark.parametrize(
    ("kind", "type_name", "modifier"),
    [
        ("INTEGER", "int4", -1),
        ("VARCHAR", "varchar", -1),
        ("DECIMAL(9,2)", "numeric", 9002),
        ("DECIMAL(18,10)", "numeric", 18010),
        ("TIMESTAMP WITH TIME ZONE", "timestamptz", -1),
    ],
)
def test_a_models_column_has_the_type_and_length_that_duckdb_gives_its_own(
    kind: str, type_name: str, modifier: int
) -> None:
    """DuckDB's own column of the type is the example."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE own (x {kind})")
    select = ", ".join(DUCKDB_VALUES[name] for name in ("atttypid", "atttypmod"))

    shown = connection.execute(f"{_MODELS.format(kind=kind)} SELECT {select} FROM models").fetchall()

    assert shown == connection.execute("SELECT atttypid, atttypmod FROM pg_attribute WHERE attname = 'x'").fetchall()
    assert shown[0][1] == modifier
    joined = connection.execute(
        f"SELECT typname FROM ({DUCKDB_VIEWS['pg_type']}) AS t WHERE t.oid = {shown[0][0]}"
    ).fetchall()
    assert joined == [(type_name,)]


@pytest.mark.parametrize(
    ("view", "columns"),
    [
        ("pg_matviews", ["schemaname", "matviewname", "matviewowner", "tablespace", "definition"]),
        ("pg_stat_user_tables", ["relid", "schemaname", "relname", "n_live_tup"]),
        ("pg_inherits", ["inhrelid", "inhparent", "inhseqno"]),
    ],
)
def test_views_that_duckdb_has_not_have_columns_and_no_rows(view: str, columns: list[str]) -> None:
    connection = duckdb.connect()
    with pytest.raises(duckdb.CatalogException):
        connection.execute(f"SELECT * FROM pg_catalog.{view}")

    cursor = connection.execute(DUCKDB_VIEWS[view])

    assert [column[0] for column in cursor.description or ()] == columns
    assert cursor.fetchall() == []


@pytest.mark.parametrize("name", DUCKDB_MISSING)
def test_functions_that_are_replaced_on_duckdb_are_harmless_and_what_they_say_runs(name: str) -> None:
    connection = duckdb.connect()

    ((value,),) = connection.execute(f"SELECT {DUCKDB_MISSING[name]}").fetchall()

    assert value == ("duckdb" if name == "pg_get_userbyid" else None)
    assert name in HARMLESS


def test_a_text_that_names_a_relation_of_the_catalog_is_a_number_on_duckdb() -> None:
    """Comments are those of the session's own database."""
    connection = duckdb.connect()
    for text in DUCKDB_TEXTS.values():
        ((number,),) = connection.execute(f"SELECT {text}").fetchall()

        own = "SELECT database_oid FROM duckdb_databases() WHERE database_name = 'memory'"
        assert [(number,)] == connection.execute(own).fetchall()


@pytest.mark.parametrize("values", [POSTGRES_VALUES, *(view.columns for view in MODEL_VIEWS.values())])
def test_every_value_is_one_expression_that_postgres_reads(values: dict[str, str]) -> None:
    for text in values.values():
        assert not isinstance(sqlglot.parse_one(text, read="postgres"), exp.Command)


@pytest.mark.parametrize("name", sorted({*HARMLESS, *PRIVILEGES, VISIBLE, TO_RELATION} - {"format_type"}))
def test_functions_that_may_be_asked_are_known_as_functions_of_the_catalog(name: str) -> None:
    """What is not known so is passed on as any other function."""
    assert name.startswith(CATALOG_FUNCTIONS)


@pytest.mark.parametrize(
    ("call", "relation"),
    [
        ("has_table_privilege('me', 'sales', 'select')", "sales"),
        ("has_table_privilege('sales', 'select')", "sales"),
        ("has_column_privilege('sales', 'price', 'select')", "sales"),
        ("has_schema_privilege('me', 'retail', 'usage')", "retail"),
    ],
)
def test_the_place_of_the_name_is_counted_from_the_end(call: str, relation: str) -> None:
    """The role at the beginning may be left out."""
    function = sqlglot.parse_one(call, read="postgres")

    place, shown, right = PRIVILEGES[function.name]

    assert function.expressions[place].name == relation
    assert function.expressions[-1].name == right
    assert shown is (Shown.SCHEMA if right == "usage" else Shown.RELATION)
