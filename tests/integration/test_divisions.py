"""A division means what it means in the dialect that it is written in."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace


@pytest.mark.parametrize(
    ("expression", "by_python"),
    [
        ('"Quantity" / COUNT(*)', lambda of: int(of.quantity / of.rows)),
        ('(0 - "Quantity") / 7', lambda of: int(-of.quantity / 7)),
        ('("Quantity" / COUNT(*)) / 2', lambda of: int(int(of.quantity / of.rows) / 2)),
        ('"Quantity" * 1.0 / COUNT(*)', lambda of: of.quantity / of.rows),
        ('CAST("Quantity" AS DOUBLE PRECISION) / 7', lambda of: of.quantity / 7),
        ('"Amount" / COUNT(*)', lambda of: float(of.amount) / of.rows),
        ('1 / "Average Amount"', lambda of: of.rows / float(of.amount)),
    ],
)
def test_a_division_means_what_it_means_in_its_own_dialect(
    workspace: Workspace, expression: str, by_python: Callable[[SimpleNamespace], float]
) -> None:
    """PostgreSQL's `/` of whole numbers leaves the remainder out, on whatever warehouse; from facts and from
    aggregates.
    """
    sql = f'SELECT "Shop", "Quantity", "Amount", COUNT(*), {expression} AS found FROM tiny.tiny_sales'

    for use in (True, False):
        rows = answer(workspace, sql, use_aggregates=use).rows
        assert len(rows) == 4
        for _, quantity, amount, count, quotient in rows:
            assert float(quotient) == pytest.approx(
                by_python(SimpleNamespace(quantity=quantity, amount=amount, rows=count))
            )


def test_a_division_around_a_model_means_what_it_is_written_as(workspace: Workspace) -> None:
    """The types of a model's answer are known around it; a dialect without whole divisions means the quotient."""
    inner = 'SELECT "Quantity" AS q FROM tiny.tiny_sales'
    (remainder_left_out,) = answer(workspace, f"SELECT t.q / 7 AS found FROM ({inner}) t").rows[0]
    (total,), (whole,), (quotient,) = (
        answer(workspace, sql, dialect=dialect).rows[0]
        for sql, dialect in (
            (inner, "postgres"),
            (f"SELECT CAST(t.q AS DOUBLE PRECISION) / 7 AS found FROM ({inner}) t", "postgres"),
            (f"SELECT t.q / 7 AS found FROM ({inner}) t", "duckdb"),
        )
    )
    assert float(whole) == float(quotient) == pytest.approx(total / 7)
    assert remainder_left_out == total // 7 != whole
