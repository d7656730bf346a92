"""The operators that export definitions to a file and import them, on any path that fsspec can open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_atscale_aggs.hooks.aggregates import airflow_errors
from airflow_atscale_aggs.operators.base import AggregatesOperator
from airflow_atscale_aggs.operators.batch_trigger import batch_result, batch_run
from airflow_atscale_aggs.operators.links import BatchRunLink

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_atscale_aggs.engine.lifecycle.transfer.import_ import ImportReport

IMPORTED = "imported"
"""XCom key of an import: number of definitions by outcome, and the names of those that are built."""


class ExportAggregateDefinitionsOperator(AggregatesOperator):
    """Writes the system-defined definitions of a model to one JSON file.

    Args:
        model: name or id of a deployed model.
        path: a local path or any URL of `ObjectStoragePath` or fsspec, ``s3://conn@bucket/retail.json`` for instance.
            It is replaced as a whole.

    Returns:
        ``{"path": …, "definitions": …, "bytes": …}``.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "model", "path")

    def __init__(self, *, model: str, path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model, self.path = model, path

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Export."""
        from airflow_atscale_aggs.engine.lifecycle.transfer.export import export_definitions
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
        from airflow_atscale_aggs.hooks.object_storage import open_filesystem
        from airflow_atscale_aggs.signals.signal import without_password

        with airflow_errors(), self._workspace() as workspace:
            exported = export_definitions(workspace, self.model, now=utc_now())
        filesystem, path = open_filesystem(self.path)
        if getattr(filesystem, "local_file", False):
            # Object stores have no folders, and some would make a bucket.
            filesystem.makedirs(filesystem._parent(path), exist_ok=True)  # noqa: SLF001 - fsspec's name for it
        # The file is moved to its place at the end, so that no reader sees a part of it.
        with filesystem.transaction, filesystem.open(path, "wb") as file:
            file.write(exported.data)
        place = without_password(self.path)
        self.log.info("%s definitions of %s are in %s", exported.definitions, exported.model, place)
        return {"path": place, "definitions": exported.definitions, "bytes": len(exported.data)}


class ImportAggregateDefinitionsOperator(AggregatesOperator):
    """Defines here what was exported elsewhere, and starts a batch of that.

    Duplicates, and what this system's model lacks, are told one by one in the log. The same file again changes nothing;
    definitions of it for which no batch was begun yet are built then.

    Args:
        model: name or id of the model, which is deployed here.
        path: as of `ExportAggregateDefinitionsOperator`.
        build: start the batch DAG for what was imported; False: the next batch builds it.
        batch_dag_id: None: ``batch_build_<model>``, as `batch_build_dag` names it.
        wait: wait, deferred, for the end of the batch.

    Returns:
        With ``build`` and ``wait``: what ``activate`` of the batch returned; otherwise the number of definitions by
        outcome. XCom ``imported`` has the latter always.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "model", "path", "batch_dag_id")
    operator_extra_links = (BatchRunLink(),)

    def __init__(
        self,
        *,
        model: str,
        path: str,
        build: bool = True,
        batch_dag_id: str | None = None,
        wait: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.path, self.build, self.wait = model, path, build, wait
        self.batch_dag_id = batch_dag_id or f"batch_build_{model}"

    def execute(self, context: Context) -> dict[str, int]:
        """Import; the task fails for good when the file is refused."""
        from airflow_atscale_aggs.engine.lifecycle.transfer.import_ import import_definitions
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
        from airflow_atscale_aggs.signals.signal import without_password

        data = self._read_file()
        with airflow_errors(), self._workspace() as workspace:
            where = without_password(self.path)
            report = import_definitions(workspace, self.model, data, where=where, now=utc_now())
        self._log_report(report)
        names = list(report.to_build) if self.build else []
        context["ti"].xcom_push(key=IMPORTED, value={**report.counts, "to_build": names})
        if names:
            conf = {"build_type": "full", "aggregates": names}
            raise batch_run(context, self.batch_dag_id, conf, wait=self.wait)
        return dict(report.counts)

    def execute_complete(self, context: Context, event: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        """Fail with the batch, or return what it returned."""
        return batch_result(context, self.batch_dag_id, event)

    def _read_file(self) -> bytes:
        from airflow_atscale_aggs.engine.aggregates.exported import MOST_BYTES
        from airflow_atscale_aggs.hooks.object_storage import open_filesystem

        filesystem, path = open_filesystem(self.path)
        with filesystem.open(path, "rb") as file:
            # One byte more than is allowed shows that it is too large.
            return bytes(file.read(MOST_BYTES + 1))

    def _log_report(self, report: ImportReport) -> None:
        for warning in report.warnings:
            self.log.warning("%s", warning)
        for definition in report.definitions:
            tell = self.log.warning if definition.outcome == "refused" else self.log.info
            tell("%s: %s%s", definition.name, definition.outcome, f", {definition.why}" if definition.why else "")
        self.log.info("Definitions of the file: %s", dict(report.counts))
