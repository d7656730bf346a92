"""Texts without a type, read as PostgreSQL's input functions read them."""

from __future__ import annotations

import re

import pytest

from airflow_atscale_aggs.engine.sql.functions.literals import UnreadableTextError, mark_of, read_as
from airflow_atscale_aggs.engine.sql.functions.types import Kind


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        (Kind.TEXT, " any thing ", " any thing "),
        (Kind.BOOLEAN, " Yes ", "true"),
        (Kind.BOOLEAN, "t", "true"),
        (Kind.BOOLEAN, "1", "true"),
        (Kind.BOOLEAN, "of", "false"),
        (Kind.BOOLEAN, "fal", "false"),
        (Kind.INTEGER, " +007 ", "7"),
        (Kind.INTEGER, "-2147483648", "-2147483648"),
        (Kind.SMALLINT, "32767", "32767"),
        (Kind.BIGINT, "9223372036854775807", "9223372036854775807"),
        (Kind.NUMERIC, " 1.50 ", "1.50"),
        (Kind.NUMERIC, "-.5", "-.5"),
        (Kind.DOUBLE, "1e3", "1e3"),
        (Kind.DATE, "2024-2-5", "2024-02-05"),
        (Kind.DATE, " 2024-02-05 10:20 ", "2024-02-05"),
        (Kind.DATE, "20240205", "2024-02-05"),
        (Kind.DATE, "2024/2/5", "2024-02-05"),
        (Kind.DATE, "Feb 5, 2024", "2024-02-05"),
        (Kind.DATE, "Sept. 5 2024", "2024-09-05"),
        (Kind.DATE, "5 February 2024", "2024-02-05"),
        (Kind.DATE, "5-Feb-2024", "2024-02-05"),
        (Kind.DATE, "2024-FEB-05", "2024-02-05"),
        (Kind.TIMESTAMP, "2024-02-05", "2024-02-05 00:00:00"),
        (Kind.TIMESTAMP, "2024-02-05T10:20:30.5", "2024-02-05 10:20:30.5"),
        (Kind.TIMESTAMP, "2024-02-05 10:20", "2024-02-05 10:20:00"),
        (Kind.TIMESTAMP, "2024-02-05 3:04 PM", "2024-02-05 15:04:00"),
        (Kind.TIMESTAMP, "2024-02-05 12:04 am", "2024-02-05 00:04:00"),
        (Kind.TIMESTAMP, "2024-02-05 10:20:30+02", "2024-02-05 10:20:30"),
        (Kind.TIMESTAMP, "2024-02-05 10:20:30Z", "2024-02-05 10:20:30"),
    ],
)
def test_a_text_is_read_in_one_spelling(kind: Kind, text: str, meant: str) -> None:
    """A zone behind a timestamp without one is passed over, as in PostgreSQL."""
    assert read_as(text, kind) == meant


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (Kind.BOOLEAN, "o", "PostgreSQL reads no boolean in it"),
        (Kind.BOOLEAN, "2", "PostgreSQL reads no boolean in it"),
        (Kind.BOOLEAN, "", "PostgreSQL reads no boolean in it"),
        (Kind.BOOLEAN, "yess", "PostgreSQL reads no boolean in it"),
        (Kind.INTEGER, "1.5", "PostgreSQL reads no integer in it"),
        (Kind.INTEGER, "", "PostgreSQL reads no integer in it"),
        (Kind.INTEGER, "2147483648", "it is out of range for integer"),
        (Kind.SMALLINT, "-32769", "it is out of range for smallint"),
        (Kind.NUMERIC, "1,5", "no plain number stands in it"),
        (Kind.DOUBLE, "1e1000", "no plain number stands in it"),
        (Kind.DATE, "2024-02-30", "the calendar has no such day"),
        (Kind.DATE, "2024-13-01", "the calendar has no such day"),
        (Kind.DATE, "1/2/2024", "no date that is read the same under every setting"),
        (Kind.DATE, "today", "no date that is read the same under every setting"),
        (Kind.DATE, "5 Febr 2024", "no date that is read the same under every setting"),
        (Kind.TIMESTAMP, "2024-02-05 25:00", "there is no such time of day"),
        (Kind.TIMESTAMP, "2024-02-05 13:00 PM", "there is no such hour"),
        (Kind.TIMESTAMP, "2024-02-05 noon", "its time of day is not read here"),
        (Kind.INTERVAL, "1 day", "its spellings of type interval are not read here"),
        (Kind.TIME, "10:20", "its spellings of type time are not read here"),
    ],
)
def test_what_postgresql_refuses_or_reads_by_its_settings_is_refused(kind: Kind, text: str, reason: str) -> None:
    with pytest.raises(UnreadableTextError, match=re.escape(reason)):
        read_as(text, kind)


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("2024-02-29", "7918"),
        ("2023-02-29", "7919"),
        ("2024-2-29", "7919"),
        ("2024-02-29 10:20:30", "7917"),
        ("2024-02-29T10:20:30", "7919"),
        ("2024-02-29 25:20:30", "7919"),
        ("Books", "7919"),
        ("0123456789", "7919"),
        ("", "7919"),
    ],
)
def test_a_mark_stands_for_texts_of_one_form(text: str, beginning: str) -> None:
    """A date, or a timestamp, as ISO writes it; everything else is any text."""
    assert mark_of(text) == beginning


@pytest.mark.parametrize(
    ("mark", "kinds"),
    [
        ("791800016007", {Kind.DATE, Kind.TIMESTAMP}),
        ("791700016007", {Kind.TIMESTAMP}),
        ("791900016007", set()),
    ],
    ids=["of dates", "of timestamps", "of any text"],
)
def test_a_mark_is_read_where_every_text_it_stands_for_can_be(mark: str, kinds: set[Kind]) -> None:
    for kind in (Kind.DATE, Kind.TIMESTAMP, Kind.INTEGER, Kind.BOOLEAN, Kind.DOUBLE):
        if kind in kinds:
            assert read_as(mark, kind) == mark
        else:
            with pytest.raises(UnreadableTextError, match="it is one of many values"):
                read_as(mark, kind)
    assert read_as(mark, Kind.TEXT) == mark
