"""The operator that recommends aggregates for a model, and defines them if that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_atscale_aggs.hooks.aggregates import airflow_errors
from airflow_atscale_aggs.operators.maintenance import MaintenanceOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace


class RecommendAggregatesOperator(MaintenanceOperator):
    """Tells which aggregates a model should have by what was asked of it; with ``apply`` the next batch builds them.

    Args:
        model, dry_run: as of `MaintenanceOperator`; a dry run defines nothing.
        apply: define them; None: unless the setting ``aggregates.maintenance.autonomy`` is ``suggest``.
        queries: SQL that stands for history; None: the log of queries.
        from_structure: what the model's structure makes likely, instead of queries.
        most, budget_percent, budget_bytes: instead of the settings' number and budget.

    Returns:
        One mapping per recommendation: ``aggregate``, ``rows``, ``size_bytes`` (estimated), ``saved_share``,
            ``reason``, ``outcome``.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "model", "queries", "is_dry_run")

    def __init__(
        self,
        *,
        apply: bool | None = False,
        queries: Sequence[str] | None = None,
        from_structure: bool = False,
        most: int | None = None,
        budget_percent: int | None = None,
        budget_bytes: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.apply, self.queries = apply, queries
        self.from_structure, self.most = from_structure, most
        self.budget_percent, self.budget_bytes = budget_percent, budget_bytes

    def execute(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002
        """Recommend, and define if that is allowed; the log gives the reasons."""
        from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        request = RecommendRequest(
            queries=self.queries,
            from_structure=self.from_structure,
            most=self.most,
            percent=self.budget_percent,
            budget_bytes=self.budget_bytes,
        )
        with airflow_errors(), self._workspace() as workspace:
            report = recommend(workspace, self.model, request=request, apply=self._may_define(workspace), now=utc_now())
        for recommendation in report.recommendations:
            self.log.info(
                "%s: about %s rows, saves %.1f%%: %s",
                recommendation.definition.name,
                recommendation.rows,
                100 * recommendation.share,
                recommendation.reason,
            )
        for old, new in report.giving_way.items():
            self.log.info("%s makes room once %s serves", old, new)
        for unserved in report.unserved:
            self.log.info("Not answered by any: %s (%s)", unserved.query, unserved.reason)
        return [
            {
                "aggregate": recommendation.definition.name,
                "rows": recommendation.rows,
                "size_bytes": recommendation.size_bytes,
                "saved_share": recommendation.share,
                "reason": recommendation.reason,
                "outcome": str(recommendation.outcome or ""),
            }
            for recommendation in report.recommendations
        ]

    def _may_define(self, workspace: Workspace) -> bool:
        from airflow_atscale_aggs.engine.settings import Autonomy

        if self._is_dry():
            return False
        if self.apply is not None:
            return self.apply
        return workspace.settings_of(workspace.read.models.get(self.model).id).autonomy is not Autonomy.SUGGEST
