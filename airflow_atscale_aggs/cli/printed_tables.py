"""Prints tables for people.

On a terminal a table is as wide as the terminal at the most, one line for each row: long values are shortened, and
columns are left out when there is no room for them. With ``--details`` each row is a block of lines that shows all
of it. Where no terminal reads, a table is as wide as its content, and nothing is shortened or left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from airflow_atscale_aggs.cli.output import say, visible

_GAP = "  "
_LEAST_WIDTH = 10
"""A column of text is not made narrower than this; rather the last column is left out."""

_SHARE_OF_NAMES = 2
"""The first column says which row it is, and keeps so many times the width of other shortened columns."""

_USUAL = 80
"""The width of a terminal that does not tell its own."""

_DETAILS = "details"


def details_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--details`` to a verb that prints a table."""
    return click.option(
        "--details",
        is_flag=True,
        expose_value=False,
        callback=_remember_details,
        help="Show each row as a block of lines, with nothing shortened.",
    )(command)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print a table on standard output.

    Args:
        right: columns that are aligned to the right, such as numbers; they are never shortened.
        whole: further columns that are never shortened, such as ids that people copy.
        spare: columns that are left out first where there is no room, in this order; then the last ones are.
    """
    lines, note = table_lines(columns, rows, right=right, whole=whole, spare=spare, in_blocks=_wants_details())
    print_lines(lines)
    if note:
        say(f"{note}; --details shows all.")


def table_lines(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    spare: Sequence[str] = (),
    in_blocks: bool = False,
) -> tuple[Iterable[str], str]:
    """The lines of a table, and what was done to make it fit; empty: nothing. See `print_table`."""
    cells = [[_cell(value) for value in row] for row in rows]
    if in_blocks:
        return _blocks(columns, cells), ""
    natural = _natural_widths(columns, cells)
    width = _terminal_width()
    if width is None:
        return _lines(columns, cells, natural, right), ""
    least = [
        size if name in right or name in whole else min(size, _LEAST_WIDTH)
        for name, size in zip(columns, natural, strict=True)
    ]
    widths = fitting_widths(natural, least, width, spare=[columns.index(name) for name in spare if name in columns])
    absent = ", ".join(name for name, size in zip(columns, widths, strict=True) if not size)
    note = f"Shortened to the terminal's width{absent and f', without {absent}'}" if rows and widths != natural else ""
    return _lines(columns, cells, widths, right), note


def print_answer(columns: Sequence[str], rows: Sequence[Sequence[object]], *, in_blocks: bool = False) -> None:
    """Print rows of an answer, none of whose values is ever shortened.

    A terminal that is too narrow for the table gets a block of lines for each row.

    Args:
        in_blocks: print blocks in any case.
    """
    print_lines(answer_lines(columns, rows, in_blocks=in_blocks))


def answer_lines(columns: Sequence[str], rows: Sequence[Sequence[object]], *, in_blocks: bool = False) -> Iterable[str]:
    """The lines that `print_answer` prints."""
    # A year is a number as well, so nothing is put between the digits of an answer.
    cells = [[_cell(str(value) if isinstance(value, int) else value) for value in row] for row in rows]
    natural = _natural_widths(columns, cells)
    width = _terminal_width()
    is_too_wide = width is not None and sum(natural) + len(_GAP) * (len(natural) - 1) > width
    if cells and (in_blocks or is_too_wide or _wants_details()):
        return _blocks(columns, cells)
    numbers = [
        name
        for index, name in enumerate(columns)
        if cells and all(row[index] is None or _is_number(row[index]) for row in rows)
    ]
    return _lines(columns, cells, natural, numbers)


def fitting_widths(natural: Sequence[int], least: Sequence[int], width: int, *, spare: Sequence[int] = ()) -> list[int]:
    """The widths of the columns that fit into a terminal; 0 for a column that is left out, for want of room.

    Args:
        natural: the width that each column would take.
        least: how narrow each may become.
        width: of the terminal. The first column is always there, and is as narrow as the terminal if need be.
        spare: numbers of columns that are left out first, in this order; then the last ones are.

    >>> fitting_widths([20, 40, 5], [10, 10, 5], 50)
    [20, 21, 5]
    >>> fitting_widths([20, 40, 5], [10, 10, 5], 24)
    [12, 10, 0]
    >>> fitting_widths([20, 40, 5], [10, 10, 5], 24, spare=[1])
    [17, 0, 5]
    >>> fitting_widths([40, 40, 5], [10, 10, 5], 54)
    [30, 15, 5]
    """
    widths = list(natural)
    kept = list(range(len(natural)))
    order = [*spare, *(index for index in reversed(kept) if index not in spare)]
    for index in order[:-1]:
        if sum(least[one] for one in kept) + len(_GAP) * (len(kept) - 1) <= width:
            break
        kept.remove(index)
        widths[index] = 0
    room = max(width - len(_GAP) * (len(kept) - 1), 1)
    while sum(widths) > room:
        can_give = [index for index in kept if widths[index] > least[index]]
        if not can_give:
            return [min(size, room) for size in widths]
        widths[max(can_give, key=lambda index: widths[index] / (_SHARE_OF_NAMES if index == 0 else 1))] -= 1
    return widths


def _natural_widths(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    named = [[_cell(name) for name in columns], *cells]
    return [max(_width(row[index]) for row in named) for index in range(len(columns))]


def _lines(
    columns: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[str]
) -> Iterable[str]:
    """The header and a line for each row."""
    sides = [name in right for name in columns]

    def line(values: Sequence[str], keeps_end: Sequence[bool]) -> str:
        shown = zip(values, widths, sides, keeps_end, strict=True)
        return _GAP.join(
            _aligned(_shortened(value, width, keeps_end=end), width, is_right=side)
            for value, width, side, end in shown
            if width
        ).rstrip()

    header = line([_cell(name) for name in columns], [False] * len(columns))
    yield click.style(header, bold=True) if _is_styled() else header
    name_ends = [index == 0 and _differs_by_end([row[0] for row in cells], widths[0]) for index in range(len(widths))]
    for row in cells:
        yield line(row, name_ends)


def _blocks(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterable[str]:
    """A line for each value, and an empty line between two rows."""
    names = [_cell(name) for name in columns]
    width = max((_width(name) for name in names), default=0)
    for number, row in enumerate(cells):
        if number:
            yield ""
        for name, value in zip(names, row, strict=True):
            label = _aligned(name, width, is_right=False)
            yield f"{click.style(label, bold=True) if _is_styled() else label}{_GAP}{value}".rstrip()


def _differs_by_end(values: Sequence[str], width: int) -> bool:
    """Whether the ends of names tell them apart better than their beginnings, once they are shortened.

    Names of aggregates that were made for the same attributes begin alike.
    """
    if all(_width(value) <= width for value in values):
        return False
    by_beginning, by_end = (
        len({_shortened(value, width, keeps_end=keeps_end) for value in values}) for keeps_end in (False, True)
    )
    return by_end > by_beginning


def _shortened(text: str, width: int, *, keeps_end: bool = False) -> str:
    """A text that is at most this wide; ``…`` stands for its end, or for its beginning.

    >>> _shortened("sales_by_year", 8), _shortened("sales_by_year", 8, keeps_end=True)
    ('sales_b…', '…by_year')
    """
    if _width(text) <= width:
        return text
    while text and _width(text) > width - 1:
        text = text[1:] if keeps_end else text[:-1]
    return (f"…{text}" if keeps_end else f"{text}…")[:width]


def _aligned(text: str, width: int, *, is_right: bool) -> str:
    """A text with spaces, as wide as this at least."""
    padding = " " * (width - _width(text))
    return padding + text if is_right else text + padding


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cell(value: object) -> str:
    """A value as one line: what would end it or move the cursor is written out."""
    if value is None:
        return ""
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else visible(str(value))
    return text.replace("\n", "\\n").replace("\t", "\\t")


def _is_number(value: object) -> bool:
    from decimal import Decimal

    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines on standard output."""
    text = "\n".join(lines)
    if text:
        click.echo(text)


def _terminal_width() -> int | None:
    """The width of the terminal that reads standard output; None when none does."""
    if not sys.stdout.isatty():
        return None
    told = os.environ.get("COLUMNS", "")
    return int(told) if told.isdecimal() and int(told) else os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL


def _is_styled() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _remember_details(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001, FBT001
    ctx.find_root().ensure_object(dict)[_DETAILS] = value


def _wants_details() -> bool:
    ctx = click.get_current_context(silent=True)
    return bool(ctx and (ctx.find_root().obj or {}).get(_DETAILS))
