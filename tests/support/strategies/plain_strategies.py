"""Hypothesis strategies: random queries on a star as plain SQL on its tables, joined as its model does, or nearly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinStep
from tests.support.strategies.query_strategies import METRICS, StarQuery
from tests.support.strategies.strategies import Star

_FUNCTIONS = {
    "sum": "SUM({})",
    "count non-null": "COUNT({})",
    "minimum": "MIN({})",
    "maximum": "MAX({})",
    "average": "AVG({})",
    "stddev_samp": "STDDEV_SAMP({})",
    "stddev_pop": "STDDEV_POP({})",
    "var_samp": "VAR_SAMP({})",
    "var_pop": "VAR_POP({})",
    "count distinct": "COUNT(DISTINCT {})",
    "sum distinct": "SUM(DISTINCT {})",
}


@dataclass(frozen=True, kw_only=True)
class PlainSql:
    """A query and how many of its columns are keys, by which it is sorted."""

    sql: str
    keys: int


def with_plain_attributes(star: Star) -> Star:
    """The star with those attributes only that are columns of tables."""
    return replace(star, attributes=tuple(bound for bound in star.attributes if _is_plain(star, bound)))


def plain_part(star: Star, part: FactPart) -> FactPart:
    """The aggregate with the attributes that plain SQL can name."""
    return replace(part, attributes=tuple(bound for bound in part.attributes if _is_plain(star, bound)))


def _is_plain(star: Star, bound: BoundAttribute) -> bool:
    used = {bound.dataset, *(step.to_dataset for step in bound.steps)}
    return all(not star.tables[name].is_query for name in used) and bound.name_column != "calc"


@st.composite
def plain_sql(draw: st.DrawFn, star: Star, query: StarQuery) -> PlainSql:
    """The query on the star's tables; every join inner or left, some tables joined for nothing."""
    bounds = {bound.attribute: bound for bound in star.attributes}
    paths = [bounds[attribute].steps for attribute in query.attributes]
    if not draw(st.integers(0, 3)):
        paths.append(draw(st.sampled_from(star.attributes)).steps)
    nodes = list(dict.fromkeys(path[:depth] for path in paths for depth in range(1, len(path) + 1)))
    alias = {(): "f"} | {path: f"t{number}" for number, path in enumerate(nodes)}
    sides = draw(st.sampled_from(["JOIN", "JOIN", "LEFT JOIN", ""]))
    kinds = {path: sides or draw(st.sampled_from(["JOIN", "LEFT JOIN"])) for path in nodes}
    shown = [_spell(key.sql, query, bounds, alias) for key in query.keys]
    columns = _key_columns(query, bounds, alias)
    shows_columns = draw(st.booleans()) if columns else False
    if shows_columns:
        shown += draw(st.lists(st.sampled_from(columns), max_size=2))
    condition = draw(_conditions(query, bounds, alias))
    keys = len(shown)
    shown += [_metric(name, draw(st.sampled_from(_FORMS)) if condition else "", condition) for name in query.metrics]
    shown += [
        f"{'MAX(' if function == 'max' else 'COUNT(DISTINCT '}{_column(bounds[attribute], alias)})"
        for function, attribute in query.members
    ]
    text = f"SELECT {', '.join(f'{expression} AS c{number}' for number, expression in enumerate(shown))} FROM "
    where = _spell(query.where.sql, query, bounds, alias) if query.where else ""
    if columns and not draw(st.integers(0, 3)):
        column = draw(st.sampled_from(columns))
        test = draw(st.sampled_from([f"{column} IS NULL", f"{column} IS NOT NULL", f"{column} = {column}"]))
        where = f"({where}) AND {test}" if where else test
    if nodes and set(kinds.values()) == {"JOIN"} and not draw(st.integers(0, 2)):
        tables = draw(st.permutations([f'"{star.fact}" AS f', *(f'"{p[-1].to_dataset}" AS {alias[p]}' for p in nodes)]))
        conditions = [*(_on(draw, path, alias) for path in nodes), *([f"({where})"] if where else [])]
        text += f"{', '.join(tables)} WHERE {' AND '.join(conditions)}"
    else:
        joins = (f'{kinds[p]} "{p[-1].to_dataset}" AS {alias[p]} ON {_on(draw, p, alias)}' for p in nodes)
        text += " ".join([f'"{star.fact}" AS f', *joins]) + (f" WHERE {where}" if where else "")
    positions = ", ".join(str(number + 1) for number in range(keys))
    groups = positions if draw(st.booleans()) else ", ".join(shown[:keys])
    text += f" GROUP BY {groups}" if keys else ""
    text += f" HAVING COUNT(*) >= {query.least_rows}" if query.least_rows is not None else ""
    return PlainSql(sql=text + (f" ORDER BY {positions}" if keys else ""), keys=keys)


@st.composite
def key_sql(draw: st.DrawFn, parts: tuple[FactPart, ...]) -> PlainSql | None:
    """Rows counted by columns of the key of an aggregate's attribute, or by the foreign keys that lead to it."""
    keyed = [bound for part in parts for bound in part.attributes if bound.steps and "calc" not in bound.key_columns]
    if not keyed:
        return None
    bound = draw(
        st.sampled_from(
            sorted(keyed, key=lambda candidate: candidate.steps[-1].to_columns != candidate.key_columns)[:2]
        )
    )
    nodes = [bound.steps[:depth] for depth in range(1, len(bound.steps) + 1)]
    alias = {(): "f"} | {path: f"t{number}" for number, path in enumerate(nodes)}
    columns = [f'{alias[bound.steps]}."{name.lower()}"' for name in bound.columns]
    columns += [f'{alias[bound.steps[:-1]]}."{name.lower()}"' for name in bound.steps[-1].from_columns]
    shown = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=3, unique=True))
    joins = (
        (
            f'{draw(st.sampled_from(["JOIN", "LEFT JOIN"]))} "{path[-1].to_dataset}" AS {alias[path]} ON '
            f"{_on(draw, path, alias)}"
        )
        for path in nodes
    )
    where = draw(
        st.sampled_from(["", *(f" WHERE {column} IS {test}NULL" for column in columns for test in ("", "NOT "))])
    )
    numbers = ", ".join(str(number + 1) for number in range(len(shown)))
    listed = ", ".join(f"{expression} AS c{number}" for number, expression in enumerate(shown))
    text = f'SELECT {listed}, COUNT(*) AS n FROM "{parts[0].fact}" AS f {" ".join(joins)}{where}'
    return PlainSql(sql=f"{text} GROUP BY {numbers} ORDER BY {numbers}", keys=len(shown))


def _spell(
    text: str, query: StarQuery, bounds: Mapping[GrainAttribute, BoundAttribute], alias: dict[tuple[JoinStep, ...], str]
) -> str:
    for attribute in query.attributes:
        text = text.replace(f'"{attribute.query_name}"', _column(bounds[attribute], alias))
    return text


def _key_columns(
    query: StarQuery, bounds: Mapping[GrainAttribute, BoundAttribute], alias: dict[tuple[JoinStep, ...], str]
) -> list[str]:
    """Columns of the keys of the attributes that a query uses, and the foreign keys that lead to them."""
    columns: list[str] = []
    for attribute in query.attributes:
        bound = bounds[attribute]
        if "calc" not in bound.key_columns:
            columns += (f'{alias[bound.steps]}."{name.lower()}"' for name in bound.key_columns)
        if bound.steps and bound.steps[-1].to_columns == bound.key_columns:
            step = bound.steps[-1]
            columns += (f'{alias[bound.steps[:-1]]}."{name.lower()}"' for name in step.from_columns * 2)
    return columns


def _column(bound: BoundAttribute, alias: dict[tuple[JoinStep, ...], str]) -> str:
    return f'{alias[bound.steps]}."{bound.name_column.lower()}"'


_FORMS = ("", "case", "filter", "else 0")


def _conditions(
    query: StarQuery, bounds: Mapping[GrainAttribute, BoundAttribute], alias: dict[tuple[JoinStep, ...], str]
) -> st.SearchStrategy[str]:
    """Conditions on attributes of the query, for aggregates of some rows."""
    columns = [_column(bounds[attribute], alias) for attribute in query.attributes if attribute.name != "New"]
    if not columns:
        return st.just("")
    return st.sampled_from(
        [f"{column} {test}" for column in columns for test in ("= 'a'", "IS NULL", "<> 'b'", "> 'zz'")]
    )


def _metric(name: str, form: str, condition: str) -> str:
    if name == "*":
        return {
            "case": f"COUNT(CASE WHEN {condition} THEN 1 END)",
            "filter": f"COUNT(*) FILTER (WHERE {condition})",
            "else 0": f"SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)",
        }.get(form, "COUNT(*)")
    function = _FUNCTIONS[METRICS[name].calculation_method]
    column = f'f."{METRICS[name].column.lower()}"'
    if form == "filter":
        return f"{function.format(column)} FILTER (WHERE {condition})"
    if form == "else 0" and METRICS[name].calculation_method == "sum":
        return function.format(f"CASE WHEN {condition} THEN {column} ELSE 0 END")
    return function.format(f"CASE WHEN {condition} THEN {column} END" if form == "case" else column)


def _on(draw: st.DrawFn, path: tuple[JoinStep, ...], alias: dict[tuple[JoinStep, ...], str]) -> str:
    step = path[-1]
    pairs = []
    for from_column, to_column in zip(step.from_columns, step.to_columns, strict=True):
        sides = [f'{alias[path[:-1]]}."{from_column.lower()}"', f'{alias[path]}."{to_column.lower()}"']
        pairs.append(" = ".join(draw(st.permutations(sides))))
    return " AND ".join(pairs)
