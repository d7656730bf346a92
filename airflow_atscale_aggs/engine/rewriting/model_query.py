"""A query on a model as a value: what is asked, independent of how it was spelled and how it is answered.

Expressions are ASTs whose leaves are references (`Ref`). A reference is replaced before an expression becomes SQL text:

    J  column of a joined relation by its place in ``joined``; wherever A may stand
    A  attribute by its place in ``ModelQuery.attributes``; in keys, WHERE and member aggregates
    K  grouping key by its place in ``keys``
    M  metric by its place in ``metrics``
    G  least, greatest or number of distinct attribute values, by its place in ``members``
    L  which keys a row is not grouped by, by its place in ``groupings``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from enum import StrEnum

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import Frame, Slice

ROW_COUNT = ""
"""Stands among metric names for COUNT(*): the number of fact rows."""


@dataclass(frozen=True, slots=True, order=True)
class KeyColumn(GrainAttribute):
    """An attribute of which one column of its key is meant, by its name in the dataset, and not its name column."""

    column: str


class Ref(StrEnum):
    """The kinds of references."""

    ATTRIBUTE = "A"
    KEY = "K"
    METRIC = "M"
    MEMBERS = "G"
    GROUPING = "L"
    JOINED = "J"


_REFS: Mapping[str, Ref] = {kind.value: kind for kind in Ref}


@dataclass(frozen=True, slots=True)
class MeasuredMetric:
    """A metric as a query measures it; two that are equal are measured once.

    Attributes:
        name: unique name, or `ROW_COUNT`.
        method: the calculation method; empty for the metric's own.
        slices: members that a tuple fixes.
        frame: at which other members than those of its row it is measured.
        only: the condition over A of the rows that it measures.
        fact: whose rows `ROW_COUNT` counts; empty for those of the query.
    """

    name: str
    method: str = ""
    slices: tuple[Slice, ...] = ()
    frame: Frame | None = None
    only: exp.Expr | None = None
    fact: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the answer; the expression is over K, M and G."""

    name: str
    expression: exp.Expr


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One term of ORDER BY over K, M and G."""

    expression: exp.Expr
    is_descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class ModelJoin:
    """A relation that is joined to the rows of a model.

    Attributes:
        subquery: the name of the query that it is.
        on: over A and J; None: every row meets every row.
        is_left: rows that meet none stay.
    """

    subquery: str
    on: exp.Expr | None
    is_left: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuery:
    """A SELECT on the flat table of one model. Its expressions must not be changed, only copied.

    Attributes:
        attributes: every attribute that is used anywhere, once.
        keys: what rows are grouped by: attributes or expressions over A.
        metrics: base metrics by unique name, or `ROW_COUNT`.
        slices: by place of the metric: the condition over A of the rows that a tuple's members have.
        filters: by place of the metric: the condition over A of the rows that it measures; other metrics measure all.
        methods: by place of the metric: by which calculation method it is measured, where not by its own.
        counted_facts: by place of `ROW_COUNT`: whose rows it counts, where that is said.
        frames: by place of the metric: at which other members than those of its row it is measured.
        members: MIN, MAX or COUNT(DISTINCT) over A.
        subqueries: name and SQL of the queries whose rows its expressions read; they do not depend on its own rows.
        joins: relations that are joined to the rows before they are filtered and grouped.
        joined: columns of joined relations that are used: the subquery's name, the column's.
        where: over A and J.
        having: over K, M and G.
        is_distinct: rows that are equal are shown once.
        sets: places of the keys that each level of GROUPING SETS is grouped by; empty: by all of them.
        groupings: places of the keys that each GROUPING(…) is about.
        required_joins: places of attributes whose join rule holds though nothing else uses them.
    """

    attributes: tuple[GrainAttribute, ...]
    keys: tuple[exp.Expr, ...]
    metrics: tuple[str, ...]
    members: tuple[exp.Expr, ...]
    outputs: tuple[Output, ...]
    slices: Mapping[int, exp.Expr] = field(default_factory=dict)
    filters: Mapping[int, exp.Expr] = field(default_factory=dict)
    methods: Mapping[int, str] = field(default_factory=dict)
    counted_facts: Mapping[int, str] = field(default_factory=dict)
    frames: Mapping[int, Frame] = field(default_factory=dict)
    subqueries: tuple[tuple[str, exp.Query], ...] = ()
    joins: tuple[ModelJoin, ...] = ()
    joined: tuple[tuple[str, str], ...] = ()
    where: exp.Expr | None = None
    having: exp.Expr | None = None
    order_by: tuple[OrderTerm, ...] = ()
    limit: int | None = None
    offset: int | None = None
    is_distinct: bool = False
    sets: tuple[tuple[int, ...], ...] = ()
    groupings: tuple[tuple[int, ...], ...] = ()
    required_joins: tuple[int, ...] = ()

    def without_clauses_on_groups(self) -> ModelQuery:
        """The same query without the clauses that filter, order or cut its groups, and without their subqueries."""
        return replace(self, subqueries=(), having=None, order_by=(), limit=None, offset=None, is_distinct=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the answer's columns."""
        return tuple(output.name for output in self.outputs)

    @property
    def key_names(self) -> tuple[str, ...]:
        """Query names of the attributes behind the grouping keys."""
        places = dict.fromkeys(at for key in self.keys for at in references(key, Ref.ATTRIBUTE))
        return tuple(self.attributes[at].query_name for at in places)

    @property
    def predicate_names(self) -> tuple[str, ...]:
        """Query names of the attributes in WHERE and in conditions of metrics."""
        conditions = (self.where, *self.filters.values())
        places = dict.fromkeys(at for condition in conditions for at in references(condition, Ref.ATTRIBUTE))
        return tuple(self.attributes[at].query_name for at in places)

    def name_of_key(self, number: int) -> str:
        """The attribute's query name for a plain key, else the output that shows the key, else a number."""
        key = self.keys[number]
        place = attribute_at(key)
        if place is not None:
            return self.attributes[place].query_name
        shown = ref(Ref.KEY, number)
        return next((output.name for output in self.outputs if output.expression == shown), f"key {number + 1}")


def argument_of(member: exp.Expr) -> exp.Expr:
    """What MIN, MAX or COUNT(DISTINCT) is of, without DISTINCT."""
    argument: exp.Expr = member.this
    return argument.expressions[0] if isinstance(argument, exp.Distinct) else argument


def ref(kind: Ref, number: int) -> exp.Placeholder:
    """A reference."""
    return exp.Placeholder(this=f"{kind}{number}")


def reference_of(node: exp.Expr) -> tuple[Ref, int] | None:
    """What a node refers to; None when it is no reference."""
    if not isinstance(node, exp.Placeholder):
        return None
    name = node.this
    return _REFS[name[0]], int(name[1:])


def attribute_at(node: exp.Expr) -> int | None:
    """The place of the attribute that a node is; None when it is something else."""
    reference = reference_of(node)
    return reference[1] if reference is not None and reference[0] is Ref.ATTRIBUTE else None


def references(expression: exp.Expr | None, kind: Ref) -> Iterator[int]:
    """Places that an expression refers to, in the order of the text, repeated as often as they stand there."""
    if expression is None:
        return
    for node in (
        (expression,) if isinstance(expression, exp.Placeholder) else expression.find_all(exp.Placeholder, bfs=False)
    ):
        name = node.this
        if name[0] == kind:
            yield int(name[1:])


def is_reference(node: exp.Expr) -> bool:
    """Whether a node is a reference. Placeholders of the query's author have been refused before references exist."""
    return isinstance(node, exp.Placeholder) and bool(node.args.get("this")) and node.name[:1] in _REFS


def substitute(expression: exp.Expr, values: Mapping[Ref, Callable[[int], exp.Expr]]) -> exp.Expr:
    """A copy with each reference replaced by a new copy of its value; references of kinds that are not given stay."""

    def value_of(node: exp.Expr) -> exp.Expr | None:
        reference = reference_of(node)
        return values[reference[0]](reference[1]) if reference is not None and reference[0] in values else None

    whole = value_of(expression)
    if whole is not None:
        return whole

    def replacement_of(node: exp.Expr) -> exp.Expr | None:
        value = value_of(node)
        # The parentheses keep the value together among its new neighbours.
        return exp.Paren(this=value) if isinstance(value, (exp.Binary, exp.Not)) else value

    return rebuild(expression, replacement_of)


def rebuild(node: exp.Expr, replacement_of: Callable[[exp.Expr], exp.Expr | None]) -> exp.Expr:
    """A copy in which some nodes, with all below them, are others; in one pass, unlike a copy that is transformed.

    Args:
        replacement_of: gives what stands for a node; None: a copy of it.
    """
    replacement = replacement_of(node)
    if replacement is not None:
        return replacement
    arguments: dict[str, object] = {}
    for name, value in node.args.items():
        if isinstance(value, exp.Expr):
            arguments[name] = rebuild(value, replacement_of)
        elif isinstance(value, list):
            arguments[name] = [rebuild(item, replacement_of) if isinstance(item, exp.Expr) else item for item in value]
        else:
            arguments[name] = value
    return node.__class__(**arguments)


def with_names(expression: exp.Expr, query: ModelQuery) -> exp.Expr:
    """A copy with names in place of the references to a query, for people."""

    def name_of(node: exp.Expr) -> exp.Expr | None:
        reference = reference_of(node) if is_reference(node) else None
        if reference is None:
            return None
        kind, place = reference
        if kind is Ref.KEY:
            return rebuild(query.keys[place], name_of)
        if kind is Ref.MEMBERS:
            return rebuild(query.members[place], name_of)
        if kind is Ref.GROUPING:
            return exp.Grouping(expressions=[rebuild(query.keys[key], name_of) for key in query.groupings[place]])
        if kind is Ref.JOINED:
            return exp.column(query.joined[place][1], quoted=True)
        name = query.metrics[place] if kind is Ref.METRIC else query.attributes[place].query_name
        return exp.column(name or "count", quoted=True)

    return rebuild(expression, name_of)
