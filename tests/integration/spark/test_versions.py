"""Tables with versions are compared with their facts as of one version, whatever is loaded meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sail_server import shared_session

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.errors import BatchFailedError
from airflow_atscale_aggs.engine.lifecycle.build import attempt
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.compare import Comparison, compare
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from tests.support.stars import tiny_star

_LOAD = "INSERT INTO sales VALUES (1, 1, 1000, 1000)"


@dataclass(frozen=True)
class _Built:
    """What came of a batch: statuses of its aggregates, what was undecided, and the quantity that queries answer."""

    statuses: set[InstanceStatus]
    undecided: list[str]
    quantity: int


def _set_up(workspace: Workspace, table_options: str) -> None:
    """The tiny star in tables of a format. Sail makes tables of Delta from queries only."""
    tiny_star.run_sql(workspace, *(re.sub(r"(TABLE|INTO) (\w+)", r"\1 \2_rows", sql) for sql in tiny_star.SETUP_SQL))
    with workspace.warehouse.session() as session:
        for table in ("shop", "day", "sales"):
            session.execute(f"CREATE TABLE {table} {table_options} AS SELECT * FROM {table}_rows")


@pytest.fixture
def loading(sail_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., _Built]:
    """Builds the tiny star; something happens to the sources after each table is made and before it is compared."""

    def build(table_options: str, level: VerificationLevel, *happens: str) -> _Built:
        undecided: list[str] = []
        with open_workspace(
            registry=f"sqlite:///{tmp_path / 'registry.sqlite'}",
            warehouse=shared_session(sail_address),
            aggregate_schema="aggs",
            settings={"aggregates.batch.verify": level},
        ) as workspace:
            _set_up(workspace, table_options)
            deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=utc_now())

            def happens_before(session: WarehouseSession, comparison: Comparison) -> Verified:
                table = comparison.verification.table.sql.partition(" FROM ")[2].split(" ")[0]
                with workspace.warehouse.session() as other:
                    for statement in happens:
                        other.execute(statement.format(table=table))
                return compare(session, comparison)

            monkeypatch.setattr(attempt, "compare", happens_before)
            report = run_batch(
                workspace,
                "tiny_sales",
                owner="test",
                on_event=lambda event: undecided.append(event.text) if event.kind == "undecided" else None,
            )
            statuses = {instance.status for instance in report.instances}
            total = answer(workspace, 'SELECT SUM("Quantity") FROM tiny_sales').rows[0][0]
        return _Built(statuses, undecided, int(total))

    return build


@pytest.mark.parametrize("level", [VerificationLevel.TOTALS, VerificationLevel.FULL])
def test_rows_that_are_loaded_meanwhile_change_nothing(
    loading: Callable[..., _Built], level: VerificationLevel
) -> None:
    """Each table shows its facts as of one version, and is compared with the same one.

    What derives from a table that has seen fewer rows is built from the facts, as on warehouses with transactions.
    """
    built = loading("USING delta", level, _LOAD)

    from_facts = [text for text in built.undecided if not text.startswith("Built from by_")]
    assert (built.statuses, from_facts) == ({InstanceStatus.ACTIVE}, [])


def test_without_versions_it_is_undecided(loading: Callable[..., _Built]) -> None:
    built = loading("USING parquet", VerificationLevel.FULL, _LOAD)

    assert built.statuses == {InstanceStatus.ACTIVE}
    assert any("may have changed since" in text for text in built.undecided)


def test_a_wrong_table_is_refused_although_rows_are_loaded_meanwhile(loading: Callable[..., _Built]) -> None:
    """Versions tell a wrong table from facts that have changed."""
    with pytest.raises(BatchFailedError):
        loading("USING delta", VerificationLevel.TOTALS, _LOAD, "INSERT INTO {table} SELECT * FROM {table} LIMIT 1")
