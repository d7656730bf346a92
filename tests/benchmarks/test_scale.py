"""How growth is told by `benchmarks/scale.py`."""

from __future__ import annotations

from scale import Built, Measured, growth_of_build


def _measured(rows: int, seconds: dict[str, float]) -> Measured:
    built = {(name, "sales"): Built(each, rows) for name, each in seconds.items()}
    return Measured({"sales": rows}, built=built)


def test_growth_is_told_by_fact_and_then_by_aggregate_the_longest_first() -> None:
    less = _measured(10, {"by day": 1.0, "by month": 2.0})
    more = _measured(100, {"by month": 10.0, "by day": 20.0, "by year": 5.0})

    fact, *aggregates = growth_of_build(less, more)

    assert fact == "  sales: 10.0x rows, 10.0x seconds of 2 aggregates, 3.0 to 30.0 s"
    assert [line.split() for line in aggregates] == [
        ["by", "day", "10.0x", "rows", "1.00", "to", "20.00", "s", "20.0x"],
        ["by", "month", "10.0x", "rows", "2.00", "to", "10.00", "s", "5.0x"],
    ]
