"""Star joins of plain SQL: finds the dataset that is the fact, and the path of the model that each join follows.

    FROM store_sales JOIN item ON ss_item_sk = i_item_sk LEFT JOIN store ON ss_store_sk = s_store_sk
    ()                    (store_sales → item), rows without one are left out      (store_sales → store), they stay

A join follows a path when it compares the columns of the model's relationship. The data must prove that it meets one
row at the most (`StarJoins.steps`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import DefinitionError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, JoinStep
from airflow_atscale_aggs.engine.model.semantic_model import Metric, SemanticModel
from airflow_atscale_aggs.engine.sql.sources import Sources

Path = tuple[JoinStep, ...]
Place = tuple[str, str]
"""(alias, column) as the statement and the warehouse spell them."""


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A table of FROM: where the warehouse has it, and its columns there."""

    alias: str
    place: TableKey
    columns: Mapping[str, str]


Shown = tuple[BoundAttribute, str | None]
"""An attribute, by its name or by a column of its key."""

_EXACT = frozenset({"int", "integer", "int4", "bigint", "int8", "long", "smallint", "int2", "tinyint", "date"})


class PhysicalModel:
    """A model as its tables show it. The columns of a fact are looked up when they are first asked for."""

    def __init__(self, model: SemanticModel, paths: JoinPaths, sources: Sources) -> None:
        self._model, self._paths, self._sources = model, paths, sources
        self._at: dict[TableKey, list[str]] | None = None
        self._columns: dict[str, Mapping[tuple[Path, str], tuple[Shown, ...]]] = {}
        self._measured: dict[str, Sequence[tuple[str, exp.Expr]]] = {}

    def datasets_at(self, place: TableKey) -> Sequence[str]:
        """The datasets that are this table; facts of the model first."""
        if self._at is None:
            self._at = {}
            facts = set(self._model.fact_datasets)
            for name in sorted(self._model.datasets, key=lambda dataset: (dataset not in facts, dataset)):
                try:
                    table = self._sources[name].place
                except DefinitionError:
                    # The dataset has no table, so the SELECT cannot read it.
                    continue
                if table is not None:
                    self._at.setdefault(table, []).append(name)
        return self._at.get(place, ())

    def place_of(self, dataset: str) -> TableKey | None:
        """Where a dataset's table is; None for a query dataset."""
        return self._sources[dataset].place

    def attributes(self, fact: str) -> Mapping[tuple[Path, str], tuple[Shown, ...]]:
        """What has the values of a column of a table on a path, names before keys; calculated ones are left out."""
        if fact not in self._columns:
            names: dict[tuple[Path, str], list[Shown]] = {}
            keys: dict[tuple[Path, str], list[Shown]] = {}
            for bound in self._paths.attributes_of(fact).values():
                for name in bound.columns:
                    column = self.column(bound.dataset, name)
                    is_name = name == bound.name_column
                    if column is not None:
                        shown = (bound, None if is_name else name)
                        (names if is_name else keys).setdefault((bound.steps, column), []).append(shown)
            places = dict.fromkeys((*names, *keys))
            self._columns[fact] = {place: (*names.get(place, ()), *keys.get(place, ())) for place in places}
        return self._columns[fact]

    def equal_column(self, step: JoinStep, name: str) -> str | None:
        """The column of a join's target that equals one of the table before it in rows that meet; None when none does.

        Only where equal values are the same value, which they need not be among texts and floating numbers.
        """
        for from_column, to_column in zip(step.from_columns, step.to_columns, strict=True):
            if self.column(step.from_dataset, from_column) == name:
                types = {
                    self._sources[step.from_dataset].data_type(from_column),
                    self._sources[step.to_dataset].data_type(to_column),
                }
                return self.column(step.to_dataset, to_column) if len(types) == 1 and types <= _EXACT else None
        return None

    def paths(self, fact: str) -> Iterator[Path]:
        """Every path that an attribute lies on, with the paths that lead there, shortest first."""
        whole = dict.fromkeys(bound.steps for bound in self._paths.attributes_of(fact).values())
        parts = dict.fromkeys(path[:depth] for path in whole for depth in range(1, len(path) + 1))
        yield from sorted(parts, key=len)

    def column(self, dataset: str, name: str) -> str | None:
        """The table's column behind a dataset's; None when it is calculated or not there."""
        try:
            return self._sources[dataset].physical_name(name)
        except DefinitionError:
            return None

    def measured_columns(self, fact: str) -> Sequence[tuple[str, exp.Expr]]:
        """Columns that metrics of a fact measure, with what each is over the columns of the table."""
        if fact not in self._measured:
            source = self._sources[fact]
            names = sorted(
                {metric.column for metric in self._model.metrics.values() if metric.dataset == fact and metric.column}
            )
            columns = ((name, source.own(name)) for name in names)
            self._measured[fact] = tuple(
                (name, without_order(column)) for name, column in columns if column is not None
            )
        return self._measured[fact]

    def metric_name(self, wanted: Metric) -> str:
        """The model's metric that measures the same, if there is one."""
        same = ("dataset", "column", "calculation_method", "semi_additive")
        names = (
            metric.name
            for metric in self._model.metrics.values()
            if all(getattr(metric, name) == getattr(wanted, name) for name in same)
        )
        return next(names, "")

    def data_type(self, fact: str, name: str) -> str:
        """The type of a fact's column, in lower case."""
        return self._sources[fact].data_type(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class StarJoins:
    """The joins of a SELECT, followed in a model.

    Attributes:
        paths: by alias; the fact's is empty.
        inner: aliases whose join leaves rows without a match out.
        conditions: what joins and WHERE say besides.
    """

    fact: str
    paths: Mapping[str, Path]
    inner: frozenset[str]
    conditions: tuple[exp.Expr, ...]

    @property
    def steps(self) -> tuple[JoinStep, ...]:
        """All joins; each is right only where its target's key is unique."""
        return tuple(dict.fromkeys(step for path in self.paths.values() for step in path))


@dataclass(frozen=True, slots=True)
class _Equality:
    condition: exp.Expr
    left: Place
    right: Place

    def between(self, left: str, right: str) -> tuple[str, str] | None:
        """(column of the left table, column of the right one) when it compares the two tables."""
        for own, opposite in ((self.left, self.right), (self.right, self.left)):
            if (own[0], opposite[0]) == (left, right):
                return own[1], opposite[1]
        return None


class SelectTables:
    """The tables of one SELECT, by which the reader finds the table of a column."""

    def __init__(self, tables: Sequence[PlainTable], *, ignores_case: bool) -> None:
        self._tables = {table.alias: table for table in tables}
        self._columns = {
            table.alias: {_fold(name, ignores_case=ignores_case): name for name in table.columns} for table in tables
        }
        self._ignores_case = ignores_case

    def place_of(self, column: exp.Column) -> Place | None:
        """Table and column that a name means; None when no table has it.

        Raises:
            UnsupportedQueryError: several tables have it, or the table is not one of this SELECT.
        """
        name = _fold(column.name, ignores_case=self._ignores_case)
        if column.args.get("db") or isinstance(column.this, exp.Star):
            raise UnsupportedQueryError(column.sql(), "only columns by table and name are looked at")
        if column.table:
            columns = self._columns.get(column.table)
            if columns is None or name not in columns:
                raise UnsupportedQueryError(column.sql(), "it belongs to no table of this SELECT")
            return column.table, columns[name]
        owners = [alias for alias, columns in self._columns.items() if name in columns]
        if len(owners) > 1:
            raise UnsupportedQueryError(column.sql(), f"{' and '.join(f'`{owner}`' for owner in owners)} have it")
        return (owners[0], self._columns[owners[0]][name]) if owners else None

    @property
    def tables(self) -> Mapping[str, PlainTable]:
        """By alias, in the order of FROM."""
        return self._tables


@dataclass(slots=True)
class _Joins:
    """The comparisons and conditions of a SELECT's joins, before they are compared with a model."""

    inner: list[_Equality] = field(default_factory=list)
    left: dict[str, list[_Equality]] = field(default_factory=dict)
    conditions: list[exp.Expr] = field(default_factory=list)


def without_order(expression: exp.Expr) -> exp.Expr:
    """Give expressions one spelling that differ in needless parentheses, or in the order of a sum or product of two."""
    plain = expression.copy().unnest()
    for paren in list(plain.find_all(exp.Paren)):
        paren.replace(paren.this)
    for node in reversed(list(plain.find_all(exp.Add, exp.Mul))):
        if node.expression.sql() < node.this.sql():
            left, right = node.expression, node.this
            node.set("this", left)
            node.set("expression", right)
    return plain


def find_stars(select: exp.Select, select_tables: SelectTables, model: PhysicalModel) -> Iterator[StarJoins]:
    """Each way in which the joins of a SELECT follow the paths of a model, likeliest first; mostly one, or none.

    Raises:
        UnsupportedQueryError: a join that no model has, such as FULL or one on other conditions.
    """
    joins = _read_joins(select, select_tables)
    for alias, table in select_tables.tables.items():
        for fact in model.datasets_at(table.place) if alias not in joins.left else ():
            star = _follow(fact, alias, joins, select_tables, model)
            if star is not None:
                yield star


def _follow(fact: str, root: str, joins: _Joins, select_tables: SelectTables, model: PhysicalModel) -> StarJoins | None:
    placed: dict[str, Path] = {root: ()}
    used: set[int] = set()
    pending = [alias for alias in select_tables.tables if alias != root]
    paths = list(model.paths(fact))
    while pending:
        for alias in pending:
            followed = _path_to(alias, placed, paths, joins, select_tables, model)
            if followed is not None and followed[0] not in placed.values():
                placed[alias] = followed[0]
                used |= followed[1]
                pending.remove(alias)
                break
        else:
            return None
    rest = [equality.condition for equality in joins.inner if id(equality) not in used]
    return StarJoins(
        fact=fact,
        paths=placed,
        inner=frozenset(placed) - joins.left.keys() - {root},
        conditions=(*rest, *joins.conditions),
    )


def _path_to(
    alias: str,
    placed: Mapping[str, Path],
    paths: Sequence[Path],
    joins: _Joins,
    select_tables: SelectTables,
    model: PhysicalModel,
) -> tuple[Path, set[int]] | None:
    """The path that the join of a table follows from one that is placed, and the comparisons that say so."""
    is_left = alias in joins.left
    for parent, above in placed.items():
        equalities = joins.left[alias] if is_left else joins.inner
        pairs = {pair: equality for equality in equalities if (pair := equality.between(parent, alias)) is not None}
        for path in paths:
            if path[:-1] != above or model.place_of(path[-1].to_dataset) != select_tables.tables[alias].place:
                continue
            wanted = _columns_of(path[-1], model)
            is_followed = wanted == pairs.keys() if is_left else wanted <= pairs.keys()
            if is_followed and (not is_left or len(equalities) == len(pairs)):
                return path, {id(pairs[pair]) for pair in wanted}
    return None


def _columns_of(step: JoinStep, model: PhysicalModel) -> set[tuple[str, str]]:
    """Pairs of columns; empty names for what is calculated, which no comparison of columns equals."""
    return {
        (model.column(step.from_dataset, from_column) or "", model.column(step.to_dataset, to_column) or "")
        for from_column, to_column in zip(step.from_columns, step.to_columns, strict=True)
    }


def _read_joins(select: exp.Select, select_tables: SelectTables) -> _Joins:
    joins = _Joins()
    for join in select.args.get("joins") or ():
        alias, is_left = join.this.alias_or_name, join.args.get("side") == "LEFT"
        strange = join.args.get("method") or (join.args.get("side") and not is_left)
        if strange or join.args.get("kind") not in {None, "", "INNER", "CROSS", "OUTER"}:
            raise UnsupportedQueryError(join.sql(), "only inner and left joins are followed")
        conditions = [*_conjuncts(join.args.get("on")), *_from_using(join, select_tables)]
        equalities = [
            equality for condition in conditions if (equality := _equality(condition, select_tables)) is not None
        ]
        if is_left:
            if len(equalities) < len(conditions):
                raise UnsupportedQueryError(join.sql(), "a left join on more than equal columns is not followed")
            joins.left[alias] = equalities
            continue
        joins.inner += equalities
        joins.conditions += [condition for condition in conditions if _equality(condition, select_tables) is None]
    where = select.args.get("where")
    for condition in _conjuncts(where.this if where is not None else None):
        equality = _equality(condition, select_tables)
        if equality is not None:
            joins.inner.append(equality)
        else:
            joins.conditions.append(condition)
    return joins


def _conjuncts(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    if condition is None:
        return
    plain = condition.unnest()
    if isinstance(plain, exp.And):
        yield from _conjuncts(plain.this)
        yield from _conjuncts(plain.expression)
    else:
        yield condition


def _from_using(join: exp.Join, select_tables: SelectTables) -> Iterator[exp.Expr]:
    """``USING (k)`` as ``left.k = right.k``, where one table on the left has k."""
    names = join.args.get("using") or ()
    before = []
    for alias in select_tables.tables:
        if alias == join.this.alias_or_name:
            break
        before.append(alias)
    for name in names:
        sides = [exp.column(name.name, table=alias, quoted=True) for alias in before]
        owners = [side for side in sides if _has_column(select_tables, side)]
        if len(owners) != 1:
            raise UnsupportedQueryError(join.sql(), f"`{name.name}` does not stand in one table before it")
        mine = exp.column(name.name, table=join.this.alias_or_name, quoted=True)
        yield exp.EQ(this=owners[0], expression=mine)


def _has_column(select_tables: SelectTables, column: exp.Column) -> bool:
    try:
        return select_tables.place_of(column) is not None
    except UnsupportedQueryError:
        return False


def _equality(condition: exp.Expr, select_tables: SelectTables) -> _Equality | None:
    plain = condition.unnest()
    if not isinstance(plain, exp.EQ):
        return None
    left, right = plain.this.unnest(), plain.expression.unnest()
    if not isinstance(left, exp.Column) or not isinstance(right, exp.Column):
        return None
    places = select_tables.place_of(left), select_tables.place_of(right)
    if places[0] is None or places[1] is None or places[0][0] == places[1][0]:
        return None
    return _Equality(condition, places[0], places[1])


def _fold(name: str, *, ignores_case: bool) -> str:
    return name.casefold() if ignores_case else name
