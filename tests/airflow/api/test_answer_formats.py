"""Answers as JSON, CSV and Arrow: no value is changed on its way, and each request gets the form that it wants."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from airflow_atscale_aggs.plugins.api.answer_formats import (
    AnswerFormat,
    arrow_stream,
    csv_lines,
    json_value,
    text_value,
    wanted_format,
)
from airflow_atscale_aggs.plugins.api.problems import ProblemError

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", AnswerFormat.JSON),
        ("*/*", AnswerFormat.JSON),
        ("application/*", AnswerFormat.JSON),
        ("text/*", AnswerFormat.CSV),
        ("text/csv", AnswerFormat.CSV),
        ("TEXT/CSV; header=present", AnswerFormat.CSV),
        ("application/vnd.apache.arrow.stream", AnswerFormat.ARROW),
        ("text/html, application/xhtml+xml, */*;q=0.8", AnswerFormat.JSON),
        ("application/json;q=0.5, text/csv", AnswerFormat.CSV),
        ("application/json;q=0, */*", AnswerFormat.CSV),
        ("text/csv;q=high, application/json", AnswerFormat.JSON),
    ],
)
def test_a_header_tells_what_is_wanted(accept: str, wanted: AnswerFormat) -> None:
    assert wanted_format(accept) is wanted


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "text/csv;q=nan", ";;,="])
def test_a_client_that_takes_nothing_of_it_is_told_what_there_is(accept: str) -> None:
    with pytest.raises(ProblemError, match="`application/json`, `text/csv`") as raised:
        wanted_format(accept)
    assert raised.value.status == 406


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        ("a", "a"),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (-(2**60), "-1152921504606846976"),
        (0.1, 0.1),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (Decimal("2.50"), 2.5),
        (Decimal("0.12345678901234567"), "0.12345678901234567"),
        (Decimal("1E+400"), "1E+400"),
        (Decimal("NaN"), "NaN"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02T03:04:05.000006+00:00"),
        (time(3, 4), "03:04:00"),
        (timedelta(seconds=123456, microseconds=1), "P1DT37056.000001S"),
        (timedelta(seconds=-90), "-PT90S"),
        (timedelta(0), "PT0S"),
        (b"\x00\xff", "00ff"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([1, {"a": Decimal("1.5"), 2: None}], [1, {"a": 1.5, "2": None}]),
    ],
)
def test_a_value_is_a_json_number_where_one_holds_it_exactly(value: Any, shown: Any) -> None:
    assert json_value(value) == shown
    assert json.loads(json.dumps(json_value(value), allow_nan=False)) == shown


_ROWS: list[tuple[Any, ...]] = [
    ("plain", 1, None),
    ("", Decimal("1.10"), True),
    ('say "a, b"', 0.5, "line\r\nline"),
    ("=1+1", date(2026, 1, 2), "ü€😀"),
]


def test_csv_is_read_by_others_as_it_was_meant() -> None:
    text = b"".join(csv_lines(["a", "b,c", "d"], _ROWS)).decode()

    assert text.startswith('a,"b,c",d\r\nplain,1,\r\n"",1.10,true\r\n')
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["a", "b,c", "d"],
        *[["" if value is None else text_value(value) for value in row] for row in _ROWS],
    ]


def test_csv_comes_in_pieces() -> None:
    pieces = list(csv_lines(["a"], [(number,) for number in range(2500)]))

    assert [piece.count(b"\r\n") for piece in pieces] == [1, 1000, 1000, 500]
    assert b"".join(pieces).split() == [b"a", *[str(number).encode() for number in range(2500)]]


def test_arrow_keeps_types_and_says_the_rest_as_text() -> None:
    rows = [
        (1, Decimal("1.10"), "a", None, datetime(2026, 1, 2, tzinfo=UTC), 2**80, 1, [1, 2]),
        (None, Decimal("22.123"), "b", None, None, 1, "x", None),
    ]

    table = pa.ipc.open_stream(arrow_stream(list("abcdefga"), rows)).read_all()

    assert table.column_names == list("abcdefga")
    assert [str(field.type) for field in table.schema][:5] == [
        "int64",
        "decimal128(5, 3)",
        "string",
        "string",
        "timestamp[us, tz=UTC]",
    ]
    columns = [column.to_pylist() for column in table.columns]
    assert columns[0] == [1, None]
    assert columns[1] == [Decimal("1.100"), Decimal("22.123")]
    assert columns[4] == [rows[0][4], None]
    assert (columns[5], columns[6], columns[7]) == ([str(2**80), "1"], ["1", "x"], [[1, 2], None])


@pytest.mark.parametrize("number", [0, 1, 2500])
def test_arrow_has_as_many_rows_as_the_answer(number: int) -> None:
    table = pa.ipc.open_stream(arrow_stream(["a"], [(row,) for row in range(number)])).read_all()

    assert table.num_rows == number
    assert table.column_names == ["a"]


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ProblemError, match=r"install `airflow-atscale-aggs\[arrow\]`") as raised:
        arrow_stream(["a"], [])
    assert raised.value.status == 406
