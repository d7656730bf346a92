"""The operator that deploys models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_atscale_aggs.hooks.aggregates import airflow_errors
from airflow_atscale_aggs.operators.base import AggregatesOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class DeployModelOperator(AggregatesOperator):
    """Reads a folder of SML and registers its models with their user-defined aggregates.

    Args:
        folder: the SML folder, readable by the worker.
        model: deploy only this one; None: all.

    Returns:
        By model: version and the names that appeared, changed, retired, were predicted.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "folder", "model")

    def __init__(self, *, folder: str, model: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder, self.model = folder, model

    def execute(self, context: Context) -> dict[str, dict[str, Any]]:  # noqa: ARG002
        """Deploy. Errors in the SML fail the task without a retry; the log shows all of them."""
        from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        with airflow_errors(), self._workspace() as workspace:
            report = deploy(workspace, Path(self.folder), model=self.model, now=utc_now())
        for issue in report.issues:
            self.log.warning("%s", issue)
        result: dict[str, dict[str, Any]] = {}
        for outcome in report.models:
            changes = {word: list(getattr(outcome, word)) for word in ("appeared", "changed", "retired")}
            self.log.info("%s is at version %s: %s", outcome.model, outcome.version, changes)
            result[outcome.model] = {"version": outcome.version, **changes}
        for predicted in report.predictions:
            for note in predicted.notes:
                self.log.warning("%s", note)
            self.log.info("Predicted for %s: %s; retired: %s", predicted.model, predicted.appeared, predicted.retired)
            for old, new in predicted.giving_way.items():
                self.log.info("%s serves until %s does", old, new)
            result[predicted.model]["predicted"] = list(predicted.appeared)
        return result
