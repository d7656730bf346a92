"""MDX is read into measures and coordinates; what is not read is quoted."""

from __future__ import annotations

import random

import pytest

from airflow_atscale_aggs.engine.rewriting.mdx.mdx_reader import (
    AllOf,
    Coordinate,
    Current,
    Keyed,
    LevelMembers,
    MdxError,
    MeasureAt,
    Over,
    ParallelTo,
    Span,
    ToDate,
    nesting_at_most,
    nesting_of,
    read_mdx,
)

D = ("D", "H")


def _read(text: str) -> tuple[str, list[MeasureAt]]:
    """The text with ``#0`` in the place of the first measure, and the measures."""
    measures: list[MeasureAt] = []

    def put(measured: MeasureAt) -> str:
        measures.append(measured)
        return f"#{len(measures) - 1}"

    return read_mdx(text, put), measures


@pytest.mark.parametrize(
    ("text", "coordinate"),
    [
        ("([D].[H].CurrentMember, [Measures].[M])", Current(D)),
        ("([measures].[M], [D].[H].currentmember.PREVMEMBER)", Current(D, 1)),
        ("([D].[H].CurrentMember.NextMember.NextMember, [Measures].[M])", Current(D, -2)),
        ("([D] . [H].CurrentMember.Lag(29).Lead( 2 ), [Measures].[M])", Current(D, 27)),
        ("([D].[H].CurrentMember.Lag(-1), [Measures].[M])", Current(D, -1)),
        ("([D].[H].[L].&[a ]] b], [Measures].[M])", Keyed((*D, "L"), "a ] b")),
        ("([D].[All], [Measures].[M])", AllOf(("D",))),
        ("([D].[H].[all], [Measures].[M])", AllOf(D)),
        ("(ParallelPeriod([D].[H].[L], -53, [D].[H].CurrentMember), [Measures].[M])", ParallelTo((*D, "L"), -53, D)),
        ("(ParallelPeriod([D].[H].[L]), [Measures].[M])", ParallelTo((*D, "L"), 1, None)),
        ("Sum(PeriodsToDate([D].[H].[L]), [Measures].[M])", Over("sum", ToDate((*D, "L"), None))),
        ("Sum(PeriodsToDate([D].[H].[L], [D].[H].CurrentMember), [Measures].[M])", Over("sum", ToDate((*D, "L"), D))),
        ("Avg([D].[H].[L].Members, [Measures].[M])", Over("avg", LevelMembers((*D, "L")))),
        (
            "Aggregate({[D].[H].CurrentMember.Lag(2):[D].[H].CurrentMember}, [Measures].[M])",
            Over("aggregate", Span(Current(D, 2), Current(D))),
        ),
        (
            "Max([D].[L].&[1] : [D].[L].&[2], [Measures].[M])",
            Over("max", Span(Keyed(("D", "L"), "1"), Keyed(("D", "L"), "2"))),
        ),
    ],
)
def test_a_measure_at_a_coordinate_is_read(text: str, coordinate: Coordinate) -> None:
    assert _read(text) == ("#0", [MeasureAt("M", (coordinate,))])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("[Measures].[M] + 1", "#0 + 1"),
        ("([Measures].[M])", "(#0)"),
        ("([Measures].[M] - [Measures].[N]) / 2", "(#0 - #1) / 2"),
        ("IIF([Measures].[M] > 1, 'a', \"b's\")", "IIF(#0 > 1, 'a', 'b''s')"),
        ("Abs([Measures].[M])", "Abs(#0)"),
        ("Round([Measures].[M], 1)", "Round(#0, 1)"),
        ("Coalesce([Measures].[M], ([D].[L].&[1], [Measures].[N]), 0)", "Coalesce(#0, #1, 0)"),
        ("  [Measures] . [M]  ", "  #0  "),
        ("M * 2", "M * 2"),
    ],
)
def test_arithmetic_is_passed_on_as_it_is_written(text: str, read: str) -> None:
    assert _read(text)[0] == read


def test_a_tuple_inside_case_and_parentheses_is_one_measure() -> None:
    text = (
        """CASE WHEN IsEmpty(([Measures].[A], [D].[L].&[x])) OR [Measures].[B] = "it's" THEN 2 * [Measures].[A] END"""
    )

    assert _read(text) == (
        "CASE WHEN IsEmpty(#0) OR #1 = 'it''s' THEN 2 * #2 END",
        [MeasureAt("A", (Keyed(("D", "L"), "x"),)), MeasureAt("B"), MeasureAt("A")],
    )


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("1 + [D].[H].CurrentMember", "[D].[H].CurrentMember"),
        ("[Measures].[M].Value * 2", "[Measures].[M].Value"),
        ("2 * Count([D].[H].[L].Members) + 1", "Count([D].[H].[L].Members)"),
        ("Sum(YTD([D].[H].CurrentMember), [Measures].[M]) / 2", "YTD([D].[H].CurrentMember)"),
        ("([D].[H].CurrentMember.Parent, [Measures].[M]) - 1", "([D].[H].CurrentMember.Parent, [Measures].[M])"),
        ("([D].[H].[L], [Measures].[M])", "([D].[H].[L], [Measures].[M])"),
        ("([D].[H].CurrentMember, [D].[L].&[1])", "([D].[H].CurrentMember, [D].[L].&[1])"),
        ("([Measures].[M], [Measures].[N])", "([Measures].[M], [Measures].[N])"),
        ("Sum({[D].[L].&[1], [D].[L].&[2]}, [Measures].[M])", "Sum({[D].[L].&[1], [D].[L].&[2]}, [Measures].[M])"),
        (
            "Avg([D].[L].&[1]:[D].[H].CurrentMember, [Measures].[M])",
            "Avg([D].[L].&[1]:[D].[H].CurrentMember, [Measures].[M])",
        ),
        (
            "([D].[H].CurrentMember.Lag([Measures].[N]), [Measures].[M])",
            "([D].[H].CurrentMember.Lag([Measures].[N]), [Measures].[M])",
        ),
        ("Sum([D].[H].[L].Members, [Measures].[M] * 2)", "Sum([D].[H].[L].Members, [Measures].[M] * 2)"),
        ("Sum([D].[H].[L].Members, [D].[L].&[1])", "Sum([D].[H].[L].Members, [D].[L].&[1])"),
        ("([D].[H].Members, [Measures].[M])", "([D].[H].Members, [Measures].[M])"),
        ("IsEmpty([D].[L].&[1], [Measures].[M])", "[D].[L].&[1]"),
        ("([D].[L].&[1], 1)", "([D].[L].&[1], 1)"),
        ("([D].[L].&[1] - 1) * 2", "([D].[L].&[1] - 1)"),
        ("([D].[L].&[1])", "([D].[L].&[1])"),
        ("Sum([D].[H].[All]:[D].[L].&[1], [Measures].[M])", "Sum([D].[H].[All]:[D].[L].&[1], [Measures].[M])"),
        (
            "(ParallelPeriod([D].[H].[L], 1, [D].[H].CurrentMember.PrevMember), [Measures].[M])",
            "(ParallelPeriod([D].[H].[L], 1, [D].[H].CurrentMember.PrevMember), [Measures].[M])",
        ),
        (
            "([D].[H].CurrentMember.Parent.Lag(1), [Measures].[M])",
            "([D].[H].CurrentMember.Parent.Lag(1), [Measures].[M])",
        ),
        (
            "([D].[H].CurrentMember.Lag(1234567890), [Measures].[M])",
            "([D].[H].CurrentMember.Lag(1234567890), [Measures].[M])",
        ),
        ("[D].[H].[L].Members", "[D].[H].[L].Members"),
        ("(ParallelPeriod([D].[H].[L], 1", "(ParallelPeriod([D].[H].[L], 1"),
        ("([D].[H", "[D].["),
    ],
)
def test_what_is_not_translated_is_quoted_to_its_end_and_no_further(text: str, quoted: str) -> None:
    with pytest.raises(MdxError) as error:
        _read(text)

    assert str(error.value) == quoted


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("", 0),
        ("[Measures].[M] - 1 - 1 - 1", 0),
        ("((1))", 2),
        ("{{" * 30, 60),
        ("- - - - 1", 4),
        ("1 - - - 1", 2),
        ("NOT NOT NOT 1", 3),
        ("CASE WHEN 1 THEN CASE WHEN 1 THEN 2 END END", 2),
        ("[a (b] + '(('", 0),
    ],
)
def test_the_nesting_of_a_text_is_counted_without_reading_it(text: str, levels: int) -> None:
    assert nesting_of(text) == levels <= nesting_at_most(text)


def test_no_text_is_nested_deeper_than_is_told_without_tokens() -> None:
    pieces = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "CASE ",
        "End ",
        "-",
        "+",
        "NOT ",
        "when ",
        "[A].[B]",
        "'('",
        '"[',
        "1",
        " ",
        ",",
    ]
    draw = random.Random(3)
    for _ in range(3000):
        text = "".join(draw.choice(pieces) for _ in range(draw.randint(0, 12)))
        assert nesting_of(text) <= nesting_at_most(text), text


@pytest.mark.parametrize("text", ["Sum(", "([D].[H]", "Sum([D].[H].CurrentMember :", "[Measures].[M", "(["])
def test_a_text_that_ends_too_early_is_quoted(text: str) -> None:
    with pytest.raises(MdxError) as error:
        _read(text)

    assert str(error.value)
    assert str(error.value) in text


def test_an_open_parenthesis_is_left_to_the_reader_of_arithmetic() -> None:
    assert _read("(") == ("(", [])
