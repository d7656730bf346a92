"""What people are told of a failed batch, and by which ways; and of aggregates that were not rebuilt for too long."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseNotifier
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_atscale_aggs.engine.lifecycle.build.batch import begin_batch, run_batch
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.notifications.failed_batch import FailedBatchNotifier
from airflow_atscale_aggs.notifications.webhook import post_text
from airflow_atscale_aggs.operators.aggregates import (
    ActivateBatchOperator,
    BuildAggregateOperator,
    CheckFreshnessOperator,
    PlanBatchBuildOperator,
)
from airflow_atscale_aggs.operators.base import LEASE
from tests.support.airflow_context import DAG_ID, RUN_ID, deploy_tiny_star, task_context
from tests.support.stars import tiny_star

pytestmark = pytest.mark.airflow

_MODEL: dict[str, Any] = {"model": "tiny_sales", "aggs_conn_id": "tiny"}
_SECRET = "hidden-from-all"


@pytest.fixture
def urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/af")
    return deploy_tiny_star(tmp_path, monkeypatch)


def _callback_context(run_id: str = RUN_ID) -> Any:
    """What Airflow gives to a callback of a DAG at the least."""
    return {"dag": DAG(DAG_ID, schedule=None), "run_id": run_id, "reason": "task_failure"}


def _fail_batch(urls: dict[str, Any], *, reason: str = "no quantity") -> str:
    """A batch of which one aggregate was built and one was not; its id."""
    with open_workspace(**urls) as workspace:
        tiny_star.run_sql(
            workspace,
            "ALTER TABLE sales RENAME TO sales_table",
            "CREATE VIEW sales AS SELECT day_id, shop_id, amount, CASE WHEN day_id >= 0 THEN "
            f"CAST(error('{reason}') AS INTEGER) ELSE quantity END AS quantity FROM sales_table",
        )
    plan = PlanBatchBuildOperator(task_id="plan", aggregates=["by_city", "by_day_and_shop"], **_MODEL)
    planned: list[dict[str, Any]] = plan.execute(task_context("plan"))
    for arguments in planned:
        build = BuildAggregateOperator(task_id="build", aggs_conn_id="tiny", **arguments)
        if arguments["aggregate"] == "by_city":
            build.execute(task_context("build"))
        else:
            with pytest.raises(AirflowFailException):
                build.execute(task_context("build"))
    with pytest.raises(AirflowFailException):
        ActivateBatchOperator(task_id="activate", **_MODEL).execute(task_context("activate"))
    with open_workspace(**urls) as workspace:
        return workspace.read.batches.find()[0].id


def _told(*, model: str = "tiny_sales", conn_id: str = "tiny", run_id: str = RUN_ID) -> str:
    """The message of a notifier."""
    messages: list[str] = []
    FailedBatchNotifier(model, aggs_conn_id=conn_id, send=messages.append)(_callback_context(run_id))
    (message,) = messages
    return message


def test_a_failed_batch_is_told_with_its_aggregates_and_the_run(urls: dict[str, Any]) -> None:
    batch_id = _fail_batch(urls)

    assert _told().splitlines() == [
        (
            f"Batch {batch_id} of model tiny_sales failed: 1 of 2 aggregates could not be built. What was live before "
            "serves on. Repair the cause, then clear the failed tasks."
        ),
        "- by_day_and_shop: The warehouse refused a statement. duckdb: Invalid Input Error: no quantity",
        f"Run {RUN_ID} of {DAG_ID}: https://airflow.example/af/dags/{DAG_ID}/runs/{RUN_ID}",
    ]


def test_a_run_that_has_begun_no_batch_is_told_as_such(urls: dict[str, Any]) -> None:
    assert _told(run_id="manual__other").startswith(
        "A run for the aggregates of model tiny_sales failed before it had begun a batch."
    )


def test_a_batch_that_is_live_is_no_failed_batch(urls: dict[str, Any]) -> None:
    """Another task of the run has failed."""
    with open_workspace(**urls) as workspace:
        batch = run_batch(workspace, "tiny_sales", owner=f"airflow:{DAG_ID}/{RUN_ID}").batch

    assert _told().startswith(f"Batch {batch.id} of model tiny_sales is live, but its run failed.")


def test_what_was_not_activated_is_told_aggregate_by_aggregate(urls: dict[str, Any]) -> None:
    """Nothing was built: the run was stopped."""
    with open_workspace(**urls) as workspace:
        _begin(workspace)

    assert _told().splitlines()[1:-1] == [
        f"- {name}: its build is new" for name in ("by_day_and_shop", "by_month_and_city", "by_city", "by_month")
    ]


def _begin(workspace: Workspace) -> None:
    from airflow_atscale_aggs.engine.aggregates.instance import BuildType

    owner = f"airflow:{DAG_ID}/{RUN_ID}"
    begin_batch(workspace, "tiny_sales", build_type=BuildType.FULL, owner=owner, now=utc_now(), lease=LEASE)


@pytest.mark.parametrize("conn_id", ["nowhere", "broken"])
def test_people_are_told_even_when_the_registry_cannot_be_asked(
    urls: dict[str, Any], conn_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"registry_url": f"postgresql+psycopg://me:{_SECRET}@127.0.0.1:1/none"}
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", json.dumps({"conn_type": "atscale_aggs", "extra": extra}))

    message = _told(conn_id=conn_id)

    assert message.startswith("A run for the aggregates of model tiny_sales failed. The registry could not be asked: ")
    assert message.splitlines()[-1].startswith(f"Run {RUN_ID} of {DAG_ID}: https://")
    assert _SECRET not in message


class _Mail(BaseNotifier):
    """Another notifier, whose text is a template."""

    template_fields = ("text",)
    sent: list[str] = []  # noqa: RUF012 - what all of them have sent

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:  # noqa: ARG002 - Airflow's signature
        self.sent.append(self.text)


def test_the_message_goes_to_another_notifier_which_runs_nothing_that_a_warehouse_says(urls: dict[str, Any]) -> None:
    _fail_batch(urls, reason="{{ run_id }} {% raw %} {# {{{")
    _Mail.sent.clear()

    FailedBatchNotifier("tiny_sales", aggs_conn_id="tiny", send=_Mail)(_callback_context())

    (text,) = _Mail.sent
    assert "{ { run_id }} { % raw %} { # { { {" in text


@pytest.fixture
def chat() -> Iterator[tuple[str, list[Any]]]:
    """The address of a chat's webhook on this machine, and what it was sent: path, headers, and body."""
    requests: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(404 if "gone" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()


def test_the_message_goes_to_a_webhook(
    urls: dict[str, Any], chat: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, requests = chat
    chat_connection = {"conn_type": "http", "host": f"{address}/hook/token", "login": "me", "password": _SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps(chat_connection))

    FailedBatchNotifier("tiny_sales", aggs_conn_id="tiny", http_conn_id="chat")(_callback_context())

    ((path, headers, body),) = requests
    assert (path, headers["Content-Type"]) == ("/hook/token", "application/json")
    assert headers["Authorization"].startswith("Basic ")
    assert set(body) == {"text"}
    assert body["text"].startswith("A run for the aggregates of model tiny_sales failed before")


@pytest.mark.parametrize(
    ("connection", "reason"),
    [
        ({"host": "{address}/gone/hidden-from-all"}, "it answered 404"),
        ({"host": "127.0.0.1", "port": 1, "password": _SECRET}, "Connection refused"),
        ({"host": "file:///etc/passwd"}, "names no address that starts with http"),
        ({}, "names no address that starts with http"),
    ],
)
def test_a_webhook_that_takes_no_message_is_told_without_its_secret(
    connection: dict[str, Any], reason: str, chat: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = connection.get("host", "").replace("{address}", chat[0])
    monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps({"conn_type": "http", **connection, "host": host}))

    with pytest.raises(AirflowException, match=reason) as refused:
        post_text("chat", "a text")

    assert _SECRET not in str(refused.value)


def test_the_parts_of_a_connection_make_an_address(
    chat: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a form of Airflow has them: schema, host and port."""
    address, requests = chat
    port = int(address.rpartition(":")[2])
    parts = {"conn_type": "http", "host": "127.0.0.1", "schema": "http", "port": port}
    monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps(parts))

    post_text("chat", "größer")

    assert [body for _, _, body in requests] == [{"text": "größer"}]


def _check(at_most: timedelta, **options: Any) -> float:
    operator = CheckFreshnessOperator(task_id="check", at_most=at_most, **_MODEL, **options)
    return operator.execute(task_context("check"))


def test_aggregates_that_were_rebuilt_are_fresh(urls: dict[str, Any]) -> None:
    with open_workspace(**urls) as workspace:
        run_batch(workspace, "tiny_sales", owner="a test")

    assert 0 <= _check(timedelta(hours=1)) < 3600


def test_an_aggregate_that_was_not_rebuilt_for_too_long_fails_the_check(urls: dict[str, Any]) -> None:
    with open_workspace(**urls) as workspace:
        run_batch(workspace, "tiny_sales", owner="a test")

    with pytest.raises(AirflowFailException) as failed:
        _check(timedelta(0), aggregates=["by_city"])

    sentence = str(failed.value)
    assert sentence.startswith("1 aggregate of model `tiny_sales` should be at most 0 minutes old: by_city was built ")
    assert "Look at the latest runs of the model's batch DAG" in sentence


def test_an_aggregate_that_was_never_built_fails_the_check(urls: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match=r"4 aggregates of model `tiny_sales` .* was never built, and was"):
        _check(timedelta(0))


def test_a_check_of_an_unknown_aggregate_says_so(urls: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="Did you mean `by_city`"):
        _check(timedelta(hours=1), aggregates=["by_cty"])
