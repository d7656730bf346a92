"""Asking through the API: who may ask what, in which form, how much, and for how long."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.support.api_server import ApiServer, api_server

pytestmark = pytest.mark.airflow

_BY_CITY = 'SELECT "City", "Amount" FROM tiny.tiny_sales ORDER BY 1'
_ROWS = [["North", 555.0], ["South", 292.5], [None, 302.5]]
_SLOW = (
    "SELECT COUNT(*) FROM sales a, sales b, sales c, sales d, sales e, sales f, sales g WHERE a.amount + g.amount > 0"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api")) as started:
        with started.workspace() as workspace, workspace.warehouse.session() as session:
            session.execute("CREATE TABLE secret AS SELECT 'canary' AS word")
        (started.folder / "canary.csv").write_text("canary\n")
        yield started


def _ask(server: ApiServer, user: str | None, sql: str, verb: str = "query", **more: Any) -> Any:
    options = more.pop("options", {})
    connection = more.pop("connection", "tiny")
    return server.client(user).post(f"/api/connections/{connection}/{verb}", json={"sql": sql, **more}, **options)


def _is_problem(answer: Any) -> bool:
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    return bool(document["status"] == answer.status_code and document["detail"])


def test_a_query_is_answered_and_told_from_where(server: ApiServer) -> None:
    answer = _ask(server, "user", _BY_CITY)

    document = answer.json()
    assert answer.status_code == 200, document
    assert (document["columns"], document["rows"], document["is_cut"]) == (["City", "Amount"], _ROWS, False)
    (part,) = document["parts"]
    assert (part["model"], part["fact"], part["aggregate"], part["rows"]) == ("tiny_sales", "sales", "by_city", 4)
    assert part["verdict"] == "`by_city` answers, with 4 rows, instead of `sales`."
    assert part["as_of"].endswith("Z")
    assert "\n" in document["sql"]
    assert document["seconds"] > 0


def test_the_log_knows_who_asked(server: ApiServer) -> None:
    _ask(server, "tiny_user", 'SELECT "Month", "Quantity" FROM tiny.tiny_sales')

    with server.workspace() as workspace:
        model = workspace.read.models.get("tiny_sales")
        newest = workspace.read.queries.find(model.id)[0]
    assert (newest.user, newest.keys, newest.rows) == ("tiny_user", ("Month",), 4)


_RIGHTS = {
    #                 anonymous, viewer, user, op, admin, tiny_viewer, tiny_user, outsider
    "explain a model": (401, 200, 200, 200, 200, 200, 200, 403),
    "ask a model": (401, 403, 200, 200, 200, 403, 200, 403),
    "explain a table": (401, 403, 403, 200, 200, 403, 403, 403),
    "ask a table": (401, 403, 403, 200, 200, 403, 403, 403),
    "ask the catalog": (401, 403, 403, 200, 200, 403, 403, 403),
    "ask a model beside a table": (401, 403, 403, 200, 200, 403, 403, 403),
    "ask a hidden model": (401, 403, 403, 200, 200, 403, 403, 403),
    "explain a hidden model": (401, 403, 403, 200, 200, 403, 403, 403),
    "ask nothing": (401, 403, 403, 200, 200, 403, 403, 403),
}
_USERS = (None, "viewer", "user", "op", "admin", "tiny_viewer", "tiny_user", "outsider")
_QUERIES = {
    "a model": _BY_CITY,
    "a table": "SELECT word FROM secret",
    "the catalog": "SELECT table_name FROM information_schema.tables",
    "a model beside a table": f"SELECT m.*, s.word FROM ({_BY_CITY}) AS m, secret AS s",
    "a hidden model": 'SELECT "City", "Amount" FROM hidden.hidden_sales',
    "nothing": "SELECT 1 AS one",
}


@pytest.mark.parametrize("deed", _RIGHTS)
def test_what_a_query_names_decides_who_may_ask_it(server: ApiServer, deed: str) -> None:
    """`hidden_sales` is built over `other`; over `tiny` nobody reads it but who may use the connection."""
    verb, _, what = deed.partition(" ")

    answers = [_ask(server, user, _QUERIES[what], "explain" if verb == "explain" else "query") for user in _USERS]

    assert [answer.status_code for answer in answers] == list(_RIGHTS[deed])
    assert all(_is_problem(answer) for answer in answers if answer.status_code in {403, 422})
    assert not any("canary" in answer.text for answer in answers if answer.status_code != 200)


def test_a_refusal_says_which_right_is_missing(server: ApiServer) -> None:
    table = _ask(server, "user", "SELECT word FROM secret").json()
    nothing = _ask(server, "user", "SELECT word FROM never_made").json()
    model = _ask(server, "viewer", _BY_CITY).json()

    assert table["type"] == "about:blank#out-of-reach"
    assert table["detail"] == nothing["detail"].replace("never_made", "secret")
    assert table["detail"].endswith("For tables you need to read the Airflow connection `tiny`.")
    assert "You may not ask model `tiny_sales`: you need to trigger a DAG" in model["detail"]


def test_models_that_somebody_may_not_read_are_not_told_of(server: ApiServer) -> None:
    """Not as a near name, not in the catalog, not by their own name."""
    for sql in ('SELECT "City" FROM hidden_sale', 'SELECT "City" FROM x', _BY_CITY):
        for more in ({}, {"model": "hidden_sale"}, {"model": "hidden_sales"}):
            for verb in ("query", "explain"):
                text = _ask(server, "tiny_user", sql, verb, **more).text
                assert "hidden.hidden_sales" not in text
                assert ("hidden_sales" not in text) or more.get("model") == "hidden_sales" or "hidden_sales" in sql
    shown = _ask(server, "op", _QUERIES["the catalog"]).json()["rows"]
    assert {"tiny_sales", "hidden_sales"} <= {row[0] for row in shown}


_HOSTILE = (
    "DROP TABLE secret",
    "DELETE FROM secret RETURNING word",
    "INSERT INTO secret VALUES ('x')",
    "CREATE TABLE stolen AS SELECT 1 AS a",
    "COPY secret TO '{folder}/stolen.csv'",
    "COPY (SELECT 1) TO '{folder}/stolen.csv'",
    "EXPORT DATABASE '{folder}/stolen'",
    "ATTACH '{folder}/stolen.db' AS stolen",
    "PRAGMA database_list",
    "SET threads = 1",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CALL pragma_version()",
    "EXPLAIN ANALYZE DELETE FROM secret",
    "VACUUM",
    "SELECT 1; DROP TABLE secret",
    "{model}; DROP TABLE secret",
    "{model} --\n; DROP TABLE secret",
    "{model} /* */;/* */ DELETE FROM secret",
    "SELECT 1 /*' */; DROP TABLE secret; -- '",
    "WITH d AS (DELETE FROM secret RETURNING word) SELECT * FROM d",
    "SELECT * FROM read_csv('{folder}/canary.csv')",
    "SELECT * FROM read_text('{folder}/canary.csv')",
    "SELECT * FROM '{folder}/canary.csv'",
    'SELECT * FROM "{folder}/canary.csv"',
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM sniff_csv('{folder}/canary.csv')",
    "SELECT * FROM sqlite_scan('{folder}/airflow.db', 'connection')",
    "SELECT * FROM parquet_scan('s3://bucket/x')",
    "SELECT * FROM 'https://127.0.0.1:1/x.csv'",
    "SELECT * FROM query('DROP TABLE secret')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "SELECT getenv('HOME'), current_setting('home_directory')",
    "SELECT pg_read_file('/etc/passwd')",
    "{model} WHERE \"City\" = (SELECT content FROM read_text('{folder}/canary.csv'))",
    "SELECT \"City\", read_text('{folder}/canary.csv') FROM tiny.tiny_sales",
    "SELECT * FROM secret, LATERAL read_csv('{folder}/canary.csv')",
    "SELECT * FROM secret WHERE word IN (FROM '{folder}/canary.csv')",
)


@pytest.mark.parametrize("user", ["user", "admin"])
def test_nobody_makes_the_warehouse_do_more_than_read(server: ApiServer, user: str) -> None:
    """Not even an administrator: through this door one reads, and the API server's files are nobody's."""
    model = 'SELECT "City", "Amount" FROM tiny.tiny_sales'
    for written in _HOSTILE:
        sql = written.format(folder=server.folder, model=model)
        for verb in ("query", "explain"):
            for dialect in ("postgres", "duckdb"):
                answer = _ask(server, user, sql, verb, dialect=dialect)
                assert answer.status_code in {403, 422}, (sql, answer.text)
                assert _is_problem(answer)
                assert "canary\n" not in answer.text
    assert _ask(server, "admin", "SELECT word FROM secret").json()["rows"] == [["canary"]]
    assert [file for file in server.folder.iterdir() if "stolen" in file.name] == []
    names = _ask(server, "admin", "SELECT table_name FROM information_schema.tables").json()["rows"]
    assert ["stolen"] not in names


_OF_CITY = 'SELECT "Amount" FROM tiny.tiny_sales WHERE "City" = '


@pytest.mark.parametrize(
    ("parameters", "sql", "rows"),
    [
        (["North"], f"{_OF_CITY}?", [[555.0]]),
        ({"city": "North"}, f"{_OF_CITY}:city", [[555.0]]),
        ([["North", "x"]], 'SELECT "Amount" FROM tiny.tiny_sales WHERE "City" IN %s', [[555.0]]),
        (["x' OR '1' = '1"], f"{_OF_CITY}?", [[None]]),
        (["x'; DROP TABLE secret; --"], f"{_OF_CITY}?", [[None]]),
        (["\\' OR 1 = 1 --"], f"{_OF_CITY}?", [[None]]),
        (["North"], 'SELECT "Amount" FROM tiny.tiny_sales', None),
        ([{"a": 1}], f"{_OF_CITY}?", None),
        ([[[[[[[1]]]]]]], f"{_OF_CITY}?", None),
        (["\u0000"], f"{_OF_CITY}?", None),
    ],
)
def test_values_are_given_beside_the_query(
    server: ApiServer, parameters: Any, sql: str, rows: list[list[Any]] | None
) -> None:
    """And never become a part of it; None: they are refused."""
    answer = _ask(server, "user", sql, parameters=parameters)

    assert answer.status_code == (422 if rows is None else 200), answer.text
    assert answer.json().get("rows") == rows


def test_an_answer_is_bounded(server: ApiServer) -> None:
    days = 'SELECT "Day", "Amount" FROM tiny.tiny_sales ORDER BY 2 DESC'

    cut = _ask(server, "user", days, most_rows=3).json()
    whole = _ask(server, "user", days).json()

    assert (cut["rows"], cut["is_cut"]) == (whole["rows"][:3], True)
    assert (len(whole["rows"]), whole["is_cut"]) == (20, False)
    endless = _ask(server, "op", "SELECT a.amount FROM sales a, sales b, sales c, sales d, sales e", most_rows=7)
    assert (len(endless.json()["rows"]), endless.json()["is_cut"]) == (7, True)


def test_csv_and_arrow_hold_the_same_rows(server: ApiServer) -> None:
    as_csv = _ask(server, "user", _BY_CITY, options={"params": {"format": "csv"}})
    as_arrow = _ask(server, "user", _BY_CITY, options={"headers": {"Accept": "application/vnd.apache.arrow.stream"}})

    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert list(csv.reader(io.StringIO(as_csv.text, newline=""))) == [
        ["City", "Amount"],
        ["North", "555.00"],
        ["South", "292.50"],
        ["", "302.50"],
    ]
    assert as_arrow.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(as_arrow.content).read_all()
    assert [[city, float(amount)] for city, amount in zip(*table.to_pydict().values(), strict=True)] == _ROWS
    for answer in (as_csv, as_arrow):
        assert (answer.headers["answer-rows"], answer.headers["answer-is-cut"]) == ("3", "false")
        assert float(answer.headers["answer-seconds"]) > 0


def test_a_form_that_there_is_not_is_refused(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    html = _ask(server, "user", _BY_CITY, options={"headers": {"Accept": "text/html"}})
    unknown = _ask(server, "user", _BY_CITY, options={"params": {"format": "xml"}})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arrow = _ask(server, "user", _BY_CITY, options={"params": {"format": "arrow"}})

    assert [answer.status_code for answer in (html, unknown, arrow)] == [406, 422, 406]
    assert "pyarrow is not installed" in arrow.json()["detail"]


def test_an_error_is_a_problem_in_every_form(server: ApiServer) -> None:
    for form in ("json", "csv", "arrow"):
        answer = _ask(server, "user", 'SELECT "Citty" FROM tiny.tiny_sales', options={"params": {"format": form}})
        assert answer.status_code == 422
        assert _is_problem(answer)
        assert "Did you mean `City`?" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("sql", "more", "status", "words"),
    [
        ("SELECT FROM WHERE", {}, 422, "cannot be read"),
        ("SELECT 'a'::INT FROM secret", {}, 422, "The warehouse refused"),
        ("SELECT word::INT FROM secret", {}, 422, "The warehouse refused"),
        (_BY_CITY, {"dialect": "klingon"}, 422, "no SQL dialect `klingon`"),
        (_BY_CITY, {"dialect": "postgres, x=y"}, 422, "malformed"),
        (_BY_CITY, {"max_staleness": "soon"}, 422, "such as 12h"),
        (_BY_CITY, {"max_staleness": "9999999d"}, 422, "such as 12h"),
        (_BY_CITY, {"most_rows": 0}, 422, "malformed"),
        (_BY_CITY, {"timeout_seconds": 0}, 422, "malformed"),
        (_BY_CITY, {"unknown": 1}, 422, "malformed"),
        ("SELECT a FROM never_made", {}, 404, "has no model, and the warehouse no table, `never_made`"),
        ('SELECT "City" FROM x', {"model": "tiny_sale"}, 404, "Did you mean `tiny_sales` or `hidden_sales`?"),
        ("(" * 3000 + "SELECT 1" + ")" * 2999, {}, 422, ""),
        ("SELECT " + "+".join(["1"] * 5000), {}, 422, "depth"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(
    server: ApiServer, sql: str, more: dict[str, Any], status: int, words: str
) -> None:
    answer = _ask(server, "op", sql, **more)

    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("connection", "status"), [("empty", 404), ("broken", 409), ("postgres", 409), ("nowhere", 404)]
)
def test_a_connection_that_cannot_be_used_is_told(server: ApiServer, connection: str, status: int) -> None:
    answer = _ask(server, "admin", _BY_CITY, connection=connection)

    assert answer.status_code == status, answer.text
    assert _is_problem(answer)


def test_a_query_that_takes_too_long_is_cancelled(server: ApiServer) -> None:
    """The warehouse can be asked at once again, so that nothing runs on."""
    answer = _ask(server, "op", _SLOW, timeout_seconds=0.5)

    assert answer.status_code == 504, answer.text
    assert "had not answered after 0.5 s" in answer.json()["detail"]
    assert _ask(server, "user", _BY_CITY).status_code == 200


def test_a_file_that_a_build_holds_is_told_with_a_time_to_wait(server: ApiServer) -> None:
    """DuckDB lets one process at a time open a file."""
    code = "import duckdb, sys\nheld = duckdb.connect(sys.argv[1])\nprint('held', flush=True)\nsys.stdin.readline()\n"
    command = [sys.executable, "-c", code, str(server.folder / "tiny.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        answer = _ask(server, "user", _BY_CITY)
        holder.communicate("\n")

    assert answer.status_code == 503, answer.text
    assert "another process holds DuckDB file" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0
    assert _ask(server, "user", _BY_CITY).status_code == 200


def test_an_explanation_tells_every_candidate_and_the_smallest_change(server: ApiServer) -> None:
    wide = _ask(server, "user", 'SELECT "City", "Quantity" FROM tiny.tiny_sales', "explain").json()
    (part,) = wide["parts"]
    assert part["aggregate"] == "by_month_and_city"
    assert part["joined_back"] == []
    by_reason = {candidate["aggregate"]: candidate["reason"] for candidate in part["candidates"]}
    assert by_reason == {
        "by_day_and_shop": "dearer",
        "by_city": "metric_not_stored",
        "by_month": "attribute_not_stored",
    }
    change = {candidate["aggregate"]: candidate["change"] for candidate in part["candidates"]}
    assert change["by_city"] == "add metric `Quantity` to `by_city`"
    assert wide["sql"].startswith("SELECT\n")

    fresh = _ask(server, "user", _BY_CITY, "explain", max_staleness="0s").json()["parts"][0]
    assert fresh["aggregate"] is None
    assert {candidate["reason"] for candidate in fresh["candidates"]} >= {"stale"}


def test_attributes_that_are_joined_back_are_named(server: ApiServer) -> None:
    """`by_day_and_shop` stores no city."""
    sql = 'SELECT "City", "Day", "Amount" FROM tiny.tiny_sales'

    explained = _ask(server, "viewer", sql, "explain").json()["parts"][0]
    answered = _ask(server, "user", sql).json()["parts"][0]

    assert (explained["aggregate"], explained["joined_back"]) == ("by_day_and_shop", ["City"])
    assert answered["joined_back"] == ["City"]


def test_nothing_is_run_by_an_explanation(server: ApiServer) -> None:
    answer = _ask(server, "op", _SLOW, "explain", timeout_seconds=20)

    assert answer.status_code == 200, answer.text
    assert answer.json()["parts"] == []
    assert answer.json()["untouched"]


def test_the_description_of_the_api_knows_all_forms(server: ApiServer) -> None:
    document = server.client("viewer").get("/openapi.json").json()

    answer = document["paths"]["/api/connections/{connection}/query"]["post"]["responses"]
    assert set(answer["200"]["content"]) == {"application/json", "text/csv", "application/vnd.apache.arrow.stream"}
    assert {"401", "403", "404", "406", "422", "429", "503", "504"} <= set(answer)


def test_reading_rows_does_not_lock_the_file_for_longer(server: ApiServer, tmp_path: Path) -> None:
    """After a request, another process may open the file for writing."""
    assert _ask(server, "user", _BY_CITY).status_code == 200

    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE OR REPLACE TABLE mark AS SELECT 1')"
    subprocess.run([sys.executable, "-c", code, str(server.folder / "tiny.duckdb")], check=True)
    with duckdb.connect(str(server.folder / "tiny.duckdb"), read_only=True) as reader:
        assert reader.execute("SELECT * FROM mark").fetchall() == [(1,)]
