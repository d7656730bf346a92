"""The SELECT of an aggregate from another aggregate's table: the same rows as from the facts, for less work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import AttributeOrigin, Derivation
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.sql.fact_joins import (
    JoinComposer,
    JoinedColumns,
    Path,
    ProvenConstraints,
    all_of,
    groupable,
    join_tree,
    only_value,
)
from airflow_atscale_aggs.engine.sql.physical_names import StoredColumns, stored_columns
from airflow_atscale_aggs.engine.sql.queries import as_bigint, as_double, sum_argument, type_of_sum
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, fresh, identifier
from airflow_atscale_aggs.engine.sql.sources import Sources


def select_from_instance(
    child: FactPart,
    parent: FactPart,
    way: Derivation,
    parent_table: exp.Expr,
    sources: Sources,
    constraints: ProvenConstraints,
) -> exp.Select:
    """The rows of the child's table, computed from the parent's table.

    Sums, counts, least and greatest values roll up; centred squares by the parts' own squares plus the squares between
    the parts' means. Attributes that the parent does not store are joined back through a stored key that determines
    them.

    Args:
        way: from `lattice.derivation`; its dependencies are proven.
        parent_table: qualified name of the parent's table.
    """
    rows = InstanceRows(child, stored_columns(parent), sources, constraints)
    rows.begin_with(way, parent_table.copy())
    return rows.select_same_grain() if way.is_same_grain else rows.select_coarser_grain()


def combine_segments(part: FactPart, tables: Sequence[exp.Table], sources: Sources) -> exp.Select:
    """The rows of a part's segments, those of one group combined: what one table of all their fact rows would hold."""
    origins = tuple(AttributeOrigin(bound, bound) for bound in part.attributes)
    rows = InstanceRows(part, stored_columns(part), sources, ProvenConstraints())
    rows.begin_with(Derivation(origins, is_same_grain=False), exp.Subquery(this=unite_segments(part, tables)))
    return rows.select_coarser_grain()


def unite_segments(part: FactPart, tables: Sequence[exp.Table]) -> exp.Query:
    """The rows of a part's segments under each other; a group may stand in several."""
    names = stored_columns(part).names
    selects = [
        exp.select(*(exp.Column(this=identifier(name)) for name in names)).from_(table.copy()) for table in tables
    ]
    union: exp.Query = selects[0]
    for other in selects[1:]:
        union = exp.Union(this=union, expression=other, distinct=False)
    return union


_TINY = "1e-150"
"""Numbers below have squares that double precision cannot tell from zero."""

_Flag: TypeAlias = "exp.Expr | tuple[JoinedColumns, Path]"
"""A matched flag: 1 or 0, or the join that tells."""


class InstanceRows:
    """The rows of an aggregate's table with everything that a coarser aggregate, or a query, needs of them.

    Attributes:
        select: FROM the table and what is joined back to it; nothing is selected yet.
    """

    def __init__(
        self,
        child: FactPart,
        parent: StoredColumns,
        sources: Sources,
        constraints: ProvenConstraints,
        alias: str = "parent",
    ) -> None:
        self._to, self._from = child, parent
        self._sources, self._constraints, self._alias = sources, constraints, alias
        self._composer = JoinComposer(sources, constraints)
        self._composer.alias(alias)
        self.select = exp.Select()
        self._back: dict[GrainAttribute, list[exp.Expr]] = {}
        self._flags: dict[Path, _Flag] = {}
        self._back_by_key: dict[Path, exp.Join] = {}

    def begin_with(self, way: Derivation, parent_table: exp.Expr) -> None:
        """Begin with the parent's table, which is used up; to be called once."""
        parent_table.set("alias", exp.TableAlias(this=identifier(self._alias)))
        self.select.set("from_", exp.From(this=parent_table))
        wanted: dict[GrainAttribute, list[AttributeOrigin]] = {}
        for origin in way.origins:
            if not origin.is_stored:
                wanted.setdefault(origin.source.attribute, []).append(origin)
        for origins in wanted.values():
            source, bounds = origins[0].source, [origin.attribute for origin in origins]
            join = self._beside if self._is_key(source) else self._join_back
            for bound, (columns, flag) in zip(bounds, join(source, bounds), strict=True):
                self._back[bound.attribute] = columns
                self._flags.setdefault(bound.steps, flag)

    def value(self, bound: BoundAttribute, column: str) -> exp.Expr:
        """Where a column of an attribute, its name or one of its key, is found, made anew."""
        number = bound.columns.index(column)
        back = self._back.get(bound.attribute)
        if back is None:
            return self._parent(self._from.attributes[bound.attribute].columns[number])
        return fresh(back[number])

    def flag(self, path: Path) -> exp.Expr:
        """Where the matched flag of a path is found, made anew: 1 or 0."""
        own = self._from.matched.get(path)
        if own is not None:
            return self._parent(own)
        flag = self._flags[path]
        return fresh(flag) if isinstance(flag, exp.Expr) else flag[0].matched_flag(flag[1])

    def is_there(self, path: Path) -> exp.Expr:
        """Whether a row has a member of a path's dimension, made anew."""
        flag = self._flags.get(path) if path not in self._from.matched else None
        if isinstance(flag, tuple):
            return flag[0].is_matched[flag[1]].copy()
        return exp.EQ(this=self.flag(path), expression=exp.Literal.number(1))

    def join_of_members(self, path: Path) -> exp.Join | None:
        """The LEFT JOIN that meets exactly the rows with a member of a path's dimension, if there is one."""
        return self._back_by_key.get(path)

    def _values(self) -> dict[str, exp.Expr]:
        """Where each column of the child's layout is found, measures aside, in its order."""
        layout = stored_columns(self._to)
        values: dict[str, exp.Expr] = {}
        for attribute, stored in layout.attributes.items():
            back = self._back.get(attribute)
            columns_there = self._from.attributes[attribute].columns if back is None else ()
            columns = (
                [self._parent(column) for column in columns_there]
                if back is None
                else [fresh(column) for column in back]
            )
            values |= dict(zip(stored.columns, columns, strict=True))
        return values | {name: self.flag(path) for path, name in layout.matched.items()}

    def _is_key(self, source: BoundAttribute) -> bool:
        """True when a stored key stands in one row of its dataset only, and tells by itself that the row is there."""
        is_physical = self._sources[source.dataset].is_physical(source.key_columns[0])
        return is_physical and (source.dataset, source.key_columns) in self._constraints.unique_keys

    def _beside(self, source: BoundAttribute, wanted: Sequence[BoundAttribute]) -> list[tuple[list[exp.Expr], _Flag]]:
        """Join the dataset of a stored key; columns and matched flag of each wanted attribute."""
        depth = len(source.steps)
        beyond = [_shift_steps(bound, depth) for bound in wanted]
        tree = join_tree(source.dataset, beyond)
        stored = (self._parent(column) for column in self._from.attributes[source.attribute].keys)
        place = len(self.select.args.get("joins") or ())
        joined = self._composer.beside(tree, self.select, dict(zip(source.key_columns, stored, strict=True)))
        # A stored key determines nothing unless every member that facts meet has it, see `lattice.derivation`.
        self._back_by_key[source.steps] = self.select.args["joins"][place]
        return [
            ([joined.column[shifted.steps, column] for column in shifted.columns], (joined, shifted.steps))
            for shifted in beyond
        ]

    def _join_back(
        self, source: BoundAttribute, wanted: Sequence[BoundAttribute]
    ) -> list[tuple[list[exp.Expr], _Flag]]:
        """Join one row per key of a stored attribute; columns and matched flag of each wanted attribute."""
        depth = len(source.steps)
        beyond = [_shift_steps(bound, depth) for bound in wanted]
        tree = join_tree(source.dataset, [*beyond, _shift_steps(source, depth)])
        inner = exp.Select()
        _, joined = JoinComposer(self._sources, self._constraints).root(tree, inner)
        keys = [joined.column[(), column] for column in source.key_columns]
        shown = [alias_as(fresh(key), f"k{number}") for number, key in enumerate(keys)]
        for place, shifted in enumerate(beyond):
            dataset = self._sources[shifted.dataset]
            for number, column in enumerate(shifted.columns):
                value = only_value(dataset, column, fresh(joined.column[shifted.steps, column]))
                shown.append(alias_as(value, f"c{place}_{number}"))
            if wanted[place].steps not in self._from.matched:
                is_there = joined.matched_flag(shifted.steps) if shifted.steps else exp.Literal.number(1)
                shown.append(alias_as(exp.Min(this=is_there), f"f{place}"))
        inner.set("expressions", shown)
        inner.set("group", exp.Group(expressions=groupable(keys)))
        stored = self._from.attributes[source.attribute].keys
        alias = self._composer.alias(f"by_{stored[0]}")
        on = all_of(
            [
                exp.EQ(this=self._parent(column), expression=column_of(f"k{number}", alias))
                for number, column in enumerate(stored)
            ]
        )
        back = exp.Subquery(this=inner, alias=exp.TableAlias(this=identifier(alias)))
        self.select.append("joins", exp.Join(this=back, side="LEFT", on=on))
        return [
            (
                [column_of(f"c{place}_{number}", alias) for number in range(len(bound.columns))],
                exp.Coalesce(this=column_of(f"f{place}", alias), expressions=[exp.Literal.number(0)]),
            )
            for place, bound in enumerate(wanted)
        ]

    def select_same_grain(self) -> exp.Select:
        """The same grain: columns as they are, nothing to group."""
        for name, value in self._values().items():
            self.select.select(alias_as(value, name), copy=False)
        for measure, name in stored_columns(self._to).measures.items():
            self.select.select(alias_as(self.stored_column(measure), name), copy=False)
        return self.select

    def select_coarser_grain(self) -> exp.Select:
        """A coarser grain: grouped, every measure rolled up."""
        values = self._values()
        if self.needs_means:
            columns = self.add_means(list(values.values()), ())
            values = dict(zip(values, columns, strict=True))
        for name, value in values.items():
            self.select.select(alias_as(value.copy(), name), copy=False)
        for measure, name in stored_columns(self._to).measures.items():
            self.select.select(alias_as(self.roll_up(measure), name), copy=False)
        if values:
            self.select.group_by(*(value.copy() for value in values.values()), copy=False)
        return self.select

    @property
    def needs_means(self) -> bool:
        """Whether `add_means` must be called before `roll_up`."""
        return any(measure.function is StoredFunction.CENTERED_SQUARES for measure in self._to.measures)

    def stored_column(self, measure: StoredMeasure) -> exp.Expr:
        """The column that holds a stored measure."""
        return self._parent(self._from.measures[measure])

    def roll_up(self, measure: StoredMeasure, only: exp.Expr | None = None) -> exp.Expr:
        """The aggregate over a group of rows that gives the measure of the whole group, or of some of its rows."""
        column = where(self.stored_column(measure), only)
        match measure.function:
            case StoredFunction.COUNT_ROWS | StoredFunction.COUNT:
                # COUNT of no rows is 0 where SUM of no rows is NULL; the type stays that of a count.
                return as_bigint(exp.Coalesce(this=exp.Sum(this=column), expressions=[exp.Literal.number(0)]))
            case StoredFunction.SUM:
                return self._sum_of_sums(measure, column)
            case StoredFunction.MINIMUM:
                return exp.Min(this=column)
            case StoredFunction.MAXIMUM:
                return exp.Max(this=column)
            case StoredFunction.CENTERED_SQUARES:
                return self._squares(measure, column)
            case StoredFunction.DISTINCT_SKETCH | StoredFunction.PERCENTILE_SKETCH:
                dialect = self._sources.dialect
                is_distinct = measure.function is StoredFunction.DISTINCT_SKETCH
                functions = dialect.distinct_sketch if is_distinct else dialect.percentile_sketch
                name = functions.merge if functions else ""
                return exp.Anonymous(this=name, expressions=[column])
            case StoredFunction.COUNT_DISTINCT | StoredFunction.SUM_DISTINCT:
                message = f"{measure} does not roll up; the lattice must not derive it."
                raise AssertionError(message)

    def _sum_of_sums(self, measure: StoredMeasure, column: exp.Expr) -> exp.Expr:
        """The sum, of the type that the sum over the facts has."""
        source = self._sources[measure.dataset]
        kind = type_of_sum(source, measure.column)
        if kind is None:
            return exp.Sum(this=column)
        return exp.Cast(this=exp.Sum(this=sum_argument(column, kind, source.dialect)), to=kind)

    def _squares(self, measure: StoredMeasure, column: exp.Expr) -> exp.Expr:
        """Squares within the parts plus count times the squared distance of each part's mean from the whole's."""
        count, total = self._companions(measure)
        mean = exp.Div(
            this=as_double(self._parent(total)),
            expression=exp.func("NULLIF", self._parent(count), exp.Literal.number(0)),
        )
        distance = exp.Paren(this=exp.Sub(this=exp.Paren(this=mean), expression=self._parent(self._mean_name(total))))
        between: exp.Expr = exp.Mul(
            this=exp.Mul(this=as_double(self._parent(count)), expression=distance), expression=distance.copy()
        )
        if self._sources.dialect.refuses_underflow:
            # The square of what is so small is nothing beside any number whose own square can be told.
            is_tiny = exp.LT(this=exp.Abs(this=distance.copy()), expression=exp.Literal.number(_TINY))
            between = exp.Case(ifs=[exp.If(this=is_tiny, true=exp.Literal.number(0))], default=between)
        return exp.Sum(this=exp.Paren(this=exp.Add(this=column, expression=between)))

    def _mean_name(self, total: str) -> str:
        """Short and different from all stored columns, whose measures have a function in front."""
        return f"mean_{list(self._from.measures.values()).index(total)}"

    def _companions(self, measure: StoredMeasure) -> tuple[str, str]:
        """The stored count and sum of the same column."""
        count = StoredMeasure(StoredFunction.COUNT, measure.dataset, measure.column)
        total = StoredMeasure(StoredFunction.SUM, measure.dataset, measure.column)
        return self._from.measures[count], self._from.measures[total]

    def add_means(self, groups: Sequence[exp.Expr], others: Sequence[exp.Expr]) -> list[exp.Expr]:
        """Wrap what is selected so far so that each row knows the mean of its whole group.

        Args:
            groups: what will be grouped by.
            others: further expressions over the rows that are needed afterwards.

        Returns:
            Where groups and others are found now, in order.
        """
        inner = self.select
        for number, value in enumerate((*groups, *others)):
            inner.select(alias_as(value.copy(), f"to_{number}"), copy=False)
        for column in self._from.measures.values():
            inner.select(alias_as(self._parent(column), column), copy=False)
        for measure in self._to.measures:
            if measure.function is StoredFunction.CENTERED_SQUARES:
                count, total = self._companions(measure)
                over = [
                    exp.Window(this=exp.Sum(this=value), partition_by=[item.copy() for item in groups])
                    for value in (as_double(self._parent(total)), self._parent(count))
                ]
                mean = exp.Div(this=over[0], expression=exp.func("NULLIF", over[1], exp.Literal.number(0)))
                inner.select(alias_as(mean, self._mean_name(total)), copy=False)
        wrapped = exp.Subquery(this=inner, alias=exp.TableAlias(this=identifier(self._alias)))
        self.select = exp.Select().from_(wrapped, copy=False)
        return [self._parent(f"to_{number}") for number in range(len(groups) + len(others))]

    def _parent(self, column: str) -> exp.Expr:
        return column_of(column, self._alias)


def where(value: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    """The value in rows that meet a condition, NULL in others."""
    return value if condition is None else exp.Case(ifs=[exp.If(this=condition.copy(), true=value)])


def _shift_steps(bound: BoundAttribute, depth: int) -> BoundAttribute:
    """The attribute as reached from the dataset ``depth`` joins along its path."""
    return BoundAttribute(
        attribute=bound.attribute,
        label=bound.label,
        dataset=bound.dataset,
        key_columns=bound.key_columns,
        name_column=bound.name_column,
        steps=bound.steps[depth:],
    )
