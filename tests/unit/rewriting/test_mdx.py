"""MDX is read into measures and coordinates; what is not read is quoted."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.rewriting.mdx.mdx_reader import (
    AllOf,
    Current,
    Keyed,
    LevelMembers,
    MdxError,
    MeasureAt,
    Over,
    ParallelTo,
    Span,
    ToDate,
    nesting_of,
    read_mdx,
)

D = ("D", "H")


def _read(text: str) -> tuple[str, list[MeasureAt]]:
    found: list[MeasureAt] = []

    def put(one: MeasureAt) -> str:
        found.append(one)
        return f"#{len(found) - 1}"

    return read_mdx(text, put), found


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
def test_a_coordinate_is_read(text: str, coordinate: object) -> None:
    """One measure at one coordinate."""
    assert _read(text) == ("#0", [MeasureAt("M", (coordinate,))])


def test_what_is_around_stays() -> None:
    """Arithmetic, CASE, parentheses and texts; a tuple inside them is one measure."""
    text = """CASE WHEN IsEmpty(([Measures].[A], [D].[L].&[x])) OR [Measures].[B] = "it's" THEN ([Measures].[A] - 1) * 2 END"""

    assert _read(text) == (
        "CASE WHEN IsEmpty(#0) OR #1 = 'it''s' THEN (#2 - 1) * 2 END",
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
        ("(ParallelPeriod([D].[H].[L], 1", "(ParallelPeriod([D].[H].[L], 1"),
        ("([D].[H", "[D].["),
    ],
)
def test_what_is_not_translated_is_quoted(text: str, quoted: str) -> None:
    """From its beginning to its end, and no further."""
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
def test_nesting_is_counted_without_reading(text: str, levels: int) -> None:
    assert nesting_of(text) == levels


@pytest.mark.parametrize("text", ["(", "Sum(", "([D].[H]", "Sum([D].[H].CurrentMember :", "[Measures].[M", "(["])
def test_a_text_that_ends_too_early_is_quoted(text: str) -> None:
    """Some are left to the reader of arithmetic; none ends in a Python error."""
    try:
        _read(text)
    except MdxError as error:
        assert str(error)
