"""The operator that answers a query in a task, from aggregates where they are proven to serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_atscale_aggs.operators.base import AggregatesOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class AggregateAwareSQLOperator(AggregatesOperator):
    """Runs a query on a model, or plain SQL on tables, answered from aggregates where they are proven to serve.

    Args:
        sql: one query, or the name of a ``.sql`` file; FROM names the model: ``SELECT … FROM catalog.model …``. A query
            on the warehouse's tables is in the warehouse's own SQL, and is run as it stands where no aggregate serves.
        model: the model that is meant where FROM names none that is deployed.
        dialect: the SQL that a query on a model is written in, by sqlglot's name.
        use_aggregates: False: from the facts.
        max_staleness: aggregates whose build began longer ago are not used; None: all are.
        as_user: who asks, for models with row security; the DAG's author says so.
        as_groups: all groups that the user belongs to, for row security by group.
        parameters: values for ``?``, ``%s``, ``$1`` (a list), or for ``:name``, ``%(name)s`` (a mapping).

    Returns:
        The rows as a list of tuples, as Airflow's SQL operators return them; ``do_xcom_push=False`` for large ones.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "sql", "model", "parameters", "as_user", "as_groups")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql"}  # noqa: RUF012 - as Airflow declares it

    def __init__(
        self,
        *,
        sql: str,
        model: str | None = None,
        dialect: str = "postgres",
        use_aggregates: bool = True,
        max_staleness: timedelta | None = None,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        as_user: str | None = None,
        as_groups: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql, self.model, self.dialect = sql, model, dialect
        self.use_aggregates, self.max_staleness = use_aggregates, max_staleness
        self.parameters, self.as_user, self.as_groups = parameters, as_user, as_groups

    def execute(self, context: Context) -> list[tuple[Any, ...]]:
        """Answer the query. The log names the source of each part."""
        answer = self._hook().answer(
            self.sql,
            model=self.model,
            dialect=self.dialect,
            use_aggregates=self.use_aggregates,
            max_staleness=self.max_staleness,
            parameters=self.parameters,
            as_user=self.as_user,
            as_groups=self.as_groups,
            user=f"airflow:{context['ti'].dag_id}/{context['ti'].task_id}",
        )
        for source in answer.plan.sources:
            where = f"aggregate `{source.aggregate}`" if source.aggregate else f"the facts `{source.fact}`"
            self.log.info("%s rows from %s", len(answer.rows), where)
        for reason in answer.plan.untouched:
            self.log.info("Run as it stands: %s", reason)
        if answer.fallback_reason:
            self.log.warning("The aggregate could not be read, so the facts answered: %s", answer.fallback_reason)
        return answer.rows
