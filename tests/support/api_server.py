"""The REST API in this process, over Airflow's own rights and a metadata database of its own.

What stands behind it:

    connection   registry        what is deployed there                  DAG that builds it
    tiny         tiny.sqlite     tiny_sales (built), hidden_sales        batch_build_tiny_sales
    other        tiny.sqlite     the same registry and warehouse         batch_build_hidden_sales
    empty        empty.sqlite    nothing                                 none
    broken       a PostgreSQL server that does not answer                none
    postgres     a connection of another type                            none

So `tiny` and `other` share a registry. Whoever may read only the DAG of one model must not see the other one. The
DAG ``unrelated`` builds nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.app import get_auth_manager, init_auth_manager, purge_cached_app
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import update

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.plugins.api.access import model_dags, places
from airflow_atscale_aggs.plugins.api.application import make_application
from tests.support.stars import tiny_star

SECRET = "hunter2-the-password"
"""Of the connection `broken`; it must be in no answer."""

PREFIX = "/atscale_aggs"
"""Where Airflow serves the application."""

BUILT_BY = "airflow:batch_build_tiny_sales/manual__first"
"""Owner of the batch that is built at the start."""

ROLES: Mapping[str, tuple[str, tuple[str, ...] | None]] = {
    "viewer": ("VIEWER", None),
    "user": ("USER", None),
    "op": ("OP", None),
    "admin": ("ADMIN", None),
    "tiny_viewer": ("VIEWER", ("batch_build_tiny_sales",)),
    "tiny_user": ("USER", ("batch_build_tiny_sales",)),
    "outsider": ("USER", ("unrelated",)),
}
"""The role of each user, and the DAGs that he may use; None: all."""

_JWT_SECRET = secrets.token_hex(64)
"""Airflow keeps the signer of tokens for as long as the process lives."""

DAGS = """\
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_atscale_aggs.dag_factory import batch_build_dag

tiny = batch_build_dag("tiny_sales", aggs_conn_id="tiny")
hidden = batch_build_dag("hidden_sales", aggs_conn_id="other")
with DAG("unrelated", schedule=None) as unrelated:
    EmptyOperator(task_id="nothing")
"""


class DagScopedAuthManager(SimpleAuthManager):
    """Airflow's simple manager, with users who may use some DAGs only: their teams are the DAGs' ids."""

    def is_authorized_dag(
        self,
        *,
        method: Any,
        user: SimpleAuthManagerUser,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
    ) -> bool:
        """As the role allows, and only for the user's own DAGs."""
        if user.teams and (details is None or details.id not in user.teams):
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity)


@dataclass
class ApiServer:
    """The API and what stands behind it.

    Attributes:
        folder: of all its files: registries, warehouse, DAG files.
        registry_url: of the connections `tiny` and `other`.
    """

    folder: Path
    app: FastAPI
    registry_url: str
    _clients: dict[str | None, TestClient] = field(default_factory=dict)

    def client(self, user: str | None = "admin") -> TestClient:
        """A client that is signed in as one of `ROLES`, or as nobody.

        Paths are relative to the application: ``client().get("/api/models")``.
        """
        if user not in self._clients:
            headers = {} if user is None else {"Authorization": f"Bearer {self.token(user)}"}
            # What the server does not expect must come back as a problem, as it does in Airflow.
            self._clients[user] = TestClient(
                self.app, f"http://testserver{PREFIX}", headers=headers, raise_server_exceptions=False
            )
        return self._clients[user]

    @staticmethod
    def token(user: str) -> str:
        """A token of one of `ROLES`, as Airflow signs it."""
        return str(get_auth_manager().generate_jwt(user_of(user)))

    def get(self, path: str, user: str | None = "admin", /, **parameters: Any) -> Any:
        """The document at a path below ``/api``; fails with the problem unless the status is 200."""
        answer = self.client(user).get(f"/api/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status(self, path: str, user: str | None = "admin", method: str = "GET", **options: Any) -> int:
        """The status that a request is answered with."""
        return int(self.client(user).request(method, f"/api/{path}", **options).status_code)

    @property
    def registry(self) -> Registry:
        """The registry of the connections `tiny` and `other`, as the application has it open."""
        return places.registry("tiny")

    @contextlib.contextmanager
    def workspace(self, connection: str = "tiny") -> Iterator[Workspace]:
        """Registry and warehouse of a connection. No request may need the warehouse meanwhile, as DuckDB has it."""
        with places.workspace(connection) as workspace:
            yield workspace


def user_of(name: str) -> SimpleAuthManagerUser:
    """One of `ROLES`, as Airflow knows him."""
    role, dags = ROLES[name]
    return SimpleAuthManagerUser(username=name, role=role, teams=list(dags or ()))


@contextlib.contextmanager
def api_server(folder: Path, registry: str = "") -> Iterator[ApiServer]:
    """The API over a deployed and built tiny star. One at a time in a process.

    Args:
        folder: empty; for all its files.
        registry: the URL of an empty database for the connections `tiny` and `other`; none: an SQLite file.
    """
    registry = registry or f"sqlite:///{folder}/tiny.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**_airflow_variables(folder), **_connections(folder, registry)}.items():
            patch.setenv(name, value)
        # Airflow adds folders of DAG files.
        patch.setattr(sys, "path", [*sys.path])
        with _metadata_database():
            _write_dags(folder / "dags")
            _build_star(folder, registry)
            _forget()
            purge_cached_app()
            app = FastAPI()
            app.mount(PREFIX, make_application())
            init_auth_manager(app)
            try:
                yield ApiServer(folder, app, registry)
            finally:
                _forget()
                purge_cached_app()


def _airflow_variables(folder: Path) -> dict[str, str]:
    configured = {
        "CORE__DAGS_FOLDER": str(folder / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__AUTH_MANAGER": f"{__name__}.{DagScopedAuthManager.__name__}",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, (role, _) in ROLES.items()),
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "API__BASE_URL": "http://airflow.example/base",
        "API_AUTH__JWT_SECRET": _JWT_SECRET,
        # Tests ask more often than people.
        "ATSCALE_AGGS_API__ACTING_REQUESTS_PER_MINUTE": "100000",
        "ATSCALE_AGGS_API__ASKING_REQUESTS_PER_MINUTE": "100000",
    }
    # Airflow reads connections from its database only in its servers.
    return {f"AIRFLOW__{name}": value for name, value in configured.items()} | {"_AIRFLOW_PROCESS_CONTEXT": "server"}


def _connections(folder: Path, registry: str) -> dict[str, str]:
    tiny = {
        "registry_url": registry,
        "warehouse_url": f"duckdb:///{folder}/tiny.duckdb",
        "aggregate_schema": "aggs",
    }
    extra_by_name = {
        "tiny": tiny,
        "other": tiny,
        "empty": tiny | {"registry_url": f"sqlite:///{folder}/empty.sqlite"},
        "broken": tiny | {"registry_url": f"postgresql+psycopg://somebody:{SECRET}@127.0.0.1:1/nothing"},
    }
    found = {name: {"conn_type": "atscale_aggs", "extra": extra} for name, extra in extra_by_name.items()}
    found["postgres"] = {"conn_type": "postgres", "extra": {}}
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in found.items()}


@contextlib.contextmanager
def _metadata_database() -> Iterator[None]:
    """Airflow's database where the variables say, made anew; the one of before afterwards."""
    from airflow import settings
    from airflow.utils.db import initdb

    before = (settings.SQL_ALCHEMY_CONN, settings.SQL_ALCHEMY_CONN_ASYNC)
    settings.dispose_orm()
    settings.configure_vars()
    settings.configure_orm()
    try:
        initdb()
        yield
    finally:
        settings.dispose_orm()
        settings.SQL_ALCHEMY_CONN, settings.SQL_ALCHEMY_CONN_ASYNC = before
        settings.configure_orm()


def _write_dags(folder: Path) -> None:
    """DAG files, and what the DAG processor would make of them."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    folder.mkdir(parents=True)
    (folder / "batches.py").write_text(DAGS)
    DagBundlesManager().sync_bundles_to_db()
    bag = BundleDagBag(dag_folder=os.fspath(folder), bundle_path=folder, bundle_name="dags-folder")
    assert bag.import_errors == {}
    sync_bag_to_db(bag, "dags-folder", None)
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))


def _build_star(folder: Path, registry: str) -> None:
    """Deploy two models of the same star; build one."""
    visible, hidden = tiny_star.write_model(folder / "visible"), tiny_star.write_model(folder / "hidden")
    for name, old, new in (
        ("model", "unique_name: tiny_sales", "unique_name: hidden_sales"),
        ("catalog", "unique_name: tiny", "unique_name: hidden"),
    ):
        file = hidden / f"{name}.yml"
        file.write_text(file.read_text().replace(old, new))
    warehouse = f"duckdb:///{folder}/tiny.duckdb"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, visible, now=utc_now())
        deploy(workspace, hidden, now=utc_now())
        run_batch(workspace, "tiny_sales", owner=BUILT_BY)


def _forget() -> None:
    """Let the application know nothing of an earlier server."""
    places.close()
    model_dags.forget()
