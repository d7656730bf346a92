"""A model folder deployed for queries, with a registry of its own; nothing is built."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import DeployReport, deploy
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel


@dataclass(frozen=True)
class Deployed:
    """The one model of a folder: what deploying it said, and what answers queries on it."""

    report: DeployReport
    workspace: Workspace
    router: QueryRouter

    @property
    def model(self) -> SemanticModel:
        """The model as the registry keeps it."""
        (record,) = self.workspace.read.models.current()
        return read_deployed_model(self.workspace.read, record)


@contextlib.contextmanager
def deploy_for_queries(warehouse: str, folder: Path, scratch: Path) -> Iterator[Deployed]:
    """Deploy a folder to the warehouse of a URL, for the length of a ``with`` block."""
    registry = f"sqlite:///{scratch / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        yield Deployed(deploy(workspace, folder, now=utc_now()), workspace, QueryRouter(workspace))
