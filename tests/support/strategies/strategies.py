"""Hypothesis strategies: random star schemas with their rows, and aggregates over them.

A star is made as the engine's own values (datasets, attributes, measures) and as plain Python rows, so that an oracle
can compute every aggregate without SQL. Rows hold what warehouses hold: NULL and orphan foreign keys, keys that repeat,
names that differ for one key, hierarchies that are not functional.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, SqlVariant
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role

Value = int | str | bool | float | Decimal | None
Row = Mapping[str, Value]


def as_text(value: Value) -> str:
    """A value of a column of texts."""
    assert isinstance(value, str), value
    return value


def as_number(value: Value) -> int | float | Decimal:
    """A value of a column of numbers."""
    assert isinstance(value, int | float | Decimal), value
    return value


def least(values: Sequence[Value]) -> Value:
    """The least of values that are all texts, or all numbers."""
    return min(map(as_text, values)) if isinstance(values[0], str) else min(map(as_number, values))


def greatest(values: Sequence[Value]) -> Value:
    """The greatest of values that are all texts, or all numbers."""
    return max(map(as_text, values)) if isinstance(values[0], str) else max(map(as_number, values))


INT, TEXT, BOOL, DECIMAL, DOUBLE = "INTEGER", "VARCHAR(20)", "BOOLEAN", "DECIMAL(9,2)", "DOUBLE PRECISION"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table and its rows.

    Attributes:
        types: SQL type of each physical column, named as in SML; the warehouse spells them in lower case.
        rows: values by SML column name, calculated columns included.
        calculated: SQL text of calculated columns.
        is_query: the dataset is a query over the table instead of the table itself.
    """

    name: str
    types: Mapping[str, str]
    rows: tuple[Row, ...]
    calculated: Mapping[str, str]
    is_query: bool = False

    def dataset(self) -> Dataset:
        """The dataset that a model would have over the table."""
        columns = {name: Column(name=name, data_type=kind) for name, kind in self.types.items()}
        columns |= {
            name: Column(name=name, data_type="string", variants=(SqlVariant(dialect=None, sql=sql),))
            for name, sql in self.calculated.items()
        }
        if not self.is_query:
            return Dataset(name=self.name, table=self.name, columns=columns, where="star.yml:1")
        sql = f"SELECT {', '.join(self.types)} FROM {self.name}"
        return Dataset(name=self.name, variants=(SqlVariant(dialect=None, sql=sql),), columns=columns)

    def setup_sql(self) -> list[str]:
        """Statements that make and fill the table, on DuckDB and PostgreSQL."""
        columns = ", ".join(f'"{name.lower()}" {kind}' for name, kind in self.types.items())
        statements = [f'CREATE TABLE "{self.name}" ({columns})']
        if self.rows:
            values = ", ".join(f"({', '.join(_literal(row[name]) for name in self.types)})" for row in self.rows)
            statements.append(f'INSERT INTO "{self.name}" VALUES {values}')
        return statements


@dataclass(frozen=True, kw_only=True)
class Star:
    """A fact table with everything around it."""

    fact: str
    tables: Mapping[str, Table]
    attributes: tuple[BoundAttribute, ...]
    measures: tuple[StoredMeasure, ...]

    def datasets(self) -> dict[str, Dataset]:
        """All datasets by name."""
        return {name: table.dataset() for name, table in self.tables.items()}

    def physical(self) -> dict[tuple[str | None, str | None, str], dict[str, str]]:
        """What the warehouse would tell about its columns."""
        return {
            (None, None, name): {column.lower(): kind.lower() for column, kind in table.types.items()}
            for name, table in self.tables.items()
        }

    def part(self, attributes: tuple[BoundAttribute, ...], measures: tuple[StoredMeasure, ...]) -> FactPart:
        """An aggregate of the fact; the row count is added."""
        return FactPart(
            fact=self.fact, attributes=attributes, measures=tuple(sorted({*measures, row_count(self.fact)}))
        )


Cells = Callable[[random.Random], Value]
"""Draws one cell. Cells come from a seeded generator, not from hypothesis: dense tables in little time."""

_TEXTS = ("a", "b", "it's", "größe")


def _one_of(*values: Value, null: float = 0.0) -> Cells:
    return lambda source: None if source.random() < null else source.choice(values)


_text, _maybe_text = _one_of(*_TEXTS), _one_of(*_TEXTS, null=0.25)
_id, _foreign_id = _one_of(1, 2, 3, 4, 5), _one_of(1, 2, 3, 4, 5, 6, null=0.15)


def _money(source: random.Random) -> Value:
    return None if source.random() < 0.1 else Decimal(source.randint(-999, 999)).scaleb(-2)


def _weight(source: random.Random) -> Value:
    return None if source.random() < 0.1 else round(source.uniform(-100, 100), 3)


_MEMBER_TYPES = {
    "id": INT,
    "part": TEXT,
    "name": TEXT,
    "mid": INT,
    "mid_name": TEXT,
    "top": TEXT,
    "sec": TEXT,
    "is_new": BOOL,
    "out_id": INT,
    "code": TEXT,
}
_CALCULATED = {"calc": "CASE WHEN sec = 'a' THEN 'A' ELSE 'Other' END"}


@dataclass(frozen=True, kw_only=True)
class _Dimension:
    """One dimension being drawn: its tables, and its attributes as reached from a row of its own dataset."""

    table: Table
    key: tuple[str, ...]
    others: tuple[Table, ...]
    attributes: Callable[[Role, tuple[JoinStep, ...], frozenset[str]], tuple[BoundAttribute, ...]]


@st.composite
def stars(draw: st.DrawFn) -> Star:
    """A star with one to three dimensions, each in one or two roles, joined in one of the ways that SML knows."""
    tables: dict[str, Table] = {}
    attributes: list[BoundAttribute] = []
    columns: dict[str, tuple[str, Cells]] = {
        "DEG": (TEXT, _maybe_text),
        "deg_name": (TEXT, _maybe_text),
        "quantity": (INT, _one_of(*range(-3, 9), null=0.1)),
        "amount": (DECIMAL, _money),
        "weight": (DOUBLE, _weight),
    }
    for number in range(draw(st.integers(1, 3))):
        dimension = draw(_dimensions(f"d{number}"))
        tables |= {table.name: table for table in (dimension.table, *dimension.others)}
        kind = draw(st.sampled_from([JoinKind.UNIQUE_KEY, JoinKind.UNIQUE_KEY, JoinKind.COARSE_KEY, JoinKind.BRIDGE]))
        for role_number in range(draw(st.integers(1, 2))):
            role = Role(f"Dim {number}", (f"D{number} {{0}}", f"Other D{number} {{0}}")[role_number])
            stem = f"f{number}{role_number}"
            role_parts = draw(_role(dimension, kind, role, stem))
            columns |= role_parts.columns
            tables |= {table.name: table for table in role_parts.tables}
            attributes += role_parts.attributes
    role = Role("Degenerate")
    attributes.append(_bound(role, "Deg", "sales", ("DEG",), "deg_name", (), frozenset()))
    attributes.append(_bound(role, "Deg Name", "sales", ("deg_name",), "deg_name", (), frozenset()))
    most = draw(st.sampled_from([0, 25, 25, 25, 25]))
    rows = draw(_rows([cells for _, cells in columns.values()], most=most))
    tables["sales"] = _table("sales", {name: kind for name, (kind, _) in columns.items()}, rows, {})
    return Star(fact="sales", tables=tables, attributes=tuple(attributes), measures=ALL_MEASURES)


ALL_MEASURES = tuple(
    sorted(
        StoredMeasure(function, "sales", column)
        for column, functions in {
            "quantity": ("sum", "count", "minimum", "maximum", "centered_squares", "count_distinct", "sum_distinct"),
            "amount": ("sum", "count", "centered_squares", "maximum"),
            "weight": ("sum", "count", "centered_squares", "minimum"),
            "DEG": ("count", "count_distinct", "minimum"),
        }.items()
        for function in map(StoredFunction, functions)
    )
)
_ROLLING = tuple(measure for measure in ALL_MEASURES if measure.rolls_up)


@st.composite
def aggregates_of(draw: st.DrawFn, star: Star) -> tuple[FactPart, ...]:
    """Two to four aggregates; the first is the finest, the others are mostly derivable from it."""
    roles = sorted({bound.attribute.role for bound in star.attributes})
    # Few roles at a time, so that hierarchies meet each other.
    chosen = draw(st.lists(st.sampled_from(roles), min_size=1, max_size=2)) if draw(st.integers(0, 3)) else roles
    pool = st.sampled_from([bound for bound in star.attributes if bound.attribute.role in chosen])
    finest = draw(st.lists(pool, unique=True, max_size=5, min_size=draw(st.sampled_from([0, 1, 2]))))
    parts = [star.part(tuple(finest), draw(st.sampled_from([_ROLLING, ALL_MEASURES])))]
    for _ in range(draw(st.integers(1, 3))):
        keeps_members = draw(st.integers(0, 3)) > 0
        coarser = [fate for bound in finest for fate in draw(_fate(star, bound, keeps_members=keeps_members))]
        columns = draw(st.sets(st.sampled_from(["quantity", "amount", "weight", "DEG"])))
        kinds = draw(st.sampled_from([_ROLLING, _ROLLING, ALL_MEASURES]))
        measures = tuple(measure for measure in kinds if measure.column in columns)
        parts.append(star.part(tuple(dict.fromkeys(coarser)), measures))
    return tuple(parts)


@st.composite
def _fate(draw: st.DrawFn, star: Star, bound: BoundAttribute, *, keeps_members: bool) -> list[BoundAttribute]:
    """What a coarser aggregate has of an attribute: itself, nothing, or something that it is said to determine."""
    if bound.is_many_to_many and keeps_members:
        return [bound]
    determined = [
        other
        for other in star.attributes
        if other.attribute.role == bound.attribute.role and other.attribute.name in bound.determines
    ]
    coarser = st.sampled_from(determined).map(lambda attribute: [attribute]) if determined else st.just([])
    return draw(st.one_of(st.just([bound]), st.just([]), coarser, coarser))


@dataclass(frozen=True, kw_only=True)
class _RoleParts:
    columns: Mapping[str, tuple[str, Cells]]
    tables: tuple[Table, ...]
    attributes: tuple[BoundAttribute, ...]


@st.composite
def _role(draw: st.DrawFn, dimension: _Dimension, kind: JoinKind, role: Role, stem: str) -> _RoleParts:
    """The foreign key columns of a role and its attributes as the fact reaches them."""
    table = dimension.table
    if kind is JoinKind.COARSE_KEY:
        step = JoinStep(kind, "sales", (f"{stem}_mid",), table.name, ("mid",))
        only = frozenset({"Mid", "Top"}) | draw(st.sampled_from([frozenset(), frozenset({"Out"})]))
        return _RoleParts(
            columns={f"{stem}_mid": (INT, _one_of(1, 2, 3, 4, null=0.15))},
            tables=(),
            attributes=dimension.attributes(role, (step,), only),
        )
    every = frozenset({"Leaf", "Code", "Mid", "Top", "Sec", "New", "Calc", "Out", "Group"})
    if kind is JoinKind.UNIQUE_KEY:
        step = JoinStep(kind, "sales", tuple(f"{stem}_{key}" for key in dimension.key), table.name, dimension.key)
        keys = {f"{stem}_{key}": _foreign(key) for key in dimension.key}
        return _RoleParts(columns=keys, tables=(), attributes=dimension.attributes(role, (step,), every))
    types = {"bridge_key": INT, "kind": TEXT} | {f"member_{key}": _foreign(key)[0] for key in dimension.key}
    cells = [_one_of(1, 2, 3, null=0.1), _maybe_text, *(_foreign(key)[1] for key in dimension.key)]
    bridge = _table(f"{stem}_bridge", types, draw(_rows(cells, most=10)), {})
    first = JoinStep(JoinKind.BRIDGE, "sales", (f"{stem}_bridge",), bridge.name, ("bridge_key",))
    second = JoinStep(
        JoinKind.UNIQUE_KEY, bridge.name, tuple(f"member_{key}" for key in dimension.key), table.name, dimension.key
    )
    own = _bound(role, "Kind", bridge.name, ("kind",), "kind", (first,), frozenset())
    return _RoleParts(
        columns={f"{stem}_bridge": (INT, _one_of(1, 2, 3, 4, null=0.15))},
        tables=(bridge,),
        attributes=(own, *dimension.attributes(role, (first, second), every)),
    )


def _foreign(key: str) -> tuple[str, Cells]:
    return (INT, _foreign_id) if key == "id" else (TEXT, _one_of("a", "b", null=0.1))


@st.composite
def _rows(draw: st.DrawFn, cells: Sequence[Cells], *, most: int, key: int = 0) -> list[tuple[Value, ...]]:
    """Up to ``most`` rows; no two agree in the first ``key`` cells, when that is not 0."""
    source = random.Random(draw(st.integers(0, 2**32)))
    rows = [tuple(cell(source) for cell in cells) for _ in range(draw(st.integers(0, most)))]
    return list({row[:key]: row for row in rows}.values()) if key else rows


@st.composite
def _dimensions(draw: st.DrawFn, name: str) -> _Dimension:
    """A dimension's table and the outrigger behind it."""
    key = draw(st.sampled_from([("id",), ("id",), ("id", "part")]))
    outer_types = {"out_key": INT, "out_name": TEXT, "grp": TEXT}
    group = draw(st.sampled_from([_maybe_text, _one_of("a", null=0.7)]))
    outer_rows = draw(_rows([_id, _maybe_text, group], most=6, key=1))
    outer_rows += outer_rows[:1] if draw(st.booleans()) else []
    outer = _table(f"{name}_out", outer_types, outer_rows, {}, is_query=draw(st.booleans()))
    table = _table(name, _MEMBER_TYPES, draw(_members(key)), _CALCULATED, is_query=draw(st.booleans()))

    def attributes(role: Role, steps: tuple[JoinStep, ...], only: frozenset[str]) -> tuple[BoundAttribute, ...]:
        out = (*steps, JoinStep(JoinKind.UNIQUE_KEY, name, ("out_id",), outer.name, ("out_key",)))
        coarse = frozenset({"Mid", "Top", "Sec", "New", "Calc", "Out", "Group"})
        bounds = (
            _bound(role, "Leaf", name, key, "name", steps, coarse),
            _bound(role, "Code", name, ("code",), "code", steps, coarse),
            _bound(role, "Mid", name, ("mid",), "mid_name", steps, frozenset({"Top", "Out", "Group", "Sec", "Calc"})),
            _bound(role, "Top", name, ("top",), "top", steps, frozenset()),
            _bound(role, "Sec", name, ("sec",), "sec", steps, frozenset({"Calc"})),
            _bound(role, "New", name, ("is_new",), "is_new", steps, frozenset()),
            _bound(role, "Calc", name, ("calc",), "calc", steps, frozenset()),
            _bound(role, "Out", outer.name, ("out_key",), "out_name", out, frozenset({"Group"})),
            _bound(role, "Group", outer.name, ("grp",), "grp", out, frozenset()),
        )
        return tuple(bound for bound in bounds if bound.attribute.name in only)

    return _Dimension(table=table, key=key, others=(outer,), attributes=attributes)


@st.composite
def _members(draw: st.DrawFn, key: tuple[str, ...]) -> list[tuple[Value, ...]]:
    """Rows of a dimension: keys mostly unique, hierarchies mostly functional, some rows with a NULL key.

    A code is a second key, which not all members have.
    """
    middle = _one_of(1, 2, 3, null=draw(st.sampled_from([0.0, 0.0, 0.2])))
    part = _one_of("a", "b")
    cells = [_id, part, _maybe_text, middle, _maybe_text, _maybe_text, _maybe_text, _one_of(True, False, null=0.2)]
    rows = draw(_rows([*cells, _foreign_id, _one_of(*map(str, range(100)), null=0.2)], most=10, key=len(key)))
    functional = draw(st.sampled_from(["all", "all", "all but the outrigger", "none"]))
    if functional != "none":
        names = draw(_rows([_maybe_text, _maybe_text, _foreign_id], most=4))
        functional_rows = [_make_functional(row, names) for row in rows]
        rows = (
            functional_rows
            if functional == "all"
            else [(*new[:-2], *row[-2:]) for new, row in zip(functional_rows, rows, strict=True)]
        )
    if rows and draw(st.integers(0, 3)) == 0:
        twin = draw(st.sampled_from(rows))
        rows.append(twin if draw(st.booleans()) else (*twin[:2], "twin", *twin[3:]))
    if rows and draw(st.integers(0, 3)) == 0:
        rows.append((None, *rows[0][1:]))
    return rows


def _make_functional(row: tuple[Value, ...], names: Sequence[tuple[Value, ...]]) -> tuple[Value, ...]:
    """The row with middle name, top and outrigger key chosen by its middle key alone."""
    middle = row[3]
    middle_name, top, outer = names[middle] if isinstance(middle, int) and middle < len(names) else (None, None, None)
    return (*row[:4], middle_name, top, *row[6:8], outer, row[9])


def _table(
    name: str,
    types: Mapping[str, str],
    values: list[tuple[Value, ...]],
    calculated: Mapping[str, str],
    *,
    is_query: bool = False,
) -> Table:
    rows = [dict(zip(types, row, strict=True)) for row in values]
    if calculated:
        for row in rows:
            row["calc"] = "A" if row["sec"] == "a" else "Other"
    return Table(name=name, types=types, rows=tuple(rows), calculated=calculated, is_query=is_query)


def _bound(
    role: Role,
    name: str,
    dataset: str,
    keys: tuple[str, ...],
    name_column: str,
    steps: tuple[JoinStep, ...],
    determines: frozenset[str],
) -> BoundAttribute:
    return BoundAttribute(
        attribute=GrainAttribute(role, name),
        label=name,
        dataset=dataset,
        key_columns=keys,
        name_column=name_column,
        steps=steps,
        determines=determines,
    )


def _literal(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value).upper() if isinstance(value, bool) else str(value)
