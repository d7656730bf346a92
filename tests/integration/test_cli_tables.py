"""Tables on narrow and wide terminals, and where no terminal reads."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.cli.printed_tables import fitting_widths, table_lines
from tests.support.stars.tiny_folder import build_folder
from tests.support.terminal import Conversation, printed_on_terminal

_QUERY = 'SELECT "Day", "Amount" FROM tiny_sales ORDER BY 1'
_VERBS = {
    "models": ["models"],
    "definitions": ["definitions"],
    "instances": ["instances"],
    "batches": ["batches"],
    "plan": ["plan", "tiny_sales"],
    "settings": ["settings", "list"],
    "users": ["user", "list"],
    "evaluate": ["evaluate", "tiny_sales"],
    "verify": ["verify", "tiny_sales"],
    "recommend": ["recommend", "tiny_sales", "--from-structure", "--budget-percent", "900"],
    "sweep": ["sweep", "--dry-run"],
    "query": ["query", _QUERY],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a star whose aggregates are built."""
    then = ["settings", "set", "aggregates.create.joins.compression", "1"]
    return build_folder(tmp_path_factory.mktemp("tables"), then)


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder, as the current one."""
    monkeypatch.chdir(folder)
    yield folder


@pytest.mark.parametrize("columns", [60, 200])
@pytest.mark.parametrize("verb", _VERBS)
def test_no_line_is_wider_than_the_terminal(
    here: Path, verb: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with printed_on_terminal(columns, monkeypatch) as lines:
        assert run(_VERBS[verb]) == 0

    assert lines or verb == "sweep", "there is nothing to sweep"
    assert {line for line in lines if len(line) > columns} == set()


@pytest.mark.parametrize("columns", [60, 200])
def test_explain_has_a_line_for_each_candidate(here: Path, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    query = 'SELECT "Day", "City", "Shop", "Amount" FROM tiny_sales'
    with printed_on_terminal(columns, monkeypatch) as lines:
        assert run(["explain", query]) == 0
    with printed_on_terminal(columns, monkeypatch) as details:
        assert run(["explain", "--details", query]) == 0

    header = next(number for number, line in enumerate(lines) if line.startswith("aggregate "))
    assert [line[:6] for line in lines[header + 1 :]] == [name[:6] for name in _aggregates(details)]
    assert max(map(len, lines[header:])) <= columns
    assert not any("…" in line for line in details)


def _aggregates(details: list[str]) -> list[str]:
    return [line.split()[-1] for line in details if line.startswith("aggregate ")]


def test_what_is_shortened_is_said_with_the_way_to_see_all(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with printed_on_terminal(60, monkeypatch):
        run(["instances"])

    said = capsys.readouterr().err
    assert said == "Shortened to the terminal's width, without built from, attempt; --details shows all.\n"


def test_details_show_every_value_whole(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with printed_on_terminal(60, monkeypatch) as lines:
        run(["instances", "--details"])
    blocks = "\n".join(lines).split("\n\n")

    assert len(blocks) == 4
    assert [line.split()[0] for line in blocks[0].splitlines()] == [
        *("aggregate", "model", "status", "rows", "seconds", "built", "attempt", "table"),
    ]


def test_nothing_is_shortened_where_no_terminal_reads(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["instances", "--json"])
    documents = json.loads(capsys.readouterr().out)
    run(["instances"])
    out, err = capsys.readouterr()

    assert err == ""
    assert [line.split()[-1] for line in out.splitlines()[1:]] == [document["table"] for document in documents]


def test_an_answer_is_never_shortened(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a long text " * 20
    with printed_on_terminal(60, monkeypatch) as lines:
        run(["query", f"SELECT '{text}' AS said, 1 AS number"])

    assert lines == [f"said    {text}".rstrip(), "number  1"]


@pytest.mark.parametrize(
    ("value", "shown"), [("two\nlines", "two\\nlines"), ("a\ttab", "a\\ttab"), ("\x1b[31m", "\\u001b[31m")]
)
def test_a_value_cannot_end_its_line(here: Path, value: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["query", f"SELECT '{value}' AS a, 'b' AS b"])

    assert capsys.readouterr().out.splitlines()[1].split("  ") == [shown, "b"]


def test_wide_letters_keep_the_columns_in_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["query", "SELECT * FROM (VALUES ('東京', 'x'), ('ab', 'y')) AS t (a, b) ORDER BY 2"])

    assert capsys.readouterr().out.splitlines()[1:] == ["東京  x", "ab    y"]


@pytest.mark.parametrize("width", range(1, 60))
def test_columns_fit_into_any_width(width: int) -> None:
    widths = fitting_widths([20, 8, 30, 5], [10, 8, 10, 5], width, spare=[1])
    shown = [size for size in widths if size]

    assert widths[0]
    assert sum(shown) + 2 * (len(shown) - 1) <= width


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["sales_by_year_city", "sales_by_year_shop"], ["…y_year_city", "…y_year_shop"]),
        (["city_by_year_of_sale", "shop_by_year_of_sale"], ["city_by_yea…", "shop_by_yea…"]),
    ],
    ids=["by their ends", "by their beginnings"],
)
def test_shortened_names_are_told_apart(names: list[str], shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with printed_on_terminal(27, monkeypatch):
        lines, _ = table_lines(["aggregate", "reason"], [(name, "a long reason") for name in names], whole=["reason"])
        printed = [line.split()[0] for line in list(lines)[1:]]

    assert printed == shown


def test_a_terminal_is_told_of_each_aggregate_what_a_log_is(folder: Path) -> None:
    lines = [f"[{number}/4] " for number in range(1, 5)]
    command = [str(Path(sys.executable).parent / "atscale-aggs"), "build", "tiny_sales"]
    with Conversation(command, folder=folder, columns=60) as build:
        build.wait_for("Begun batch ")
        assert build.wait_for("Activated 4 aggregates").count("as_agg_") == 4
        assert [line for line in lines if line not in build.seen] == []
        assert build.close() == 0


def test_statements_of_a_file_are_answered_in_order(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "two.sql").write_text(f"-- the first\n{_QUERY};\nSELECT 2 AS b;\n", encoding="utf-8")

    assert run(["query", "-f", "two.sql", "--json"]) == 0
    assert [document["columns"] for document in json.loads(capsys.readouterr().out)] == [["Day", "Amount"], ["b"]]
    assert run(["query", "-f", "two.sql"]) == 0
    assert capsys.readouterr().err.splitlines()[1] == "1 row from the SQL as it stands"


def test_the_first_statement_that_fails_is_the_last_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.sql").write_text('SELECT 1;\n\nSELECT "Cty" FROM tiny_sales; SELECT 3', encoding="utf-8")

    assert run(["query", "-f", "bad.sql"]) == 1
    out, err = capsys.readouterr()
    assert out == "1\n1\n"
    assert "Statement 2 of 3, in line 3, failed; those after it were not run." in err
    assert "Did you mean `City`?" in err


@pytest.mark.parametrize("verb", ["query", "explain"])
def test_a_statement_may_begin_with_a_comment(here: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, f"-- the days\n{_QUERY}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sql"]


def test_a_statement_comes_from_standard_input(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"SELECT 1 AS a, 2 AS b")))

    assert run(["query", "-", "--format", "csv"]) == 0
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["a", "b"], ["1", "2"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Give a statement, `-f FILE`, or `-` for standard input: one of them."),
        (["SELECT 1", "-f", "x.sql"], "one of them."),
        (["-- nothing but a comment"], "There is no statement in the argument."),
        (["SELECT 1; SELECT 2", "--format", "csv"], "CSV holds one answer, and these are 2 statements."),
        (["SELECT ?; SELECT 2", "--param", "1"], "`--param` gives values to one statement, and these are 2."),
        (["--as-usr", "ann", "SELECT 1"], "No such option '--as-usr'."),
    ],
)
def test_wrong_usage_is_told(here: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", "-f", "gone.sql"]) == 1
    assert capsys.readouterr().err == "Error: gone.sql cannot be read: No such file or directory.\n"
