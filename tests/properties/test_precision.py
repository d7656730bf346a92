"""Measures of every numeric type: the aggregate's answer, the facts' answer, and exact arithmetic say the same."""

from __future__ import annotations

import math
import os
import statistics
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.stars import tiny_star

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "48")) // 8

METHODS = {
    "Total": "sum",
    "Number": "count non-null",
    "Least": "minimum",
    "Greatest": "maximum",
    "Mean": "average",
    "Var Pop": "var_pop",
    "Var Samp": "var_samp",
    "Dev Pop": "stddev_pop",
    "Dev Samp": "stddev_samp",
}
"""Metrics of one column that roll up, by name."""

DISTINCT = {"Distinct": "count distinct", "Distinct Total": "sum distinct"}
"""Those that are stored at the very grain only."""

_MODEL = """\
unique_name: measured
object_type: model
label: Measured
relationships: []
dimensions: [Coarse, Fine]
metrics:
{metrics}
aggregates:
  - unique_name: fine
    label: fine
    attributes:
      - {{name: Coarse Name, dimension: Coarse}}
      - {{name: Fine Name, dimension: Fine}}
    metrics: [{names}]
"""
_DIMENSION = """\
unique_name: {name}
object_type: dimension
label: {name}
type: standard
is_degenerate: true
hierarchies:
  - unique_name: {name} levels
    label: {name} levels
    filter_empty: 'yes'
    levels:
      - unique_name: {name} Name
level_attributes:
  - {{unique_name: {name} Name, label: {name} Name, dataset: sales, key_columns: [{column}], name_column: {column}}}
"""


@dataclass(frozen=True)
class NumericType:
    """A type and its values; ``places``: decimal ones, None for floating numbers."""

    name: str
    least: int
    greatest: int
    places: int | None = 0
    is_single: bool = False

    def values(self) -> st.SearchStrategy[Any]:
        """Numbers of the type, NULL, and what is no finite number."""
        if self.places is not None:
            whole = st.one_of(
                st.integers(self.least, self.greatest), st.integers(-3, 3), st.just(self.greatest), st.just(self.least)
            )
            in_range = whole.filter(lambda number: self.least <= number <= self.greatest)
            return st.one_of(st.none(), in_range.map(lambda number: Fraction(number, 10 ** (self.places or 0))))
        width: Any = 32 if self.is_single else 64
        most = 2.0**60 if self.is_single else 2.0**300
        numbers = st.floats(-most, most, width=width, allow_nan=False, allow_subnormal=False)
        small = st.floats(-1, 1, width=width, allow_nan=False, allow_subnormal=False)
        odd = st.sampled_from([math.nan, math.inf, -math.inf])
        # Their squares cannot be told from zero.
        tiny = st.sampled_from([_single(1e-30), _single(2e-30)] if self.is_single else [1e-200, 2e-200])
        tenths = st.integers(-1000, 1000).map(lambda number: _single(number / 10) if self.is_single else number / 10)
        return st.one_of(st.none(), tenths, tenths, numbers, small, tiny, odd)

    def sql(self, value: Any) -> str:
        """A literal."""
        if value is None:
            return f"CAST(NULL AS {self.name})"
        if isinstance(value, float):
            return f"CAST('{value!r}' AS {self.name})"
        digits = str(int(abs(value) * 10**self.places)).rjust(self.places + 1, "0") if self.places is not None else ""
        whole, rest = digits[: len(digits) - (self.places or 0)], digits[len(digits) - (self.places or 0) :]
        return f"CAST('{'-' if value < 0 else ''}{whole}{'.' if rest else ''}{rest}' AS {self.name})"


def _single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _whole(name: str, bits: int, *, is_signed: bool = True) -> NumericType:
    return NumericType(name, -(2 ** (bits - 1)) if is_signed else 0, 2 ** (bits - is_signed) - 1)


def _decimal(name: str, width: int, places: int) -> NumericType:
    # Forty of the greatest fit into the 38 digits that DuckDB's sums have.
    most = 10 ** min(width, 36) - 1
    return NumericType(f"{name}({width}, {places})", -most, most, places)


_SHARED = (
    _whole("SMALLINT", 16),
    _whole("INTEGER", 32),
    _whole("BIGINT", 64),
    _decimal("NUMERIC", 3, 0),
    _decimal("NUMERIC", 9, 2),
    _decimal("NUMERIC", 18, 4),
    _decimal("NUMERIC", 38, 10),
    NumericType("REAL", 0, 0, None, is_single=True),
    NumericType("DOUBLE PRECISION", 0, 0, None),
)
DUCKDB_TYPES = (
    *_SHARED,
    _whole("TINYINT", 8),
    _whole("UTINYINT", 8, is_signed=False),
    _whole("UBIGINT", 64, is_signed=False),
    _whole("HUGEINT", 120),
)
POSTGRES_TYPES = (*_SHARED, NumericType("NUMERIC", -(10**50), 10**50, 7))

Row = tuple[str, str, Any]


@contextmanager
def _open_measured(folder: Path, url: str, kind: NumericType) -> Iterator[Workspace]:
    """A workspace with an empty fact, and its model."""
    model = folder / "model"
    tiny_star.write_model(model, {})
    for file in model.glob("*.yml"):
        if file.name not in {"catalog.yml", "connection.yml"}:
            file.unlink()
    columns = ("coarse string", "fine string", f"x {kind.name.casefold()}")
    (model / "dataset_sales.yml").write_text(tiny_star.dataset("sales", columns))
    for name in ("Coarse", "Fine"):
        (model / f"{name}.yml").write_text(_DIMENSION.format(name=name, column=name.casefold()))
    methods = METHODS | DISTINCT
    for name, method in methods.items():
        (model / f"metric_{name}.yml").write_text(tiny_star.METRIC.format(name=name, method=method, column="x"))
    listed = "\n".join(f"  - unique_name: {name}" for name in methods)
    (model / "model.yml").write_text(_MODEL.format(metrics=listed, names=", ".join(methods)))
    with open_workspace(registry=f"sqlite:///{folder / 'r.sqlite'}", warehouse=url, aggregate_schema="aggs") as opened:
        tiny_star.run_sql(
            opened,
            "DROP TABLE IF EXISTS sales CASCADE",
            f"CREATE TABLE sales (coarse VARCHAR(9), fine VARCHAR(9), x {kind.name})",
        )
        deploy(opened, model, now=utc_now())
        yield opened


def _exact(method: str, values: Sequence[Any]) -> Any:
    """What a method gives by exact arithmetic; a float where it is no finite number, None where there is none."""
    there = [value for value in values if value is not None]
    if method == "count non-null":
        return len(there)
    if method == "count distinct":
        return len({str(value) if value != value else value for value in there})
    if not there:
        return None
    if method in {"minimum", "maximum"}:
        order = sorted(there, key=lambda value: (value != value, value))
        return order[0] if method == "minimum" else order[-1]
    if method == "sum distinct":
        there = list({str(value) if value != value else value: value for value in there}.values())
    if method.endswith("samp") and len(there) == 1:
        return None
    if not all(math.isfinite(value) for value in there if isinstance(value, float)):
        return sum(there) if method in {"sum", "sum distinct", "average"} else math.nan
    numbers = [Fraction(value) for value in there]
    if method.startswith("sum"):
        return sum(numbers)
    if method == "average":
        return Fraction(statistics.mean(numbers))
    variance = (statistics.pvariance if method.endswith("pop") else statistics.variance)(numbers)
    return math.sqrt(variance) if method.startswith("stddev") else variance


def _agrees(method: str, actual: Any, values: Sequence[Any], *, is_exact: bool) -> bool:
    """Whether an answer is the exact one: to the last digit where it is a whole or decimal number."""
    expected = _exact(method, values)
    if expected is None or actual is None:
        return bool(expected is actual)
    if method.startswith(("var", "stddev")) and len([value for value in values if value is not None]) == 1:
        # Of one NaN, warehouses say either.
        return float(actual) == 0 or str(float(actual)) == str(expected)
    if isinstance(expected, float) and not math.isfinite(expected):
        return str(float(actual)) == str(expected)
    if "count" in method or method in {"minimum", "maximum"} or (is_exact and method.startswith("sum")):
        return bool(Fraction(actual) == Fraction(expected))
    sizes = [abs(float(value)) for value in values if value is not None]
    if method.startswith("var"):
        scale = max(sizes) ** 2
    else:
        scale = math.fsum(sizes) if method.startswith("sum") else max(sizes)
    # The root of what is lost in a variance is lost in a deviation.
    lost = 1e-6 if method.startswith("stddev") else 1e-9
    return math.isfinite(float(actual)) and abs(float(actual) - float(expected)) <= lost * scale


def _check(workspace: Workspace, kind: NumericType, rows: list[Row]) -> None:
    tiny_star.run_sql(workspace, "DELETE FROM sales")
    shown = ", ".join(f"('{coarse}', '{fine}', {kind.sql(value)})" for coarse, fine, value in rows)
    tiny_star.run_sql(workspace, f"INSERT INTO sales VALUES {shown}")
    run_batch(workspace, "measured", build_type=BuildType.FULL, owner="a test")
    for keys, methods in ((1, METHODS), (0, METHODS), (2, METHODS | DISTINCT)):
        groups: dict[tuple[str, ...], list[Any]] = {}
        for *names, value in rows:
            groups.setdefault(tuple(names[:keys]), []).append(value)
        columns = ", ".join(f'"{name}"' for name in [*("Coarse Name", "Fine Name")[:keys], *methods])
        sql = f"SELECT {columns} FROM measured"
        odd: list[list[str]] = [[], []]
        for uses_aggregates in (True, False):
            result = answer(workspace, sql, use_aggregates=uses_aggregates)
            assert result.plan.uses_aggregates is uses_aggregates
            assert not result.fallback_reason
            by_group = {row[:keys]: row[keys:] for row in result.rows}
            assert by_group.keys() == groups.keys()
            for group, values in groups.items():
                for (name, method), value in zip(methods.items(), by_group[group], strict=True):
                    if kind.is_single and method in {"minimum", "maximum"} and value is not None:
                        # PostgreSQL's driver reads the shortest text of a number.
                        value = _single(value)  # noqa: PLW2901
                    if isinstance(value, float) and not math.isfinite(value):
                        odd[uses_aggregates].append(f"{group} {name} {value}")
                    is_right = _agrees(method, value, values, is_exact=kind.places is not None)
                    assert is_right, (kind.name, uses_aggregates, group, name, value, values)
        assert odd[0] == odd[1]


def _rows(kind: NumericType) -> st.SearchStrategy[list[Row]]:
    row = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y", "z"]), kind.values())
    return st.lists(row, min_size=1, max_size=9)


_SETTINGS: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}


@pytest.mark.parametrize("kind", DUCKDB_TYPES, ids=lambda kind: kind.name)
def test_every_measure_of_every_type_is_exact(kind: NumericType, tmp_path: Path) -> None:
    """It is exact on DuckDB."""
    with _open_measured(tmp_path, "duckdb:///:memory:?threads=1", kind) as workspace:

        @settings(max_examples=EXAMPLES, **_SETTINGS)
        @given(rows=_rows(kind))
        def run(rows: list[Row]) -> None:
            _check(workspace, kind, rows)

        run()


@pytest.mark.postgres
@pytest.mark.parametrize("kind", POSTGRES_TYPES, ids=lambda kind: kind.name)
def test_every_measure_of_every_type_is_exact_on_postgres(kind: NumericType, tmp_path: Path, postgres_url: str) -> None:
    """It is exact on PostgreSQL, too."""
    with _open_measured(tmp_path, postgres_url, kind) as workspace:

        @settings(max_examples=max(1, EXAMPLES // 2), **_SETTINGS)
        @given(rows=_rows(kind))
        def run(rows: list[Row]) -> None:
            _check(workspace, kind, rows)

        run()


@pytest.mark.parametrize("url", ["", pytest.param("postgres", marks=pytest.mark.postgres)], ids=["duckdb", "postgres"])
def test_small_numbers_are_not_lost_beside_a_large_sum(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Added up in single precision, a fifth of a million tenths would be missing."""
    where = request.getfixturevalue("postgres_url") if url else "duckdb:///:memory:"
    with _open_measured(tmp_path, where, NumericType("REAL", 0, 0, None, is_single=True)) as workspace:
        tiny_star.run_sql(
            workspace,
            "INSERT INTO sales SELECT 'a', 'x', CAST(16777216 AS REAL)",
            "INSERT INTO sales SELECT 'a', CASE WHEN n % 2 = 0 THEN 'x' ELSE 'y' END, CAST(0.1 AS REAL) "
            "FROM generate_series(1, 200000) AS g (n)",
        )
        run_batch(workspace, "measured", build_type=BuildType.FULL, owner="a test")

        for uses_aggregates in (True, False):
            ((total, mean),) = answer(
                workspace, 'SELECT "Total", "Mean" FROM measured', use_aggregates=uses_aggregates
            ).rows
            assert total == pytest.approx(16777216 + 200000 * _single(0.1), rel=1e-12)
            assert mean == pytest.approx((16777216 + 200000 * _single(0.1)) / 200001, rel=1e-12)


@pytest.mark.parametrize("url", ["", pytest.param("postgres", marks=pytest.mark.postgres)], ids=["duckdb", "postgres"])
def test_deviations_of_numbers_whose_squares_are_no_numbers(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """PostgreSQL refuses a product that is too small; one that is zero beside the rest is meant."""
    where = request.getfixturevalue("postgres_url") if url else "duckdb:///:memory:"
    kind = NumericType("DOUBLE PRECISION", 0, 0, None)
    with _open_measured(tmp_path, where, kind) as workspace:
        _check(workspace, kind, [("a", "x", 1e-200), ("a", "y", 2e-200), ("b", "x", math.nan), ("b", "y", None)])


@pytest.mark.postgres
def test_sums_of_a_narrow_column_are_left_to_postgres(tmp_path: Path, postgres_url: str) -> None:
    """Plain SQL means what the warehouse says, in the precision that it says it in."""
    with _open_measured(tmp_path, postgres_url, NumericType("REAL", 0, 0, None, is_single=True)) as workspace:
        tiny_star.run_sql(workspace, "INSERT INTO sales VALUES ('a', 'x', 0.1), ('a', 'y', 0.2)")
        run_batch(workspace, "measured", build_type=BuildType.FULL, owner="a test")

        assert not answer(workspace, "SELECT coarse, SUM(x) FROM sales GROUP BY 1").plan.uses_aggregates
        assert answer(workspace, "SELECT coarse, AVG(x) FROM sales GROUP BY 1").plan.uses_aggregates
