"""The Airflow connections over which somebody may read models."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from airflow.models.connection import Connection
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_atscale_aggs.hooks.aggregates import AggregatesHook
from airflow_atscale_aggs.plugins.api.access import Place, Visitor

_VARIABLE = "AIRFLOW_CONN_"
_TYPE = AggregatesHook.conn_type


def readable_places(visitor: Visitor) -> Iterator[Place]:
    """The connections over which a visitor may read something, by name.

    Those that a readable DAG names, and those that he may read among all that can be listed: of Airflow's database and
    of the environment. What a secrets backend holds cannot be listed; a DAG that names it leads there.
    """
    names = {dag.connection for dag in visitor.dags}
    names |= {name for name in _listed_connections() if name not in names and visitor.may_use(name)}
    for name in sorted(names):
        yield visitor.place(name)


def _listed_connections() -> set[str]:
    """Ids of the connections of our type in Airflow's database and in the environment."""
    with create_session() as session:
        names = set(session.scalars(select(Connection.conn_id).where(Connection.conn_type == _TYPE)))
    variables = ((name, value) for name, value in os.environ.items() if name.startswith(_VARIABLE))
    names |= {name.removeprefix(_VARIABLE).lower() for name, value in variables if _type_of(value) == _TYPE}
    return names


@functools.lru_cache(maxsize=256)
def _type_of(text: str) -> str:
    """The type of a connection as the environment has it: a URI, or JSON; empty when it is neither."""
    try:
        if text.lstrip().startswith("{"):
            return str(json.loads(text).get("conn_type", "")).replace("-", "_")
        return urlsplit(text).scheme.replace("-", "_")
    except ValueError:
        return ""
