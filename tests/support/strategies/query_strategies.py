"""Hypothesis strategies: random queries on a random star, as SQL on its model and as values that plain Python
understands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import stored_measures
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import Calculation, Dimension, Metric, SemanticModel
from tests.support.strategies.strategies import Star, Value, as_text

Truth = bool | None
Meeting = Mapping[GrainAttribute, Value]

METRICS = {
    metric.name: metric
    for column, methods in {
        "quantity": (
            "sum",
            "count non-null",
            "minimum",
            "maximum",
            "average",
            "stddev_samp",
            "stddev_pop",
            "var_samp",
            "var_pop",
            "count distinct",
            "sum distinct",
        ),
        "amount": ("sum", "average", "maximum", "var_pop"),
        "weight": ("sum", "average", "stddev_samp", "minimum"),
        "DEG": ("count non-null", "count distinct", "minimum"),
    }.items()
    for method in methods
    for metric in [
        Metric(
            name=f"{method} of {column}",
            label=f"{method} of {column}",
            calculation_method=method,
            dataset="sales",
            column=column,
        )
    ]
}


@dataclass(frozen=True, kw_only=True)
class Predicate:
    """A condition as SQL and as a function to True, False or None."""

    sql: str
    attributes: tuple[GrainAttribute, ...]
    holds: Callable[[Meeting], Truth]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A grouping key: SQL and its value for a meeting."""

    sql: str
    attribute: GrainAttribute
    value: Callable[[Value], Value]


@dataclass(frozen=True, kw_only=True)
class Filtered:
    """A metric of the rows that meet a condition: by FILTER, or by CASE, perhaps with 0 for the others."""

    metric: str
    predicate: Predicate
    spelling: str

    @property
    def sql(self) -> str:
        """The SQL that a query has for it."""
        if self.metric == "*":
            return f"COUNT(*) FILTER (WHERE {self.predicate.sql})"
        function, name = _FUNCTIONS[METRICS[self.metric].calculation_method], f'"{self.metric}"'
        if self.spelling == "filter":
            return f"{function.format(name)} FILTER (WHERE {self.predicate.sql})"
        default = " ELSE 0" if self.has_zero else ""
        return function.format(f"CASE WHEN {self.predicate.sql} THEN {name}{default} END")

    @property
    def has_zero(self) -> bool:
        """Whether it is 0 where only other rows are there."""
        return self.spelling == "zero" and METRICS[self.metric].calculation_method == "sum"


_FUNCTIONS = {
    "sum": "SUM({})",
    "count non-null": "COUNT({})",
    "minimum": "MIN({})",
    "maximum": "MAX({})",
    "average": "AVG({})",
    "stddev_samp": "STDDEV({})",
    "stddev_pop": "STDDEV_POP({})",
    "var_samp": "VAR_SAMP({})",
    "var_pop": "VAR_POP({})",
    "count distinct": "COUNT(DISTINCT {})",
    "sum distinct": "SUM(DISTINCT {})",
}
"""What a tool writes around a metric, by its calculation method."""


@dataclass(frozen=True, kw_only=True)
class StarQuery:
    """A query on the star's model.

    Attributes:
        metrics: names in METRICS, or ``*`` for COUNT(*).
        members: (function, attribute) of MAX or COUNT(DISTINCT).
        least_rows: HAVING COUNT(*) >= this; None: no HAVING.
        filtered: metrics under conditions of their own.
        has_windows: shows the rows of all groups, and the rank of each among them.
        levels: places of the keys in each of GROUPING SETS; empty: one level of all keys.
        tuples: (metric, attribute, key): calculated metrics of one member, whatever else the query groups and filters
            by.
    """

    keys: tuple[Shown, ...]
    metrics: tuple[str, ...]
    members: tuple[tuple[str, GrainAttribute], ...]
    where: Predicate | None
    least_rows: int | None
    tuples: tuple[tuple[str, GrainAttribute, str], ...] = ()
    filtered: tuple[Filtered, ...] = ()
    levels: tuple[tuple[int, ...], ...] = ()
    has_windows: bool = False

    @property
    def sql(self) -> str:
        """The query on the model; all its keys and metrics in order, sorted by its keys."""
        shown = [key.sql for key in self.keys]
        shown += ["COUNT(*)" if name == "*" else f'"{name}"' for name in self.metrics]
        shown += [_member_sql(function, attribute) for function, attribute in self.members]
        shown += [f'"tuple {number}"' for number in range(len(self.tuples))]
        shown += [filtered_metric.sql for filtered_metric in self.filtered]
        shown += [f"GROUPING({key.sql})" for key in self.keys if self.levels]
        shown += ["SUM(COUNT(*)) OVER ()", "RANK() OVER (ORDER BY COUNT(*) DESC)"] if self.has_windows else []
        text = (
            f"SELECT {', '.join(f'{expression} AS c{number}' for number, expression in enumerate(shown))} "
            "FROM tests.star"
        )
        text += f" WHERE {self.where.sql}" if self.where else ""
        if self.levels:
            sets = (f"({', '.join(self.keys[place].sql for place in places)})" for places in self.levels)
            text += f" GROUP BY GROUPING SETS ({', '.join(sets)})"
        text += f" HAVING COUNT(*) >= {self.least_rows}" if self.least_rows is not None else ""
        keys = ", ".join(f"{number + 1}" for number in range(len(self.keys)))
        return f"{text} ORDER BY {keys}" if keys else text

    @property
    def attributes(self) -> tuple[GrainAttribute, ...]:
        """All attributes that are used."""
        where = self.where.attributes if self.where else ()
        members = (attribute for _, attribute in self.members)
        return tuple(dict.fromkeys((*(key.attribute for key in self.keys), *where, *members)))

    @property
    def filtering(self) -> tuple[GrainAttribute, ...]:
        """The attributes that only conditions of metrics use."""
        used = dict.fromkeys(
            attribute for filtered_metric in self.filtered for attribute in filtered_metric.predicate.attributes
        )
        return tuple(attribute for attribute in used if attribute not in self.attributes)


def bare_dimensions(names: Iterable[str]) -> dict[str, Dimension]:
    """Dimensions of which nothing is said; how their attributes are reached is drawn."""
    return {
        name: Dimension(name=name, label=name, is_degenerate=False, hierarchies=(), attributes={}, relationships=())
        for name in names
    }


def model_of(star: Star, query: StarQuery) -> SemanticModel:
    """A model whose only fact is the star's, with the calculations that a query asks for."""
    calculations = {
        f"tuple {number}": Calculation(
            name=f"tuple {number}",
            label="",
            expression=f"([Measures].[{metric}], [{attribute.role.dimension}].[{attribute.query_name}].&[{key}])",
        )
        for number, (metric, attribute, key) in enumerate(query.tuples)
    }
    return SemanticModel(
        catalog="tests",
        name="star",
        label="Star",
        connection=None,
        datasets=star.datasets(),
        dimensions=bare_dimensions(bound.attribute.role.dimension for bound in star.attributes),
        metrics=METRICS,
        calculations=calculations,
        relationships=(),
        degenerate_dimensions=(),
        aggregates=(),
    )


@st.composite
def with_join_rules(draw: st.DrawFn, star: Star) -> Star:
    """The star with a join rule drawn for each role."""
    roles = sorted({bound.attribute.role for bound in star.attributes})
    rules = {role: draw(st.sampled_from(["yes", "yes", "always", "no"])) for role in roles}
    bounds = tuple(replace(bound, filter_empty=rules[bound.attribute.role]) for bound in star.attributes)
    return replace(star, attributes=bounds)


@st.composite
def queries_of(draw: st.DrawFn, star: Star, parts: tuple[FactPart, ...]) -> StarQuery:
    """A query whose attributes are mostly those of one of the aggregates, or coarser."""
    chosen = draw(st.sampled_from(parts))
    pool = [bound for bound in chosen.attributes for bound in _reachable(star, bound)]
    if not pool or not draw(st.integers(0, 5)):
        pool = list(star.attributes)
    if not draw(st.integers(0, 2)):
        role = draw(st.sampled_from(pool)).attribute.role
        pool = [bound for bound in pool if bound.attribute.role == role]
    bounds = st.sampled_from(pool)
    if not draw(st.integers(0, 3)):
        return draw(_at_the_grain_of(chosen))
    keeps_members = draw(st.integers(0, 3)) > 0
    many = [bound for bound in chosen.attributes if bound.is_many_to_many] if keeps_members else []
    keys = draw(st.lists(bounds, max_size=3, unique=True))
    keys += [bound for bound in many if bound not in keys and draw(st.booleans())]
    others = [bound for bound in many if bound not in keys]
    where = draw(_predicates(st.sampled_from(others), depth=1) if others else st.none() | _predicates(bounds, depth=2))
    texts = [bound.attribute for bound in pool if bound.attribute.name != "New"]
    tuples = draw(_tuples(star, chosen, {bound.attribute.role for bound in pool})) if draw(st.booleans()) else ()
    has_members = texts and not draw(st.integers(0, 4))
    shown = tuple(draw(_shown(bound)) for bound in keys)
    return StarQuery(
        keys=shown,
        filtered=draw(_filtered(chosen, bounds)),
        levels=draw(_levels(shown)) if not tuples else (),
        has_windows=not draw(st.integers(0, 3)),
        metrics=draw(_metrics(chosen)),
        members=((draw(st.sampled_from(["max", "count"])), draw(st.sampled_from(texts))),) if has_members else (),
        where=where,
        least_rows=draw(st.sampled_from([None, None, None, 1, 2])),
        tuples=tuples,
    )


@st.composite
def _filtered(draw: st.DrawFn, part: FactPart, bounds: st.SearchStrategy[BoundAttribute]) -> tuple[Filtered, ...]:
    """Mostly none; metrics that the aggregate stores, under conditions on what it mostly stores."""
    names = [*_stored(part), *draw(st.sampled_from(((), ("*",), tuple(METRICS))))]
    if not names or draw(st.booleans()):
        return ()
    return tuple(
        Filtered(
            metric=draw(st.sampled_from(names)),
            predicate=draw(_predicates(bounds, depth=1)),
            spelling=draw(st.sampled_from(("filter", "case", "zero"))),
        )
        for _ in range(draw(st.integers(1, 2)))
    )


@st.composite
def _levels(draw: st.DrawFn, keys: tuple[Shown, ...]) -> tuple[tuple[int, ...], ...]:
    """Mostly none; the levels of ROLLUP, or some of CUBE."""
    if not keys or len({key.sql for key in keys}) < len(keys) or draw(st.integers(0, 3)):
        return ()
    places = tuple(range(len(keys)))
    if draw(st.booleans()):
        return tuple(places[:length] for length in range(len(keys), -1, -1))
    chosen = draw(st.lists(st.lists(st.sampled_from(places), max_size=2, unique=True), min_size=1, max_size=3))
    return (places, *(tuple(sorted(level)) for level in chosen))


@st.composite
def _tuples(
    draw: st.DrawFn, star: Star, part: FactPart, used: set[Role]
) -> tuple[tuple[str, GrainAttribute, str], ...]:
    """A metric of one member of a dimension that the query does not use besides."""
    free = [
        bound.attribute
        for bound in (*part.attributes, *star.attributes)
        if bound.attribute.role not in used
        and not bound.is_many_to_many
        and bound.key_columns == (bound.name_column,)
        and bound.attribute.name != "New"
    ]
    names = [name for name, metric in METRICS.items() if not metric.calculation_method.startswith(("stddev", "var"))]
    if not free:
        return ()
    key = draw(st.sampled_from(["a", "b", "it's", "Other"]))
    return ((draw(st.sampled_from(names)), draw(st.sampled_from(free)), key),)


@st.composite
def _at_the_grain_of(draw: st.DrawFn, part: FactPart) -> StarQuery:
    """All attributes of an aggregate as keys, one perhaps held to one value: exact distinct metrics may serve."""
    keys = list(part.attributes)
    distinct = [name for name in _stored(part) if METRICS[name].calculation_method.endswith("distinct")]
    is_distinct = distinct and draw(st.integers(0, 3)) > 0
    pinned = keys.pop() if keys and keys[-1].attribute.name != "New" and draw(st.booleans()) else None
    return StarQuery(
        keys=tuple(
            Shown(sql=_quoted(key.attribute), attribute=key.attribute, value=lambda value: value) for key in keys
        ),
        metrics=tuple(distinct) if is_distinct else draw(_metrics(part)),
        members=(),
        where=draw(_pins(pinned)) if pinned is not None else None,
        least_rows=None,
    )


@st.composite
def _pins(draw: st.DrawFn, bound: BoundAttribute) -> Predicate:
    attribute, spelling = bound.attribute, draw(st.sampled_from(_SPELLINGS))

    def make_predicate(text: str) -> Predicate:
        holds = _strict(lambda value: value == text)
        sql = spelling.format(_quoted(attribute), _text(text))
        return Predicate(sql=sql, attributes=(attribute,), holds=lambda meeting: holds(meeting[attribute]))

    return make_predicate(draw(st.sampled_from(["a", "b", "it's", "Other"])))


_SPELLINGS = (
    "{0} = {1}",
    "{1} = {0}",
    "{0} IN ({1})",
    "{0} IN ({1}, {1})",
    "{0} BETWEEN {1} AND {1}",
    "{0} IS NOT DISTINCT FROM {1}",
    "{0} = ANY (ARRAY[{1}])",
    "{0} = {1} OR {1} = {0}",
    "NOT ({0} <> {1})",
    "NOT ({0} <> {1} OR {0} <> {1})",
)
"""Ways to say that an attribute has one value."""


@st.composite
def _metrics(draw: st.DrawFn, part: FactPart) -> tuple[str, ...]:
    """Mostly metrics whose pieces the aggregate stores."""
    stored = _stored(part)
    names = draw(st.sampled_from([stored, stored, stored, list(METRICS)]))
    return tuple(draw(st.lists(st.sampled_from([*names, "*"]), min_size=1, max_size=3, unique=True)))


def _stored(part: FactPart) -> list[str]:
    """Metrics whose pieces an aggregate stores."""
    return [
        name
        for name, metric in METRICS.items()
        if set(stored_measures(metric.calculation_method, metric.dataset, metric.column)) <= set(part.measures)
    ]


def _reachable(star: Star, bound: BoundAttribute) -> list[BoundAttribute]:
    """The attribute, as the star has it, and what it is said to determine."""
    role = bound.attribute.role
    return [
        other
        for other in star.attributes
        if other.attribute == bound.attribute
        or (other.attribute.role == role and other.attribute.name in bound.determines)
    ]


@st.composite
def _shown(draw: st.DrawFn, bound: BoundAttribute) -> Shown:
    name = _quoted(bound.attribute)
    if bound.attribute.name == "New" or draw(st.integers(0, 5)):
        return Shown(sql=name, attribute=bound.attribute, value=lambda value: value)
    if draw(st.booleans()):
        return Shown(
            sql=f"COALESCE({name}, 'none')",
            attribute=bound.attribute,
            value=lambda value: "none" if value is None else value,
        )
    return Shown(
        sql=f"LENGTH({name})",
        attribute=bound.attribute,
        value=lambda value: None if value is None else len(as_text(value)),
    )


def _predicates(bounds: st.SearchStrategy[BoundAttribute], *, depth: int) -> st.SearchStrategy[Predicate]:
    if depth == 0:
        return bounds.flatmap(_leaves)
    inner = _predicates(bounds, depth=depth - 1)
    return st.one_of(
        bounds.flatmap(_leaves),
        inner.map(lambda p: Predicate(sql=f"NOT ({p.sql})", attributes=p.attributes, holds=lambda m: _not(p.holds(m)))),
        st.tuples(inner, inner).map(lambda pair: _join("AND", *pair)),
        st.tuples(inner, inner).map(lambda pair: _join("OR", *pair)),
    )


def _leaves(bound: BoundAttribute) -> st.SearchStrategy[Predicate]:
    attribute, name = bound.attribute, _quoted(bound.attribute)

    def make_predicate(sql: str, test: Callable[[Value], Truth]) -> Predicate:
        return Predicate(sql=sql, attributes=(attribute,), holds=lambda meeting: test(meeting[attribute]))

    is_null = make_predicate(f"{name} IS NULL", lambda value: value is None)
    if attribute.name == "New":
        return st.sampled_from([is_null, make_predicate(f"{name} = TRUE", _truth)])
    text = st.sampled_from(["a", "b", "it's", "größe", "A", "zzz"])
    return st.one_of(
        st.just(is_null),
        text.map(lambda t: make_predicate(f"{name} = {_text(t)}", _strict(lambda value: value == t))),
        text.map(lambda t: make_predicate(f"{name} <> {_text(t)}", _strict(lambda value: value != t))),
        st.lists(text, min_size=1, max_size=3).map(
            lambda ts: make_predicate(f"{name} IN ({', '.join(map(_text, ts))})", _strict(lambda value: value in ts))
        ),
        text.map(
            lambda t: make_predicate(
                f"{name} LIKE {_text(t[0] + '%')}", _strict(lambda value: as_text(value).startswith(t[0]))
            )
        ),
        st.just(make_predicate(f"LENGTH({name}) > 1", _strict(lambda value: len(as_text(value)) > 1))),
        st.just(make_predicate(f"{name} = 'a' AND {name} = 'b'", _strict(lambda _: False))),
    )


def _truth(value: Value) -> Truth:
    assert value is None or isinstance(value, bool), value
    return value


def _strict(test: Callable[[Value], bool]) -> Callable[[Value], Truth]:
    return lambda value: None if value is None else test(value)


def _join(word: str, first: Predicate, second: Predicate) -> Predicate:
    def holds(meeting: Meeting) -> Truth:
        both = first.holds(meeting), second.holds(meeting)
        decisive = word == "OR"
        if decisive in both:
            return decisive
        return None if None in both else not decisive

    return Predicate(
        sql=f"({first.sql}) {word} ({second.sql})", attributes=(*first.attributes, *second.attributes), holds=holds
    )


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _member_sql(function: str, attribute: GrainAttribute) -> str:
    return f"MAX({_quoted(attribute)})" if function == "max" else f"COUNT(DISTINCT {_quoted(attribute)})"


def _quoted(attribute: GrainAttribute) -> str:
    return f'"{attribute.query_name}"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
