"""The rows of warehouses in a cloud: what the SQL parser's dialect of each knows of what its row names."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialect_rows.cloud_rows import BIGQUERY, REDSHIFT, SNOWFLAKE, TRINO, TSQL

_ROWS = (BIGQUERY, REDSHIFT, SNOWFLAKE, TRINO, TSQL)


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.name)
def test_the_functions_of_a_row_can_be_parsed_in_its_dialect(row: Dialect) -> None:
    names = [row.approx_count_distinct, row.hash_columns, row.variance_pop, row.epoch_micros]
    sketches = [sketch for sketch in (row.distinct_sketch, row.percentile_sketch) if sketch is not None]
    names += [name for sketch in sketches for name in (sketch.make, sketch.merge)]

    for name in filter(None, names):
        tree = sqlglot.parse_one(f"SELECT {name}(x) FROM t", read=row.sqlglot_name)
        assert tree.find(exp.Func, exp.Dot) is not None, name


def test_views_whose_columns_change_are_made_anew_where_a_replacement_may_not() -> None:
    assert {row.name for row in _ROWS if row.replace_view == "drop_create"} == {"redshift", "tsql"}
    assert all(row.transactional_ddl for row in _ROWS if row.replace_view == "drop_create")
