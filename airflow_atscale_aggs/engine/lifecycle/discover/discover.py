"""Look at a schema and propose a model of it: `atscale-aggs init` without the writing.

The steps: tables and columns from the catalog, a profile of each column, keys proven on all rows, references proven by
inclusion, then roles, hierarchies and metrics. Nothing is written into the warehouse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.discovery.model_proposal import Findings, propose
from airflow_atscale_aggs.engine.discovery.proposal import Proposal
from airflow_atscale_aggs.engine.discovery.references import (
    ColumnKey,
    DeclaredKey,
    Names,
    Question,
    Reference,
    choose_references,
    find_candidates,
    likely_keys,
    without_circles,
    without_doubles,
)
from airflow_atscale_aggs.engine.errors import UnknownNameError, WarehouseError, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.discover.compound_keys import CompoundKeys, declared_keys
from airflow_atscale_aggs.engine.lifecycle.discover.other_schemas import of_others, told_elsewhere
from airflow_atscale_aggs.engine.lifecycle.discover.table_questions import Listen, TableQuestions, chosen_names
from airflow_atscale_aggs.engine.model.datasets import TableColumns
from airflow_atscale_aggs.engine.warehouse.base import Warehouse, WarehouseSession

Answer = Callable[[Question], Reference | None]
"""Which of several references is meant; None: none of them, or nobody knows."""

MOST_ORPHANS = 0.25
"""Share of a column's rows that may lead nowhere; told of each relationship that has any."""

DEFAULT_SAMPLE = 100_000


def leave_out(_question: Question) -> Reference | None:
    """Answers no question: what is ambiguous is left out."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverRequest:
    """What is looked at, and what somebody knows already.

    Attributes:
        model: the model's name; empty: the schema's.
        schema: where the tables are; empty: the session's own.
        include, exclude: patterns of names of tables, such as ``dim_*``.
        facts: tables that are facts; empty: whatever looks like one.
        sample: tables with more rows are sampled.
        most_orphans: share of a column's rows that may lead nowhere.
        answer: asked where nothing decides.
        listen: told of each step.
    """

    model: str = ""
    schema: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    sample: int = DEFAULT_SAMPLE
    most_orphans: float = MOST_ORPHANS
    answer: Answer = leave_out
    listen: Listen = lambda _: None


def discover(warehouse: Warehouse, request: DiscoverRequest) -> Proposal:
    """Look at a schema and propose a model.

    Raises:
        WarehouseError: there are no tables, or none has a row; tells where tables were looked for, and which schemas
            have some. Or the warehouse does not answer.
        UnknownNameError: a fact that somebody names is not there; tells near names.
    """
    with warehouse.session() as session:
        schema = request.schema or session.own_place()[1]
        questions = TableQuestions(session, request.sample, request.listen, {}, [])
        questions.look_at_all(_find_tables(session, schema, request))
        if not any(table.rows for table in questions.tables.values()):
            raise WarehouseError(session.dialect.name, "", _nothing_to_see(schema, questions))
        facts = _named_facts(request.facts, questions)
        return _propose(questions, request, (schema, facts))


def _find_tables(session: WarehouseSession, schema: str, request: DiscoverRequest) -> dict[str, TableColumns]:
    """The tables of a schema, as the warehouse spells them."""
    there = of_others(session.tables(schema))
    names = chosen_names(there, request.include, request.exclude)
    where = f"schema `{schema}`" if schema else "the session's own schema"
    if not names:
        reason = (
            f"none of {counted(len(there), 'table')} of {where} is chosen; correct --tables or --exclude"
            if there
            else f"{where} has no tables that this user can see; {told_elsewhere(session, schema)}"
        )
        raise WarehouseError(session.dialect.name, "", reason)
    keys = {name: (None, schema or None, name) for name in names}
    found = session.columns(list(keys.values()))
    return {name: found[key] for name, key in keys.items() if key in found}


def _nothing_to_see(schema: str, questions: TableQuestions) -> str:
    reasons = "; ".join(f"`{entry.what}`: {entry.reason}" for entry in questions.left_out[:3])
    empty = counted(len(questions.tables), "table")
    what = f"{empty} without rows" if questions.tables else "no table that can be read"
    text = f"schema `{schema}` has {what}, and a model is proven by its data"
    return f"{text} ({reasons})" if reasons else f"{text}; load the tables first, or choose others"


def _named_facts(wanted: tuple[str, ...], questions: TableQuestions) -> tuple[str, ...]:
    facts = []
    for name in wanted:
        found = next((table for table in questions.tables if table.casefold() == name.casefold()), None)
        if found is None:
            raise UnknownNameError("table", name, near_names(name, questions.tables))
        facts.append(found)
    return tuple(facts)


def _declared_targets(declared: Iterable[DeclaredKey], questions: TableQuestions) -> Iterator[ColumnKey]:
    """Columns that are declared to be referred to, and that nothing seen so far speaks against."""
    for key in declared:
        table = questions.tables[key.to_table]
        if len(key.to_columns) == 1 and table.seems_unique(table.columns[key.to_columns[0]]):
            yield key.to_table, key.to_columns[0]


def _propose(questions: TableQuestions, request: DiscoverRequest, chosen: tuple[str, tuple[str, ...]]) -> Proposal:
    schema, facts = chosen
    names = Names(questions.tables)
    declared = declared_keys(questions, schema)
    wanted = dict.fromkeys([*likely_keys(questions.tables, names), *_declared_targets(declared, questions)])
    keys = questions.prove_keys(wanted)
    candidates = find_candidates(questions.tables, names, keys, declared)
    decisions = choose_references(questions.inclusions(candidates), questions.tables, request.most_orphans)
    answers = {question: request.answer(question) for question in decisions.questions}
    answered = tuple(reference for reference in answers.values() if reference is not None)
    distinct, doubles = without_doubles((*decisions.references, *answered), questions.tables)
    compound, told = CompoundKeys(questions, names, keys, declared, request.most_orphans).references(distinct)
    references, circles = without_circles((*distinct, *compound))
    findings = Findings(
        model=request.model or schema or "model",
        database=questions.database,
        schema=schema,
        names=names,
        keys=keys,
        references=references,
        questions=tuple(question for question, answer in answers.items() if answer is None),
        left_out=(
            *questions.left_out,
            *decisions.left_out,
            *doubles,
            *circles,
            *told,
        ),
        wanted_facts=facts,
    )
    return propose(findings, questions.determines)
