"""Datasets as SQL: a FROM item and its columns, matched to what the warehouse really has.

SML spells names as somebody typed them; warehouses fold case. A column is looked up exactly, then without case.
Calculated columns and query datasets are taken in the variant that fits the dialect, or in SML's default text, which
declares no dialect and is read as PostgreSQL's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import DefinitionError, did_you_mean, near_names
from airflow_atscale_aggs.engine.model.datasets import (
    Column,
    Dataset,
    ExistingTables,
    PhysicalTables,
    SqlVariant,
    TableColumns,
    TableKey,
    find_column_type,
    table_key,
)
from airflow_atscale_aggs.engine.sql.capabilities import Dialect, Folding
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.quoting import identifier
from airflow_atscale_aggs.engine.sql.statements import PARSER_ERRORS, render

_DEFAULT_TEXT_DIALECT = "postgres"

_SINGLE_TYPES = frozenset({"real", "float", "float4", "float32", "half", "float16"})
"""Names of floating types that are narrower than double precision on some warehouse."""

_FLOATING_TYPES = _SINGLE_TYPES | {"double", "double precision", "float8", "float64"}
_FLOATING_CASTS = (exp.DataType.Type.FLOAT, exp.DataType.Type.DOUBLE)


class Sources:
    """The datasets of a model on one warehouse. Parses each text once; hands out fresh expressions."""

    def __init__(self, datasets: Mapping[str, Dataset], physical: PhysicalTables, dialect: Dialect) -> None:
        self.dialect = dialect
        self._datasets, self._physical = datasets, physical
        self._sources_by_name: dict[str, DatasetSource] = {}

    def __getitem__(self, name: str) -> DatasetSource:
        source = self._sources_by_name.get(name)
        if source is None:
            dataset = self._datasets.get(name)
            if dataset is None:
                raise DefinitionError("", f"the model has no dataset `{name}`")
            source = self._sources_by_name[name] = DatasetSource(dataset, self._physical, self.dialect)
        return source


class DatasetSource:
    """One dataset as a FROM item with columns."""

    def __init__(self, dataset: Dataset, physical: PhysicalTables, dialect: Dialect) -> None:
        self.dataset, self.dialect = dataset, dialect
        self._query: exp.Expr | None = None
        self._parsed: dict[str, exp.Expr] = {}
        self._column_types: dict[str, str] = {}
        self._spelled: TableKey = (None, None, "")
        self.table: TableColumns | None = None
        """What the warehouse says of the table; None for a query."""
        key = table_key(dataset)
        if key is None:
            self._query = _parse_query(dataset, dialect)
            self._columns = _query_columns(self._query)
        else:
            what = f"table `{'.'.join(part for part in key if part)}`"
            if key not in physical:
                if isinstance(physical, ExistingTables) and physical.reasons.get(key):
                    raise _elsewhere(dataset, what, physical.reasons[key])
                raise _not_there(dataset, what, [name for _, _, name in physical])
            table = physical[key]
            self._columns = dict(table)
            self._spelled = table.spelled if isinstance(table, TableColumns) else key
            if isinstance(table, TableColumns):
                self.table = table
        self._by_folded = {name.casefold(): name for name in self._columns}

    def check_readable(self) -> None:
        """Refuse a table that has disappeared, or that may not be read, each with a message of its own.

        Raises:
            DefinitionError: says what is to be done.
        """
        if self.table is not None:
            _check_readable(self.dataset, self.table, self.dialect)

    def relation(self, alias: str) -> exp.Expr:
        """The dataset under an alias, to stand in FROM or JOIN.

        Raises:
            DefinitionError: its table may not be read, or is away.
        """
        self.check_readable()
        if self._query is not None:
            return exp.Subquery(this=self._query.copy(), alias=exp.TableAlias(this=identifier(alias)))
        database, schema, name = self._spelled
        table = exp.Table(this=identifier(name), alias=exp.TableAlias(this=identifier(alias)))
        # What SML leaves to the warehouse's defaults stays there.
        if schema and self.dataset.schema:
            table.set("db", identifier(schema))
            if database and self.dataset.database:
                table.set("catalog", identifier(database))
        return table

    def column(self, name: str, alias: str) -> exp.Expr:
        """A column of the dataset, physical or calculated, over an alias of `relation`.

        Raises:
            DefinitionError: the warehouse's table has no such column, or its calculation cannot be said here.
        """
        declared = self.dataset.columns.get(name)
        if declared is not None and declared.variants:
            expression = self._calculation(declared).copy()
            return _qualify(expression, alias)
        if declared is not None and declared.parent_column:
            column = f"column `{name}` of dataset `{self.dataset.name}`"
            reason = f"{column} is taken out of map column `{declared.parent_column}`"
            raise DefinitionError("", reason, "Map columns cannot be aggregated; add a calculated column.")
        return exp.Column(this=identifier(self._physical_name(name)), table=identifier(alias))

    @property
    def place(self) -> TableKey | None:
        """Where the warehouse has the table, as it spells it; None for a query."""
        return None if self._query is not None else self._spelled

    def physical_name(self, name: str) -> str | None:
        """The table's or query's own column of that name, as the warehouse spells it; None for a calculation.

        Raises:
            DefinitionError: there is no such column.
        """
        declared = self.dataset.columns.get(name)
        if declared is not None and (declared.variants or declared.parent_column):
            return None
        return self._physical_name(name)

    def own(self, name: str) -> exp.Expr | None:
        """A column, or the calculation of one, over columns without a table; None when it cannot be said here."""
        try:
            expression = self.column(name, "")
        except DefinitionError:
            return None
        for reference in expression.find_all(exp.Column):
            reference.set("table", None)
        return expression.unnest()

    def hashable(self, names: Iterable[str]) -> tuple[str, ...]:
        """The table's or query's own columns behind some columns; calculations may say something else each time."""
        own_names: set[str] = set()
        for name in names:
            own = self.own(name)
            own_names |= {column.name for column in own.find_all(exp.Column)} if own is not None else set()
        return tuple(sorted(own_names))

    def is_physical(self, name: str) -> bool:
        """True for a column of the table or query, False for a calculation on top of it."""
        declared = self.dataset.columns.get(name)
        return declared is None or not declared.variants

    def data_type(self, name: str) -> str:
        """The column's type in lower case: the warehouse's, else SML's, else empty."""
        declared = self.dataset.columns.get(name)
        if declared is None or not declared.variants:
            spelled = self._by_folded.get(name.casefold())
            if spelled and self._columns[spelled]:
                return self._columns[spelled].casefold()
        return (declared.data_type or "").casefold() if declared else ""

    def is_calculated(self, name: str) -> bool:
        """Whether a column is an expression of the model, whose type is what SML says."""
        declared = self.dataset.columns.get(name)
        return declared is not None and bool(declared.variants)

    def may_be_single(self, name: str) -> bool:
        """True for a column whose values may be floating numbers of less than double precision.

        The warehouse tells the type of its own columns. The type of a calculation, or of a query's column, is what SML
        says, and an expression over a narrow column is taken to be narrow too.
        """
        is_calculated = self.is_calculated(name)
        if not is_calculated and self.find_column_type(name):
            return self.data_type(name) in _SINGLE_TYPES
        if self.data_type(name) in _FLOATING_TYPES:
            return True
        return is_calculated and self._is_single(self.own(name))

    def _is_single(self, calculation: exp.Expr | None) -> bool:
        """Whether a calculation reads a narrow floating number and is not cast to a type of another kind at last."""
        if calculation is None or (isinstance(calculation, exp.Cast) and not calculation.is_type(*_FLOATING_CASTS)):
            return False
        if any(cast.is_type(exp.DataType.Type.FLOAT) for cast in calculation.find_all(exp.Cast)):
            return True
        own = {reference.name for reference in calculation.find_all(exp.Column)}
        return any(self._columns.get(name, "").casefold() in _SINGLE_TYPES for name in own)

    def find_column_type(self, name: str) -> str:
        """The type that the warehouse tells of a column; empty for a calculation, and where it does not tell."""
        if name not in self._column_types:
            self._column_types[name] = find_column_type(self.dataset, name, self._columns)
        return self._column_types[name]

    def _physical_name(self, name: str) -> str:
        spelled = name if name in self._columns else self._by_folded.get(name.casefold())
        if spelled is not None:
            if self.table is not None and spelled in self.table.closed_columns:
                what = f"column `{name}` of dataset `{self.dataset.name}` ({self.dataset.where})"
                reason = f"{what} may not be read by this connection's role"
                raise DefinitionError("", reason, f"Run: {_grant(self.table, self.dialect, spelled)}.")
            return spelled
        if self._query is not None and "*" in self._columns:
            return _fold(name, self.dialect)
        raise _not_there(self.dataset, f"column `{name}`", self._columns)

    def _calculation(self, column: Column) -> exp.Expr:
        """The calculated column's expression with physical, quoted, unqualified columns."""
        if column.name not in self._parsed:
            self._parsed[column.name] = self._resolve(column, frozenset({column.name}))
        return self._parsed[column.name]

    def _resolve(self, column: Column, above: frozenset[str]) -> exp.Expr:
        variant = _choose(column.variants, self.dialect)
        what = f"calculated column `{column.name}` of dataset `{self.dataset.name}` ({self.dataset.where})"
        root = exp.Paren(this=_parse(variant, what, self.dialect))
        for reference in list(root.find_all(exp.Column)):
            reference.replace(self._reference(reference.name, above))
        for quarter in list(root.find_all(exp.Quarter)):
            # QUARTER(x) is no function of PostgreSQL; EXTRACT is understood everywhere.
            quarter.replace(exp.Extract(this=exp.var("QUARTER"), expression=quarter.this))
        return root.this if isinstance(root.this, (exp.Column, exp.Func)) else root

    def _reference(self, name: str, above: frozenset[str]) -> exp.Expr:
        """A name inside a calculation: a physical column, or another calculated column."""
        if name.casefold() in self._by_folded:
            return exp.Column(this=identifier(self._physical_name(name)))
        for other in self.dataset.columns.values():
            if other.name.casefold() == name.casefold() and other.variants and other.name not in above:
                return self._resolve(other, above | {other.name})
        return exp.Column(this=identifier(self._physical_name(name)))


def _qualify(expression: exp.Expr, alias: str) -> exp.Expr:
    for reference in expression.find_all(exp.Column):
        reference.set("table", identifier(alias))
    return expression


def _parse_query(dataset: Dataset, dialect: Dialect) -> exp.Expr:
    """A query dataset's SQL with every identifier folded as the target folds it, and quoted."""
    if not dataset.variants:
        raise DefinitionError("", f"dataset `{dataset.name}` ({dataset.where}) has neither a table nor SQL")
    variant = _choose(dataset.variants, dialect)
    query = _parse(variant, f"dataset `{dataset.name}` ({dataset.where})", dialect)
    for part in query.find_all(exp.Identifier):
        if not part.quoted:
            part.set("this", _fold(part.name, dialect))
            part.set("quoted", True)
    return query


def _query_columns(query: exp.Expr) -> dict[str, str]:
    names = query.named_selects if isinstance(query, exp.Query) else []
    return dict.fromkeys(names, "")


def _choose(variants: tuple[SqlVariant, ...], dialect: Dialect) -> SqlVariant:
    """The variant written for the dialect, else SML's default text, else the first."""
    by_dialect = {variant.dialect: variant for variant in variants}
    for name in dialect.sml_dialects:
        if name in by_dialect:
            return by_dialect[name]
    return by_dialect.get(None, variants[0])


def _parse(variant: SqlVariant, what: str, dialect: Dialect) -> exp.Expr:
    read = _DEFAULT_TEXT_DIALECT
    for row in DIALECTS.values():
        if variant.dialect in row.sml_dialects:
            read = row.sqlglot_name
            break
    try:
        expression = sqlglot.parse_one(variant.sql, read=read)
    except PARSER_ERRORS as error:
        raise DefinitionError("", f"the SQL of {what} cannot be read: {_first_line(error)}") from error
    try:
        render(expression, dialect)
    except sqlglot.UnsupportedError as error:
        # Now, where it can be named; later it would stop whatever it stands in.
        raise DefinitionError(
            "", f"the SQL of {what} cannot be said in {dialect.name}: {_first_line(error)}"
        ) from error
    return expression


def _fold(name: str, dialect: Dialect) -> str:
    if dialect.folding is Folding.LOWER:
        return name.lower()
    return name.upper() if dialect.folding is Folding.UPPER else name


def _not_there(dataset: Dataset, what: str, names: Mapping[str, str] | list[str]) -> DefinitionError:
    wanted = what.split("`")[1].rpartition(".")[2]
    near = near_names(wanted, names)
    remedy = did_you_mean(near).strip() or "Correct the dataset."
    return DefinitionError("", f"{what} of dataset `{dataset.name}` ({dataset.where}) is not in the warehouse", remedy)


def _elsewhere(dataset: Dataset, what: str, reason: str) -> DefinitionError:
    """The error for a table that exists, but not where the model says."""
    explanation = f"{what} of dataset `{dataset.name}` ({dataset.where}) {reason}"
    return DefinitionError("", explanation, "Correct the schema or database in the model, or connect otherwise.")


def _check_readable(dataset: Dataset, table: TableColumns, dialect: Dialect) -> None:
    """Refuse a table that has disappeared, or that is there but may not be read.

    Raises:
        DefinitionError: says what is to be granted.
    """
    what = f"table `{'.'.join(part for part in table.spelled if part)}`"
    if table.is_away:
        reason = f"{what} of dataset `{dataset.name}` ({dataset.where}) is not in the warehouse now"
        raise DefinitionError(
            "", reason, "It was there when aggregates were built: load it again, or correct the dataset."
        )
    if not table.closed:
        return
    why = "USAGE of its schema is not granted" if table.closed == "schema" else "SELECT is not granted"
    reason = f"{what} of dataset `{dataset.name}` ({dataset.where}) may not be read by this connection's role: {why}"
    raise DefinitionError("", reason, f"Run: {_grant(table, dialect)}.")


def _grant(table: TableColumns, dialect: Dialect, column: str = "") -> str:
    """The statement that opens a table, or one of its columns, to a role."""
    _, schema, name = table.spelled
    spelling = dialect.sqlglot_name
    if table.closed == "schema":
        return f"GRANT USAGE ON SCHEMA {identifier(schema).sql(spelling)} TO ROLE"
    place = exp.Table(this=identifier(name), db=identifier(schema)).sql(spelling)
    return f"GRANT SELECT{f' ({identifier(column).sql(spelling)})' if column else ''} ON {place} TO ROLE"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
