"""Calculated metrics of every form, computed row by row in plain Python.

Knows no SQL, no MDX reader and no aggregates. `REFUSED` stands for what the data or the query does not tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.support.stars.calendar_star import METRICS, Row, Value

COLUMNS = {
    "Sold Year": "year_id",
    "Sold Quarter": "quarter_label",
    "Sold Month": "month_label",
    "Sold Day": "day_name",
    "Sold Season": "season",
    "Sold Weekday": "weekday",
    "Sold Week": "week_id",
    "Sold Own Month": "month_name",
    "Category": "category",
    "Class": "class",
    "Code": "code",
    "Shop": "shop_name",
}
"""Attribute to what queries see of it."""

KEYS = {"Sold Quarter": "quarter_id", "Sold Day": "day_id", "Sold Own Month": "month_id"}
"""Keys that are not the names."""

HIERARCHIES = {
    "Sold Calendar": ("Sold Year", "Sold Quarter", "Sold Month", "Sold Day"),
    "Sold Weeks": ("Sold Year", "Sold Week", "Sold Day"),
}
SHOWN_LEVELS = {("Sold Weeks", "Sold Year"): "Sold Week Year", ("Sold Weeks", "Sold Day"): "Sold Day of Week"}
"""Levels that are named otherwise in one of the hierarchies."""

DETERMINED = {
    "Sold Year": set(),
    "Sold Quarter": set(),
    "Sold Month": {"Sold Season"},
    "Sold Day": {"Sold Season", "Sold Weekday"},
    "Sold Week": set(),
    "Sold Own Month": set(),
}
"""What is not a level and hangs on a level or above it."""

LEVELS = frozenset(DETERMINED)
DATES = frozenset(name for name in COLUMNS if name.startswith("Sold"))
ASSORTMENT = frozenset({"Category", "Class", "Code"})


class Refused(Exception):
    """What must be refused."""


@dataclass(frozen=True)
class Form:
    """A calculated metric.

    Attributes:
        kind: ``lag``, ``parallel``, ``window``, ``to date``, ``between``, ``each``, ``all class``, ``all``
            or ``in class``.
        numbers: places before the current member, first and last.
        level: the ancestor, or the level that a set is of.
    """

    metric: str
    kind: str
    hierarchy: str = "Sold Calendar"
    numbers: tuple[int, int] = (0, 0)
    level: str = ""
    function: str = ""
    bounds: tuple[str, str] = ("", "")

    @property
    def mdx(self) -> str:
        """The MDX that a model has for it."""
        here = f"[Sold Dates].[{self.hierarchy}]"
        current, measure = f"{here}.CurrentMember", f"[Measures].[{self.metric}]"
        level = f"{here}.[{self.shown_level(self.level)}]"
        first, last = self.numbers
        match self.kind:
            case "lag":
                return f"({current}.Lag({first}), {measure})"
            case "parallel":
                return f"(ParallelPeriod({level}, {first}, {current}), {measure})"
            case "window":
                return f"{self.function}({current}.Lag({first}):{current}.Lag({last}), {measure})"
            case "to date":
                return f"{self.function}(PeriodsToDate({level}, {current}), {measure})"
            case "between":
                month = "[Sold Dates].[Sold Calendar].[Sold Month]"
                return f"{self.function}({month}.&[{self.bounds[0]}]:{month}.&[{self.bounds[1]}], {measure})"
            case "each":
                return f"{self.function}([Sold Dates].[{self.level}].[{self.level}].Members, {measure})"
            case "all class":
                return f"([Products].[Class].[All], {measure})"
            case "all":
                return f"([Products].[All], {measure})"
        return f"([Products].[Assortment].[All], [Products].[Class].CurrentMember, {measure})"

    def shown_level(self, level: str) -> str:
        """A level as this hierarchy names it."""
        return SHOWN_LEVELS.get((self.hierarchy, level), level)


@dataclass(frozen=True)
class Condition:
    """An attribute that must equal one of some values; two of them: either."""

    attributes: tuple[str, ...]
    values: tuple[Value, ...]

    def holds(self, row: Row) -> bool:
        """Whether WHERE keeps a row."""
        return any(row[COLUMNS[name]] is not None and row[COLUMNS[name]] in self.values for name in self.attributes)

    @property
    def sql(self) -> str:
        """The SQL that a query has for it."""
        lists = []
        for name in self.attributes:
            is_text = COLUMNS[name] not in {"year_id", "week_id"}
            shown = [
                f"'{value}'" if is_text else str(value) for value in self.values if isinstance(value, str) == is_text
            ]
            lists.append(f'"{name}" IN ({", ".join(shown) or "NULL"})')
        return f"({' OR '.join(lists)})"


@dataclass(frozen=True)
class FormQuery:
    """A query on the model with one calculated metric."""

    keys: tuple[str, ...]
    form: Form
    conditions: tuple[Condition, ...]
    shows_metric: bool = True

    @property
    def sql(self) -> str:
        """The query on the model."""
        own = (self.form.metric,) if self.shows_metric else ()
        shown = ", ".join(f'"{name}"' for name in (*self.keys, *own, "Form"))
        where = f" WHERE {' AND '.join(condition.sql for condition in self.conditions)}" if self.conditions else ""
        return f"SELECT {shown} FROM forms{where}"


class FormOracle:
    """The answers on one star."""

    def __init__(self, tables: Mapping[str, Sequence[Row]]) -> None:
        self._calendar = tables["calendar"]
        days = {row["day_id"]: row for row in tables["calendar"]}
        products = {row["product_id"]: row for row in tables["product"]}
        shops = {row["shop_id"]: row for row in tables["shop"]}
        self._rows: list[Row] = []
        for sale in tables["sales"]:
            day, product, shop = days.get(sale["day_id"]), products.get(sale["product_id"]), shops.get(sale["shop_id"])
            missing = {column: None for table in ("calendar", "product", "shop") for column in tables[table][0]}
            flags: Row = {"has day": int(day is not None), "has product": int(product is not None)}
            self._rows.append({**missing, **(day or {}), **(product or {}), **(shop or {}), **sale, **flags})

    def answer(self, query: FormQuery) -> list[tuple[Value | float, ...]]:
        """The rows in any order. Raises `Refused`."""
        value = self._value_of_form(query)
        groups: dict[tuple[Value, ...], list[Row]] = {} if query.keys else {(): []}
        for row in self._rows_where(query.conditions, query.keys):
            groups.setdefault(_key(row, query.keys), []).append(row)
        name = query.form.metric
        own = {key: (_metric(name, rows),) if query.shows_metric else () for key, rows in groups.items()}
        return [(*key, *own[key], value(key)) for key in groups]

    def _rows_where(self, conditions: Iterable[Condition], keys: Iterable[str], more: Iterable[str] = ()) -> list[Row]:
        """Rows that conditions and join rules leave."""
        conditions = tuple(conditions)
        used = {*keys, *more, *(name for condition in conditions for name in condition.attributes)}
        return [
            row
            for row in self._rows
            if all(condition.holds(row) for condition in conditions)
            and (row["has day"] or not used & DATES)
            and (row["has product"] or not used & ASSORTMENT)
        ]

    def _value_of_form(self, query: FormQuery) -> Callable[[tuple[Value, ...]], Value | float]:
        form = query.form
        match form.kind:
            case "all class":
                return self._value_without(query, frozenset({"Class"}))
            case "all":
                return self._value_without(query, ASSORTMENT)
            case "in class":
                if "Class" not in query.keys and set(query.keys) & ASSORTMENT:
                    raise Refused
                return self._value_without(query, ASSORTMENT - {"Class"})
            case "each":
                keys = tuple(name for name in query.keys if name != form.level)
                return self._value_over(query, keys, query.conditions, (form.level, None))
            case "between":
                gone = LEVELS | DETERMINED["Sold Month"]
                if any(name in DATES - gone for name in query.keys):
                    raise Refused
                keys = tuple(name for name in query.keys if name not in DATES)
                return self._value_over(
                    query, keys, _whole_conditions_without(query.conditions, gone), ("Sold Month", form.bounds)
                )
        return self._value_moved(query)

    def _value_without(self, query: FormQuery, gone: frozenset[str]) -> Callable[[tuple[Value, ...]], Value | float]:
        keys = tuple(name for name in query.keys if name not in gone)
        conditions = _conditions_without(query.conditions, gone)
        rows = self._rows_where(conditions, keys)

        def value(key: tuple[Value, ...]) -> Value | float:
            wanted = tuple(member for name, member in zip(query.keys, key, strict=True) if name in keys)
            return _metric(query.form.metric, [row for row in rows if _key(row, keys) == wanted])

        return value

    def _value_over(
        self,
        query: FormQuery,
        keys: tuple[str, ...],
        conditions: Iterable[Condition],
        of: tuple[str, tuple[str, str] | None],
    ) -> Callable[[tuple[Value, ...]], Value | float]:
        """Over members of a level: all that the filter leaves, or those between two."""
        level, bounds = of
        rows = [row for row in self._rows_where(conditions, keys, [level]) if row[COLUMNS[level]] is not None]
        if bounds is not None:
            rows = [row for row in rows if bounds[0] <= str(row[COLUMNS[level]]) <= bounds[1]]

        def value(key: tuple[Value, ...]) -> Value | float:
            wanted = tuple(member for name, member in zip(query.keys, key, strict=True) if name in keys)
            here = [row for row in rows if _key(row, keys) == wanted]
            if query.form.function.casefold() == "aggregate":
                return _metric(query.form.metric, here) if here or not keys else None
            members: dict[Value, list[Row]] = {}
            for row in here:
                members.setdefault(row[COLUMNS[level]], []).append(row)
            return _combine(query.form, list(members.values()))

        return value

    def _value_moved(self, query: FormQuery) -> Callable[[tuple[Value, ...]], Value | float]:
        form = query.form
        levels = [name for name in HIERARCHIES[form.hierarchy] if form.shown_level(name) in query.keys]
        own = [name for name in query.keys if name in DATES]
        if not levels:
            if own:
                raise Refused
            is_all = form.kind == "window" and form.numbers[0] >= 0 >= form.numbers[1]
            rows = self._rows_where(query.conditions, query.keys)
            return lambda key: (
                _metric(form.metric, [row for row in rows if _key(row, query.keys) == key]) if is_all else None
            )
        level = levels[-1]
        order = HIERARCHIES[form.hierarchy]
        if form.level and order.index(form.level) > order.index(level):
            return lambda _: None
        on_the_way = {*(form.shown_level(name) for name in order), *DETERMINED[level]}
        conditions = _conditions_without(query.conditions, LEVELS | DETERMINED[level])
        if any(
            name in DATES and self._is_one_of(name, level) for condition in conditions for name in condition.attributes
        ):
            raise Refused
        beside = {name for name in own if name not in on_the_way and not self._is_one_of(name, level)}
        own = [name for name in own if name not in beside]
        calendar = _Calendar(self._calendar, level, own, order[order.index(form.level or level) : order.index(level)])
        others = tuple(name for name in query.keys if name not in DATES or name in beside)
        rows = self._rows_where(conditions, others, query.keys)
        at: dict[tuple[Value, tuple[Value, ...]], list[Row]] = {}
        for row in rows:
            at.setdefault((calendar.member(row), _key(row, others)), []).append(row)

        def value(key: tuple[Value, ...]) -> Value | float:
            named = dict(zip(query.keys, key, strict=True))
            member = calendar.member_of_group(named)
            if member is None:
                return None
            rest = tuple(named[name] for name in others)
            there = [at[target, rest] for target in calendar.target_members(form, member) if (target, rest) in at]
            if form.kind in {"lag", "parallel"} or form.function.casefold() == "aggregate":
                return _metric(form.metric, [row for rows in there for row in rows]) if there else None
            return _combine(form, there)

        return value

    def _is_one_of(self, name: str, level: str) -> bool:
        """Whether each member of a level has one value of an attribute in the data."""
        key = KEYS.get(level, COLUMNS[level])
        values: dict[Value, set[Value]] = {}
        for row in self._calendar:
            if row[key] is not None:
                values.setdefault(row[key], set()).add(row[COLUMNS[name]])
        return all(len(value_set) < 2 for value_set in values.values())


class _Calendar:
    """The members of a level in order."""

    def __init__(self, rows: Sequence[Row], level: str, shown: Sequence[str], above: Sequence[str]) -> None:
        self._level, self._shown = level, shown
        self._column = KEYS.get(level, COLUMNS[level])
        self._rows = [row for row in rows if row[COLUMNS[level]] is not None and row[self._column] is not None]
        self._check_names(rows)
        self.order = sorted({row[self._column] for row in self._rows}, key=lambda key: key or 0)
        self.path = self._paths(above)

    def _check_names(self, rows: Sequence[Row]) -> None:
        """One member has one name of all that is shown, and one name has one member."""
        for name in (*self._shown, self._level):
            values: dict[Value, set[Value]] = {}
            for row in rows:
                if row[self._column] is not None:
                    values.setdefault(row[self._column], set()).add(row[COLUMNS[name]])
            if any(len(value_set) > 1 for value_set in values.values()):
                raise Refused
        if _has_one_value_each(rows, [self._level], self._column, nulls_allowed=True):
            self._by = [self._level]
        elif _has_one_value_each(rows, self._shown, self._column, nulls_allowed=False):
            self._by = list(self._shown)
        else:
            raise Refused

    def _paths(self, above: Sequence[str]) -> dict[Value, tuple[Value, ...]]:
        """The ancestors of each member, coarse to fine, each the first of several."""
        columns = [KEYS.get(name, COLUMNS[name]) for name in above]
        chain = [*columns[1:], self._column]
        if len(columns) > 1:
            for parent, child in pairwise(chain):
                if not _has_one_value_each(self._rows, [], parent, by=child):
                    raise Refused
        paths: dict[Value, tuple[Value, ...]] = {}
        for member in self.order:
            own = [row for row in self._rows if row[self._column] == member]
            path = [min((row[column] for row in own), key=_place) for column in columns]
            if len(columns) > 1:
                path[0] = min((row[columns[0]] for row in self._rows if row[columns[1]] == path[1]), key=_place)
            paths[member] = tuple(path)
        return paths

    def member(self, row: Row) -> Value:
        """The key of the member that a fact row is of."""
        return row[self._column] if row[COLUMNS[self._level]] is not None else None

    def member_of_group(self, names: Mapping[str, Value]) -> Value:
        """The key of the member of a group."""
        if names[self._level] is None:
            return None
        members = {
            row[self._column] for row in self._rows if all(row[COLUMNS[name]] == names[name] for name in self._by)
        }
        return next(iter(members), None)

    def target_members(self, form: Form, member: Value) -> list[Value]:
        """The members that are meant from a current one."""
        place = self.order.index(member)
        first, last = form.numbers
        if form.kind == "lag" or (form.kind == "parallel" and not self.path[member]):
            wanted = place - first
            return [self.order[wanted]] if 0 <= wanted < len(self.order) else []
        if form.kind == "window":
            return self.order[max(place - first, 0) : max(place - last + 1, 0)]
        if form.kind == "to date":
            if not self.path[member]:
                return [member]
            return [
                candidate for candidate in self.order[: place + 1] if self.path[candidate][0] == self.path[member][0]
            ]
        mine = self._address(member)
        return [candidate for candidate in self.order if self._address(candidate) == (mine[0] - first, *mine[1:])]

    def _address(self, member: Value) -> tuple[int, ...]:
        """The place of the first ancestor among all, then of each below within the one above it."""
        path = (*self.path[member], member)
        whole = [(*self.path[key], key) for key in self.order]
        return tuple(
            sorted(
                {other[depth] for other in whole if depth == 0 or other[depth - 1] == path[depth - 1]}, key=_place
            ).index(path[depth])
            for depth in range(len(path))
        )


def _place(value: Value) -> tuple[int, str]:
    """Where a value stands among others of its type."""
    assert value is not None
    return (value, "") if isinstance(value, int) else (0, value)


def _has_one_value_each(
    rows: Sequence[Row], names: Sequence[str], column: str, *, nulls_allowed: bool = True, by: str = ""
) -> bool:
    """Whether names, or another column, have one value of a column each."""
    values_by_key: dict[tuple[Value, ...], set[Value]] = {}
    for row in rows:
        key = (row[by],) if by else tuple(row[COLUMNS[name]] for name in names)
        if None in key:
            if not nulls_allowed:
                return False
            continue
        values_by_key.setdefault(key, set()).add(row[column])
    return all(len(values) == 1 for values in values_by_key.values())


def _key(row: Row, names: Sequence[str]) -> tuple[Value, ...]:
    return tuple(row[COLUMNS[name]] for name in names)


def _conditions_without(conditions: Iterable[Condition], gone: Iterable[str]) -> list[Condition]:
    """The conditions that hold; one of both kinds is refused."""
    held = []
    for condition in conditions:
        inside = set(condition.attributes) & set(gone)
        if inside and inside != set(condition.attributes):
            raise Refused
        if not inside:
            held.append(condition)
    return held


def _whole_conditions_without(conditions: Iterable[Condition], gone: Iterable[str]) -> list[Condition]:
    """The conditions that hold, where a part of a member would be kept as well."""
    conditions = tuple(conditions)
    if any(name in DATES and name not in set(gone) for condition in conditions for name in condition.attributes):
        raise Refused
    return _conditions_without(conditions, gone)


_FUNCTIONS: Mapping[str, Callable[[Sequence[int]], int | float]] = {
    "sum": sum,
    "minimum": min,
    "maximum": max,
    "average": lambda numbers: math.fsum(numbers) / len(numbers),
}
_SET_FUNCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = {"sum": math.fsum, "min": min, "max": max}


def _metric(name: str, rows: Sequence[Row]) -> Value | float:
    method, column = METRICS[name]
    values = [row[column] for row in rows if row[column] is not None]
    if method == "count non-null":
        return len(values)
    if method == "count distinct":
        return len(set(values))
    if not values:
        return None
    numbers = [int(str(value)) for value in values]
    return _FUNCTIONS[method](numbers)


def _combine(form: Form, members: Sequence[Sequence[Row]]) -> Value | float:
    values = [value for value in (_metric(form.metric, rows) for rows in members) if value is not None]
    if not values:
        return None
    numbers = [float(str(value)) for value in values]
    name = form.function.casefold()
    if name == "avg":
        return math.fsum(numbers) / len(numbers)
    whole = _SET_FUNCTIONS[name](numbers)
    return whole if form.metric == "Mean" else round(whole)
