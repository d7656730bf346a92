"""Tell where a deployment has looked for the tables of its models, and which of them are not there.

A table may come later, with the first load. One whose dataset does not say where it is, is a mistake.
"""

from __future__ import annotations

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.model.datasets import TableKey, table_key
from airflow_atscale_aggs.engine.model.validation import IssueList, ModelIssue


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedIn:
    """Where tables were looked for.

    Attributes:
        database, schema: the warehouse's defaults, for tables whose connection names none; empty: not known.
        tables: (database, schema, name) of all that were looked for, in order; None: the default.
        missing: those that are not there; None: the warehouse has not answered.
    """

    database: str
    schema: str
    tables: tuple[TableKey, ...]
    missing: tuple[TableKey, ...] | None

    def names(self, keys: tuple[TableKey, ...]) -> list[str]:
        """Tables with their schemas, the default one written out."""
        return [".".join(filter(None, (database, schema or self.schema, name))) for database, schema, name in keys]


def look_for_tables(checked: CheckInput) -> LookedIn:
    """Where the tables of the models were looked for."""
    datasets = [dataset for model in checked.models for dataset in model.datasets.values()]
    keys = tuple(sorted({key for key in map(table_key, datasets) if key is not None}, key=str))
    missing = tuple(key for key in keys if key not in checked.physical) if checked.has_answer else None
    return LookedIn(database=checked.place[0], schema=checked.place[1], tables=keys, missing=missing)


def check_tables(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """Errors for tables that are not in the default schema, and whose datasets do not say where else they are."""
    issues = IssueList()
    if not checked.has_answer:
        return ()
    for model in checked.models:
        for dataset in model.datasets.values():
            key = table_key(dataset)
            document = checked.folder.documents.get("dataset", {}).get(dataset.name)
            if key is None or key in checked.physical or document is None or document.value.get("connection_id"):
                continue
            schema = f"schema `{checked.place[1]}`" if checked.place[1] else "default schema"
            issues.error(
                dataset.where,
                "missing-table",
                f"dataset `{dataset.name}` lacks `connection_id`, which names the connection with its schema, and the "
                f"{schema} of the warehouse has no table `{dataset.table}`",
            )
    return issues.all()
