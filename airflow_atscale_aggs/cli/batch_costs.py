"""Shows what a planned batch would read and write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_atscale_aggs.cli.output import counted, say, show, size
from airflow_atscale_aggs.cli.printed_tables import print_table

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.planning.batch_cost import BatchCost, FactCost, ReadReason

_UNKNOWN = "not known"


def print_cost(cost: BatchCost) -> None:
    """A table of how often each fact is read and why, then what is written, in sentences."""
    if not cost.facts:
        return
    reasons = [reason for reason in cost.facts[0].whole if any(_number(fact, reason) for fact in cost.facts)]
    has_ranges = any(sum(fact.ranges.values()) for fact in cost.facts)
    names = (
        "fact",
        "rows",
        "size",
        "readings",
        *reasons,
        *(("of a range",) if has_ranges else ()),
        "rows read",
        "read",
    )
    rows = [
        (
            fact.fact,
            _UNKNOWN if fact.size.rows is None else fact.size.rows,
            size(fact.size.size_bytes) or _UNKNOWN,
            fact.readings,
            *(_number(fact, reason) for reason in reasons),
            *((sum(fact.ranges.values()),) if has_ranges else ()),
            _UNKNOWN if fact.rows_read is None else fact.rows_read,
            size(fact.bytes_read) or _UNKNOWN,
        )
        for fact in cost.facts
    ]
    show("")
    print_table(names, rows, right=names[1:])
    for sentence in cost_sentences(cost):
        say(sentence)


def cost_sentences(cost: BatchCost) -> list[str]:
    """What the table does not show."""
    built = f"{counted(cost.from_facts, 'aggregate')} built from facts, {cost.derived:,} derived from other aggregates."
    said = [f"{built} {_written(cost)} {_taken(cost)}"]
    if not cost.fits:
        said.append(
            f"It will not fit: {size(cost.bytes_free)} are free beside the file of the warehouse. Make room, or build "
            "some of the aggregates: --aggregate NAME."
        )
    partly = [fact.fact for fact in cost.facts if sum(fact.ranges.values())]
    if partly:
        said.append(
            f"Of {_names(partly)} some readings are of a range of the indicator; they are in `rows read` only where "
            "together they are all rows."
        )
    for fact, number in cost.estimates.items():
        said.append(
            f"The estimates of this plan took {counted(number, 'reading')} of `{fact}`, which a build does not make; "
            "--no-estimate leaves them out."
        )
    return said


def cost_document(cost: BatchCost) -> dict[str, object]:
    """The cost for programs; what is not known is null."""
    return {
        "facts": [
            {
                "fact": fact.fact,
                "rows": fact.size.rows,
                "bytes": fact.size.size_bytes,
                "readings": fact.readings,
                "whole": {str(reason): number for reason, number in fact.whole.items()},
                "ranges": {str(reason): number for reason, number in fact.ranges.items()},
                "complete_readings": fact.complete_readings,
                "rows_read": fact.rows_read,
                "bytes_read": fact.bytes_read,
            }
            for fact in cost.facts
        ],
        "built_from_facts": cost.from_facts,
        "derived": cost.derived,
        "rows_written": cost.rows_written,
        "bytes_written": cost.bytes_written,
        "rows_not_known": list(cost.not_known),
        "estimate_readings": dict(cost.estimates),
        "seconds": cost.seconds.total,
        "seconds_guessed": list(cost.seconds.guessed),
        "bytes_free": cost.bytes_free,
        "fits": cost.fits,
    }


def _number(fact: FactCost, reason: ReadReason) -> int:
    return fact.whole[reason] + fact.ranges[reason]


def _written(cost: BatchCost) -> str:
    """What is written, and of how many aggregates nobody knows."""
    unknown = len(cost.not_known)
    if unknown == cost.from_facts + cost.derived:
        return "How many rows are written is not known."
    written = f"About {counted(cost.rows_written, 'row')} and {size(cost.bytes_written)} are written"
    return f"{written}; of {counted(unknown, 'aggregate')} it is not known." if unknown else f"{written}."


def _taken(cost: BatchCost) -> str:
    """How long the builds take, one after the other."""
    total = cost.seconds.total
    if total is None:
        return "How long that takes is not known: nothing of this kind was built yet."
    taken = f"That takes about {total:,.1f} s"
    guessed = len(cost.seconds.guessed)
    return f"{taken}; {counted(guessed, 'aggregate')} of them were not built before." if guessed else f"{taken}."


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
