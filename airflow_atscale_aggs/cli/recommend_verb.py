"""The verb ``recommend``: it shows which aggregates a model should have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.byte_sizes import ByteSize
from airflow_atscale_aggs.cli.connection_options import connection_options, workspace
from airflow_atscale_aggs.cli.output import counted, print_json, say, size
from airflow_atscale_aggs.cli.printed_tables import details_option, print_table
from airflow_atscale_aggs.cli.verb import Verb

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest
    from airflow_atscale_aggs.engine.lifecycle.advise.recommendations import Recommendation, RecommendReport

_MOST_REASONS = 5

_NOTHING = {
    "history": "Nothing was asked yet; try --queries FILE or --from-structure.",
    "queries": "No query of the file can be answered by an aggregate of this model, for the reasons above.",
    "structure": "The structure of this model makes no query likely that an aggregate could answer: it has no metrics "
    "that can be stored, or no attributes to group them by.",
}
"""What is said where there is nothing to base recommendations on, by the report's source."""

_ASKED = {
    "history": "{:,.0f} {} of the log",
    "queries": "the {:,.0f} {}",
    "structure": "{:,.0f} likely {}",
}
"""What the recommendations are based on, by the report's source."""


@click.command(
    cls=Verb, example="atscale-aggs recommend retail --apply\natscale-aggs recommend retail --queries log.sql"
)
@click.argument("model")
@click.option("--apply", "is_applied", is_flag=True, help="Define them; the next build builds them.")
@click.option(
    "--queries",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Look at the queries of this file, separated by semicolons, instead of the log.",
)
@click.option("--dialect", metavar="NAME", default="postgres", show_default=True, help="The SQL of that file.")
@click.option("--from-structure", is_flag=True, help="Look at what the model's structure makes likely, not at queries.")
@click.option("--most", type=click.IntRange(min=0), help="How many at the most.  [setting; 20]")
@click.option(
    "--budget-percent",
    type=click.IntRange(min=0),
    help="Their rows together, in percent of the facts' rows.  [setting; 25]",
)
@click.option(
    "--budget-bytes",
    type=ByteSize(),
    metavar="SIZE",
    help="Their estimated bytes together instead, such as 500MB; those defined before count.  [setting; none]",
)
@details_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@connection_options
@click.pass_context
def recommend(
    ctx: click.Context,
    /,
    model: str,
    queries: Path | None,
    dialect: str,
    most: int | None,
    budget_percent: int | None,
    budget_bytes: int | None,
    *,
    is_applied: bool,
    from_structure: bool,
    as_json: bool,
    **connection: str | None,
) -> None:
    """Tell which aggregates a model should have, by what was asked of it: rows, saving, cost, reason.

    Use it when queries go to the facts too often. It looks at the log of queries; on a new model, at a file of queries
    that stand for it, or at the model's structure. The warehouse counts groups by sketches: a few scans of the facts.
    """
    from airflow_atscale_aggs.engine.lifecycle.advise.recommend import recommend as run
    from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

    if queries is not None and from_structure:
        raise click.UsageError("Give either --queries or --from-structure.", ctx)
    if budget_percent is not None and budget_bytes is not None:
        raise click.UsageError("Give either --budget-percent or --budget-bytes.", ctx)
    request = replace(
        _request(queries, dialect, from_structure=from_structure),
        most=most,
        percent=budget_percent,
        budget_bytes=budget_bytes,
    )
    with workspace(ctx, connection) as place:
        report = run(place, model, request=request, apply=is_applied, now=utc_now())
    if as_json:
        print_json(_document(report))
    else:
        _show(report, is_applied=is_applied)


def _request(queries: Path | None, dialect: str, *, from_structure: bool) -> RecommendRequest:
    from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest
    from airflow_atscale_aggs.engine.rewriting.parse.split_statements import split_statements

    try:
        text = queries.read_text(encoding="utf-8-sig") if queries is not None else None
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{queries} cannot be read: it is not UTF-8 text.") from error
    queries_of_file = None if text is None else [one.text for one in split_statements(text, dialect=dialect)]
    return RecommendRequest(
        queries=queries_of_file,
        from_structure=from_structure,
        dialect=dialect,
    )


def _show(report: RecommendReport, *, is_applied: bool) -> None:
    """Print a table, the reason of each recommendation, the queries that no aggregate serves, and a summary."""
    if report.recommendations:
        rows = [
            (
                *(
                    recommendation.definition.name,
                    recommendation.rows,
                    _error_text(recommendation),
                    f"~{size(recommendation.size_bytes)}",
                    f"{recommendation.share:.1%}",
                ),
                *(recommendation.saved, recommendation.upkeep, recommendation.outcome or ""),
            )
            for recommendation in report.recommendations
        ]
        columns = ("aggregate", "rows", "±", "size", "saves", "rows saved", "upkeep", "outcome")
        print_table(columns, rows, right=columns[1:-1])
        for recommendation in report.recommendations:
            say(f"{recommendation.definition.name}: {recommendation.reason}.")
    for old, new in report.giving_way.items():
        say(f"{old} makes room once {new} serves: the budget has none for both.")
    _show_unserved_queries(report)
    if not report.queries:
        say(_NOTHING[report.source])
        return
    if not report.recommendations:
        say(f"Nothing to recommend: no further aggregate saves more than it costs. {_budget(report)}")
        return
    before = max(report.cost_before, 1)
    noun = "query" if round(report.queries) == 1 else "queries"
    say(
        f"With {len(report.recommendations)} more, {_ASKED[report.source].format(report.queries, noun)} would read "
        f"{report.cost_after:,} rows instead of {report.cost_before:,} ({1 - report.cost_after / before:.0%} less)."
    )
    say(_budget(report))
    say(f"Build them: atscale-aggs build {report.model}" if is_applied else "Nothing is defined yet; --apply does it.")


def _budget(report: RecommendReport) -> str:
    allowed, recommendations = report.budget, report.recommendations
    if allowed.in_bytes:
        new = f"about {size(sum(recommendation.size_bytes for recommendation in recommendations))}"
        size_allowed, spent = size(allowed.size), f"about {size(allowed.spent)}"
    else:
        new = counted(sum(recommendation.rows for recommendation in recommendations), "row")
        size_allowed, spent = f"{allowed.size:,.0f} rows", f"{allowed.spent:,.0f}"
    number = counted(allowed.count, "aggregate")
    return f"Budget: {size_allowed} and {number}; spent before: {spent}" + (
        f"; these: {new}." if recommendations else "."
    )


def _show_unserved_queries(report: RecommendReport) -> None:
    reasons: dict[str, float] = {}
    for query in report.unserved:
        reasons[query.reason] = reasons.get(query.reason, 0.0) + query.weight
    ordered = sorted(reasons.items(), key=lambda reason: -reason[1])
    for reason, weight in ordered[:_MOST_REASONS]:
        number = f"{weight:,.1f}".removesuffix(".0")
        say(f"not answered by any: {number} {'query' if number == '1' else 'queries'}: {reason}")
    if len(ordered) > _MOST_REASONS:
        say(f"not answered by any: {counted(len(ordered) - _MOST_REASONS, 'more reason')}; --json shows all")


def _error_text(recommendation: Recommendation) -> str:
    return "" if recommendation.error is None else f"{recommendation.error:.0%}"


def _document(report: RecommendReport) -> dict[str, object]:
    return {
        "model": report.model,
        "model_id": report.model_id,
        "source": report.source,
        "queries": report.queries,
        "cost_before_rows": report.cost_before,
        "cost_after_rows": report.cost_after,
        "scans": report.scans,
        "budget": {
            "unit": "bytes" if report.budget.in_bytes else "rows",
            "size": round(report.budget.size),
            "spent": round(report.budget.spent),
            "count": report.budget.count,
        },
        "recommendations": [
            {
                "aggregate": recommendation.definition.name,
                "definition_id": recommendation.definition.id,
                "fact": recommendation.definition.parts[0].fact,
                "attributes": [bound.attribute.query_name for bound in recommendation.definition.parts[0].attributes],
                "metrics": recommendation.definition.metrics,
                "rows": recommendation.rows,
                "rows_error": recommendation.error,
                "bytes": recommendation.size_bytes,
                "saved_rows": recommendation.saved,
                "saved_share": recommendation.share,
                "upkeep_rows": recommendation.upkeep,
                "queries": recommendation.queries,
                "reason": recommendation.reason,
                "outcome": recommendation.outcome,
            }
            for recommendation in report.recommendations
        ],
        "giving_way": dict(report.giving_way),
        "unserved": [
            {"query": query.query, "weight": query.weight, "reason": query.reason} for query in report.unserved
        ],
    }
