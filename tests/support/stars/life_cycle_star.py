"""The tiny star with one user-defined aggregate, and what the tests of its life cycle do with it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import QuerySource
from airflow_atscale_aggs.engine.sql.mark_reading import MARK_TABLE
from tests.support.query_records import make_query_record
from tests.support.stars import tiny_star
from tests.support.strategies.system_definitions import NOW

MODEL = "tiny_sales"


USERS = {"by_city": (("City",), ("Amount",))}


QUANTITY_BY_MONTH = 'SELECT "Month", SUM("Quantity") FROM tiny_sales GROUP BY 1 ORDER BY 1'


AMOUNT_BY_MONTH = 'SELECT "Month", SUM("Amount") FROM tiny_sales GROUP BY 1 ORDER BY 1'


SCHEMA = "aggs"


def fill_star(workspace: Workspace, folder: Path) -> None:
    """Make the star's tables, and deploy its model from a folder."""
    tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
    deploy(workspace, tiny_star.write_model(folder / "model", USERS), now=NOW)


def model_id(workspace: Workspace) -> str:
    """The id of the star's model."""
    return workspace.read.models.get(MODEL).id


def build(workspace: Workspace, *aggregates: str) -> None:
    """Run a batch of some aggregates, or of all."""
    run_batch(workspace, MODEL, owner="test", request=BatchRequest(aggregates=aggregates))


def active_aggregates(workspace: Workspace) -> set[str]:
    """The aggregates that serve."""
    return {instance.step.aggregate for instance in workspace.read.instances.serving(model_id(workspace))}


def tables(workspace: Workspace) -> set[str]:
    """The tables and views in the aggregate schema, without the mark of its owner."""
    with workspace.warehouse.session() as session:
        return set(session.tables(SCHEMA)) - {MARK_TABLE}


def view_names(workspace: Workspace) -> set[str]:
    """The aggregates that have a stable view."""
    return {name.removeprefix("agg_tiny_sales_") for name in tables(workspace) if name.startswith("agg_")}


def source_of(workspace: Workspace, sql: str) -> str | None:
    """The aggregate that answers a query; None where the facts do."""
    return answer(workspace, sql).plan.sources[0].aggregate


def record_uses(workspace: Workspace, definition_id: str, times: int, at: datetime) -> None:
    """Record uses of a definition as the log of queries has them."""
    source = QuerySource(fact="sales", aggregate="a", definition_id=definition_id)
    workspace.registry.queries.record(
        [make_query_record(source, model_id=model_id(workspace), asked_at=at, weight=times)]
    )


def statuses(workspace: Workspace) -> dict[str, str]:
    """The status of each definition, by its name."""
    return {
        record.definition.name: record.status
        for record in workspace.read.definitions.of_model(model_id(workspace), include_retired=True)
    }
