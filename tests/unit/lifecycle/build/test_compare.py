"""A table that was just made is compared with its facts; what cannot be told is not called a mismatch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.verification import (
    TABLE_ROWS,
    GroupsQuery,
    Totals,
    TotalsQuery,
    Verification,
)
from airflow_atscale_aggs.engine.errors import VerificationError
from airflow_atscale_aggs.engine.lifecycle.build.compare import (
    Comparison,
    UndecidedError,
    compare,
    facts_key,
    take_totals,
)
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from tests.support.stars.small_star import small_star

_FACTS = TotalsQuery(sql="SELECT COUNT(*), SUM(amount) FROM sales", names=("rows", "amount"))
_GROUPS = GroupsQuery(
    sql=(
        "SELECT city, COUNT(*), MAX(there), MAX(CASE WHEN t.amount <> s.amount THEN 1 ELSE 0 END), MAX(s.amount), "
        "MAX(t.amount) FROM aggregate AS t LEFT JOIN (SELECT city, 1 AS there, SUM(amount) AS amount FROM sales "
        "GROUP BY 1) AS s USING (city) GROUP BY 1 HAVING MAX(t.amount) <> MAX(s.amount)"
    ),
    keys=("City",),
    measures=("amount",),
    is_sample=True,
)
_TOTALS = Verification(
    fact="sales",
    rows="rows",
    facts=_FACTS,
    table=TotalsQuery(sql="SELECT COUNT(*), SUM(n), SUM(amount) FROM aggregate", names=(TABLE_ROWS, "rows", "amount")),
    roundoff={},
)
_SEEN = {"rows": "3", "amount": "6"}
"""The totals of the sales as they are."""


@pytest.fixture
def session() -> Iterator[WarehouseSession]:
    """Three sales in two cities, and an aggregate of them."""
    with small_star() as star:
        star.add("sales", "city:varchar amount", "'N', 1", "'N', 2", "'S', 3")
        star.add("aggregate", "city:varchar n amount", "'N', 2, 3", "'S', 1, 3")
        yield star.session


def _comparison(
    *,
    earlier: Totals | None = None,
    is_derived: bool = False,
    is_snapshot: bool = True,
    level: VerificationLevel = VerificationLevel.TOTALS,
    verification: Verification = _TOTALS,
) -> Comparison:
    return Comparison(
        aggregate="by_city",
        verification=verification,
        level=level,
        earlier_totals=earlier,
        is_derived=is_derived,
        is_snapshot=is_snapshot,
    )


@pytest.mark.parametrize("is_snapshot", [True, False])
@pytest.mark.parametrize("earlier", [pytest.param(None, id="not taken before"), _SEEN, {"rows": "2", "amount": "3"}])
def test_a_table_that_agrees_with_its_facts_is_verified(
    session: WarehouseSession, earlier: Totals | None, *, is_snapshot: bool
) -> None:
    """Totals that were taken before and fit no more are taken again."""
    verified = compare(session, _comparison(earlier=earlier, is_snapshot=is_snapshot))

    assert (verified.level, verified.totals, verified.undecided) == ("totals", _SEEN, ())
    assert verified.facts_key == facts_key(_TOTALS)


def test_a_table_that_agrees_with_what_its_source_saw_needs_no_look_at_the_facts(session: WarehouseSession) -> None:
    session.execute("DELETE FROM sales")

    assert compare(session, _comparison(earlier=_SEEN, is_derived=True)).totals == _SEEN


@pytest.mark.parametrize(
    ("earlier", "is_derived", "is_snapshot"),
    [
        pytest.param(None, False, True, id="in the snapshot of the build"),
        pytest.param(_SEEN, True, True, id="the source was right and the facts are the same"),
        pytest.param(_SEEN, False, False, id="the facts are what they were before the build"),
    ],
)
def test_a_table_that_differs_is_a_mismatch(
    session: WarehouseSession, earlier: Totals | None, *, is_derived: bool, is_snapshot: bool
) -> None:
    session.execute("UPDATE aggregate SET amount = 4 WHERE city = 'N'")

    with pytest.raises(VerificationError, match="`amount` should be 6 but is 7") as caught:
        compare(session, _comparison(earlier=earlier, is_derived=is_derived, is_snapshot=is_snapshot))

    assert caught.value.differences == (("amount", "", "6", "7"),)


def test_a_table_that_was_derived_from_what_nobody_compared_is_undecided(session: WarehouseSession) -> None:
    session.execute("UPDATE aggregate SET amount = 4 WHERE city = 'N'")

    with pytest.raises(UndecidedError, match=r"the facts may have changed since the source of the table was read$"):
        compare(session, _comparison(is_derived=True))


@pytest.mark.parametrize(
    "earlier", [pytest.param(None, id="not taken before"), pytest.param({"rows": "2", "amount": "3"}, id="changed")]
)
def test_without_a_snapshot_facts_that_may_have_changed_are_no_mismatch(
    session: WarehouseSession, earlier: Totals | None
) -> None:
    session.execute("UPDATE aggregate SET amount = 4 WHERE city = 'N'")

    verified = compare(session, _comparison(earlier=earlier, is_snapshot=False))

    assert verified.totals is None
    (note,) = verified.undecided
    assert note.startswith("`amount` should be 6 but is 7, but the facts may have changed since `sales` was read")
    assert note.endswith("and this warehouse has no snapshots")


def test_an_empty_table_of_facts_with_rows_is_a_mismatch(session: WarehouseSession) -> None:
    session.execute("DELETE FROM aggregate")

    with pytest.raises(VerificationError, match="`rows` should be 3 but is 0, the table is empty"):
        compare(session, _comparison())


_WITH_GROUPS = replace(_TOTALS, groups=_GROUPS)
_MOVED = ("UPDATE aggregate SET amount = 2 WHERE city = 'N'", "UPDATE aggregate SET amount = 4 WHERE city = 'S'")
"""The totals stay as they are, and each of the groups is wrong."""


@pytest.mark.parametrize("level", [VerificationLevel.SAMPLE, VerificationLevel.FULL])
def test_groups_are_compared_when_the_level_asks_for_it(session: WarehouseSession, level: VerificationLevel) -> None:
    right = compare(session, _comparison(level=level, verification=_WITH_GROUPS))
    assert (right.totals, right.undecided) == (_SEEN, ())

    for statement in _MOVED:
        session.execute(statement)

    assert compare(session, _comparison(verification=_WITH_GROUPS)).totals == _SEEN
    with pytest.raises(VerificationError, match=r"`amount` of group \(City = .\) should be 3 but is [24]"):
        compare(session, _comparison(level=level, verification=_WITH_GROUPS))


def test_groups_of_a_batch_that_was_planned_without_them_are_not_compared(session: WarehouseSession) -> None:
    verified = compare(session, _comparison(level=VerificationLevel.FULL))

    assert verified.totals == _SEEN
    assert verified.undecided == ("groups were not compared: the batch was planned at level `totals`",)


def test_groups_that_differ_prove_nothing_where_the_facts_may_have_changed(session: WarehouseSession) -> None:
    for statement in _MOVED:
        session.execute(statement)
    of_groups = _comparison(level=VerificationLevel.SAMPLE, verification=_WITH_GROUPS, earlier=_SEEN)

    with pytest.raises(UndecidedError, match="facts or dimensions may have changed since the source of the table"):
        compare(session, replace(of_groups, is_derived=True))
    noted = compare(session, replace(of_groups, is_snapshot=False))
    assert noted.totals is None
    assert "but facts or dimensions may have changed since `sales` was read" in noted.undecided[0]


def test_a_comparison_that_the_warehouse_cannot_make_is_undecided(session: WarehouseSession) -> None:
    with pytest.raises(UndecidedError, match=r"the comparison failed: .*nowhere"):
        take_totals(session, replace(_FACTS, sql="SELECT COUNT(*), 0 FROM nowhere"))


def test_equal_queries_of_the_facts_have_one_key() -> None:
    other_table = replace(_TOTALS, table=replace(_TOTALS.table, sql="SELECT 1, 2, 3"))
    other_facts = replace(_TOTALS, facts=replace(_FACTS, sql="SELECT 1, 2"))

    assert facts_key(other_table) == facts_key(_TOTALS)
    assert facts_key(other_facts) != facts_key(_TOTALS)
