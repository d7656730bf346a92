"""Joins from a fact dataset to everything an aggregate needs, each role once, no fact row lost or multiplied.

LEFT JOINs keep fact rows whose foreign key is NULL or leads nowhere. A target whose key the data did not prove unique
is first brought to one row per key; a many-to-many bridge is brought to one row per key and distinct member.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, JoinKind, JoinStep
from airflow_atscale_aggs.engine.sql.join_types import REFUSED_JOIN_REMEDY, JoinColumn, refused_join
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, fresh
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources

Path = tuple[JoinStep, ...]

_LONGEST_ALIAS = 50
"""Bytes; leaves room for a number within every dialect's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenConstraints:
    """What the data proved at the time of planning.

    Attributes:
        unique_keys: (dataset, columns) that hold no value twice, NULL keys aside.
        functional: dependencies that hold.
        unreadable: datasets that the warehouse could not read when it was asked about their keys, with its reason.
        unanswered: claims that the data could not be asked about, because the warehouse refused.
    """

    unique_keys: frozenset[tuple[str, tuple[str, ...]]] = frozenset()
    functional: frozenset[Dependency] = frozenset()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    unanswered: frozenset[object] = frozenset()


@dataclass(slots=True)
class JoinNode:
    """A dataset in the join tree, with the columns that are needed of it.

    ``shown`` are those of its columns that attributes are made of; the others are needed for joins only.
    """

    path: Path
    dataset: str
    columns: dict[str, None] = field(default_factory=dict)
    shown: dict[str, None] = field(default_factory=dict)
    children: dict[JoinStep, JoinNode] = field(default_factory=dict)

    def walk(self) -> Iterable[JoinNode]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children.values():
            yield from child.walk()


@dataclass(slots=True)
class JoinedColumns:
    """Where the joined columns are found: expressions by (path, column), match tests by path."""

    column: dict[tuple[Path, str], exp.Expr] = field(default_factory=dict)
    is_matched: dict[Path, exp.Expr] = field(default_factory=dict)

    def matched_flag(self, path: Path) -> exp.Expr:
        """1 where a row of the path's last dataset was found, else 0."""
        test = self.is_matched[path].copy()
        return exp.Case(ifs=[exp.If(this=test, true=exp.Literal.number(1))], default=exp.Literal.number(0))


def join_tree(fact: str, attributes: Iterable[BoundAttribute]) -> JoinNode:
    """The joins that the attributes need, merged where their paths begin alike."""
    root = JoinNode((), fact)
    for bound in attributes:
        node = root
        for depth, step in enumerate(bound.steps):
            node.columns.update(dict.fromkeys(step.from_columns))
            child = node.children.get(step)
            if child is None:
                child = node.children[step] = JoinNode(bound.steps[: depth + 1], step.to_dataset)
            node = child
        node.columns.update(dict.fromkeys(bound.columns))
        node.shown.update(dict.fromkeys(bound.columns))
    return root


def key_dependency(node: JoinNode) -> Dependency:
    """The claim that makes one row per key of a join target right: its key determines the columns that are used."""
    step = node.path[-1]
    others = tuple(sorted(set(node.columns) - set(step.to_columns)))
    return Dependency(node.dataset, step.to_columns, (), others, is_join_key=True)


def is_plain(step: JoinStep, constraints: ProvenConstraints) -> bool:
    """True when the target's key is proven unique, so that it can be joined as it is."""
    return step.kind is not JoinKind.BRIDGE and (step.to_dataset, step.to_columns) in constraints.unique_keys


def only_value(source: DatasetSource, column: str, expression: exp.Expr) -> exp.Expr:
    """The one value that a column has in all rows of a group; booleans have no MIN in most warehouses."""
    kind = source.data_type(column)
    if source.dialect.has_boolean_aggregate:
        # BIT is a string of bits there.
        return exp.LogicalAnd(this=expression) if kind.startswith("bool") else exp.Min(this=expression)
    if kind.startswith(("bool", "bit")):
        return exp.cast(exp.Min(this=exp.cast(expression, "int")), "boolean")
    return exp.Min(this=expression)


def all_of(conditions: list[exp.Expr]) -> exp.Expr:
    """The conditions with AND between them; there is one at least."""
    return conditions[0] if len(conditions) == 1 else exp.and_(*conditions, copy=False)


def groupable(keys: Iterable[exp.Expr]) -> list[exp.Expr]:
    """Copies of the keys for GROUP BY, without constants: there, warehouses take them for positions or refuse them."""
    return [fresh(key) for key in keys if isinstance(key, exp.Column) or key.find(exp.Column) is not None]


class JoinComposer:
    """Adds the joins of a tree to a SELECT."""

    def __init__(self, sources: Sources, constraints: ProvenConstraints) -> None:
        self._sources, self._constraints = sources, constraints
        self._aliases: set[str] = set()

    def alias(self, dataset: str) -> str:
        """The dataset's name, shortened when long, numbered when it is joined more than once.

        Some warehouses compare even quoted aliases without case, and cut long ones silently.
        """
        start = dataset.encode()[:_LONGEST_ALIAS].decode(errors="ignore")
        number, alias = 1, start
        while alias.casefold() in self._aliases:
            number += 1
            alias = f"{start}_{number}"
        self._aliases.add(alias.casefold())
        return alias

    def root(self, node: JoinNode, select: exp.Select) -> tuple[str, JoinedColumns]:
        """Put the tree's root into FROM and join everything below it; the root's alias and where columns are."""
        alias = self.alias(node.dataset)
        source = self._sources[node.dataset]
        select.set("from_", exp.From(this=source.relation(alias)))
        joined = JoinedColumns()
        for column in node.columns:
            joined.column[node.path, column] = source.column(column, alias)
        self.children(node, select, joined)
        return alias, joined

    def beside(self, node: JoinNode, select: exp.Select, keys: Mapping[str, exp.Expr]) -> JoinedColumns:
        """Join a tree to what stands in FROM already, on a proven key of the tree's root.

        Args:
            keys: what each key column of the root must equal.
        """
        alias, source = self.alias(node.dataset), self._sources[node.dataset]
        columns = [source.column(column, alias) for column in keys]
        left_join(select, source.relation(alias), list(keys.values()), columns)
        joined = JoinedColumns()
        joined.is_matched[()] = _is_not_null(columns[0])
        for column in node.columns:
            joined.column[(), column] = _of_member(source.column(column, alias), joined.is_matched[()])
        self.children(node, select, joined)
        return joined

    def children(self, node: JoinNode, select: exp.Select, joined: JoinedColumns) -> None:
        """Join everything below a node whose own columns are known.

        Raises:
            DefinitionError: the warehouse refuses to compare the columns of a join, or a join would multiply rows.
        """
        for step, child in node.children.items():
            self.check_types(step)
            if step.kind is JoinKind.BRIDGE:
                self._bridge(child, select, joined)
            elif is_plain(step, self._constraints) and self._tells_matches(step):
                self._plain(child, select, joined)
            else:
                self._one_row_per_key(child, select, joined)

    def check_types(self, step: JoinStep) -> None:
        """Refuse to join columns whose types cannot be compared, and name them.

        Some warehouses refuse this only when they read the first row, and none of them names the datasets.
        """
        ours, theirs = self._sources[step.from_dataset], self._sources[step.to_dataset]
        if [*map(ours.find_column_type, step.from_columns)] == [*map(theirs.find_column_type, step.to_columns)]:
            return
        pairs = zip(_join_columns(ours, step.from_columns), _join_columns(theirs, step.to_columns), strict=True)
        reason = refused_join(pairs, self._sources.dialect)
        if reason:
            raise DefinitionError("", reason, REFUSED_JOIN_REMEDY)

    def _tells_matches(self, step: JoinStep) -> bool:
        """True when the target's first key column is NULL exactly where no row is met; a calculation may not be."""
        return self._sources[step.to_dataset].is_physical(step.to_columns[0])

    def _plain(self, node: JoinNode, select: exp.Select, joined: JoinedColumns) -> None:
        step, source = node.path[-1], self._sources[node.dataset]
        alias = self.alias(node.dataset)
        keys = [source.column(column, alias) for column in step.to_columns]
        left_join(select, source.relation(alias), _left_keys(node, joined), keys)
        joined.is_matched[node.path] = _is_not_null(keys[0])
        for column in node.columns:
            value = source.column(column, alias)
            joined.column[node.path, column] = _of_member(value, joined.is_matched[node.path])
        self.children(node, select, joined)

    def _one_row_per_key(self, node: JoinNode, select: exp.Select, joined: JoinedColumns) -> None:
        self._sources[node.dataset].check_readable()
        refused = self._constraints.unreadable.get(node.dataset)
        if refused is not None:
            reason = f"dataset `{node.dataset}` ({self._sources[node.dataset].dataset.where}) cannot be read: {refused}"
            raise DefinitionError("", reason, "Mend the table or view, then try again.")
        step, source = node.path[-1], self._sources[node.dataset]
        claim = key_dependency(node)
        if claim.columns and not is_plain(step, self._constraints) and claim not in self._constraints.functional:
            raise DefinitionError(
                "",
                f"a join to dataset `{node.dataset}` on ({', '.join(step.to_columns)}) would meet rows that differ in "
                f"({', '.join(claim.columns)}) for one key, which would multiply measures or pick values at random",
                "Make the key unique, join at a level that determines these attributes, or leave them out.",
            )
        alias, inner = self.alias(node.dataset), "one_per_key"
        keys = [source.column(column, inner) for column in step.to_columns]
        values = [only_value(source, column, source.column(column, inner)) for column in claim.columns]
        grouped = exp.Select(
            expressions=[
                *(alias_as(key, f"k{number}") for number, key in enumerate(keys)),
                *(alias_as(value, f"c{number}") for number, value in enumerate(values)),
            ],
            from_=exp.From(this=source.relation(inner)),
            group=exp.Group(expressions=groupable(keys)),
        )
        right = [column_of(f"k{number}", alias) for number in range(len(keys))]
        left_join(select, _subquery(grouped, alias), _left_keys(node, joined), right)
        joined.is_matched[node.path] = _is_not_null(right[0])
        names = {column: f"k{number}" for number, column in enumerate(step.to_columns)}
        names |= {column: f"c{number}" for number, column in enumerate(claim.columns)}
        for column in node.columns:
            joined.column[node.path, column] = column_of(names[column], alias)
        self.children(node, select, joined)

    def _bridge(self, node: JoinNode, select: exp.Select, joined: JoinedColumns) -> None:
        """One row per bridge key and distinct combination of the attributes beyond it.

        Columns that only join must not stand in the DISTINCT: two members that show the same are one here.
        """
        step = node.path[-1]
        inner = JoinedColumns()
        source, inner_alias = self._sources[node.dataset], self.alias(node.dataset)
        members = exp.Select().from_(source.relation(inner_alias), copy=False).distinct(copy=False)
        for column in (*node.columns, *step.to_columns):
            inner.column[node.path, column] = source.column(column, inner_alias)
        self.children(node, members, inner)
        alias = self.alias(f"{node.dataset}_members")
        for number, column in enumerate(step.to_columns):
            members.select(alias_as(inner.column[node.path, column].copy(), f"k{number}"), copy=False)
        columns_shown = {(below.path, column) for below in node.walk() for column in below.shown} & inner.column.keys()
        for number, (path, column) in enumerate(
            sorted(columns_shown, key=lambda item: (len(item[0]), item[0], item[1]))
        ):
            members.select(alias_as(inner.column[path, column].copy(), f"c{number}"), copy=False)
            joined.column[path, column] = column_of(f"c{number}", alias)
        ends = sorted(below.path for below in node.walk() if below.shown and below.path in inner.is_matched)
        for number, path in enumerate(ends):
            members.select(alias_as(inner.matched_flag(path), f"m{number}"), copy=False)
            joined.is_matched[path] = exp.EQ(this=column_of(f"m{number}", alias), expression=exp.Literal.number(1))
        right = [column_of(f"k{number}", alias) for number in range(len(step.to_columns))]
        left_join(select, _subquery(members, alias), _left_keys(node, joined), right)
        joined.is_matched[node.path] = _is_not_null(right[0])


def _join_columns(source: DatasetSource, names: Iterable[str]) -> list[JoinColumn]:
    return [JoinColumn(source.dataset.name, name, source.find_column_type(name)) for name in names]


def _left_keys(node: JoinNode, joined: JoinedColumns) -> list[exp.Expr]:
    return [joined.column[node.path[:-1], column] for column in node.path[-1].from_columns]


def left_join(select: exp.Select, relation: exp.Expr, left: Sequence[exp.Expr], right: Sequence[exp.Expr]) -> None:
    """LEFT JOIN a relation where keys are equal, pair by pair; there is one at least."""
    on = all_of(
        [
            exp.EQ(this=fresh(left_key), expression=fresh(right_key))
            for left_key, right_key in zip(left, right, strict=True)
        ]
    )
    # Select.join would parse the join type again for every join.
    select.append("joins", exp.Join(this=relation, side="LEFT", on=on))


def _of_member(value: exp.Expr, is_matched: exp.Expr) -> exp.Expr:
    """A calculation such as CASE … ELSE 'Other' would give a value for a member that is not there: NULL instead."""
    return value if isinstance(value, exp.Column) else exp.Case(ifs=[exp.If(this=is_matched.copy(), true=value)])


def _is_not_null(expression: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=fresh(expression), expression=exp.Null()))


def _subquery(select: exp.Select, alias: str) -> exp.Subquery:
    return exp.Subquery(this=select, alias=exp.TableAlias(this=exp.Identifier(this=alias, quoted=True)))
