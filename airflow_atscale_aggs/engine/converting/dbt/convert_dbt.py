"""A project of dbt as a folder of SML: one catalog and one model with everything that its metrics reach."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.converted import Converted, as_folder
from airflow_atscale_aggs.engine.converting.dataset_objects import DatasetObjects
from airflow_atscale_aggs.engine.converting.dbt.attribute_objects import AttributeObjects
from airflow_atscale_aggs.engine.converting.dbt.fact_columns import FactColumns
from airflow_atscale_aggs.engine.converting.dbt.metric_objects import MetricObjects
from airflow_atscale_aggs.engine.converting.dbt.project_index import ProjectIndex
from airflow_atscale_aggs.engine.converting.dbt.semantic_project import SemanticProject
from airflow_atscale_aggs.engine.converting.findings import FindingList

_NATURAL = "rows of a natural key are valid for a time, and SML joins without looking at times"


def convert_dbt(project: SemanticProject, *, model: str, connection: str) -> Converted:
    """The SML of a project.

    Args:
        model: the name of the SML model.
        connection: the name of the warehouse connection.

    Raises:
        ModelFileError: a name is taken twice.
    """
    index, findings = ProjectIndex(project), FindingList()
    columns = FactColumns(DatasetObjects(connection))
    metrics = MetricObjects(index, columns, findings)
    metrics.make()
    attributes = AttributeObjects(index, columns, findings)
    attributes.make(on_spine=metrics.on_spine, offsets=metrics.offsets)
    _tell_the_rest(index, project, columns, findings)
    value: dict[str, object] = {
        "unique_name": model,
        "relationships": attributes.relationships,
        "dimensions": attributes.degenerate,
        "metrics": [{"unique_name": name} for name in metrics.listed()],
    }
    objects = [*columns.datasets.objects(), *attributes.objects, *metrics.objects]
    return as_folder(value, objects, f"Converted from the dbt project `{project.name}`.", findings.all())


def _tell_the_rest(index: ProjectIndex, project: SemanticProject, columns: FactColumns, findings: FindingList) -> None:
    """Constructs that no metric leads to, and those that SML has nothing for."""
    for table in index.tables.values():
        for entity in table.entities:
            name = f"{table.name}.{entity.name}"
            if entity.type == "natural" or (table.is_versioned and entity.type != "foreign"):
                findings.left_out("entity", name, entity.where, _NATURAL)
            else:
                findings.carried("entity", name, entity.where)
        if table.name in columns.datasets.names:
            findings.carried("semantic model", table.name, table.where)
        else:
            why = "no metric that was carried over reaches it"
            findings.left_out("semantic model", table.name, table.where, why)
    for name, where in project.saved_queries:
        findings.left_out("saved query", name, where, "a model has no saved queries; ask it in SQL")
