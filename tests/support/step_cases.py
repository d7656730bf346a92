"""Steps of batches that nobody builds, for tests of what is counted of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.aggregates.segment import Increment, NewSegment
from airflow_atscale_aggs.engine.aggregates.verification import GroupsQuery, TotalsQuery, Verification
from tests.support.increment_cases import ID

GROUPS = GroupsQuery(sql="", keys=(), measures=(), is_sample=True)


def build_step(name: str, *parents: str, totals: str = "t", increment: Increment | None = None) -> BuildStep:
    """A step of an aggregate of `sales` that derives from others, or from none."""
    totals_query = TotalsQuery(sql=totals, names=())
    facts = SourceOption(
        instance_id=None, name="sales", create_sql="", segment_sqls=("",) * (len(increment.new) if increment else 0)
    )
    return BuildStep(
        instance_id=name,
        definition_id=name,
        aggregate=name,
        fact="sales",
        position=0,
        sources=(*(replace(facts, instance_id=parent, name=parent) for parent in parents), facts),
        table="",
        target_sql="",
        drop_sql="",
        count_sql="",
        view_statements=(),
        view="",
        estimated_rows=10,
        verification=Verification(
            fact="sales", rows="r", facts=totals_query, table=totals_query, roundoff={}, groups=GROUPS
        ),
        increment=increment,
    )


def step_increment(number: int, *, full_reason: str = "", unchanged: bool = False, counts: bool = False) -> Increment:
    """An increment of so many segments."""
    segment = NewSegment(
        number=1,
        table="",
        rows=RowRange(column="id", kind=ID.kind),
        is_settled=False,
        drop_sql="",
        count_sql="",
        fact_rows_sql="count" if counts else "",
    )
    return Increment(
        indicator=ID,
        grace_period="10",
        full_reason=full_reason,
        full_at=datetime(2026, 1, 1, tzinfo=UTC),
        kept=(),
        new=(segment,) * number,
        create_view_sql="",
        unchanged=GROUPS if unchanged else None,
    )
