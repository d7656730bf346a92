"""The shell, on a terminal of its own and without one."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.cli.shell_commands import ARGUMENTS, COMMANDS
from airflow_atscale_aggs.cli.shell_completion import ShellCompleter
from airflow_atscale_aggs.cli.shell_names import ModelNames
from airflow_atscale_aggs.cli.shell_session import is_complete, split_input
from airflow_atscale_aggs.engine.registry.registry import open_registry
from tests.support.stars import tiny_star
from tests.support.stars.tiny_folder import build_folder
from tests.support.terminal import Conversation

_CTRL_C, _CTRL_D, _TAB = "\x03", "\x04", "\t"
_COMMAND = [sys.executable, "-m", "airflow_atscale_aggs.cli.main", "shell"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a star whose aggregates are built."""
    return build_folder(tmp_path_factory.mktemp("shell"))


@pytest.fixture(scope="module")
def completer(folder: Path) -> Iterator[ShellCompleter]:
    registry = open_registry(f"sqlite:///{folder}/atscale_aggs.sqlite")
    yield ShellCompleter(ModelNames(registry.read), COMMANDS, ARGUMENTS)
    registry.close()


def test_a_conversation(folder: Path, tmp_path: Path) -> None:
    """Completion, statements of several lines, Ctrl-C in the warehouse, errors, commands, history."""
    history = tmp_path / "kept" / "history"
    with Conversation(_COMMAND, folder=folder, ATSCALE_AGGS_HISTORY=str(history)) as shell:
        shell.wait_for("Models: tiny_sales.")
        shell.wait_for("atscale=>")
        shell.write('SELECT "Ci' + _TAB)
        shell.wait_for('ty"')
        shell.write(', "Amount"\r')
        shell.wait_for("atscale->")
        shell.write("FROM tiny_sales ORDER BY 1;\r")
        shell.wait_for("North  555.00")
        shell.wait_for("3 rows from aggregate `by_city`")

        shell.write("SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b;\r")
        shell.wait_for("AS b;")
        _wait_until_it_works(shell)
        shell.write(_CTRL_C)
        shell.wait_for("Stopped.")
        shell.write('SELECT "Cty" FROM tiny_sales;\r')
        shell.wait_for("Did you mean `City`?")
        shell.write("\\use_aggregates off\r")
        shell.wait_for("Answers from aggregates: off.")
        shell.write('SELECT "City" FROM tiny_sales;\r')
        shell.wait_for("from the facts")
        shell.wait_for("atscale=>")
        shell.write("what is typed here is dropped" + _CTRL_C)
        shell.wait_for("atscale=>")
        shell.write("\\nothing\r")
        shell.wait_for("There is no command `\\nothing`.")
        shell.wait_for("atscale=>")
        with duckdb.connect(str(folder / "warehouse.duckdb")) as other:
            assert other.execute("SELECT 1").fetchall() == [(1,)], "the file is free while somebody thinks"
        shell.write("\\q\r")
        assert shell.close() == 0

    kept = history.read_text(encoding="utf-8")
    assert '+SELECT "City", "Amount"\n+FROM tiny_sales ORDER BY 1;' in kept
    assert "is dropped" not in kept
    assert history.stat().st_mode & 0o777 == 0o600


def _wait_until_it_works(shell: Conversation) -> None:
    """Until the process takes processor time of its own: the statement is under way in the warehouse."""
    threads = Path(f"/proc/{shell.process.pid}/task")

    def ticks() -> int:
        fields = [(one / "stat").read_text().rpartition(")")[2].split() for one in list(threads.iterdir())]
        return sum(int(field[11]) for field in fields)

    begun = ticks()
    while ticks() < begun + 30:
        with pytest.raises(AssertionError):
            shell.wait_for("what never comes", seconds=0.1)


def test_ctrl_d_leaves(folder: Path, tmp_path: Path) -> None:
    """Errors that somebody has seen are no failure of the shell; a history that cannot be kept is told."""
    (tmp_path / "file").touch()
    with Conversation(_COMMAND, folder=folder, ATSCALE_AGGS_HISTORY=str(tmp_path / "file" / "history")) as shell:
        shell.wait_for("What is typed here is not kept")
        shell.wait_for("atscale=>")
        shell.write("SELECT no_such_column;\r")
        shell.wait_for("Error:")
        shell.wait_for("atscale=>")
        shell.write(_CTRL_D)
        assert shell.close() == 0


_SCRIPT = """\
\\timing on
-- a comment; with a semicolon
SELECT "City", "Amount"
FROM tiny_sales ORDER BY 1; SELECT ';' AS a;
SELECT "Cty" FROM tiny_sales;
\\x on
\\explain SELECT "City" FROM tiny_sales
SELECT 7 AS seven -- the last one needs no semicolon
"""


def _run_script(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.stdin", io.StringIO(script))
    return run(["shell"])


def test_a_script_runs_to_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error does not end it, but is seen in the exit code."""
    assert _run_script(folder, _SCRIPT, monkeypatch) == 1
    out, err = capsys.readouterr()

    assert out.startswith("City   Amount\nNorth  555.00\nSouth  292.50\n       302.50\na\n;\n")
    assert out.endswith("seven  7\n")
    assert "3 rows from aggregate `by_city`" in err
    assert err.count("Time: ") == 3
    assert "Did you mean `City`?" in err


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("\\d tiny_sale\n", "The registry has no model `tiny_sale`. Did you mean `tiny_sales`?"),
        ("\\timing maybe\n", "`maybe` is neither `on` nor `off`."),
        ("\\explain\n", "Nothing was asked yet."),
        ("\\timming\n", "Did you mean `\\timing`?"),
        ("\\i gone.sql\n", "gone.sql cannot be read: No such file or directory."),
        ("\\i itself.sql\n", "itself.sql is not run: 10 files that run each other are under way."),
        ("SELECT 'open\n", "The query cannot be read"),
    ],
)
def test_what_is_wrong_is_told(
    folder: Path, script: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "itself.sql").write_text("\\i itself.sql\n", encoding="utf-8")

    assert _run_script(folder, script, monkeypatch) == 1
    assert words in capsys.readouterr().err


def test_a_script_ends_where_nobody_reads_its_answers(folder: Path) -> None:
    script = "SELECT 'a' AS a;\n" * 2_000
    with subprocess.Popen(
        _COMMAND, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        assert shell.stderr is not None
        shell.stdin.write(script.encode())
        shell.stdin.close()
        shell.stdout.readline()
        shell.stdout.close()
        said = shell.stderr.read().decode()

    assert "Error" not in said
    assert said.count("1 row from") < 2_000


def test_bytes_that_are_no_text_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"SELECT '\xff';"), encoding="utf-8"))

    assert run(["shell"]) == 1
    assert capsys.readouterr().err == "Error: Standard input cannot be read: it is not UTF-8 text.\n"


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("\\d", "name        kind   catalog  version"),
        ("\\dt", "name        kind   catalog  version"),
        ("\\d tiny_sales;", "name            kind       from"),
        ("\\da TINY.tiny_sales", "name   kind       from"),
        ("\\dm", "name            kind    from"),
        ("\\dg", "aggregate          model       status"),
        ("\\?", "A statement ends with a semicolon"),
    ],
)
def test_lists(
    folder: Path, command: str, first: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run_script(folder, f"-- lists\n{command}\n\\q\nSELECT nothing;\n", monkeypatch) == 0
    assert capsys.readouterr().out.startswith(first)


@pytest.mark.parametrize(
    ("before", "after", "proposals"),
    [
        ('SELECT "am', " FROM tiny_sales", ['"Amount"', '"Average Amount"']),
        ('SELECT "Sh', "", ['"Shop"']),
        ("SELECT * FROM ", "", ["tiny_sales"]),
        ("SELECT * FROM ti", "", ["tiny_sales"]),
        ("SELECT 1; sel", "", ["SELECT"]),
        ("SELECT 'Ci", "", []),
        ("WHE", "", ["WHERE", "WHEN"]),
        ("\\ti", "", ["\\timing"]),
        ("\\timing o", "", ["on", "off"]),
        ("\\d ti", "", ["tiny_sales"]),
        ('\\explain SELECT "Ci', "", ['"City"']),
        ("", "", []),
    ],
)
def test_completion(completer: ShellCompleter, before: str, after: str, proposals: list[str]) -> None:
    assert [proposal.text for proposal in completer.propose(before, after)] == proposals


def test_what_is_hidden_is_not_proposed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_star.write_model(tmp_path / "m")
    metric = next(file for file in (tmp_path / "m").rglob("*.yml") if "unique_name: Quantity" in file.read_text())
    metric.write_text(f"{metric.read_text()}is_hidden: true\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    run(["deploy", "m"])
    registry = open_registry("sqlite:///atscale_aggs.sqlite")

    proposals = ShellCompleter(ModelNames(registry.read), COMMANDS, ARGUMENTS).propose('SELECT "')
    registry.close()

    assert '"Amount"' in {proposal.text for proposal in proposals}
    assert '"Quantity"' not in {proposal.text for proposal in proposals}


@pytest.mark.parametrize(
    ("text", "statements", "rest"),
    [
        ("SELECT 1; SELECT", ["SELECT 1"], " SELECT"),
        ("SELECT 'a;", [], "SELECT 'a;"),
        ("SELECT 1; SELECT 'a;", ["SELECT 1"], " SELECT 'a;"),
        ("SELECT 1 -- x;", [], "SELECT 1 -- x;"),
        ("-- x; y\nSELECT 1;", ["-- x; y\nSELECT 1"], ""),
        ("-- x; y\n", [], "-- x; y\n"),
        (";;", [], ";;"),
        ('SELECT ";";', ['SELECT ";"'], ""),
    ],
)
def test_input_is_split_where_a_statement_ends(text: str, statements: list[str], rest: str) -> None:
    assert split_input(text) == (statements, rest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", True), ("\\d", True), ("SELECT 1", False), ("SELECT 1;", True), ("SELECT ';", False), (";", True)],
)
def test_enter_runs_what_is_complete(text: str, expected: bool) -> None:
    assert is_complete(text) is expected
