"""What our SQL relies on, as questions about constants whose answers are known.

A warehouse may run each of our statements and still mean something else by them. A comparison of an aggregate with its
facts does not see that, since both are computed in the same way. So each thing is asked by itself, about rows that
stand in the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.indicator_lookup import literal
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier
from airflow_atscale_aggs.engine.sql.self_test_texts import SelfTestStatements
from airflow_atscale_aggs.engine.sql.statements import render

_MOST_BIGINT = 9223372036854775807
_MOST_DECIMAL = "9" * 38
_MOMENT = 1774747800_123456
"""Microseconds since 1970: 2026-03-29 01:30:00.123456 in UTC, half an hour after clocks in Europe were put forward."""

_Rows = Sequence[tuple[str | None, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing that our SQL relies on.

    Attributes:
        name: of its column in the statement; `self_test_texts.NEEDS` says what it means.
        condition: is true where the warehouse does as it should.
        is_asked_alone: it is expected to be refused by some, and would take the others with it.
    """

    name: str
    condition: Callable[[Dialect], exp.Expr]
    is_asked_alone: bool = False


def compose_statements(dialect: Dialect) -> SelfTestStatements:
    """The statements for a dialect."""
    names = tuple(question.name for question in QUESTIONS if not question.is_asked_alone)
    others = {question.name: alone(question.name, dialect) for question in QUESTIONS if question.is_asked_alone}
    return SelfTestStatements(names, _together(dialect), others)


def _together(dialect: Dialect) -> str:
    """One statement whose one row has a 1 for each question but those that are asked alone; 0 is a difference."""
    asked = [_column(question, dialect) for question in QUESTIONS if not question.is_asked_alone]
    return render(exp.select(*asked), dialect)


def alone(name: str, dialect: Dialect) -> str:
    """The statement for one question."""
    (question,) = (question for question in QUESTIONS if question.name == name)
    return render(exp.select(_column(question, dialect)), dialect)


def _column(question: Question, dialect: Dialect) -> exp.Expr:
    one, none = exp.Literal.number(1), exp.Literal.number(0)
    return alias_as(exp.Case().when(question.condition(dialect), one).else_(none), question.name)


def _number_of_rows(dialect: Dialect) -> exp.Expr:  # noqa: ARG001 - the shape of a condition
    """A left join keeps a row that finds nothing, with NULL in the other's columns."""
    left = _relation("l", {"k": "", "t": "text"}, [("1", "a"), ("2", "b"), ("3", "c")])
    right = _relation("r", {"k": "", "v": "", "t": ""}, [("2", "5", "'x'")])
    on = exp.EQ(this=column_of("k", "l"), expression=column_of("k", "r"))
    empty = [_is_null(column_of(name, "r")) for name in ("k", "v", "t")]
    query = _count().from_(left).join(right, on=on, join_type="left").where(*empty)
    return _equals(query, 2)


def _nothing_added_up(dialect: Dialect) -> exp.Expr:  # noqa: ARG001
    nothing = exp.EQ(this=column_of("x"), expression=exp.Literal.number(2))
    total, least = exp.Sum(this=column_of("x")), exp.Min(this=column_of("x"))
    query = exp.select(alias_as(total, "s"), alias_as(least, "m")).from_(_relation("t", {"x": ""}, [("1",)]))
    sums = exp.Subquery(this=query.where(nothing), alias=_alias("u"))
    return _equals(_count().from_(sums).where(_is_null(column_of("s")), _is_null(column_of("m"))), 1)


def _nulls_added_up(dialect: Dialect) -> exp.Expr:  # noqa: ARG001
    rows = _relation("t", {"k": "int", "x": "int"}, [("1", None), ("1", None), ("2", "3")])
    query = exp.select(alias_as(exp.Sum(this=column_of("x")), "s")).from_(rows).group_by(column_of("k"))
    return _equals(_count().from_(exp.Subquery(this=query, alias=_alias("u"))).where(_is_null(column_of("s"))), 1)


def _distinct_of_nulls(dialect: Dialect) -> exp.Expr:  # noqa: ARG001
    distinct = exp.Count(this=exp.Distinct(expressions=[column_of("x")]), big_int=True)
    query = exp.select(distinct).from_(_relation("t", {"x": "int"}, [("1",), ("1",), (None,)]))
    return _equals(query, 1)


def _groups(kind: str, values: Sequence[str | None], number: int) -> Callable[[Dialect], exp.Expr]:
    """The values are so many groups."""

    def condition(dialect: Dialect) -> exp.Expr:  # noqa: ARG001
        rows = _relation("t", {"x": kind}, [(value,) for value in values])
        groups = exp.select(column_of("x")).from_(rows).group_by(column_of("x"))
        return _equals(_count().from_(exp.Subquery(this=groups, alias=_alias("u"))), number)

    return condition


def _quotient(kind: str, over: str, under: str, least: str, most: str) -> Callable[[Dialect], exp.Expr]:
    """The quotient of two sums is between two numbers."""

    def condition(dialect: Dialect) -> exp.Expr:  # noqa: ARG001
        rows = _relation("t", {"a": kind, "b": kind}, [(over, under)])
        sums = [exp.Sum(this=column_of(name)) for name in ("a", "b")]
        quotient = exp.Div(this=sums[0], expression=sums[1], typed=False, safe=False)
        return _between(exp.select(quotient).from_(rows), least, most)

    return condition


def _mean(dialect: Dialect) -> exp.Expr:  # noqa: ARG001
    rows = _relation("t", {"x": "decimal(9,2)"}, [("0.01",), ("0.02",), (None,)])
    return _between(exp.select(exp.Avg(this=column_of("x"))).from_(rows), "0.0149", "0.0151")


def _sum_of_decimals(dialect: Dialect) -> exp.Expr:  # noqa: ARG001
    rows = _relation("t", {"x": "decimal(9,2)"}, [("9999999.99",)] * 3)
    return _equals(exp.select(exp.Sum(this=column_of("x"))).from_(rows), "29999999.97")


def _sum_of_most(kind: str, most: str) -> Callable[[Dialect], exp.Expr]:
    """The sum of the greatest number of a type and one more is exact, and that of two of them no less; or an error."""

    def condition(dialect: Dialect) -> exp.Expr:  # noqa: ARG001
        def total(other: str, *taken: exp.Expr) -> exp.Expr:
            rows = _relation("t", {"x": kind}, [(most,), (other,)])
            value: exp.Expr = exp.Sum(this=column_of("x"))
            for part in taken:
                value = exp.Sub(this=value, expression=part)
            return exp.Subquery(this=exp.select(value).from_(rows))

        greatest = exp.cast(exp.Literal.string(most), kind)
        is_one = exp.EQ(this=total("1", greatest), expression=exp.Literal.number(1))
        # Some decimals have room for one more than their digits say, and none for twice as much.
        return exp.and_(exp.GT(this=total(most), expression=exp.Literal.number(0)), is_one)

    return condition


def _one_moment(kind: IndicatorKind, type_name: str, spelled: str) -> Callable[[Dialect], exp.Expr]:
    """Of three moments that are a microsecond apart, one is in the range of a microsecond."""

    def condition(dialect: Dialect) -> exp.Expr:
        rows = _relation("t", {"x": type_name}, [(spelled.format(digits),) for digits in ("456", "457", "458")])
        after = exp.GT(this=column_of("x"), expression=literal(kind, _MOMENT, dialect))
        through = exp.LTE(this=column_of("x"), expression=literal(kind, _MOMENT + 1, dialect))
        return _equals(_count().from_(rows).where(after, through), 1)

    return condition


def _micros(dialect: Dialect) -> exp.Expr:
    """What reads an instant's microseconds reads all of them."""
    if dialect.epoch_micros is None:
        return exp.EQ(this=exp.Literal.number(1), expression=exp.Literal.number(1))
    rows = _relation("t", {"x": "timestamptz"}, [("2026-03-29 03:30:00.123456+02:00",)])
    read = exp.Anonymous(this=dialect.epoch_micros, expressions=[column_of("x")])
    return _equals(exp.select(read).from_(rows), _MOMENT)


def _relation(alias: str, types: dict[str, str], rows: _Rows) -> exp.Subquery:
    """Rows as a relation.

    Args:
        types: by name of a column: its values are cast from texts; empty: they are literals as they stand, since a cast
            may make a column of another kind, such as one that may hold NULL.
    """
    selects = [
        exp.select(
            *(alias_as(_value(value, kind), name) for value, (name, kind) in zip(row, types.items(), strict=True))
        )
        for row in rows
    ]
    union: exp.Expr = selects[0]
    for select in selects[1:]:
        union = exp.Union(this=union, expression=select, distinct=False)
    return exp.Subquery(this=union, alias=_alias(alias))


def _value(value: str | None, kind: str) -> exp.Expr:
    if not kind:
        is_text = value is not None and value.startswith("'")
        return exp.Literal.string(str(value)[1:-1]) if is_text else exp.Literal.number(str(value))
    return exp.cast(exp.Null() if value is None else exp.Literal.string(value), kind)


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=identifier(name))


def _count() -> exp.Select:
    return exp.select(exp.Count(this=exp.Star(), big_int=True))


def _is_null(value: exp.Expr) -> exp.Expr:
    return exp.Is(this=value, expression=exp.Null())


def _equals(query: exp.Expr, number: int | str) -> exp.Expr:
    return exp.EQ(this=exp.Subquery(this=query), expression=exp.Literal.number(number))


def _between(query: exp.Expr, least: str, most: str) -> exp.Expr:
    low, high = exp.Literal.number(least), exp.Literal.number(most)
    return exp.Between(this=exp.Subquery(this=query), low=low, high=high)


_CIVIL = _one_moment(IndicatorKind.TIMESTAMP, "timestamp", "2026-03-29 01:30:00.123{}")
_INSTANT = _one_moment(IndicatorKind.INSTANT, "timestamptz", "2026-03-29 03:30:00.123{}+02:00")

QUESTIONS: tuple[Question, ...] = (
    Question(name="unmatched_is_null", condition=_number_of_rows),
    Question(name="sum_of_nothing_is_null", condition=_nothing_added_up),
    Question(name="sum_of_nulls_is_null", condition=_nulls_added_up),
    Question(name="distinct_ignores_null", condition=_distinct_of_nulls),
    Question(name="nulls_are_one_group", condition=_groups("int", [None, None, "0"], 2)),
    Question(name="nans_are_one_group", condition=_groups("double", ["NaN", "NaN", "0"], 2)),
    Question(name="case_tells_texts_apart", condition=_groups("text", ["a", "A"], 2)),
    Question(name="spaces_tell_texts_apart", condition=_groups("text", ["a", "a ", ""], 3)),
    Question(name="bytes_tell_texts_apart", condition=_groups("text", ["\u00e9", "e\u0301", "e"], 3)),
    Question(name="quotient_of_whole_numbers", condition=_quotient("bigint", "7", "2", "3.4999", "3.5001")),
    Question(name="quotient_of_decimals", condition=_quotient("decimal(9,2)", "5.00", "3.00", "1.6666", "1.6667")),
    Question(name="average_of_decimals", condition=_mean),
    Question(name="sum_of_decimals", condition=_sum_of_decimals),
    Question(name="sum_of_bigint", condition=_sum_of_most("bigint", str(_MOST_BIGINT))),
    Question(name="timestamp_keeps_microseconds", condition=_CIVIL),
    Question(name="instant_keeps_zone_and_microseconds", condition=_INSTANT),
    Question(name="instant_is_read_in_microseconds", condition=_micros),
    Question(
        name="sum_of_widest_decimal",
        condition=_sum_of_most("decimal(38,0)", _MOST_DECIMAL),
        is_asked_alone=True,
    ),
)
"""All questions, in the order of the statement's columns."""
