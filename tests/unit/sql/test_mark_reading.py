"""The mark is read by the text that the SQL library would write."""

from __future__ import annotations

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.mark_reading import COLUMNS, MARK_TABLE, read_mark
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import render, table


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("schema", ["", "aggs", "My Aggs", "a\"b`c]d[e'f", "order"])
def test_each_dialect_quotes_names_as_the_sql_library_does(schema: str, dialect: Dialect) -> None:
    select = exp.select(*(column_of(name) for name in COLUMNS)).from_(table(MARK_TABLE, schema))

    assert read_mark(schema, dialect) == render(select, dialect)
