"""After a rehearsal a build finds the SQL of its statements written, and the registry of nobody is touched."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance, must_wait
from airflow_atscale_aggs.engine.lifecycle.build.batch import begin_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.engine.registry import connection
from airflow_atscale_aggs.engine.registry.registry import open_registry
from airflow_atscale_aggs.engine.registry.rehearsal import rehearse
from tests.support.stars.tiny_star import SETUP_SQL, write_model

_HOUR = timedelta(hours=1)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> connection._WrittenStatements:
    """What SQLAlchemy has written so far: nothing."""
    empty = connection._WrittenStatements()
    monkeypatch.setattr(connection, "_SQLITE_STATEMENTS", empty)
    return empty


def test_builds_need_no_statement_that_was_not_rehearsed(
    written: connection._WrittenStatements, tmp_path: Path
) -> None:
    """From the facts, and from another aggregate, as tasks of Airflow do it: each opens the registry by itself."""
    rehearse()
    registry, warehouse = f"sqlite:///{tmp_path / 'registry.sqlite'}", f"duckdb:///{tmp_path / 'w.duckdb'}"
    with open_workspace(registry=registry, warehouse=warehouse) as workspace:
        with workspace.warehouse.session() as session:
            for sql in SETUP_SQL:
                session.execute(sql)
        deploy(workspace, write_model(tmp_path / "model"), now=utc_now())
        begun = begin_batch(workspace, "tiny_sales", build_type=BuildType.FULL, owner="me", now=utc_now(), lease=_HOUR)
    sources = set()
    for instance_id in (instance.id for instance in begun.instances):
        before = set(written._written)
        with open_workspace(registry=registry, warehouse=warehouse) as workspace:
            instance = workspace.read.instances.get(instance_id)
            batch = workspace.read.batches.get(instance.batch_id)
            workspace.read.models.get(batch.model_id)
            assert not must_wait(workspace, instance, most=1)
            sources.add(build_instance(workspace, instance, owner="me", lease=_HOUR).source == "sales")
        assert set(written._written) == before

    assert sources == {True, False}


def test_the_sql_that_was_written_for_one_registry_serves_another(
    written: connection._WrittenStatements, tmp_path: Path
) -> None:
    """With values of its own."""
    for name in ("one", "two"):
        registry = open_registry(f"sqlite:///{tmp_path / name}.sqlite")
        registry.settings.put(None, "key", name)
        registry.close()
    keys = set(written._written)
    found = {}
    for name in ("one", "two"):
        registry = open_registry(f"sqlite:///{tmp_path / name}.sqlite")
        found[name] = registry.read.settings.values(None)["key"]
        registry.close()

    assert found == {"one": "one", "two": "two"}
    assert keys
    assert len(set(written._written) - keys) == 1
