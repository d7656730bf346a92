"""The mark in an aggregate schema that says which registry writes there: a table of one row."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.mark_reading import COLUMNS, MARK_TABLE
from airflow_atscale_aggs.engine.sql.quoting import column_of, identifier
from airflow_atscale_aggs.engine.sql.statements import render, table

_SLOT = "slot"


def create_mark(schema: str, dialect: Dialect) -> str:
    """Makes the table where it is not there; it holds one row at most."""
    slot = exp.ColumnDef(
        this=identifier(_SLOT),
        kind=exp.DataType.build("INT"),
        constraints=[exp.ColumnConstraint(kind=exp.PrimaryKeyColumnConstraint())],
    )
    others = [exp.ColumnDef(this=identifier(name), kind=exp.DataType.build("TEXT")) for name in COLUMNS]
    target = exp.Schema(this=table(MARK_TABLE, schema), expressions=[slot, *others])
    return render(exp.Create(this=target, kind="TABLE", exists=True), dialect)


def insert_mark(schema: str, values: Mapping[str, str], dialect: Dialect) -> str:
    """The first mark; fails where there is one."""
    names = [identifier(_SLOT), *(identifier(name) for name in COLUMNS)]
    row = exp.Tuple(expressions=[exp.Literal.number(1), *(exp.Literal.string(values[name]) for name in COLUMNS)])
    target = exp.Schema(this=table(MARK_TABLE, schema), expressions=names)
    return render(exp.Insert(this=target, expression=exp.Values(expressions=[row])), dialect)


def update_mark(schema: str, values: Mapping[str, str], stamp_before: str, dialect: Dialect) -> str:
    """Replaces the mark with a stamp by another mark.

    It changes nothing when somebody else has replaced that mark before.
    """
    sets = [exp.EQ(this=column_of(name), expression=exp.Literal.string(values[name])) for name in COLUMNS]
    condition = exp.EQ(this=column_of("stamp"), expression=exp.Literal.string(stamp_before))
    update = exp.Update(this=table(MARK_TABLE, schema), expressions=sets, where=exp.Where(this=condition))
    return render(update, dialect)
