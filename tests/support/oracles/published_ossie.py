"""What a file of Ossie means, read from its text alone: tables with rows, and the numbers of its metrics as plain SQL.

It knows nothing of the converter. Rows have NULLs, keys that lead nowhere, and ties. Each aggregate is over all rows
of its own dataset, with the attribute that its relationships lead to; those of several datasets meet by the attribute.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlglot
from sqlglot import exp

Way = list[Mapping[str, Any]]
"""Relationships, one after the other."""

_READ = ("ANSI_SQL", "OSSIE_SQL_2026")
_ROWS, _MEMBERS = 300, 12
_NUMBERS = (exp.Sum, exp.Avg, exp.Add, exp.Sub, exp.Mul, exp.Div)
_TEXTS = (exp.DPipe, exp.Concat, exp.Lower, exp.Upper, exp.Substring, exp.Split)
_DAYS = (exp.Extract, exp.Year, exp.DateTrunc, exp.TimestampTrunc)


@dataclass(frozen=True, slots=True)
class Question:
    """A metric by an attribute (empty: the total), and the SQL of its answer."""

    metric: str
    attribute: str
    sql: str


@dataclass(frozen=True)
class PublishedModel:
    """One semantic model of a file.

    Attributes:
        left_out: names of relationships and metrics that are said to be left out.
    """

    model: Mapping[str, Any]
    left_out: frozenset[str] = frozenset()

    @cached_property
    def datasets(self) -> Mapping[str, Mapping[str, Any]]:
        """By name."""
        return {dataset["name"]: dataset for dataset in self.model["datasets"]}

    @cached_property
    def relationships(self) -> list[Mapping[str, Any]]:
        """Those that are carried over."""
        return [edge for edge in self.model.get("relationships") or () if edge["name"] not in self.left_out]

    @property
    def database(self) -> str:
        """Of all sources; empty: none is named."""
        parts = next(iter(self.datasets.values()))["source"].split(".")
        return parts[-3] if len(parts) > 2 else ""

    def statements(self) -> Iterator[str]:
        """Tables with the columns that anything in the model reads."""
        seeded = random.Random(7)
        schemas = {".".join(source.split(".")[:-1]) for source in (d["source"] for d in self.datasets.values())}
        yield from (f"CREATE SCHEMA IF NOT EXISTS {schema}" for schema in sorted(schemas) if "." in schema)
        for name, dataset in self.datasets.items():
            keys = {column for edge in self.relationships if edge["to"] == name for column in edge["to_columns"]}
            foreign = {column for edge in self.relationships if edge["from"] == name for column in edge["from_columns"]}
            columns = self._columns(name)
            rows = _MEMBERS if keys else _ROWS
            values = ", ".join(
                "("
                + ", ".join(_value(kind, column, (number, keys, foreign), seeded) for column, kind in columns.items())
                + ")"
                for number in range(1, rows + 1)
            )
            kinds = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            yield f"CREATE TABLE {dataset['source']} ({kinds})"
            yield f"INSERT INTO {dataset['source']} VALUES {values}"

    def questions(self, metrics: frozenset[str]) -> Iterator[Question]:
        """The totals of metrics, and the metrics by each attribute that all their datasets lead to, by each way."""
        for metric in self.model.get("metrics") or ():
            if metric["name"] not in metrics:
                continue
            root = sqlglot.parse_one(_sql_of(metric))
            aggregates = [node for node in root.find_all(exp.AggFunc) if node.find_ancestor(exp.AggFunc) is None]
            owners = [self._owner(node) for node in aggregates]
            yield Question(metric["name"], "", self._answer(root, aggregates, None))
            for name, dataset in self.datasets.items():
                for field in dataset.get("fields") or ():
                    if not self._is_attribute(name, field):
                        continue
                    ways = [self._named_ways(owner, name, field) for owner in owners]
                    for shown in sorted(frozenset.intersection(*map(frozenset, ways))):
                        chosen = (name, field, [each[shown] for each in ways])
                        yield Question(metric["name"], shown, self._answer(root, aggregates, chosen))

    def _answer(
        self, root: exp.Expr, aggregates: Sequence[exp.Expr], attribute: tuple[str, Mapping[str, Any], list[Way]] | None
    ) -> str:
        parts, outer = [], root.copy()
        nodes = [node for node in outer.find_all(exp.AggFunc) if node.find_ancestor(exp.AggFunc) is None]
        for number, (node, aggregate) in enumerate(zip(nodes, aggregates, strict=True)):
            owner = self._owner(aggregate)
            value, joins = self._over_columns(aggregate, owner), ""
            key = "1"
            if attribute is not None:
                name, field, ways = attribute
                joins = self._joins(ways[number])
                key = self._over_columns(sqlglot.parse_one(_sql_of(field)), name)
            parts.append(
                f"p{number} AS (SELECT {key} AS k, {value} AS v FROM {self._table(owner)}{joins} GROUP BY ALL)"
            )
            replaced = exp.column("v", f"p{number}")
            if node is outer:
                outer = replaced
            else:
                node.replace(replaced)
        joined = "p0"
        for number in range(1, len(parts)):
            joined += f" FULL JOIN p{number} ON p{number}.k IS NOT DISTINCT FROM p0.k"
        keys = ", ".join(f"p{number}.k" for number in range(len(parts)))
        shown = f"COALESCE({keys}), " if attribute is not None else ""
        return f"WITH {', '.join(parts)} SELECT {shown}{outer.sql('duckdb')} FROM {joined}"

    def _table(self, name: str) -> str:
        return f'{self.datasets[name]["source"]} AS "{name}"'

    def _joins(self, way: Way) -> str:
        text = ""
        for edge in way:
            pairs = zip(edge["from_columns"], edge["to_columns"], strict=True)
            on = " AND ".join(
                f"{self._column(edge['from'], ours)} = {self._column(edge['to'], theirs)}" for ours, theirs in pairs
            )
            text += f" LEFT JOIN {self._table(edge['to'])} ON {on}"
        return text

    def _column(self, dataset: str, name: str) -> str:
        field = self._field(dataset, name)
        return self._over_columns(sqlglot.parse_one(_sql_of(field)), dataset) if field else f'"{dataset}"."{name}"'

    def _named_ways(self, start: str, end: str, field: Mapping[str, Any]) -> dict[str, Way]:
        """The ways from a dataset to a field, by the names of the field at their ends; no two have one name."""
        named: dict[str, Way] = {}
        for way in self._ways(start, end):
            name = " ".join(
                [*(edge["name"] for edge in way if edge["name"] in self._told_apart), self._name(end, field)]
            )
            assert name not in named, (name, way, named)
            named[name] = way
        return named

    @cached_property
    def _told_apart(self) -> frozenset[str]:
        """Relationships that are the last ones of several ways from a dataset with metrics to one dataset."""
        owners = {
            self._owner(node)
            for metric in self.model.get("metrics") or ()
            if metric["name"] not in self.left_out and _sql_of(metric)
            for node in sqlglot.parse_one(_sql_of(metric)).find_all(exp.AggFunc)
        }
        ends = [{way[-1]["name"] for way in self._ways(start, end) if way} for start in owners for end in self.datasets]
        return frozenset(name for names in ends if len(names) > 1 for name in names)

    def _ways(self, start: str, end: str) -> list[Way]:
        """The relationships that lead from a dataset to another, by each way."""
        ways: list[Way] = []
        waiting: list[tuple[str, Way]] = [(start, [])]
        while waiting:
            place, way = waiting.pop()
            if place == end:
                ways.append(way)
            waiting += [(edge["to"], [*way, edge]) for edge in self.relationships if edge["from"] == place]
        return ways

    def _owner(self, aggregate: exp.Expr) -> str:
        names = {column.table for column in aggregate.find_all(exp.Column)}
        if names - {""}:
            (name,) = names
            return str(name)
        roots = [name for name in self.datasets if not any(edge["to"] == name for edge in self.relationships)]
        (root,) = roots
        return root

    def _is_attribute(self, dataset: str, field: Mapping[str, Any]) -> bool:
        is_target = any(edge["to"] == dataset for edge in self.relationships)
        return bool(_sql_of(field)) and (is_target or field.get("dimension") is not None)

    def _name(self, dataset: str, field: Mapping[str, Any]) -> str:
        named = [f["name"].casefold() for d in self.datasets.values() for f in d.get("fields") or ()]
        named += [metric["name"].casefold() for metric in self.model.get("metrics") or ()]
        return field["name"] if named.count(field["name"].casefold()) == 1 else f"{dataset}.{field['name']}"

    def _field(self, dataset: str, name: str) -> Mapping[str, Any] | None:
        fields = self.datasets[dataset].get("fields") or ()
        return next((field for field in fields if field["name"].casefold() == name.casefold() and _sql_of(field)), None)

    def _over_columns(self, node: exp.Expr, dataset: str) -> str:
        """An expression with its fields as their own expressions, over the dataset's table."""
        root = exp.Paren(this=node.copy())
        for column in list(root.find_all(exp.Column)):
            field = self._field(dataset, column.name)
            inner = sqlglot.parse_one(_sql_of(field)) if field else exp.column(column.name)
            if isinstance(inner, exp.Column) or not field:
                column.replace(exp.column(inner.name, dataset, quoted=True))
                continue
            for own in list(inner.find_all(exp.Column)):
                own.replace(exp.column(own.name, dataset, quoted=True))
            column.replace(exp.Paren(this=inner))
        return root.this.sql("duckdb")

    def _columns(self, dataset: str) -> dict[str, str]:
        """The columns of a dataset's table, with types that what reads them can read."""
        kinds: dict[str, str] = {}
        for edge in self.relationships:
            for end, columns in ((edge["from"], edge["from_columns"]), (edge["to"], edge["to_columns"])):
                for name in columns if end == dataset else ():
                    field = self._field(dataset, name)
                    column = sqlglot.parse_one(_sql_of(field)) if field else exp.column(name)
                    kinds |= {own.name: "INTEGER" for own in column.find_all(exp.Column)}
        nodes = [
            (sqlglot.parse_one(_sql_of(field)), field)
            for field in self.datasets[dataset].get("fields") or ()
            if _sql_of(field)
        ]
        nodes += [
            (column.parent.copy() if column.parent is not None else column, {})
            for metric in self.model.get("metrics") or ()
            if _sql_of(metric)
            for column in sqlglot.parse_one(_sql_of(metric)).find_all(exp.Column)
            if column.table == dataset and self._field(dataset, column.name) is None
        ]
        summed = {
            column.name
            for metric in self.model.get("metrics") or ()
            if _sql_of(metric)
            for column in sqlglot.parse_one(_sql_of(metric)).find_all(exp.Column)
            if column.table == dataset and isinstance(column.parent, _NUMBERS)
        }
        for node, field in nodes:
            kind = "DECIMAL(9, 2)" if field.get("name") in summed else _kind_of(node, field)
            for column in node.find_all(exp.Column):
                kinds.setdefault(column.name, kind)
        return kinds


def _sql_of(value: Mapping[str, Any] | None) -> str:
    dialects = ((value or {}).get("expression") or {}).get("dialects") or ()
    sql = next((str(each["expression"]) for wanted in _READ for each in dialects if each["dialect"] == wanted), "")
    try:
        return sql if sql and sqlglot.parse_one(sql) else ""
    except sqlglot.errors.ParseError:
        return ""


def _kind_of(node: exp.Expr, field: Mapping[str, Any]) -> str:
    if (field.get("dimension") or {}).get("is_time") and isinstance(node, exp.Column):
        return "DATE"
    for kind, types in (("DATE", _DAYS), ("VARCHAR", _TEXTS), ("DECIMAL(9, 2)", _NUMBERS)):
        if node.find(*types) is not None:
            return kind
    said = str(field.get("datatype") or "").casefold()
    return {"integer": "INTEGER", "decimal": "DECIMAL(9, 2)", "date": "DATE"}.get(said, "VARCHAR")


def _value(kind: str, column: str, place: tuple[int, set[str], set[str]], seeded: random.Random) -> str:
    number, keys, foreign = place
    if column in keys:
        return str(number)
    if column in foreign:
        return seeded.choice(["NULL", *map(str, range(1, _MEMBERS + 3))])
    if seeded.random() < 0.1:
        return "NULL"
    some = seeded.randrange(1, 7)
    return {"INTEGER": str(some), "DATE": f"DATE '2024-0{some}-01'", "VARCHAR": f"'v{some}'"}.get(kind, f"{some}.25")
