"""Facts without a member of a dimension: whether they stay in an answer, and under which name."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, EmptyMember, JoinStep
from airflow_atscale_aggs.engine.sql.empty_members import mismatch, paths_with_members, shown_value, typed_literal
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.small_star import DUCKDB, SHOP, SmallStar, attribute, described_sources, join

_DAY = join("unique_key", "sales", "d", "day", "d")
_UNKNOWN = EmptyMember("unknown", ("-1",))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ([attribute("city", "shop", "city", "city", SHOP)], [(SHOP,)]),
        ([attribute("city", "shop", "city", "city", SHOP, filter_empty="always")], [(SHOP,)]),
        ([attribute("city", "shop", "city", "city", SHOP, filter_empty="no")], []),
        ([attribute("city", "shop", "id", "city", SHOP, empty=_UNKNOWN)], []),
        ([attribute("code", "sales", "code", "code")], []),
        (
            [
                attribute("city", "shop", "city", "city", SHOP),
                attribute("size", "shop", "size", "size", SHOP, filter_empty="no"),
                attribute("year", "day", "year", "year", _DAY),
                attribute("month", "day", "month", "month", _DAY),
            ],
            [(_DAY,)],
        ),
    ],
    ids=[
        "left out",
        "always left out",
        "kept",
        "shown as a member",
        "on the fact",
        "one that keeps them, and two joins",
    ],
)
def test_rows_without_a_member_are_left_out_unless_an_attribute_behind_the_join_keeps_them(
    attributes: list[BoundAttribute], expected: list[tuple[JoinStep, ...]]
) -> None:
    assert list(paths_with_members(attributes)) == expected


def _shown(star: SmallStar, keys: str, shown: str, column: str | None, empty: EmptyMember | None) -> list[object]:
    """What readers see of the rows of the shops, in the order of their numbers."""
    bound = attribute("shop", "shop", keys, shown, SHOP, empty=empty)
    value = shown_value(bound, column, star.sources(), lambda name: column_of(name, "t"))
    return [row[1] for row in star.rows(f'SELECT number, {render(value, DUCKDB)} FROM "shop" AS "t"')]


@pytest.mark.parametrize(
    ("keys", "shown", "column", "empty", "expected"),
    [
        ("id", "name", None, None, ["N", None, None]),
        ("id", "name", None, EmptyMember("unknown", ("-1",)), ["N", None, "unknown"]),
        ("id", "name", "id", EmptyMember("unknown", ("-1",)), [1, 2, -1]),
        ("name", "name", None, EmptyMember("unknown", ("unknown",)), ["N", "unknown", "unknown"]),
        ("id part", "name", None, EmptyMember("unknown", ("-1", "x")), ["N", None, "unknown"]),
        ("id part", "name", "part", EmptyMember("unknown", ("-1", "x")), ["a", None, "x"]),
        ("id part", "part", None, EmptyMember("unknown", ("-1", "x")), ["a", None, "unknown"]),
        ("id", "name", None, EmptyMember(None, ()), ["N", None, None]),
        ("id part", "name", "part", EmptyMember(None, ()), ["a", None, None]),
    ],
    ids=[
        "none",
        "name",
        "key",
        "key and name are one",
        "compound: name",
        "compound: key",
        "compound: a key as name",
        "NULL",
        "compound: NULL",
    ],
)
def test_a_row_is_shown_under_the_empty_member_where_all_its_keys_are_null(
    star: SmallStar, keys: str, shown: str, column: str | None, empty: EmptyMember | None, expected: list[object]
) -> None:
    """The second shop is there without a name; the third row has no shop."""
    star.add("shop", "number id part:varchar name:varchar", "1, 1, 'a', 'N'", "2, 2, NULL, NULL", "3, NULL, NULL, NULL")

    assert _shown(star, keys, shown, column, empty) == expected


def test_an_empty_member_that_is_no_value_of_its_column_is_refused_with_what_to_do() -> None:
    sources = described_sources("duckdb", shop="id integer, opened date")
    bound = attribute("opened", "shop", "id", "opened", SHOP, empty=EmptyMember("never", ("-1",)))

    with pytest.raises(
        DefinitionError, match=r"of `opened` is `never`, .* no value of its column `opened` \(date\)"
    ) as refusal:
        shown_value(bound, None, sources, lambda name: column_of(name, "t"))

    assert refusal.match("Correct `custom_empty_member`")
    assert mismatch(bound, "never", "opened", "date") == refusal.value.args[1:]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("unknown", "varchar(20)", "'unknown'"),
        ("it's", "", "'it''s'"),
        ("-1", "text", "'-1'"),
        ("-1", "integer", "-1"),
        (" +7 ", "bigint", "7"),
        ("1.5", "integer", None),
        ("unknown", "integer", None),
        ("1.5", "decimal(9,2)", "1.5"),
        ("-0.5", "double", "-0.5"),
        ("nan", "double", None),
        ("-inf", "real", None),
        ("1900-01-01", "date", "CAST('1900-01-01' AS DATE)"),
        ("1900-01-01 12:00:00", "timestamp", "CAST('1900-01-01 12:00:00' AS TIMESTAMP)"),
        ("1900-01-01", "timestamp", "CAST('1900-01-01' AS TIMESTAMP)"),
        ("1900-13-01", "date", None),
        ("19000101", "date", None),
        ("1900-W01-1", "date", None),
        ("1_000", "integer", None),
        ("\uff11\uff12", "integer", None),
        ("1e400", "double", None),
        ("never", "timestamp", None),
        ("TRUE", "boolean", "TRUE"),
        ("false", "bool", "FALSE"),
        ("yes", "boolean", None),
        (
            "00000000-0000-0000-0000-000000000000",
            "uuid",
            "CAST('00000000-0000-0000-0000-000000000000' AS UUID)",
        ),
        ("x", "blob", None),
        ("1 day", "interval", None),
    ],
)
def test_a_text_as_a_value_of_a_columns_type(text: str, kind: str, expected: str | None) -> None:
    """Of an unknown type it is a text. What only Python reads as a number or a day is none."""
    literal = typed_literal(text, kind)

    assert (literal and render(literal, DUCKDB)) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [("-1", "integer"), ("1.5", "decimal(9,2)"), ("-2e3", "double"), ("1900-01-01", "date")],
)
def test_a_literal_is_a_value_of_its_type_on_duckdb(star: SmallStar, text: str, kind: str) -> None:
    literal = typed_literal(text, kind)

    assert literal is not None
    assert star.rows(f"SELECT {render(literal, DUCKDB)} = CAST('{text}' AS {kind})") == [(True,)]
