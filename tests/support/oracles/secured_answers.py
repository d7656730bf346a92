"""Law: an answer of a secured model is that of the same model without security over the rows that the reader may see.

What a reader may see is found in plain Python, row by row. Every query is asked as somebody, from aggregates where they
serve. Nothing that only hidden rows hold stands in an answer, an error or an explanation, and no query fails for a
hidden row.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import event
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.errors import AtScaleAggsError, PermanentWarehouseError, QueryError
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.model.row_security import Reader
from tests.support.stars import secured_star
from tests.support.stars.secured_star import PLACES, Rule, Tables

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
_QUERIES = 12
"""For each star, and for each of two readers."""

_KEYS = ("City", "City Key", "Region", "Shop", "Month", "Day", "Kind")
_METRICS = ("Amount", "Quantity", "Average", "Spread", "Most", "Sales", "Days")
_PEOPLE, _TEAMS = ("ann", "bob", "o'hara"), ("red", "blue")


@dataclass(frozen=True, slots=True)
class SecuredPair:
    """A secured star, and the star without security that holds what one reader sees."""

    secured: Workspace
    plain: Workspace
    folder: Path

    def lay_tables(self) -> None:
        """Make the tables of both."""
        for workspace in (self.secured, self.plain):
            secured_star.create(workspace)
        secured_star.deploy_star(self.plain, self.folder / "plain", None)


@contextlib.contextmanager
def open_pair(folder: Path, *urls: str) -> Iterator[SecuredPair]:
    """Both stars, in the warehouses of these URLs; on DuckDB where none are given."""
    first, second = urls or (f"duckdb:///{folder}/a.duckdb", f"duckdb:///{folder}/b.duckdb")
    with (
        open_workspace(registry=f"sqlite:///{folder}/a.db", warehouse=first) as secured,
        open_workspace(registry=f"sqlite:///{folder}/b.db", warehouse=second) as plain,
    ):
        both = SecuredPair(secured, plain, folder)
        both.lay_tables()
        yield both


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """One place, or two that must both be seen."""
    places = draw(st.lists(st.sampled_from(sorted(PLACES)), min_size=1, max_size=2, unique=True))
    return Rule(tuple(places), draw(st.sampled_from(("user", "group"))), draw(st.sampled_from(("all", "fact"))))


@st.composite
def tables(draw: st.DrawFn) -> Tables:
    """Few rows with NULLs, foreign keys that lead nowhere, ties, and rights that stand twice or are of nobody.

    Names are numbers or words, and no two members share one.
    """

    def number(most: int) -> Any:
        return draw(st.sampled_from((None, *range(1, most + 1), *range(1, most + 1))))

    def name(kind: str, at: int) -> str:
        return draw(st.sampled_from((f"{kind}-{at}-name", f"{len(kind)}00{at}")))

    regions = ("north", "south", None)
    cities = [(at, name("city", at), draw(st.sampled_from(regions))) for at in range(1, 4)]
    shops = [(at, name("shopping", at), number(4)) for at in range(1, 6)]
    if draw(st.integers(0, 5)) == 0:
        shops.append((1, shops[0][1], number(3)))
    days = [(at, f"day-{at}-name", f"month-{at % 3}-name") for at in range(1, 6)]
    kinds = (None, "kind-a", "kind-b", "kind-c")

    def amount(at: int) -> Any:
        return draw(st.sampled_from((None, 10, 10, 25, 1000 + at)))

    sales = [
        (at, number(6), number(7), draw(st.sampled_from(kinds)), number(9), amount(at))
        for at in range(draw(st.integers(0, 40)))
    ]
    returns = [(number(7), number(50)) for _ in range(draw(st.integers(0, 10)))]
    keys = ("1", "2", "3", "4", "north", "south", "kind-a", "kind-b", None)
    owners = [*((person, None) for person in _PEOPLE), *((None, team) for team in _TEAMS), (None, None)]
    rights = [(*owner, key) for owner in owners for key in keys if draw(st.booleans())]
    rows: Tables = {"sales": sales, "returns": returns, "shop": shops, "city": cities, "day": days}
    return {**rows, "rights": [*rights, *rights[:2]]}


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query by some attributes, of some metrics, under some conditions; some of them fail for some names."""
    keys = draw(st.lists(st.sampled_from(_KEYS), max_size=2, unique=True))
    is_of_members = bool(keys) and draw(st.integers(0, 4)) == 0
    if is_of_members:
        keys = draw(st.sampled_from((["Shop"], ["City"], ["City", "Shop"], ["Day"], ["Month"], ["Month", "Day"])))
        return f"SELECT {', '.join(map(_quoted, keys))} FROM star{draw(_conditions(keys))}"
    metrics = [*map(_quoted, draw(st.lists(st.sampled_from(_METRICS), min_size=1, max_size=3, unique=True)))]
    extra = draw(st.sampled_from(_EXTRA))
    metrics += [extra] if extra else []
    where = draw(_conditions(_KEYS))
    how = draw(st.sampled_from(("plain", "plain", "rollup", "having", "cast")))
    grouped = ", ".join(map(_quoted, keys))
    if how == "rollup" and keys:
        return f"SELECT {grouped}, {', '.join(metrics)} FROM star{where} GROUP BY ROLLUP ({grouped})"
    if how == "cast" and keys:
        values = ", ".join(f"CAST({_quoted(key)} AS INTEGER)" for key in keys)
        return f"SELECT {values}, {', '.join(metrics)} FROM star{where} GROUP BY {values}"
    having = ' HAVING "Sales" > 1' if how == "having" else ""
    group = f" GROUP BY {grouped}" if keys else ""
    return f"SELECT {', '.join([*map(_quoted, keys), *metrics])} FROM star{where}{group}{having}"


_EXTRA = (
    "",
    "",
    'COUNT(DISTINCT "City")',
    'MIN("Shop")',
    'MAX("Region")',
    'SUM("Amount") FILTER (WHERE "Region" = \'north\')',
    'SUM(CASE WHEN "Kind" = \'kind-a\' THEN "Quantity" END)',
    'SUM(SUM("Quantity")) OVER ()',
)


_FORMS = (
    "X IS NULL",
    "X IS NOT NULL",
    "X <> 'north'",
    "X > 'm'",
    "X LIKE '%name'",
    "X IN ('north', 'kind-a', '4001')",
)
"""Conditions on an attribute X."""

_FAILING = (
    "CAST(X AS INTEGER) > 0",
    "CASE WHEN X LIKE '%-2-%' THEN CAST(X AS INTEGER) ELSE 1 END = 1",
)
"""Conditions that fail for some names. They stand by themselves: beside another one, a warehouse chooses which of them
it computes first, so that the same rows may make a query fail or not.
"""


def _conditions(names: Iterable[str]) -> st.SearchStrategy[str]:
    """Nothing, or one or two conditions on attributes."""

    def of(forms: tuple[str, ...]) -> st.SearchStrategy[str]:
        column = st.sampled_from(sorted(names)).map(_quoted)
        return st.builds(lambda name, form: form.replace("X", name), column, st.sampled_from(forms))

    one, words = of(_FORMS), st.sampled_from(("AND", "OR"))
    two = st.builds(lambda left, right, word: f" WHERE ({left}) {word} ({right})", one, one, words)
    alone = st.one_of(one, of(_FAILING)).map(lambda condition: f" WHERE {condition}")
    return st.one_of(st.just(""), alone, two)


def _quoted(name: str) -> str:
    return f'"{name}"'


def check(pair: SecuredPair, data: st.DataObject) -> None:
    """The law, for one star, two readers and some queries."""
    rule, rows = data.draw(rules()), data.draw(tables())
    secured_star.load(pair.secured, rows)
    secured_star.deploy_star(pair.secured, pair.folder / "secured", rule)
    if len(rows["shop"]) == len({row[0] for row in rows["shop"]}):
        secured_star.build(pair.secured)
    asked = data.draw(st.lists(queries(), min_size=_QUERIES, max_size=_QUERIES))
    for user in data.draw(st.lists(st.sampled_from((*_PEOPLE, "nobody")), min_size=2, max_size=2, unique=True)):
        reader = Reader(user, tuple(data.draw(st.lists(st.sampled_from(_TEAMS), unique=True))))
        _check_reader(pair, rule, rows, reader, asked)


def _check_reader(pair: SecuredPair, rule: Rule, rows: Tables, reader: Reader, asked: Iterable[str]) -> None:
    seen = secured_star.seen_tables(rows, rule, reader)
    members = secured_star.seen_members(rows, seen, rule)
    hidden = _texts(rows) - _texts(members if rule.scope == "all" else {**seen, "day": rows["day"]})
    router = QueryRouter(pair.secured, bounds=QueryBounds(reader=reader))
    plain = QueryRouter(pair.plain)
    by_metrics = sorted(asked, key=_is_of_metrics)
    for number, sql in enumerate(by_metrics):
        if number == 0 or _is_of_metrics(sql) != _is_of_metrics(by_metrics[number - 1]):
            secured_star.load(pair.plain, seen if _is_of_metrics(sql) else members)
            plain.forget_plans()
            plain._models.forget()
        _check_query(router, plain, sql, hidden)


def _is_of_metrics(sql: str) -> bool:
    return any(_quoted(metric) in sql for metric in _METRICS)


def _check_query(router: QueryRouter, plain: QueryRouter, sql: str, hidden: set[str]) -> None:
    answer, told = _outcome(router, sql)
    wanted, refused = _outcome(plain, sql, use_aggregates=False)
    shown = f"{answer}{told}{_explanation(router, sql)}"
    leaked = [text for text in hidden if text in shown and text not in sql]
    assert not leaked, f"{leaked}\n{sql}\n{shown}"
    if wanted is None or "would multiply measures" in told:
        # A condition may fail for a member that no row has; a hidden row of a key makes it one that is not unique.
        event("refused")
        return
    assert answer is not None, f"{told}\n{sql}"
    assert answer == wanted, f"{sql}\n{router.plan(sql).sql}\n{answer}\n{wanted}\n{refused}"


def _outcome(router: QueryRouter, sql: str, **options: Any) -> tuple[Counter[Any] | None, str]:
    """The rows, however they are ordered, and the error."""
    try:
        answered = router.answer(sql, **options)
    except (PermanentWarehouseError, QueryError) as error:
        return None, str(error)
    if any(source.aggregate and source.is_restricted for source in answered.plan.sources):
        event("from an aggregate")
    rows = (tuple(round(v, 6) if isinstance(v, float) else v for v in row) for row in answered.rows)
    return Counter(rows), answered.fallback_reason


def _explanation(router: QueryRouter, sql: str) -> str:
    try:
        plan = router.explain(sql)
    except AtScaleAggsError as error:
        return str(error)
    verdicts = [plan.verdict(number) for number in range(len(plan.sources))]
    assert not any(c.rows is not None for part in plan.candidates for c in part if plan.sources[0].is_restricted)
    return f"{verdicts}{plan.candidates}{plan.meant}{plan.untouched}"


def _texts(rows: Tables) -> set[str]:
    """Every text that names a member, and every amount that only one sale has."""
    texts = [table for name, table in rows.items() if name != "rights"]
    found = {value for table in texts for row in table for value in row if isinstance(value, str)}
    return found | {str(row[5]) for row in rows["sales"] if row[5] is not None and row[5] >= _OWN_AMOUNT}


_OWN_AMOUNT = 1000
"""Amounts from here on are of one sale only."""
