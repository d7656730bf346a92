"""A star like that of the Star Schema Benchmark (O'Neil et al., 2009): synthetic data, 13 queries, a model with
aggregates.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

_SETUP = (
    """CREATE TABLE dates AS SELECT CAST(strftime(d, '%Y%m%d') AS INTEGER) AS d_datekey, year(d)::INTEGER AS d_year,
       (year(d) * 100 + month(d))::INTEGER AS d_yearmonthnum, strftime(d, '%b%Y') AS d_yearmonth,
       CAST(ceil(dayofyear(d) / 7.0) AS INTEGER) AS d_weeknuminyear, row_number() OVER (ORDER BY d) AS n
       FROM range(TIMESTAMP '1992-01-01', TIMESTAMP '1999-01-01', INTERVAL 1 DAY) t(d)""",
    """CREATE TABLE places AS SELECT i AS n, 'NATION ' || (i % 25) || '.' || (i % 10) AS city,
       CASE i % 25 WHEN 0 THEN 'UNITED STATES' WHEN 1 THEN 'UNITED KINGDOM' ELSE 'NATION ' || (i % 25) END AS nation,
       ['AMERICA', 'EUROPE', 'ASIA', 'AFRICA', 'MIDDLE EAST'][1 + i % 25 % 5] AS region FROM range(250) t(i)""",
    """CREATE TABLE customer AS SELECT (i + 1)::INTEGER AS c_custkey, city AS c_city, nation AS c_nation,
       region AS c_region
       FROM range(30000) t(i) JOIN places ON n = i % 250""",
    """CREATE TABLE supplier AS SELECT (i + 1)::INTEGER AS s_suppkey, city AS s_city, nation AS s_nation,
       region AS s_region
       FROM range(2000) t(i) JOIN places ON n = (i * 7) % 250""",
    """CREATE TABLE part AS SELECT (i + 1)::INTEGER AS p_partkey, 'MFGR#' || (1 + i % 5) AS p_mfgr,
       'MFGR#' || (1 + i % 5) || (1 + i // 5 % 5) AS p_category,
       'MFGR#' || (1 + i % 5) || (1 + i // 5 % 5) || (1 + i // 25 % 40) AS p_brand1 FROM range(200000) t(i)""",
    """CREATE TABLE lineorder AS SELECT i::INTEGER AS lo_orderkey, d_datekey AS lo_orderdate,
       (1 + hash(i, 1) % 30000)::INTEGER AS lo_custkey, (1 + hash(i, 2) % 2000)::INTEGER AS lo_suppkey,
       (1 + hash(i, 3) % 200000)::INTEGER AS lo_partkey, (1 + hash(i, 4) % 50)::INTEGER AS lo_quantity,
       (hash(i, 5) % 11)::INTEGER AS lo_discount, (90000 + hash(i, 6) % 9000000)::BIGINT AS lo_extendedprice,
       (80000 + hash(i, 7) % 8000000)::BIGINT AS lo_revenue, (50000 + hash(i, 8) % 60000)::BIGINT AS lo_supplycost
       FROM range({rows}) t(i) JOIN dates ON dates.n = 1 + i * 2557 // {rows}""",
    "DROP TABLE places",
    "ALTER TABLE dates DROP n",
)

_BY_DATE = "FROM lineorder JOIN dates ON lo_orderdate = d_datekey"
_Q2 = (
    "SELECT SUM(lo_revenue) AS revenue, d_year, p_brand1 FROM lineorder, dates, part, supplier WHERE lo_orderdate = "
    "d_datekey "
    "AND lo_partkey = p_partkey AND lo_suppkey = s_suppkey AND {0} GROUP BY d_year, p_brand1 ORDER BY d_year, p_brand1"
)
_Q3 = (
    "SELECT {0}, {1}, d_year, SUM(lo_revenue) AS revenue FROM customer, lineorder, supplier, dates "
    "WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_orderdate = d_datekey AND {2} "
    "GROUP BY {0}, {1}, d_year ORDER BY d_year ASC, revenue DESC"
)
_Q4 = (
    "SELECT {0}, SUM(lo_revenue - lo_supplycost) AS profit FROM dates, customer, supplier, part, lineorder "
    "WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_partkey = p_partkey AND lo_orderdate = d_datekey "
    "AND {1} "
    "GROUP BY {0} ORDER BY {0}"
)
_TWO_CITIES = "c_city IN ('NATION 1.1', 'NATION 1.6') AND s_city IN ('NATION 1.1', 'NATION 1.6')"

QUERIES: dict[str, str] = {
    "Q1.1": f"SELECT SUM(lo_extendedprice * lo_discount) AS revenue {_BY_DATE} "
    "WHERE d_year = 1993 AND lo_discount BETWEEN 1 AND 3 AND lo_quantity < 25",
    "Q1.2": f"SELECT SUM(lo_extendedprice * lo_discount) AS revenue {_BY_DATE} "
    "WHERE d_yearmonthnum = 199401 AND lo_discount BETWEEN 4 AND 6 AND lo_quantity BETWEEN 26 AND 35",
    "Q1.3": f"SELECT SUM(lo_extendedprice * lo_discount) AS revenue {_BY_DATE} "
    "WHERE d_weeknuminyear = 6 AND d_year = 1994 AND lo_discount BETWEEN 5 AND 7 AND lo_quantity BETWEEN 26 AND 35",
    "Q2.1": _Q2.format("p_category = 'MFGR#12' AND s_region = 'AMERICA'"),
    "Q2.2": _Q2.format("p_brand1 BETWEEN 'MFGR#2221' AND 'MFGR#2228' AND s_region = 'ASIA'"),
    "Q2.3": _Q2.format("p_brand1 = 'MFGR#2221' AND s_region = 'EUROPE'"),
    "Q3.1": _Q3.format(
        "c_nation", "s_nation", "c_region = 'ASIA' AND s_region = 'ASIA' AND d_year >= 1992 AND d_year <= 1997"
    ),
    "Q3.2": _Q3.format(
        "c_city", "s_city", "c_nation = 'UNITED STATES' AND s_nation = 'UNITED STATES' AND d_year BETWEEN 1992 AND 1997"
    ),
    "Q3.3": _Q3.format("c_city", "s_city", f"{_TWO_CITIES} AND d_year >= 1992 AND d_year <= 1997"),
    "Q3.4": _Q3.format("c_city", "s_city", f"{_TWO_CITIES} AND d_yearmonth = 'Dec1997'"),
    "Q4.1": _Q4.format(
        "d_year, c_nation", "c_region = 'AMERICA' AND s_region = 'AMERICA' AND (p_mfgr = 'MFGR#1' OR p_mfgr = 'MFGR#2')"
    ),
    "Q4.2": _Q4.format(
        "d_year, s_nation, p_category",
        "c_region = 'AMERICA' AND s_region = 'AMERICA' AND d_year IN (1997, 1998) AND (p_mfgr = 'MFGR#1' OR p_mfgr = "
        "'MFGR#2')",
    ),
    "Q4.3": _Q4.format(
        "d_year, s_city, p_brand1", "s_nation = 'UNITED STATES' AND d_year IN (1997, 1998) AND p_category = 'MFGR#14'"
    ),
}
"""As plain SQL on the tables."""

_DIMENSIONS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "Date": ("dates", ("d_year", "d_yearmonthnum", "d_datekey"), ("d_yearmonth", "d_weeknuminyear")),
    "Customer": ("customer", ("c_region", "c_nation", "c_city", "c_custkey"), ()),
    "Supplier": ("supplier", ("s_region", "s_nation", "s_city", "s_suppkey"), ()),
    "Part": ("part", ("p_mfgr", "p_category", "p_brand1", "p_partkey"), ()),
}
_DEGENERATE = ("lo_discount", "lo_quantity")
_FOREIGN_KEYS = {"Date": "lo_orderdate", "Customer": "lo_custkey", "Supplier": "lo_suppkey", "Part": "lo_partkey"}
_AGGREGATES = {
    "q1 year": ("d_year", "lo_discount", "lo_quantity"),
    "q1 month": ("d_yearmonthnum", "lo_discount", "lo_quantity"),
    "q1 week": ("d_year", "d_weeknuminyear", "lo_discount", "lo_quantity"),
    "q2": ("d_year", "p_category", "p_brand1", "s_region"),
    "q3 nations": ("d_year", "c_region", "c_nation", "s_region", "s_nation"),
    "q3 cities": ("d_year", "c_nation", "c_city", "s_nation", "s_city"),
    "q3 months": ("d_year", "d_yearmonth", "c_city", "s_city"),
    "q4 nations": ("d_year", "c_region", "c_nation", "s_region", "s_nation", "p_mfgr", "p_category"),
    "q4 brands": ("d_year", "c_region", "s_nation", "s_city", "p_category", "p_brand1"),
}
"""Coarser levels stand beside finer ones: they add no groups, and nothing is joined back to large dimensions.

Q4.3 joins customers without using them; `q4 brands` stores their coarsest level so that it knows which facts have one.
Places
lie in 50 cities here: with the 250 of the original, `q3 months` and `q4 brands` would have about as many groups as
facts.
"""

_METRICS = {"Discounted": "lo_discounted", "Revenue": "lo_revenue", "Profit": "lo_profit"}


def create_ssb(connection: Any, rows: int) -> None:
    """Fill an empty DuckDB connection's current schema; ``rows`` order lines in date order."""
    for statement in _SETUP:
        connection.execute(statement.format(rows=rows))


def copy_ssb(connection: Any, url: str) -> None:
    """Copy the star from a DuckDB connection into an empty PostgreSQL database (``postgresql+psycopg://…``)."""
    with (
        psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as target,
        tempfile.TemporaryDirectory() as folder,
    ):
        for table in (*(name for name, *_ in _DIMENSIONS.values()), "lineorder"):
            columns = connection.execute(f"DESCRIBE {table}").fetchall()
            target.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind, *_ in columns)})")
            text = Path(folder) / f"{table}.csv"
            connection.execute(f"COPY {table} TO '{text}' (HEADER false)")
            with text.open("rb") as lines, target.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy:
                while chunk := lines.read(1 << 20):
                    copy.write(chunk)
        target.execute("VACUUM ANALYZE")


def write_ssb_model(folder: Path) -> Path:
    """The SML model; the folder. Attributes are named as their columns are."""
    _write(folder, "catalog", {"unique_name": "ssb", "object_type": "catalog", "label": "SSB", "version": "1.6"})
    _write(
        folder,
        "connection",
        {"unique_name": "warehouse", "object_type": "connection", "label": "w", "as_connection": "warehouse"},
    )
    calculated = [
        {"name": "lo_discounted", "data_type": "long", "sql": "lo_extendedprice * lo_discount"},
        {"name": "lo_profit", "data_type": "long", "sql": "lo_revenue - lo_supplycost"},
    ]
    _write(
        folder, "lineorder", _dataset("lineorder", (*_FOREIGN_KEYS.values(), *_DEGENERATE, "lo_revenue"), calculated)
    )
    for name, (table, levels, others) in _DIMENSIONS.items():
        _write(folder, f"{table}_data", _dataset(table, (*levels, *others)))
        _write(folder, table, _dimension(name, table, levels, others))
    for column in _DEGENERATE:
        _write(folder, column, {**_dimension(f"{column} values", "lineorder", (column,), ()), "is_degenerate": True})
    for name, column in _METRICS.items():
        metric = {"unique_name": name, "object_type": "metric", "label": name, "calculation_method": "sum"}
        _write(folder, name, {**metric, "dataset": "lineorder", "column": column})
    _write(folder, "model", _model())
    return folder


def _dataset(table: str, columns: Sequence[str], calculated: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    plain = [{"name": column, "data_type": "string"} for column in columns]
    said = {
        "unique_name": table,
        "object_type": "dataset",
        "label": table,
        "connection_id": "warehouse",
        "table": table,
    }
    return {**said, "columns": [*plain, *calculated]}


def _dimension(name: str, table: str, levels: Sequence[str], others: Sequence[str]) -> dict[str, Any]:
    def attribute(column: str) -> dict[str, Any]:
        return {
            "unique_name": column,
            "label": column,
            "dataset": table,
            "key_columns": [column],
            "name_column": column,
        }

    finest: dict[str, Any] = {"unique_name": levels[-1]}
    if others:
        finest["secondary_attributes"] = [attribute(column) for column in others]
    shown = [*({"unique_name": level} for level in levels[:-1]), finest]
    return {
        "unique_name": name,
        "object_type": "dimension",
        "label": name,
        "type": "standard",
        "hierarchies": [{"unique_name": f"{name} levels", "label": name, "levels": shown}],
        "level_attributes": [{**attribute(level), "is_unique_key": level == levels[-1]} for level in levels],
    }


def _model() -> dict[str, Any]:
    owner = {column: name for name, (_, levels, others) in _DIMENSIONS.items() for column in (*levels, *others)}
    owner |= {column: f"{column} values" for column in _DEGENERATE}
    return {
        "unique_name": "ssb_model",
        "object_type": "model",
        "label": "SSB",
        "relationships": [
            {
                "unique_name": f"lineorder_{name}",
                "from": {"dataset": "lineorder", "join_columns": [key]},
                "to": {"dimension": name, "level": _DIMENSIONS[name][1][-1]},
            }
            for name, key in _FOREIGN_KEYS.items()
        ],
        "dimensions": [f"{column} values" for column in _DEGENERATE],
        "metrics": [{"unique_name": name} for name in _METRICS],
        "aggregates": [
            {
                "unique_name": name,
                "label": name,
                "attributes": [{"name": column, "dimension": owner[column]} for column in grain],
                "metrics": list(_METRICS),
            }
            for name, grain in _AGGREGATES.items()
        ],
    }


def _write(folder: Path, name: str, value: dict[str, Any]) -> None:
    """Write a document as JSON, which is valid YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yml").write_text(json.dumps(value, indent=1), encoding="utf-8")
