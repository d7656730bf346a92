"""One value that stands for the values of a row, as each warehouse hashes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.capabilities import Dialect


def hash_columns(columns: Sequence[exp.Expr], dialect: Dialect) -> exp.Expr | None:
    """A hash of columns of any type in which NULL differs from every value; None where no function does it."""
    if dialect.hash_columns is None:
        return None
    values = [column.copy() for column in columns]
    if not dialect.hashes_nulls:
        # The function passes over NULLs: (1, NULL) and (NULL, 1) would be the same.
        values += [exp.Is(this=column.copy(), expression=exp.Null()) for column in columns]
    return exp.Anonymous(this=dialect.hash_columns, expressions=values)


def hash_row(columns: Sequence[exp.Expr], dialect: Dialect) -> exp.Expr | None:
    """A whole number that can be added up over rows; None where the warehouse does not hash."""
    hashed = hash_columns(columns, dialect)
    if hashed is not None:
        # The sum of so large numbers leaves the range of the function's own type.
        return exp.cast(hashed, "decimal(38, 0)") if dialect.sums_wrap or dialect.decimal_sum_digits else hashed
    if dialect.hash_text is None:
        return None
    text = exp.cast(exp.Anonymous(this="ROW", expressions=list(columns)), "text")
    return exp.Anonymous(this=dialect.hash_text, expressions=[text, exp.Literal.number(0)])
