"""SQL that compares the table of an aggregate with its facts: totals of both, and the groups in which they disagree.

The totals of the facts are taken without joins: an aggregate keeps every fact row in exactly one group, so a join that
lost or multiplied rows shows. Only many-to-many attributes are joined, since there a fact row counts once per member on
purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.aggregates.measures import SKETCHES, StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.aggregates.verification import (
    LEAST_TOLERANCE,
    ROUNDOFF,
    TABLE_ROWS,
    GroupsQuery,
    TotalsQuery,
    Verification,
    scale_of,
)
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.sql.fact_joins import JoinComposer, ProvenConstraints, join_tree
from airflow_atscale_aggs.engine.sql.indicator_lookup import any_range_condition
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.queries import (
    as_double,
    measure_expression,
    select_from_fact,
    sum_argument,
    type_of_sum,
)
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources
from airflow_atscale_aggs.engine.sql.statements import RenderedOnce, render, render_last

SAMPLED_GROUPS = 100
"""About so many groups are compared at level ``sample``, spread evenly over the table in the order of its keys."""

_MOST_DIFFERENCES = 5
_STORED = "stored"
_SAMPLED = "sampled"
_EXACT_TYPES = ("int", "bigint", "smallint", "tinyint", "long", "hugeint", "dec", "num", "uint", "ubigint", "byteint")
_COUNTS = frozenset({StoredFunction.COUNT_ROWS, StoredFunction.COUNT})
_EXTREMES = frozenset({StoredFunction.MINIMUM, StoredFunction.MAXIMUM})
_SUMS = frozenset({StoredFunction.SUM})
_TOTALLED = _COUNTS | _EXTREMES | _SUMS


class VerificationComposer:
    """Composes the verifications of the aggregates of one plan; the totals of a fact are composed once.

    Args:
        parts: of all aggregates that are verified together, so that one scan of a fact serves them all.
        constraints: what the data proved, as the builds rely on it.
    """

    def __init__(self, parts: Iterable[FactPart], sources: Sources, constraints: ProvenConstraints) -> None:
        self._sources, self._constraints = sources, constraints
        self._measures: dict[tuple[str, tuple[BoundAttribute, ...]], set[StoredMeasure]] = {}
        for part in parts:
            totalled = {measure for measure in part.measures if measure.function in _TOTALLED}
            self._measures.setdefault((part.fact, _fanning(part)), set()).update(totalled)
        self._totals: dict[tuple[str, tuple[BoundAttribute, ...], tuple[RowRange, ...]], TotalsQuery] = {}
        self._rendered: dict[str, RenderedOnce] = {}

    def verification(
        self,
        part: FactPart,
        target: exp.Expr,
        groups: GroupsQuery | None = None,
        only: tuple[RowRange, ...] = (),
    ) -> Verification:
        """How the table of a part is compared.

        Args:
            part: one of the composer's.
            target: the qualified table, or a query that stands for it; names may hold the attempt token.
            groups: from `groups_query`, if groups are compared.
            only: ranges of the fact rows that the table holds; none: all.
        """
        source = self._sources[part.fact]
        return Verification(
            fact=part.fact,
            rows=str(row_count(part.fact)),
            facts=self._facts_totals(part, only),
            table=self._table_totals(part, target),
            roundoff={
                str(measure): roundoff
                for measure in part.measures
                if measure.function in _SUMS and (roundoff := _roundoff(source, measure.column)) is not None
            },
            groups=groups,
            exact=tuple(
                str(measure)
                for measure in part.measures
                if measure.function in _COUNTS
                or (measure.function in _SUMS and _roundoff(source, measure.column) is None)
            ),
        )

    def merging(self, part: FactPart, target: exp.Expr, merged: exp.Expr) -> Verification:
        """How a table is compared with those that were merged into it."""
        return replace(self.verification(part, target), facts=self._table_totals(part, merged))

    def _table_totals(self, part: FactPart, target: exp.Expr) -> TotalsQuery:
        """The totals of a table. Those of tables with the same measures are composed once."""
        source = self._sources[part.fact]
        columns = {
            measure: column
            for measure, column in stored_columns(part).measures.items()
            if measure.function in _TOTALLED
        }
        names = (TABLE_ROWS, *map(str, columns))
        if not isinstance(target, exp.Table) or target.catalog:
            return TotalsQuery(sql=render_last(_table_totals(columns, target, source), source.dialect), names=names)
        rendered = self._rendered.setdefault(target.db, RenderedOnce(target.db, source.dialect))
        key = part.fact, *columns.items()
        return TotalsQuery(
            sql=rendered.say(key, target.name, lambda stored: _table_totals(columns, stored, source)), names=names
        )

    def groups_query(
        self, part: FactPart, target: exp.Expr, *, is_sample: bool, only: tuple[RowRange, ...] = ()
    ) -> GroupsQuery:
        """The comparison of every group, or of about `SAMPLED_GROUPS` of the table's."""
        return _GroupsComposer(part, self._sources, self._constraints, only).compose(target, is_sample=is_sample)

    def _facts_totals(self, part: FactPart, only: tuple[RowRange, ...]) -> TotalsQuery:
        fact, fanning = part.fact, _fanning(part)
        key = fact, fanning, only
        if key not in self._totals:
            source, select = self._sources[part.fact], exp.Select()
            alias, _ = JoinComposer(self._sources, self._constraints).root(join_tree(fact, fanning), select)
            condition = any_range_condition(only, source, alias)
            if condition is not None:
                select.where(condition, copy=False)
            names = []
            for measure in sorted(self._measures[fact, fanning]):
                value = _as_wide_as_it_gets(measure_expression(measure, source, alias))
                names.append(str(measure))
                _add(select, _in_comparable_form(measure, value), f"t{len(names)}")
                if measure.function in _SUMS and _roundoff(source, measure.column) is not None:
                    names.append(scale_of(str(measure)))
                    _add(select, _absolute(source.column(measure.column, alias)), f"t{len(names)}")
            self._totals[key] = TotalsQuery(sql=render(select, source.dialect), names=tuple(names))
        return self._totals[key]


def _fanning(part: FactPart) -> tuple[BoundAttribute, ...]:
    """The attributes that multiply fact rows; sorted, so that equal sets make equal SQL."""
    fanning = (bound for bound in part.attributes if bound.is_many_to_many)
    return tuple(sorted(fanning, key=lambda bound: bound.attribute))


def _as_wide_as_it_gets(total: exp.Expr) -> exp.Expr:
    """A total that is compared, not stored: where the sum of a group fits its type, that of all groups may not."""
    return total.this if isinstance(total, exp.Cast) and isinstance(total.this, exp.Sum) else total


def _table_totals(columns: Mapping[StoredMeasure, str], target: exp.Expr, source: DatasetSource) -> exp.Select:
    """The totals of a table by the columns of its measures, after the number of its rows."""
    select = _from(target)
    _add(select, exp.Count(this=exp.Star(), big_int=True), "t1")
    for place, (measure, column) in enumerate(columns.items(), 2):
        stored: exp.Expr = column_of(column, _STORED)
        if measure.function in _EXTREMES:
            is_least = measure.function is StoredFunction.MINIMUM
            value: exp.Expr = exp.Min(this=stored) if is_least else exp.Max(this=stored)
        elif measure.function in _COUNTS:
            value = exp.Coalesce(this=exp.Sum(this=stored), expressions=[exp.Literal.number(0)])
        else:
            kind = type_of_sum(source, measure.column)
            wide = stored if kind is None else sum_argument(stored, kind, source.dialect)
            value = exp.Sum(this=as_double(stored) if source.may_be_single(measure.column) else wide)
        _add(select, _in_comparable_form(measure, value), f"t{place}")
    return select


def _in_comparable_form(measure: StoredMeasure, value: exp.Expr) -> exp.Expr:
    """Least and greatest values as text: drivers cannot hold every date that warehouses know."""
    return exp.cast(value, "text") if measure.function in _EXTREMES else value


def _roundoff(source: DatasetSource, column: str) -> float | None:
    """Relative error of one addition of the column; None where the warehouse says that sums are exact."""
    kind = source.data_type(column)
    is_told = source.dataset.table is not None and source.is_physical(column)
    if is_told and kind.startswith(_EXACT_TYPES) and not kind.startswith("interval"):
        return None
    return ROUNDOFF


class _GroupsComposer:
    """The comparison by group of one part.

    Both sides under each other, grouped by the keys, which takes NULL for equal to NULL and needs no join: one row per
    group with the values of both.
    """

    def __init__(
        self, part: FactPart, sources: Sources, constraints: ProvenConstraints, only: tuple[RowRange, ...]
    ) -> None:
        self._part, self._sources = part, sources
        self._layout = stored_columns(part)
        self._measures = [m for m in part.measures if m.function not in SKETCHES]
        self._source = sources[part.fact]
        self._select = select_from_fact(part, sources, constraints, only)
        names = set(self._layout.measures.values())
        self._keys = [name for name in self._layout.names if name not in names]

    def compose(self, target: exp.Expr, *, is_sample: bool) -> GroupsQuery:
        """The query; to be called once."""
        sample = self._sample(target) if is_sample and self._keys else None
        sides = exp.Union(this=self._of_table(target, sample), expression=self._of_facts(sample), distinct=False)
        differences = self._select_differences(self._side_by_side(sides))
        if sample is not None:
            differences = differences.with_(identifier(_SAMPLED), as_=sample, copy=False)
        return GroupsQuery(
            sql=render(differences, self._source.dialect),
            keys=tuple(self._keys),
            measures=tuple(map(str, self._measures)),
            is_sample=is_sample,
        )

    def _sample(self, target: exp.Expr) -> exp.Select:
        """Keys of every n-th group in the order of the keys."""
        # Said outright, because warehouses disagree on where NULLs stand.
        keys = [exp.Ordered(this=column_of(key, _STORED), desc=False, nulls_first=True) for key in self._keys]
        row_number = exp.Window(this=exp.RowNumber(), order=exp.Order(expressions=keys))
        inner = _from(target)
        for place, key in enumerate(self._keys):
            _add(inner, column_of(key, _STORED), f"k{place}")
        _add(inner, row_number, "place")
        _add(inner, exp.Window(this=exp.Count(this=exp.Star(), big_int=True)), "number")
        step = exp.Add(
            this=exp.Floor(
                this=exp.Div(this=column_of("number"), expression=exp.Literal.number(f"{SAMPLED_GROUPS}.0"))
            ),
            expression=exp.Literal.number(1),
        )
        is_sampled = exp.EQ(
            this=exp.Mod(this=column_of("place"), expression=exp.cast(step, "bigint")), expression=exp.Literal.number(0)
        )
        outer = exp.Select().from_(_subquery(inner, "numbered"), copy=False).where(is_sampled, copy=False)
        for place in range(len(self._keys)):
            _add(outer, column_of(f"k{place}"), f"k{place}")
        return outer

    def _of_table(self, target: exp.Expr, sample: exp.Select | None) -> exp.Select:
        """The table's groups."""
        side = _from(target)
        for place, key in enumerate(self._keys):
            _add(side, column_of(key, _STORED), f"k{place}")
        _add(side, exp.Literal.number(0), "of_facts")
        for place, measure in enumerate(self._measures):
            _add(side, column_of(self._layout.measures[measure], _STORED), f"m{place}")
        for place, _ in self._floating_sums():
            _add(side, exp.cast(exp.Null(), "double"), f"s{place}")
        if sample is not None:
            self._restrict(side, {key: column_of(key, _STORED) for key in self._keys})
        return side

    def _of_facts(self, sample: exp.Select | None) -> exp.Select:
        """The facts' groups, computed as a build from the facts would."""
        by_name = {column.alias: column.this for column in self._select.expressions}
        if sample is not None:
            self._restrict(self._select, {key: by_name[key] for key in self._keys})
        alias = self._select.args["from_"].this.alias_or_name
        for place, measure in self._floating_sums():
            column = self._source.column(measure.column, alias)
            scale = _squares(column) if measure.function is StoredFunction.CENTERED_SQUARES else _absolute(column)
            _add(self._select, scale, f"s{place}")
        side = exp.Select().from_(_subquery(self._select, "facts"), copy=False)
        for place, key in enumerate(self._keys):
            _add(side, column_of(key), f"k{place}")
        _add(side, exp.Literal.number(1), "of_facts")
        for place, measure in enumerate(self._measures):
            _add(side, column_of(self._layout.measures[measure]), f"m{place}")
        for place, _ in self._floating_sums():
            _add(side, column_of(f"s{place}"), f"s{place}")
        return side

    def _restrict(self, select: exp.Select, keys: dict[str, exp.Expr]) -> None:
        """Keep groups of whose keys each on its own is a sampled group's, or NULL.

        These are the sampled groups and some more, the same ones on both sides, and whole: the test knows keys only.
        """
        tested = {key for stored in self._layout.attributes.values() for key in stored.keys}
        for place, name in enumerate(self._keys):
            if name not in tested or keys[name].find(exp.Column) is None:
                continue
            sampled_keys = exp.select(column_of(f"k{place}", _SAMPLED)).from_(identifier(_SAMPLED))
            is_sampled = exp.In(this=keys[name].copy(), query=exp.Subquery(this=sampled_keys))
            is_null = exp.Is(this=keys[name].copy(), expression=exp.Null())
            select.where(exp.Paren(this=exp.Or(this=is_sampled, expression=is_null)), copy=False)

    def _floating_sums(self) -> list[tuple[int, StoredMeasure]]:
        """Places of the measures that may be floating sums."""
        return [
            (place, measure)
            for place, measure in enumerate(self._measures)
            if measure.function is StoredFunction.CENTERED_SQUARES
            or (
                measure.function in {StoredFunction.SUM, StoredFunction.SUM_DISTINCT}
                and _roundoff(self._source, measure.column) is not None
            )
        ]

    def _side_by_side(self, sides: exp.Expr) -> exp.Select:
        """One row per group: how often it stands in the table and in the facts, and the values of both."""
        keys = [column_of(f"k{place}") for place in range(len(self._keys))]
        groups = exp.Select().from_(_subquery(sides, "sides"), copy=False)
        groups.select(*(key.copy() for key in keys), copy=False)
        is_table = exp.EQ(this=column_of("of_facts"), expression=exp.Literal.number(0))
        for name, test in (("in_table", is_table), ("in_facts", exp.Not(this=is_table))):
            _add(groups, exp.Count(this=_where(test, exp.Literal.number(1)), big_int=True), name)
        for place, _ in enumerate(self._measures):
            for side, test in (("t", is_table), ("f", exp.Not(this=is_table))):
                _add(groups, exp.Max(this=_where(test, column_of(f"m{place}"))), f"{side}{place}")
        for place, _ in self._floating_sums():
            _add(groups, exp.Max(this=column_of(f"s{place}")), f"s{place}")
        return groups.group_by(*keys, copy=False) if keys else groups

    def _select_differences(self, groups: exp.Select) -> exp.Select:
        """The groups in which the two sides disagree."""
        scaled = dict(self._floating_sums())
        tests = [self._differs(place, scaled) for place in range(len(self._measures))]
        differences = exp.Select().from_(_subquery(groups, "groups"), copy=False)
        for place in range(len(self._keys)):
            _add(differences, exp.cast(column_of(f"k{place}"), "text"), f"key_{place}")
        for name in ("in_table", "in_facts"):
            differences.select(column_of(name), copy=False)
        for place, test in enumerate(tests):
            number_one, zero = exp.Literal.number(1), exp.Literal.number(0)
            _add(
                differences, exp.Case(ifs=[exp.If(this=test.copy(), true=number_one)], default=zero), f"differs_{place}"
            )
            for side, name in (("f", "of_facts"), ("t", "of_table")):
                _add(differences, exp.cast(column_of(f"{side}{place}"), "text"), f"{name}_{place}")
        number = exp.Literal.number
        is_not_once_in_table = exp.NEQ(this=column_of("in_table"), expression=number(1))
        is_not_once_in_facts = exp.NEQ(this=column_of("in_facts"), expression=number(1))
        differences.where(exp.or_(is_not_once_in_table, is_not_once_in_facts, *tests, copy=False), copy=False)
        return differences.limit(_MOST_DIFFERENCES, copy=False)

    def _differs(self, place: int, scaled: dict[int, StoredMeasure]) -> exp.Expr:
        """True where the values differ, one NULL and the other not included."""
        ours, theirs = column_of(f"t{place}"), column_of(f"f{place}")
        differ: exp.Expr = exp.NEQ(this=ours, expression=theirs)
        if place in scaled:
            row_count_place = self._measures.index(row_count(self._part.fact))
            unit = exp.Literal.number(repr(4 * ROUNDOFF))
            tolerance = exp.Add(
                this=exp.Literal.number(repr(LEAST_TOLERANCE)),
                expression=exp.Mul(this=unit, expression=column_of(f"f{row_count_place}")),
            )
            distance = exp.Abs(
                this=exp.Sub(this=exp.cast(ours.copy(), "double"), expression=exp.cast(theirs.copy(), "double"))
            )
            is_far = exp.GT(
                this=distance, expression=exp.Mul(this=exp.Paren(this=tolerance), expression=column_of(f"s{place}"))
            )
            # Unequal first: where NaN equals NaN, their distance is NaN and greater than everything.
            differ = exp.Paren(this=exp.And(this=differ, expression=is_far))
        nulls = [
            exp.Paren(this=exp.And(this=_is_null(value), expression=exp.Not(this=_is_null(other))))
            for value, other in ((ours, theirs), (theirs, ours))
        ]
        return exp.Paren(this=exp.or_(differ, *nulls, copy=False))


def _absolute(column: exp.Expr) -> exp.Expr:
    return exp.Sum(this=exp.Abs(this=exp.cast(column, "double")))


def _squares(column: exp.Expr) -> exp.Expr:
    value = exp.cast(column, "double")
    return exp.Sum(this=exp.Mul(this=value, expression=value.copy()))


def _where(test: exp.Expr, value: exp.Expr) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=test.copy(), true=value)])


def _is_null(expression: exp.Expr) -> exp.Expr:
    return exp.Is(this=expression.copy(), expression=exp.Null())


def _add(select: exp.Select, expression: exp.Expr, name: str) -> None:
    select.select(alias_as(expression, name), copy=False)


def _from(relation: exp.Expr) -> exp.Select:
    """A SELECT from an aggregate's table; its columns are named with the alias, since ours may be called alike."""
    stored = relation.copy()
    stored.set("alias", exp.TableAlias(this=identifier(_STORED)))
    return exp.Select().from_(stored, copy=False)


def _subquery(query: exp.Expr, alias: str) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=identifier(alias)))
