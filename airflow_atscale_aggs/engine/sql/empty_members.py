"""Facts without a member of a dimension: whether they stay in an answer, and under which name.

SML's ``custom_empty_member`` is said when an answer is composed. Nothing of it is stored, so that aggregates which are
older than it serve, and its name may change without a build.

    key column NULL        the member's name, or its key for a key column
    otherwise              the column

Source: SML reference, ``custom_empty_member``, ``filter_empty``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, JoinStep
from airflow_atscale_aggs.engine.sql.column_types import is_number, is_text, is_time, is_whole
from airflow_atscale_aggs.engine.sql.sources import Sources

_NUMBER = re.compile(r"[-+0-9.eE]+")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""How numbers and days are spelled that SQL reads as well. Python reads more, such as ``1_000`` and ``2020-W01-1``."""


def paths_with_members(attributes: Sequence[BoundAttribute]) -> tuple[tuple[JoinStep, ...], ...]:
    """Joins without whose member a row is left out: by the join rule, unless an attribute behind them keeps it."""
    kept_paths = {bound.steps for bound in attributes if bound.keeps_rows}
    return tuple(dict.fromkeys(bound.steps for bound in attributes if bound.steps and bound.steps not in kept_paths))


def shown_value(
    bound: BoundAttribute, column: str | None, sources: Sources, find_column: Callable[[str], exp.Expr]
) -> exp.Expr:
    """What a reader sees of an attribute.

    Args:
        column: of its key; None: its name.
        found: where a column of it is, made anew.

    Raises:
        DefinitionError: the empty member's name is not of the column's type.
    """
    wanted = column or bound.name_column
    value = find_column(wanted)
    if bound.empty is None or bound.empty.name is None:
        return value
    text = bound.empty.name if column is None else bound.empty.key[bound.key_columns.index(column)]
    literal = typed_literal(text, sources[bound.dataset].data_type(wanted))
    if literal is None:
        raise DefinitionError("", *mismatch(bound, text, wanted, sources[bound.dataset].data_type(wanted)))
    if bound.key_columns == (wanted,):
        return exp.Coalesce(this=value, expressions=[literal])
    tests = [exp.Is(this=find_column(key), expression=exp.Null()) for key in bound.key_columns]
    return exp.Case(ifs=[exp.If(this=exp.and_(*tests, copy=False), true=literal)], default=value)


def mismatch(bound: BoundAttribute, text: str, column: str, kind: str) -> tuple[str, str]:
    """Why an empty member cannot be shown, and what to do."""
    name = bound.attribute.query_name
    reason = f"the custom empty member of `{name}` is `{text}`, which is no value of its column `{column}` ({kind})"
    return reason, "Correct `custom_empty_member`, or give the attribute a calculated name column that is a text."


def typed_literal(text: str, kind: str) -> exp.Expr | None:
    """A text as a value of a column's type; None when it is none. Of an unknown type it is a text.

    Args:
        kind: the type in lower case; empty when nobody tells.
    """
    if not kind or is_text(kind):
        return exp.Literal.string(text)
    if is_number(kind):
        return _number(text, is_integer=is_whole(kind))
    if is_time(kind):
        return _time(text, kind)
    if kind.startswith("bool"):
        literals = {"true": exp.true(), "false": exp.false()}
        return literals.get(text.strip().casefold())
    return exp.cast(exp.Literal.string(text), kind) if kind.startswith("uuid") else None


def _number(text: str, *, is_integer: bool) -> exp.Expr | None:
    if _NUMBER.fullmatch(text.strip()) is None:
        return None
    try:
        number = int(text) if is_integer else float(text)
    except ValueError:
        return None
    if number in {float("inf"), float("-inf")}:
        return None
    literal = exp.Literal.number(text.strip().lstrip("+-"))
    return exp.Neg(this=literal) if text.strip().startswith("-") else literal


def _time(text: str, kind: str) -> exp.Expr | None:
    if _DAY.match(text.strip()) is None:
        return None
    is_date = kind.startswith("date") and not kind.startswith("datetime")
    try:
        (date if is_date and len(text.strip()) <= len("2020-01-01") else datetime).fromisoformat(text.strip())
    except ValueError:
        return None
    return exp.cast(exp.Literal.string(text.strip()), kind)
