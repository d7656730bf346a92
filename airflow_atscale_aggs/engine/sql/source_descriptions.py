"""What sources are, in SQL: descriptions of columns, identities of tables, checksums of rows.

Source: PostgreSQL, "System Catalogs" (pg_class, pg_attribute, pg_inherits, pg_rewrite), "System Columns"; DuckDB,
"Metadata Functions". DuckDB numbers tables anew each time a file is opened, so its catalog does not tell a table from
its successor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.indicator_lookup import range_condition
from airflow_atscale_aggs.engine.sql.quoting import alias_as
from airflow_atscale_aggs.engine.sql.row_hashes import hash_row
from airflow_atscale_aggs.engine.sql.sources import DatasetSource, Sources
from airflow_atscale_aggs.engine.sql.statements import PARSER_ERRORS, render
from airflow_atscale_aggs.engine.sql.text_literals import text_literal

_TABLE = "f"
_BUCKETS = 64
_PAGES = 64
"""Pages whose row versions stand for those of a table: half a megabyte."""

Descriptions = Mapping[TableKey, Mapping[str, str]]
"""By table as the warehouse spells it: description by column; what kind of relation it is, by the empty name."""


def columns_of_part(part: FactPart, indicator: str) -> frozenset[tuple[str, str]]:
    """(dataset, column) of everything that a part stores, joins by, or is cut by."""
    columns = {(part.fact, indicator)}
    columns |= {(part.fact, measure.column) for measure in part.measures if measure.column}
    for bound in part.attributes:
        columns |= {(bound.dataset, column) for column in bound.columns}
        for step in bound.steps:
            columns |= {(step.from_dataset, column) for column in step.from_columns}
            columns |= {(step.to_dataset, column) for column in step.to_columns}
    return frozenset(columns)


def descriptions_query(places: Iterable[TableKey], dialect: Dialect) -> str | None:
    """A query for `read_descriptions`.

    None where there is nothing to ask, or the warehouse tells no more than types.
    """
    rows = ", ".join(f"({', '.join(text_literal(part or '') for part in place)})" for place in sorted(places, key=str))
    return dialect.descriptions.format(tables=rows) if dialect.descriptions is not None and rows else None


def read_descriptions(rows: Iterable[Sequence[object]], dialect: Dialect) -> Descriptions:
    """The descriptions of relations, from the answer of the warehouse.

    Its rows are database, schema, table, column (empty: the relation), description, and the relation's own DDL.
    """
    descriptions: dict[TableKey, dict[str, str]] = {}
    collations: dict[TableKey, dict[str, str]] = {}
    for database, schema, table, column, description, ddl in rows:
        key: TableKey = (str(database), str(schema), str(table))
        descriptions.setdefault(key, {})[str(column)] = str(description)
        if ddl:
            collations[key] = _collations(str(ddl), dialect)
    for key, collation_by_column in collations.items():
        for column, collation in collation_by_column.items():
            if column in descriptions[key]:
                descriptions[key][column] += f" {collation}"
    return descriptions


def describe_column(source: DatasetSource, column: str, descriptions: Descriptions, probed: Mapping[str, str]) -> str:
    """What is known of a column of a dataset; empty where that is nothing.

    Args:
        probed: types of calculations, and of columns of queries, as the warehouse has told them of a result.
    """
    place = source.place
    column_descriptions = descriptions.get(place, {}) if place is not None else {}
    try:
        physical = source.physical_name(column)
    except DefinitionError:
        return ""
    if physical is not None and physical in column_descriptions:
        return column_descriptions[physical]
    data_type = probed.get(column, "") or source.data_type(column)
    own = source.own(column) if physical is None else None
    names = sorted({reference.name for reference in own.find_all(exp.Column)}) if own is not None else []
    bases = ", ".join(f"{name} {column_descriptions[name]}" for name in names if name in column_descriptions)
    return f"{data_type} of {bases}" if bases else data_type


def relation_kind(source: DatasetSource, descriptions: Descriptions) -> str:
    """What kind of relation a dataset is: ``table``, ``view``, …; empty where nobody tells."""
    place = source.place
    return descriptions.get(place, {}).get("", "") if place is not None else "query"


def probe_statement(source: DatasetSource, columns: Sequence[str]) -> exp.Select | None:
    """A query of no rows whose result has the types of columns that no catalog describes; None where there are none."""
    select = exp.Select().from_(source.relation(_TABLE), copy=False).where(exp.false(), copy=False)
    for column in columns:
        select.select(alias_as(source.column(column, _TABLE), column), copy=False)
    return select if columns else None


def find_unlisted_columns(source: DatasetSource, columns: Iterable[str]) -> tuple[str, ...]:
    """Those of some columns that no catalog describes: calculations, and columns of queries. Sorted."""
    unlisted_columns = []
    for column in sorted(columns):
        try:
            is_listed = source.place is not None and source.physical_name(column) is not None
        except DefinitionError:
            continue
        if not is_listed and source.own(column) is not None:
            unlisted_columns.append(column)
    return tuple(unlisted_columns)


def identities_query(fact_names: Iterable[str], sources: Sources) -> str | None:
    """A query for `provenance.read_identities`.

    None where there is nothing to ask, or the catalog has no identities.
    """
    dialect = sources.dialect
    rows = [
        f"({text_literal(fact)}, {text_literal(render(name, dialect))})"
        for fact in sorted(fact_names)
        for name in _tables_of(sources[fact])
    ]
    return dialect.identities.format(tables=", ".join(rows)) if dialect.identities is not None and rows else None


@dataclass(frozen=True, slots=True)
class ChecksumRequest:
    """Which rows of a fact are summed up, and what of them.

    Attributes:
        columns: that are hashed; none: versions of rows in the first pages of the table.
    """

    rows: RowRange
    columns: tuple[str, ...]


def checksum_statement(asked: ChecksumRequest, source: DatasetSource) -> exp.Select | None:
    """Rows of bucket, count and sum; None where the warehouse has no way to make them."""
    dialect = source.dialect
    bucket = hash_row([source.column(asked.rows.column, _TABLE)], dialect)
    if asked.columns:
        mark = hash_row([source.column(column, _TABLE) for column in asked.columns], dialect)
    else:
        mark = _version(dialect)
    if bucket is None or mark is None:
        return None
    numbered = exp.Mod(this=bucket, expression=exp.Literal.number(_BUCKETS))
    select = exp.select(
        alias_as(numbered, "bucket"),
        alias_as(exp.Count(this=exp.Star(), big_int=True), "counted"),
        alias_as(exp.cast(exp.Sum(this=mark), "text"), "total"),
    ).from_(source.relation(_TABLE), copy=False)
    condition = range_condition(asked.rows, source, _TABLE)
    if condition is not None:
        select.where(condition, copy=False)
    if not asked.columns:
        select.where(_in_first_pages(), copy=False)
    return select.group_by(numbered.copy(), copy=False)


def table_mark(table: exp.Table, columns: Sequence[str], dialect: Dialect) -> exp.Expr:
    """An aggregate over a table of ours that tells it, or its contents, from another's; NULL where nothing does."""
    if dialect.identities is not None:
        number = exp.Max(
            this=exp.cast(
                exp.Anonymous(this="TO_REGCLASS", expressions=[exp.Literal.string(render(table, dialect))]), "bigint"
            )
        )
        if dialect.row_version is None or dialect.hash_text is None:
            return number
        # Rows of ours are written once: who changes one of them leaves another version of it.
        version = exp.cast(exp.Column(this=exp.to_identifier(dialect.row_version, quoted=True)), "text")
        row_hash = exp.Anonymous(this=dialect.hash_text, expressions=[version, exp.Literal.number(0)])
        return exp.Add(this=number, expression=exp.Sum(this=row_hash))
    hashed = hash_row([exp.Column(this=exp.to_identifier(name, quoted=True)) for name in columns], dialect)
    return exp.Null() if hashed is None else exp.Sum(this=hashed)


def _version(dialect: Dialect) -> exp.Expr | None:
    """The transaction that has written a row, as a whole number."""
    if dialect.row_version is None:
        return None
    column = exp.Column(this=exp.to_identifier(dialect.row_version, quoted=True), table=exp.to_identifier(_TABLE))
    return exp.cast(exp.cast(column, "text"), "bigint")


def _in_first_pages() -> exp.Expr:
    place = exp.Column(this=exp.to_identifier("ctid", quoted=True), table=exp.to_identifier(_TABLE))
    kind = exp.DataType.build("tid", dialect="postgres", udt=True)
    return exp.LT(this=place, expression=exp.Cast(this=exp.Literal.string(f"({_PAGES},0)"), to=kind))


def _tables_of(source: DatasetSource) -> list[exp.Table]:
    """The tables that a dataset names, without aliases."""
    relation = source.relation(_TABLE)
    cte_names = {cte.alias_or_name for cte in relation.find_all(exp.CTE)}
    tables = [relation] if isinstance(relation, exp.Table) else list(relation.find_all(exp.Table))
    return [
        exp.Table(this=table.this.copy(), db=table.args.get("db"), catalog=table.args.get("catalog"))
        for table in tables
        if isinstance(table.this, exp.Identifier) and (table.db or table.name not in cte_names)
    ]


def _collations(ddl: str, dialect: Dialect) -> dict[str, str]:
    """Collation by column, out of a CREATE TABLE of the warehouse; what cannot be read tells none."""
    try:
        statement = sqlglot.parse_one(ddl, read=dialect.sqlglot_name)
    except PARSER_ERRORS:
        return {}
    return {
        column.name: constraint.sql(dialect=dialect.sqlglot_name)
        for column in statement.find_all(exp.ColumnDef)
        for constraint in column.find_all(exp.CollateColumnConstraint)
    }
