"""The address under which build tasks know an instance leads to the Aggregates page, or says in HTML what is wrong."""

from __future__ import annotations

from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from airflow_atscale_aggs.engine.registry.records import InstanceRecord
from tests.support.api_server import SECRET, ApiServer

pytestmark = pytest.mark.airflow


def _instance(server: ApiServer, model: str = "tiny_sales") -> InstanceRecord:
    with server.workspace() as workspace:
        return workspace.read.instances.serving(workspace.read.models.get(model).id)[0]


@pytest.mark.parametrize("base", ["https://airflow.example/", "https://proxy.example/team/airflow/"])
def test_it_leads_to_the_page_wherever_airflow_stands(server: ApiServer, base: str) -> None:
    """The redirect is relative, so that a proxy that puts Airflow below a path needs to tell nobody."""
    instance = _instance(server)
    path = f"instances/tiny/{instance.id}"

    answer = server.client("tiny_viewer").get(f"/{path}", follow_redirects=False)

    assert answer.status_code == 307
    address = urlsplit(urljoin(f"{base}atscale_aggs/{path}", answer.headers["location"]))
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{base}plugin/aggregates/definitions"
    assert parse_qs(address.query) == {
        "conn": ["tiny"],
        "model": ["tiny.tiny_sales"],
        "definition": [instance.step.definition_id],
        "instance": [instance.id],
    }


@pytest.mark.parametrize(
    ("user", "conn_id", "status", "sentence"),
    [
        (None, "tiny", 401, ""),
        ("admin", "tiny", 404, "The registry has no instance `&lt;b&gt;`."),
        ("admin", "nowhere", 404, "There is no Airflow connection `nowhere`."),
        ("admin", "postgres", 409, "Airflow connection `postgres` is of type `postgres`; `atscale_aggs` is needed."),
        ("admin", "broken", 409, "127.0.0.1"),
        ("outsider", "tiny", 403, "You may not use the Airflow connection `tiny`"),
        ("outsider", "nowhere", 403, "You may not use the Airflow connection `nowhere`"),
    ],
)
def test_what_cannot_be_shown_says_why(
    server: ApiServer, user: str | None, conn_id: str, status: int, sentence: str
) -> None:
    """No password is told, and no markup of the address is shown as such."""
    answer = server.client(user).get(f"/instances/{conn_id}/%3Cb%3E", follow_redirects=False)

    assert answer.status_code == status
    assert sentence in answer.text
    assert SECRET not in answer.text
    assert user is None or answer.headers["content-type"].startswith("text/html")


def test_an_instance_of_a_model_out_of_reach_is_not_shown(server: ApiServer) -> None:
    """Whoever may read the connection's DAG of one model sees nothing of another one in the same registry."""
    path = f"/instances/other/{_instance(server).id}"

    assert server.client("viewer").get(path, follow_redirects=False).status_code == 404
