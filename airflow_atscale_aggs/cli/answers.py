"""Prints answers of queries: as a table, CSV or JSON, with where they came from."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_atscale_aggs.cli.help_verb import say_more
from airflow_atscale_aggs.cli.output import counted, say, show, visible, when
from airflow_atscale_aggs.cli.printed_tables import print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_atscale_aggs.engine.lifecycle.query.model_planner import PartSource
    from airflow_atscale_aggs.engine.lifecycle.query.query_plan import QueryPlan
    from airflow_atscale_aggs.engine.lifecycle.query.router import Answer
    from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate


def say_source(answered: Answer, tell: Callable[[str], None] = say) -> None:
    """Say how many rows an answer has and what they came from."""
    if answered.fallback_reason:
        tell(f"The aggregate could not be read, so the facts answered: {answered.fallback_reason}")
    if answered.log_loss:
        tell(answered.log_loss)
    sources = ", ".join(describe_source(source) for source in answered.plan.sources) or "the SQL as it stands"
    tell(f"{counted(len(answered.rows), 'row')} from {sources}")


def show_plan(plan: QueryPlan) -> None:
    """Show how a query would be answered: its SQL, and for each part what answers, and why nothing else does."""
    from airflow_atscale_aggs.engine.troubleshooting.passages import miss_code

    show(plan.sql)
    for sentence in plan.meant:
        say(sentence)
    for reason in plan.untouched:
        say(f"Run as it stands: {reason}")
    for number, candidates in enumerate(plan.candidates):
        say(plan.verdict(number))
        if candidates:
            rows = [
                (
                    candidate.aggregate,
                    candidate.rows,
                    candidate.miss,
                    ", ".join(candidate.missing),
                    candidate.change,
                    candidate.extra_rows,
                )
                for candidate in candidates
            ]
            columns = ("aggregate", "rows", "why not", "what", "smallest change", "more rows")
            print_table(columns, rows, right=("rows", "more rows"), spare=("more rows", "rows"))
            say_more(dict.fromkeys(miss_code(candidate.miss.name) for candidate in candidates), what="why not")


def describe_source(source: PartSource) -> str:
    """What a part of an answer came from: the facts, or an aggregate with its rows and age."""
    if source.aggregate is None:
        return f"the facts `{source.fact}`"
    if source.is_restricted:
        return f"aggregate `{source.aggregate}` (what the user may see of it, as of {when(source.as_of)})"
    return f"aggregate `{source.aggregate}` ({counted(source.rows or 0, 'row')}, as of {when(source.as_of)})"


def print_csv(answered: Answer) -> None:
    """RFC 4180; NULL is an empty field. Values are as they are, unless a terminal would read them."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([visible(column) for column in answered.columns])
    if sys.stdout.isatty():
        writer.writerows(
            [visible(value) if isinstance(value, str) else value for value in row] for row in answered.rows
        )
    else:
        writer.writerows(answered.rows)


def answer_document(answered: Answer) -> dict[str, object]:
    """An answer for programs."""
    return {
        "columns": answered.columns,
        "rows": [[_plain(value) for value in row] for row in answered.rows],
        "sources": [_source(source) for source in answered.plan.sources],
        "planned_sources": [_source(source) for source in answered.planned],
        "fallback_reason": answered.fallback_reason,
        "log_loss": answered.log_loss,
        "sql": answered.plan.sql,
    }


def plan_document(plan: QueryPlan) -> dict[str, object]:
    """How a query would be answered, for programs."""
    return {
        "sql": plan.sql,
        "meant": list(plan.meant),
        "untouched": list(plan.untouched),
        "parts": [
            {
                **_source(source),
                "verdict": plan.verdict(number),
                "candidates": [_candidate(candidate) for candidate in candidates],
            }
            for number, (source, candidates) in enumerate(zip(plan.sources, plan.candidates, strict=True))
        ],
    }


def _source(source: PartSource) -> dict[str, object]:
    names = ("model", "fact", "aggregate", "instance_id", "rows", "as_of")
    facts = (
        {"fact_rows": source.fact_cost.rows, "fact_cost": source.fact_cost.cost} if source.fact_cost is not None else {}
    )
    return {**{name: getattr(source, name) for name in names}, **facts}


def _candidate(candidate: Candidate) -> dict[str, object]:
    from airflow_atscale_aggs.engine.troubleshooting.passages import miss_code

    return {
        "aggregate": candidate.aggregate,
        "rows": candidate.rows,
        "reason": candidate.miss.name.lower(),
        "code": miss_code(candidate.miss.name),
        "explanation": candidate.miss.value,
        "missing": candidate.missing,
        "change": candidate.change,
        "extra_rows": candidate.extra_rows,
    }


def _plain(value: object) -> object:
    """A decimal as a JSON number where that loses nothing, else as text."""
    if isinstance(value, Decimal):
        as_float = float(value)
        return as_float if Decimal(repr(as_float)) == value else str(value)
    return value
