"""Moves rows from one member to another in SQL, along the order of a level's members.

    "Month members": one row per month of the calendar, with facts or without
      Month       position   Year number   Month in Year
      2002-12     36         3             12
      2003-01     37         4             1

    sales one month before:   JOIN own ON own.Month = sales.Month JOIN shown ON shown.position = own.position + 1

Members are ordered by key. A row without a name is no member. A member that lies in several ancestors belongs to the
first.

Source: decision 0022.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import field, replace

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import Dimension, SemanticModel
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import Lagged, Move, Parallel, UpTo, Window
from airflow_atscale_aggs.engine.sql.fact_joins import groupable
from airflow_atscale_aggs.engine.sql.queries import as_double
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier
from airflow_atscale_aggs.engine.sql.rows import FactRows, add_condition

_OWN, _SHOWN = "own member", "shown member"
"""The member that rows are of, and the one that they are shown at."""


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The members of a level, as a dimension's dataset has them.

    Attributes:
        metric: whose calculated metric needs them, for messages only.
        level: name of the level, for people.
        dataset: of the dimension.
        shown: attributes that the query groups by, by place of the key; the level itself comes last.
        ancestors: levels above, coarse to fine, from the one that is named to the one above the level.
        parallel: column with the key of the member one ancestor earlier, where the model says so.
        has_places: places within ancestors are needed, not the ancestor alone.
        is_told_by_name: the level's name tells its members apart by itself; else all that is shown does.
        loose: places of keys that do not lie on the way to the level: where the data does not say that a member has one
            value of them, they stay as they are while the member moves.
        beside: attributes of such kind that conditions are on.
    """

    metric: str = field(compare=False)
    level: str
    dataset: str
    shown: tuple[tuple[int, BoundAttribute], ...]
    ancestors: tuple[BoundAttribute, ...] = ()
    parallel: str = ""
    has_places: bool = False
    is_identified_by_name: bool = True
    loose: tuple[int, ...] = ()
    beside: tuple[BoundAttribute, ...] = ()

    @property
    def own(self) -> BoundAttribute:
        """The level."""
        return self.shown[-1][1]

    @property
    def part(self) -> FactPart:
        """What is read of the dimension."""
        columns = [
            _column(self.own, self.own.key_columns[0]),
            *(_column(ancestor, ancestor.key_columns[0]) for ancestor in self.ancestors),
        ]
        if self.parallel:
            columns.append(_column(self.own, self.parallel))
        attributes = (*(bound for _, bound in self.shown), *self.beside, *columns)
        return FactPart(fact=self.dataset, attributes=tuple(dict.fromkeys(attributes)), measures=())

    @property
    def claims(self) -> tuple[Dependency, ...]:
        """What must be true of the data: a member has one value of each attribute that is shown, and one ancestor."""
        own = self.own
        claims = [self.one_value_of(bound) for _, bound in self.shown if not self._is_key(bound)]
        if self.parallel:
            claims.append(Dependency(own.dataset, own.key_columns, (), (self.parallel,), is_join_key=True))
        # Only the ancestor that is named may be several: the first one counts, for all that lies below.
        between = (*self.ancestors[1:], own) if len(self.ancestors) > 1 else ()
        for above, below in itertools.pairwise(between):
            steps = above.steps[len(below.steps) :]
            claims.append(Dependency(below.dataset, below.key_columns, steps, above.key_columns, is_join_key=True))
        return tuple(dict.fromkeys(claims))

    def _is_key(self, bound: BoundAttribute) -> bool:
        return bound.name_column in self.own.key_columns and bound.dataset == self.own.dataset

    def one_value_of(self, bound: BoundAttribute) -> Dependency:
        """The claim that a member has one value of an attribute."""
        own = self.own
        steps = bound.steps[len(own.steps) :]
        return Dependency(own.dataset, own.key_columns, steps, (bound.name_column,), is_join_key=True)

    def without(self, places: Collection[int]) -> Calendar:
        """Without some of what is shown."""
        shown = tuple(key for key in self.shown if key[0] not in places)
        return replace(self, shown=shown, loose=tuple(place for place in self.loose if place not in places))

    @property
    def name_claim(self) -> Dependency:
        """The claim that one name stands for one member."""
        own = self.own
        return Dependency(own.dataset, (own.name_column,), (), own.key_columns, is_join_key=True)

    @property
    def shown_claim(self) -> Dependency | None:
        """The claim that all shown values together stand for one member; None where they are not in one dataset."""
        own, bounds = self.own, [bound for _, bound in self.shown]
        if any(bound.dataset != own.dataset or bound.steps != own.steps for bound in bounds):
            return None
        names = tuple(dict.fromkeys(bound.name_column for bound in bounds))
        return Dependency(own.dataset, names, (), own.key_columns, is_join_key=False)

    @property
    def all_claims(self) -> tuple[Dependency, ...]:
        """All claims to ask the data about."""
        tell = (self.name_claim, self.shown_claim, self.without(self.loose).shown_claim)
        beside = (self.one_value_of(bound) for bound in self.beside)
        return (*self.claims, *(claim for claim in tell if claim is not None), *beside)


@dataclass(frozen=True, slots=True)
class WantedMembers:
    """Which members a form moves among, and what stands beside them.

    Attributes:
        level: the current one.
        keys: attributes of its dimension that the query groups by, by place of the key.
        determined: unique names of what the model says that the level determines.
        beside: attributes on which conditions hold that the level is not said to determine.
    """

    level: GrainAttribute
    keys: Mapping[int, GrainAttribute]
    determined: AbstractSet[str]
    beside: tuple[GrainAttribute, ...] = ()


def calendar_of(form: Move, wanted: WantedMembers, metric: str, model: SemanticModel, paths: JoinPaths) -> Calendar:
    """The members that a form of a metric moves among.

    Raises:
        UnsupportedQueryError: they have no order by one key column, or lie in no one dataset.
    """
    level = wanted.level
    dimension = model.dimensions[level.role.dimension]
    above: tuple[str, ...] = ()
    if isinstance(form, Parallel | UpTo):
        levels = form.axis.levels
        above = levels[levels.index(form.level) : levels.index(level.name)]
    strict = {place: attribute for place, attribute in wanted.keys.items() if _is_strict(form, attribute, wanted)}
    names = dict.fromkeys((*(attribute.name for attribute in strict.values()), *above))
    dataset, reached = _dataset_with(dimension, paths, names, metric)
    others = paths.attributes_of(dataset)
    loose: dict[int, BoundAttribute] = {}
    for place, attribute in wanted.keys.items():
        there = GrainAttribute(Role(dimension.name), attribute.name)
        if place not in strict and _is_beyond(there, others, reached[level.name]):
            loose[place] = others[there]
    beside = (GrainAttribute(Role(dimension.name), attribute.name) for attribute in wanted.beside)
    parallel = _parallel_column(form, level, dimension, metric) if isinstance(form, Parallel) else ""
    last_first = sorted(strict.items(), key=lambda item: item[1] == level)
    calendar = Calendar(
        metric=metric,
        level=level.query_name,
        dataset=dataset,
        shown=(*loose.items(), *((place, reached[attribute.name]) for place, attribute in last_first)),
        ancestors=tuple(reached[name] for name in above) if not parallel else (),
        parallel=parallel,
        has_places=isinstance(form, Parallel) and not parallel,
        loose=tuple(loose),
        beside=tuple(others[attribute] for attribute in beside if _is_beyond(attribute, others, reached[level.name])),
    )
    for bound in (calendar.own, *calendar.ancestors):
        if len(bound.key_columns) != 1:
            raise _refusal(metric, f"members of `{bound.attribute.name}` have no order by one key column")
    for bound in (*(bound for _, bound in calendar.shown), *calendar.ancestors):
        if bound.steps[: len(calendar.own.steps)] != calendar.own.steps or bound.is_many_to_many:
            raise _refusal(metric, f"`{bound.attribute.name}` is not reached from `{level.query_name}`")
    return calendar


def _is_strict(form: Move, attribute: GrainAttribute, wanted: WantedMembers) -> bool:
    """Whether an attribute goes with the member: the level itself, those of its hierarchy, and what it determines."""
    return attribute == wanted.level or attribute.name in form.axis.levels or attribute.name in wanted.determined


def _is_beyond(
    attribute: GrainAttribute, reached: Mapping[GrainAttribute, BoundAttribute], level: BoundAttribute
) -> bool:
    """Whether members of a level lead to an attribute, so that the data may say that each has one value of it."""
    bound = reached.get(attribute)
    return bound is not None and not bound.is_many_to_many and bound.steps[: len(level.steps)] == level.steps


def _dataset_with(
    dimension: Dimension, paths: JoinPaths, names: Mapping[str, None], metric: str
) -> tuple[str, dict[str, BoundAttribute]]:
    for dataset in member_datasets(dimension):
        reached = paths.attributes_of(dataset)
        role = Role(dimension.name)
        candidates = {name: reached.get(GrainAttribute(role, name)) for name in names}
        bounds = {name: bound for name, bound in candidates.items() if bound is not None}
        if len(bounds) == len(candidates):
            return dataset, bounds
    raise _refusal(metric, f"no dataset of dimension `{dimension.name}` has all of {', '.join(names)}")


def member_datasets(dimension: Dimension) -> dict[str, None]:
    """Datasets of the finest levels; for a degenerate dimension the facts it lives on, when there is only one."""
    leaves = [dimension.attributes.get(hierarchy.levels[-1]) for hierarchy in dimension.hierarchies if hierarchy.levels]
    datasets = dict.fromkeys(leaf.dataset for leaf in leaves if leaf is not None and leaf.dataset)
    if not datasets:
        shared = {owner.dataset for leaf in leaves if leaf is not None for owner in leaf.shared}
        datasets = dict.fromkeys(shared) if len(shared) == 1 else {}
    return datasets


def _parallel_column(form: Parallel, level: GrainAttribute, dimension: Dimension, metric: str) -> str:
    """The model's own column with the parallel member; it leads one ancestor back, and no further."""
    columns = [
        hierarchy.parallel_periods[level.name, form.level]
        for hierarchy in dimension.hierarchies
        if level.role.query_name(hierarchy.name) == form.axis.name
        and (level.name, form.level) in hierarchy.parallel_periods
    ]
    if not columns:
        return ""
    if form.lag != 1 or len(columns[0]) != 1:
        raise _refusal(metric, f"the model's own parallel periods of `{level.name}` lead one period back only")
    return columns[0][0]


def proven_calendar(calendar: Calendar, functional: AbstractSet[Dependency]) -> Calendar:
    """The calendar, with what tells its members apart.

    Raises:
        UnsupportedQueryError: the data does not confirm the order of members.
    """
    for bound in calendar.beside:
        if calendar.one_value_of(bound) in functional:
            name = bound.attribute.name
            reason = f"the data says that a member of `{calendar.level}` has one `{name}`, the model does not"
            raise _refusal(calendar.metric, reason, "Say so in the model, or leave the condition out.")
    shown = dict(calendar.shown)
    calendar = calendar.without(
        [place for place in calendar.loose if calendar.one_value_of(shown[place]) not in functional]
    )
    for claim in calendar.claims:
        if claim not in functional:
            what = f"({', '.join(claim.key)}) of `{claim.dataset}` has several values of ({', '.join(claim.columns)})"
            raise _refusal(calendar.metric, f"members of `{calendar.level}` are not told apart: {what} in the data")
    own = calendar.own
    if own.key_columns == (own.name_column,) or calendar.name_claim in functional:
        return calendar
    together = calendar.shown_claim
    if together is not None and together in functional:
        return replace(calendar, is_identified_by_name=False)
    reason = f"several members of `{calendar.level}` have one name, which is one group"
    raise _refusal(calendar.metric, reason, "Group by the levels above it as well.")


def select_members(calendar: Calendar, rows: FactRows, names: Mapping[int, str]) -> exp.Select:
    """One row per member: what is shown of it, its position, and its place within each ancestor.

    Args:
        rows: of ``calendar.part``, nothing selected yet; used up.
        names: of the keys, by place.
    """
    own = calendar.own
    key = rows.value(_column(own, own.key_columns[0]))
    select = rows.select
    for value in dict.fromkeys((key, rows.value(own))):
        add_condition(select, exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())))
    select.select(alias_as(key.copy(), "key"), copy=False)
    # Booleans have no least value; the data has proven that a member has one of each.
    shown = {place: rows.value(bound) for place, bound in calendar.shown}
    for place, value in shown.items():
        select.select(alias_as(value.copy(), names[place]), copy=False)
    for number, bound in enumerate(calendar.ancestors):
        value = rows.value(_column(bound, bound.key_columns[0]))
        select.select(alias_as(exp.Min(this=value.copy()), f"ancestor {number}"), copy=False)
    if calendar.parallel:
        value = rows.value(_column(own, calendar.parallel))
        select.select(alias_as(exp.Min(this=value.copy()), "parallel"), copy=False)
    select.group_by(*groupable(dict.fromkeys((key, *shown.values()))), copy=False)
    if len(calendar.ancestors) > 1:
        select = _with_one_parent(calendar, select, names)
    return _with_places(calendar, select, names)


def _with_one_parent(calendar: Calendar, inner: exp.Select, names: Mapping[int, str]) -> exp.Select:
    """A level that lies in several ancestors lies in the first, for all its members."""
    select = _select_from(inner, "member")
    for name in ("key", *(names[place] for place, _ in calendar.shown)):
        select.select(column_of(name, "member"), copy=False)
    last = len(calendar.ancestors) - 1
    for number in range(last + 1):
        value: exp.Expr = column_of(f"ancestor {number}", "member")
        if number == 0:
            over = [column_of("ancestor 1", "member")]
            value = exp.Window(this=exp.Min(this=value), partition_by=over)
        select.select(alias_as(value, f"ancestor {number}"), copy=False)
    return select


def _with_places(calendar: Calendar, inner: exp.Select, names: Mapping[int, str]) -> exp.Select:
    select = _select_from(inner, "member")
    key = column_of("key", "member")
    own = ("key", "parallel") if calendar.parallel else ()
    for name in (*(names[place] for place, _ in calendar.shown), *own):
        select.select(column_of(name, "member"), copy=False)
    select.select(alias_as(_rank(exp.RowNumber(), None, key), "position"), copy=False)
    chain = [column_of(f"ancestor {number}", "member") for number in range(len(calendar.ancestors))]
    for number, ancestor in enumerate(chain if calendar.has_places else chain[:1]):
        above = chain[number - 1] if number else None
        select.select(alias_as(_rank(exp.DenseRank(), above, ancestor), f"place {number}"), copy=False)
    if calendar.has_places:
        select.select(alias_as(_rank(exp.RowNumber(), chain[-1], key), f"place {len(chain)}"), copy=False)
    return select


def _rank(function: exp.Expr, within: exp.Expr | None, by: exp.Expr) -> exp.Expr:
    order = exp.Order(expressions=[exp.Ordered(this=by.copy())])
    partition = [within.copy()] if within is not None else None
    return exp.Window(this=function, partition_by=partition, order=order)


def select_moved_rows(
    calendar: Calendar,
    move: Move,
    rows: str,
    members: str,
    keys: Mapping[int, str],
    metrics: Mapping[str, str],
) -> exp.Select:
    """The rows of a fact query, at the members at which they are shown.

    Args:
        rows: name of the table of the rows.
        members: name of the table of the members.
        keys: names of all keys, by place.
        metrics: by name of the metric: the function that combines several members; empty when there is one member.
    """
    select = exp.Select().from_(exp.Table(this=identifier(rows)), copy=False)
    join_members(
        calendar, move, select, members, {place: (name, column_of(name, rows)) for place, name in keys.items()}
    )
    from_member = {place for place, _ in calendar.shown}
    values = [column_of(name, _SHOWN if place in from_member else rows) for place, name in keys.items()]
    for value in values:
        select.select(value.copy(), copy=False)
    functions = set(metrics.values())
    for name, function in metrics.items():
        value = column_of(name, rows)
        select.select(alias_as(over_members(function, value), name) if function else value, copy=False)
    if functions - {""}:
        select.group_by(*values, copy=False)
    return select


def join_members(
    calendar: Calendar, move: Move, select: exp.Select, members: str, keys: Mapping[int, tuple[str, exp.Expr]]
) -> dict[int, exp.Expr]:
    """Join the member that a row is of, and those that it is shown at.

    Args:
        members: name of the members' table.
        keys: by place: name and value of the keys of the rows.

    Returns:
        By place: the value of a key that is an attribute of members, as it is shown.
    """
    name, value = keys[calendar.shown[-1][0]]
    tests: list[exp.Expr] = [exp.EQ(this=column_of(name, _OWN), expression=value.copy())]
    if not calendar.is_identified_by_name:
        others = [keys[place] for place, _ in calendar.shown[:-1]]
        tests += [
            exp.NullSafeEQ(this=column_of(key_name, _OWN), expression=key_value.copy())
            for key_name, key_value in others
        ]
    ons = [exp.and_(*tests, copy=False), exp.and_(*_meeting_conditions(move, calendar), copy=False)]
    for alias, on in zip((_OWN, _SHOWN), ons, strict=True):
        relation = exp.Table(this=identifier(members), alias=exp.TableAlias(this=identifier(alias)))
        select.append("joins", exp.Join(this=relation, on=on))
    return {place: column_of(keys[place][0], _SHOWN) for place, _ in calendar.shown}


def _meeting_conditions(move: Move, calendar: Calendar) -> list[exp.Expr]:
    """Which members' rows are shown at which member."""
    own, shown = _OWN, _SHOWN
    here, there = column_of("position", own), column_of("position", shown)
    match move:
        case Lagged(lag=lag):
            return [exp.EQ(this=there, expression=_add(here, lag))]
        case Window(first=first, last=last):
            return [exp.Between(this=here, low=_add(there, -first), high=_add(there, -last))]
        case UpTo():
            before = exp.LTE(this=here, expression=there)
            return [exp.EQ(this=column_of("place 0", shown), expression=column_of("place 0", own)), before]
        case Parallel(lag=lag) if not calendar.parallel:
            pairs = [
                (column_of(f"place {n}", shown), column_of(f"place {n}", own))
                for n in range(len(calendar.ancestors) + 1)
            ]
            tests = [exp.EQ(this=at_shown, expression=_add(at_own, 0)) for at_shown, at_own in pairs]
            tests[0].set("expression", _add(pairs[0][1], lag))
            return list(tests)
    return [exp.EQ(this=column_of("parallel", shown), expression=column_of("key", own))]


def over_members(function: str, value: exp.Expr) -> exp.Expr:
    """The value of a set of members; those where it is empty do not count."""
    if function == "avg":
        return as_double(exp.Avg(this=value))
    return {"sum": exp.Sum, "min": exp.Min, "max": exp.Max}[function](this=value)


def _add(value: exp.Expr, number: int) -> exp.Expr:
    if not number:
        return value
    kind = exp.Add if number > 0 else exp.Sub
    return kind(this=value, expression=exp.Literal.number(abs(number)))


def _column(bound: BoundAttribute, column: str) -> BoundAttribute:
    """A column of an attribute's rows, as if it were an attribute."""
    attribute = GrainAttribute(bound.attribute.role, f"{bound.attribute.name}.{column}")
    return replace(
        bound, attribute=attribute, key_columns=(column,), name_column=column, determines=frozenset(), empty=None
    )


def _select_from(inner: exp.Select, alias: str) -> exp.Select:
    relation = exp.Subquery(this=inner, alias=exp.TableAlias(this=identifier(alias)))
    return exp.Select().from_(relation, copy=False)


def _refusal(metric: str, reason: str, remedy: str = "") -> UnsupportedQueryError:
    return UnsupportedQueryError(metric, f"a calculated metric measures it elsewhere, and {reason}", remedy)
