"""Hostile texts in every parameter, body and file of the API: nothing is changed, shown or broken by them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import delete, func, inspect, select, text, update

from tests.support.api_calls import Calls, Operation, operations
from tests.support.api_server import SECRET, ApiServer
from tests.support.strategies.system_definitions import define

pytestmark = pytest.mark.airflow

HOSTILE = (
    "x' OR '1'='1",
    "x'; DROP TABLE definitions; --",
    'x"; DELETE FROM instances; --',
    "') UNION SELECT url, password FROM connection --",
    "%' OR 1=1 OR name LIKE '%",
    "_%",
    "../../../../etc/passwd",
    "..\\..\\x",
    "${jndi:ldap://127.0.0.1/x}",
    "{{ 7*7 }}{% for x in y %}",
    "{0.__class__.__mro__}",
    "<script>alert(1)</script>",
    "$(touch /tmp/x)`id`",
    "x\r\nSet-Cookie: a=b",
    "a\x00b",
    "\u202e\ufeff\u0000",
    "e\u0301" * 200,
    "9" * 400,
    "-1",
    "1e400",
    "NaN",
    "null",
    "[]",
    '{"$ne": null}',
    "9999-12-31T23:59:59+14:00",
    "0001-01-01T00:00:00-14:00",
    "postgresql+psycopg://somebody@127.0.0.1:1/nothing",
    "a" * 5000,
)
_OPERATIONS = operations()
_SHOWN_ONLY_TO_ADMINS = "hidden"


@pytest.fixture(scope="module")
def calls(server: ApiServer) -> Calls:
    """Right calls, of which one parameter is made hostile. What a right file would import is there already."""
    with server.workspace() as workspace:
        define(workspace, {"month_city": (("Month", "City"), ("Quantity",)), "days": (("Day",), ("Amount",))})
    return Calls(server)


@pytest.fixture(scope="module", autouse=True)
def nothing_is_changed(calls: Calls) -> Iterator[None]:
    """Neither registry nor Airflow's database nor warehouse is any other after all tests; right calls start runs only.

    To look after each test would take as long as the tests. A test is found by running it alone.
    """
    found = _everything(calls.server)
    yield
    assert _everything(calls.server) == found


@pytest.fixture(autouse=True)
def no_run_is_left() -> Iterator[None]:
    """Each test finds Airflow as the first one did."""
    yield
    _forget_runs()


def _forget_runs() -> None:
    with create_session() as airflow:
        airflow.execute(delete(DagRun))
        airflow.execute(update(DagModel).values(is_paused=False))


def _everything(server: ApiServer) -> dict[str, Any]:
    """Rows by table of the registry, without the log of queries; tables of the warehouse; Airflow's DAGs."""
    _forget_runs()
    with create_session() as airflow:
        dags = airflow.scalar(select(func.count()).select_from(DagModel))
    found: dict[str, Any] = {"dags": dags}
    with server.registry.database.reading() as connection:
        for table in sorted(inspect(connection).get_table_names()):
            # What is written down of each query that is asked.
            if "_quer" not in table and not table.endswith("usages"):
                rows = connection.execute(text(f'SELECT * FROM "{table}"')).all()
                found[table] = sorted(map(repr, rows))
    with server.workspace() as workspace, workspace.warehouse.session() as session:
        sql = "SELECT table_schema, table_name FROM information_schema.tables ORDER BY 1, 2"
        found["warehouse"] = [tuple(row) for row in session.fetch_all(sql)]
    return found


def _check(answer: Any, sent: str, user: str) -> None:
    """It is answered in a known way, as a document, without what the user may not see."""
    assert answer.status_code < 500 or answer.status_code in {503, 504}, (sent, answer.text)
    assert answer.headers.get("set-cookie") is None
    assert not answer.headers["content-type"].startswith("text/html")
    told = answer.text
    assert SECRET not in told
    assert "root:x:0:0" not in told
    assert "Traceback" not in told
    if user != "admin":
        assert _SHOWN_ONLY_TO_ADMINS not in told, (sent, told)


@pytest.mark.parametrize("operation", _OPERATIONS, ids=str)
def test_hostile_texts_in_paths(calls: Calls, operation: Operation) -> None:
    """Each part of a path by itself; none of these things exists, so that whatever would act is refused."""
    users = itertools.cycle(("tiny_user", "admin"))
    for name, hostile in itertools.product(operation.parameters("path"), HOSTILE):
        if name == "org_id":
            continue
        user = next(users)
        answer = calls.call(operation, user, things={name: quote(hostile, safe="")})

        _check(answer, hostile, user)
        assert not (answer.is_success and operation.method != "GET"), (hostile, answer.text)


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (operation, name)
        for operation in _OPERATIONS
        if operation.method == "GET"
        for name in operation.parameters("query")
    ],
    ids=str,
)
def test_hostile_texts_in_queries(calls: Calls, operation: Operation, name: str) -> None:
    """Searches, filters, cursors, sorts and names: a list has no more rows than without the filter."""
    all_rows = _rows(calls.call(operation, "tiny_user"))
    for hostile in HOSTILE:
        answer = calls.call(operation, "tiny_user", query={name: hostile})

        _check(answer, hostile, "tiny_user")
        assert _rows(answer) <= all_rows


def _rows(answer: Any) -> int:
    if not answer.is_success:
        return 0
    document = answer.json()
    rows = document if isinstance(document, list) else document.get("items", document.get("data", []))
    return len(rows)


def _strings(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a document has texts."""
    if isinstance(document, str):
        yield path
    elif isinstance(document, Mapping):
        for key, value in document.items():
            yield from _strings(value, (*path, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from _strings(value, (*path, index))


def _with(document: Any, path: tuple[Any, ...], value: str) -> Any:
    changed = json.loads(json.dumps(document))
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


_BODIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("PUT /api/connections/{connection}/models/{model}/settings/{key}", {"value": "x"}),
    (
        "POST /api/connections/{connection}/models/{model}/batches",
        {"build_type": "full", "aggregates": ["x"], "grace_periods": {"x": "x"}, "dag_id": "x"},
    ),
    ("POST /api/connections/{connection}/query", {"sql": "x", "model": "x", "dialect": "x", "max_staleness": "x"}),
    ("POST /api/connections/{connection}/explain", {"sql": "x", "model": "x", "dialect": "x", "max_staleness": "x"}),
    ("POST /api/connections/{connection}/models/{model}/recommend", {"queries": ["x"], "only": ["x"]}),
    (
        "POST /v1/aggregates-batch/catalogs/{catalog_id}/models/{model_id}",
        {"gracePeriodOverrides": {"x": "x"}},
    ),
)


@pytest.mark.parametrize(("named", "body"), _BODIES, ids=[named for named, _ in _BODIES])
def test_hostile_texts_in_bodies(calls: Calls, named: str, body: dict[str, Any]) -> None:
    """In each text of a request, and as its keys."""
    (operation,) = (operation for operation in _OPERATIONS if str(operation) == named)
    right = dict(_RIGHT_BODIES.get(named, {}))
    for path, hostile in itertools.product(_strings(body), HOSTILE):
        sent = right | {path[0]: _with(body, path, hostile)[path[0]]}
        user = "admin" if operation.method == "PUT" else "tiny_user"
        answer = calls.call(operation, user, body=sent)

        _check(answer, hostile, user)


_RIGHT_BODIES: Mapping[str, Mapping[str, Any]] = {
    "POST /api/connections/{connection}/query": {"sql": 'SELECT "City" FROM tiny.tiny_sales'},
    "POST /api/connections/{connection}/explain": {"sql": 'SELECT "City" FROM tiny.tiny_sales'},
}


@pytest.mark.parametrize(
    "operation",
    [operation for operation in _OPERATIONS if operation.method == "POST" and "/import" in operation.path],
    ids=str,
)
def test_hostile_files(calls: Calls, operation: Operation) -> None:
    """Every text of a file that the model exports is made hostile, one after the other; and files that are none."""
    right = calls.bodies[str(operation)]
    texts = list(_strings(right))
    assert texts
    for number, hostile in enumerate(HOSTILE):
        for path in texts[number % 7 :: 7]:
            answer = calls.call(operation, "tiny_user", body=_with(right, path, hostile))

            _check(answer, hostile, "tiny_user")
        _check(calls.call(operation, "tiny_user", body=hostile), hostile, "tiny_user")


HOSTILE_SQL = (
    "SELECT * FROM tiny.hidden_sales",
    'SELECT "City" FROM hidden.hidden_sales',
    "DROP TABLE sales",
    "SELECT 1; DROP TABLE sales",
    "INSERT INTO sales VALUES (1, 1, 1, 1)",
    "CREATE TABLE aggs.stolen AS SELECT * FROM sales",
    "COPY sales TO '/tmp/stolen.csv'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "ATTACH '/tmp/other.duckdb' AS other",
    "INSTALL httpfs",
    "PRAGMA database_list",
    "SET enable_external_access = true",
    "SELECT getenv('HOME')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM information_schema.tables",
    "WITH x AS (DELETE FROM sales RETURNING *) SELECT * FROM x",
    "EXPLAIN ANALYZE DELETE FROM sales",
    "CALL pragma_version()",
    "(" * 3000,
    "SELECT " + "1 +" * 20_000 + " 1",
    "SELECT '\x00'",
)


@pytest.mark.parametrize("sql", HOSTILE_SQL, ids=[str(number) for number in range(len(HOSTILE_SQL))])
@pytest.mark.parametrize("route", ["query", "explain"])
def test_hostile_sql(calls: Calls, sql: str, route: str) -> None:
    """Whoever may ask for one model reads nothing else with it, and changes nothing."""
    (operation,) = (operation for operation in _OPERATIONS if operation.path.endswith(f"/{route}"))
    answer = calls.call(operation, "tiny_user", body={"sql": sql})

    assert 400 <= answer.status_code < 500, answer.text
    assert SECRET not in answer.text
    assert "root:x:0:0" not in answer.text
