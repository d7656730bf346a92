"""Who reaches what: Airflow's rights on DAGs and connections decide it."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.plugins.api.access import Right, Visitor
from airflow_atscale_aggs.plugins.api.problems import ProblemError
from tests.support.api_server import ROLES, ApiServer, user_of

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize(("user", "status"), [(None, 401), *((name, 200) for name in ROLES)])
def test_the_documentation_is_for_those_who_are_signed_in(server: ApiServer, user: str | None, status: int) -> None:
    """Whoever they are."""
    assert server.client(user).get("/openapi.json").status_code == status


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("user", "over_tiny", "over_other"),
    [
        ("viewer", {"tiny_sales"}, {"hidden_sales"}),
        ("op", {"tiny_sales", "hidden_sales"}, {"tiny_sales", "hidden_sales"}),
        ("tiny_viewer", {"tiny_sales"}, None),
        ("tiny_user", {"tiny_sales"}, None),
        ("outsider", None, None),
    ],
)
def test_models_that_share_a_registry_stay_apart(
    user: str, over_tiny: set[str] | None, over_other: set[str] | None
) -> None:
    """A DAG opens one model over one connection; the connection itself opens all of its registry."""
    visitor = Visitor(user_of(user))

    for connection, models in (("tiny", over_tiny), ("other", over_other)):
        if models is None:
            with pytest.raises(ProblemError, match=f"You may not use the Airflow connection `{connection}`"):
                visitor.place(connection)
        else:
            assert {model.name for model in visitor.place(connection).models} == models


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("user", "rights"),
    [
        ("tiny_viewer", {"read"}),
        ("viewer", {"read"}),
        ("user", {"read", "build"}),
        ("tiny_user", {"read", "build"}),
        ("op", {"read", "build", "administer"}),
        ("admin", {"read", "build", "administer"}),
    ],
)
def test_roles_give_rights(user: str, rights: set[str]) -> None:
    """Reading a DAG is reading its model, triggering it is building, editing the connection is all."""
    place = Visitor(user_of(user)).place("tiny")
    model = place.read.models.get("tiny_sales")

    assert {right for right in Right if place.may(right, model)} == rights
