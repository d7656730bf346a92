"""Checks of a warehouse: what SQL means there, tables, aggregates of every kind, comparisons, stored answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.verify import Finding, verify
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, Verdict, judge
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import (
    OWNER,
    CheckContext,
    describe_failures,
    describe_findings,
    shortened,
)
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import (
    MODEL,
    TABLES,
    describe_rows,
    read_rows,
    write_model,
)
from airflow_atscale_aggs.engine.lifecycle.conformance.stored_answers import find_difference, read_queries
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import Answer, QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.self_test_texts import NEEDS, describe_difference
from airflow_atscale_aggs.engine.sql.statements import render, table
from airflow_atscale_aggs.engine.warehouse.first_contact import find_differences, statements_for

_KINDS = {
    "sums, counts, averages, deviations": ("by_day_and_shop", "by_channel", "stock_by_day_and_shop"),
    "aggregates made from other aggregates": ("by_month_and_city", "by_month", "by_city"),
    "exact distinct counts": ("distinct_by_city",),
    "sketches of distinct counts": ("estimates_by_month",),
    "sketches of percentiles": ("percentiles_by_month",),
}
"""Kind of aggregates to those of the model that are of it."""

_NEEDS_SKETCH: Mapping[str, Callable[[Dialect], object]] = {
    "sketches of distinct counts": lambda dialect: dialect.distinct_sketch,
    "sketches of percentiles": lambda dialect: dialect.percentile_sketch,
}
"""What a dialect's row must have for a kind."""

_SPOILED = "by_channel"
"""The aggregate whose table gets a wrong row."""


def check_meaning(context: CheckContext) -> list[Capability]:
    """Whether the warehouse means by our SQL what we mean."""
    with context.workspace.warehouse.session() as session:
        found = find_differences(session, statements_for(session.dialect))
        known = session.dialect.differences
    wrongs = [describe_difference(name, reason) for name, reason in found.items() if name not in known]
    told = [f"Not as elsewhere: {NEEDS[name]}. {known[name]}." for name in found if name in known]
    return [judge("what SQL means", wrongs, f"{len(NEEDS)} questions, all answered as they should", differences=told)]


def check_tables(context: CheckContext) -> list[Capability]:
    """Whether a schema and tables are made, seen by all sessions, and whether their rows come back as they were."""
    scratch, wrongs, differences = context.scratch, _unseen(context), list[str]()
    if wrongs:
        return [judge("tables and rows", wrongs, describe_rows())]
    for name in TABLES:
        rows = read_rows(name)
        scratch.load(name, rows)
        places = [place for place, (_, kind) in enumerate(rows.columns) if not kind.startswith("timestamp")]
        columns = [column_of(rows.columns[place][0]) for place in places]
        with scratch.warehouse.session() as session:
            query = exp.select(*columns).from_(table(name, scratch.schema))
            read = session.fetch_all(render(query, session.dialect))
        difference = find_difference(read, [[row[place] for place in places] for row in rows.rows])
        if difference:
            wrongs.append(f"Rows of {name} do not come back as they were: {difference}.")
        days = [at for at, place in enumerate(places) if rows.columns[place][1] == "date"]
        if any(isinstance(row[at], str) for row in read for at in days):
            differences.append("Its driver gives dates as texts.")
    return [judge("tables and rows", wrongs, describe_rows(), differences=differences)]


def _unseen(context: CheckContext) -> list[str]:
    """What to do where sessions do not see the schema that an earlier one has made."""
    warehouse, schema = context.scratch.warehouse, context.scratch.schema
    with warehouse.session() as one, warehouse.session() as other:
        if one.has_schema(schema) and other.has_schema(schema):
            return []
    sentence = (
        "What one session has made is not there in another one: each keeps a catalog of its own. Have all share one "
        "(Sail: name a session in the URL, as in sc://host:port/;session_id=UUID)."
    )
    return [sentence]


def check_aggregates(context: CheckContext) -> list[Capability]:
    """Whether aggregates of each kind are built."""
    workspace = context.workspace
    write_model(context.folder / MODEL, context.scratch.schema)
    report = deploy(workspace, context.folder / MODEL, now=utc_now())
    wrongs = [shortened(issue) for issue in report.issues]
    batch = run_batch(workspace, MODEL, owner=OWNER, on_event=context.on_event)
    found = [judge("reading the catalog", wrongs, "columns and types of all tables")]
    return [*found, *(_judge_kind(context, batch, kind) for kind in _KINDS)]


def _judge_kind(context: CheckContext, batch: BatchReport, kind: str) -> Capability:
    """Whether the aggregates of a kind are built and compared."""
    built = {instance.step.aggregate: instance for instance in batch.instances}
    instances = [built[name] for name in _KINDS[kind] if name in built]
    missing = [name for name in _KINDS[kind] if name not in built]
    needed = _NEEDS_SKETCH.get(kind)
    if missing and needed is not None and needed(context.workspace.warehouse.dialect) is None:
        detail = "Its row has none that can be stored in a table; queries that ask for them read the facts."
        return Capability(kind, Verdict.DIFFERS, detail)
    wrongs = [note for note in batch.batch.notes if note.startswith(tuple(missing))] if missing else []
    wrongs += describe_failures(context, instances)
    undecided = [
        f"`{name}` was not compared: {context.undecided[name]}." for name in _KINDS[kind] if name in context.undecided
    ]
    made = ", ".join(f"{instance.step.aggregate} ({counted(instance.rows or 0, 'row')})" for instance in instances)
    return judge(kind, wrongs, made, differences=undecided)


def check_comparison(context: CheckContext) -> list[Capability]:
    """Whether a comparison with the facts agrees with what is right, and sees what is wrong."""
    workspace = context.workspace
    report = verify(workspace, MODEL, level=VerificationLevel.FULL)
    wrongs, undecided = describe_findings(report)
    (spoiled,) = (instance for instance in report.instances if instance.aggregate == _SPOILED)
    target = table(spoiled.table, context.scratch.schema)
    with workspace.warehouse.session() as session:
        again = exp.Insert(this=target, expression=exp.select("*").from_(target.copy()))
        session.execute(render(again, session.dialect))
    (after,) = verify(workspace, MODEL, aggregate=_SPOILED, level=VerificationLevel.TOTALS).instances
    if after.finding not in {Finding.DIFFERS, Finding.BEHIND}:
        wrongs.append(f"A table with rows that are there twice is not noticed: `{_SPOILED}` {after.finding}.")
    run_batch(workspace, MODEL, owner=OWNER, on_event=context.on_event)
    detail = f"{len(report.instances)} aggregates, group by group; one with rows that are there twice is noticed"
    return [judge("comparison with the facts", wrongs, detail, differences=undecided)]


def check_queries(context: CheckContext) -> list[Capability]:
    """Whether the stored queries get their answers, from aggregates and from the facts."""
    queries = read_queries()
    with QueryRouter(context.workspace) as router:
        routed = _wrong_answers(router.answer, context)
        from_facts = _wrong_answers(lambda sql: router.answer(sql, use_aggregates=False), context)
    detail = f"{len(queries)} queries, their answers as they are stored"
    return [
        judge("queries answered from aggregates", routed, detail),
        judge("queries answered from the facts", from_facts, detail),
    ]


def _wrong_answers(answer: Callable[[str], Answer], context: CheckContext) -> list[str]:
    """Sentences about queries that are answered otherwise than is stored."""
    wrongs = []
    for query in read_queries():
        context.listen(f"  {query.name}")
        try:
            answered = answer(query.sql)
        except AtScaleAggsError as error:
            wrongs.append(f"`{query.name}` is not answered: {shortened(error)}")
            continue
        difference = find_difference(answered.rows, query.answer)
        if difference or answered.fallback_reason:
            wrongs.append(f"`{query.name}`: {difference or answered.fallback_reason}.")
    return wrongs
