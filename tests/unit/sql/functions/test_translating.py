"""One expression at a time: leaves, handlers, texts that get a type, and refusals with near names."""

from __future__ import annotations

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.sql.functions import duckdb
from airflow_atscale_aggs.engine.sql.functions.translating import Translator, function_name
from airflow_atscale_aggs.engine.sql.functions.types import BOOLEAN, INTEGER, TEXT, Kind, SqlType, Value
from tests.support.translated import parsed

_TRANSLATOR = Translator(duckdb.HANDLERS, duckdb.NAMED, "duckdb")


def _integers(node: exp.Expr) -> SqlType | None:
    return INTEGER if isinstance(node, exp.Column) else None


def _literal(text: str) -> Value:
    return Value(exp.Literal.string(text), SqlType(Kind.LITERAL))


def test_a_leaf_is_not_translated_and_brings_its_type() -> None:
    value = _TRANSLATOR.translate(parsed("a / b"), _integers)

    assert value.kind is Kind.INTEGER
    assert value.sql.sql(dialect="duckdb").endswith("ELSE a // b END)")


def test_what_is_translated_is_not_changed() -> None:
    node = parsed("UPPER(t) || 'x'")
    before = node.sql()

    _TRANSLATOR.translate(node, lambda part: TEXT if isinstance(part, exp.Column) else None)

    assert node.sql() == before


@pytest.mark.parametrize(
    ("value", "to", "sql"),
    [
        (_literal("5"), INTEGER, "5"),
        (_literal("-5"), INTEGER, "(-5)"),
        (_literal("+1.5"), SqlType(Kind.NUMERIC), "1.5"),
        (_literal("1e2"), SqlType(Kind.NUMERIC), "100"),
        (_literal("on"), BOOLEAN, "TRUE"),
        (_literal("NaN"), SqlType(Kind.DOUBLE), "CAST('NaN' AS DOUBLE)"),
        (_literal("2024-2-5"), SqlType(Kind.DATE), "CAST('2024-02-05' AS DATE)"),
        (_literal("a"), SqlType(Kind.CHAR), "'a'"),
        (Value(exp.Null(), SqlType(Kind.NULL)), INTEGER, "CAST(NULL AS INT)"),
        (Value(exp.Null(), SqlType(Kind.NULL)), SqlType(Kind.NUMERIC), "NULL"),
        (Value(exp.column("a"), TEXT), INTEGER, "a"),
    ],
)
def test_a_text_or_null_becomes_a_type_and_what_has_one_stays(value: Value, to: SqlType, sql: str) -> None:
    assert _TRANSLATOR.as_type(value, to).sql.sql(dialect="duckdb") == sql


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        (
            "soon",
            Kind.DATE,
            (
                "`'soon'` is not answered: it stands where date is meant, and no date that is read the same under "
                "every setting stands in it. Dates are read as YYYY-MM-DD."
            ),
        ),
        (
            "many",
            Kind.INTEGER,
            "`'many'` is not answered: it stands where integer is meant, and PostgreSQL reads no integer in it.",
        ),
    ],
)
def test_a_text_that_is_none_of_a_type_is_refused(text: str, kind: Kind, sentence: str) -> None:
    with pytest.raises(UnsupportedQueryError) as caught:
        _TRANSLATOR.as_type(_literal(text), SqlType(kind))

    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("expression", "name", "hint"),
    [
        ("INITCAPS('a')", "INITCAPS", "Did you mean `INITCAP`?"),
        ("SPLIT_PARTS('a', 'b', 1)", "SPLIT_PARTS", "Did you mean `SPLIT_PART`"),
        ("QXZ(1)", "QXZ", "The page on functions lists them."),
        ("ARRAY[1]", "ARRAY", ""),
    ],
)
def test_what_nobody_translates_is_refused_with_near_names(expression: str, name: str, hint: str) -> None:
    with pytest.raises(UnsupportedQueryError) as caught:
        _TRANSLATOR.translate(parsed(expression), _integers)

    assert f"`{name}` is not among the functions whose meaning on duckdb is proven" in str(caught.value)
    assert hint in str(caught.value)


def test_references_have_names_in_messages_of_their_own_translation_only() -> None:
    """Translations may stand inside each other; afterwards everything is as before."""

    def named(node: exp.Expr) -> exp.Expr:
        return node.transform(lambda part: exp.column("Amount") if isinstance(part, exp.Column) else part)

    for names, shown in ((named, "UNKNOWN_ONE(Amount)"), (lambda node: node, "UNKNOWN_ONE(a)")):
        with pytest.raises(UnsupportedQueryError) as caught:
            _TRANSLATOR.translate(parsed("UNKNOWN_ONE(a)"), _integers, names)
        assert caught.value.clause == shown


def test_everything_that_is_translated_has_a_name() -> None:
    assert {"Cast", "Upper", "to_hex", "make_date"} <= _TRANSLATOR.supported_names
    assert "ARRAY" not in _TRANSLATOR.supported_names


@pytest.mark.parametrize(
    ("expression", "name"),
    [("my_own(1)", "MY_OWN"), ("UPPER('a')", "UPPER"), ("1 + 1", "ADD"), ("a LIKE 'b'", "LIKE")],
)
def test_how_people_call_what_a_node_is(expression: str, name: str) -> None:
    assert function_name(parsed(expression)) == name
