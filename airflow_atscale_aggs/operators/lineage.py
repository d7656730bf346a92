"""Describes the lineage of a build for Airflow's OpenLineage provider: tables read, the table made, the SQL.

Imported only when OpenLineage asks, after a build task has ended well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit


def build_lineage(*, url: str, dialect: str, sql: str, outputs: Sequence[str], rows: int | None) -> Any:
    """The lineage of one CREATE TABLE AS.

    Args:
        url: of the warehouse; its user and password are left out.
        dialect: the SQL parser's name of the warehouse's dialect.
        sql: the statement that was run.
        outputs: the table made and the stable view that will show it, ``schema.name`` or ``name``.
        rows: rows written.

    Returns:
        An ``OperatorLineage``; None when the OpenLineage provider is not installed.
    """
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset
        from openlineage.client.facet_v2 import output_statistics_output_dataset, sql_job
    except ImportError:
        return None
    from airflow_atscale_aggs.engine.sql.statements import find_source_tables

    namespace, prefix = dataset_namespace(url)
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
    inputs: list[Dataset] = [InputDataset(namespace, f"{prefix}{name}") for name in find_source_tables(sql, dialect)]
    output_datasets: list[Dataset] = [
        OutputDataset(namespace, f"{prefix}{name}", outputFacets={"outputStatistics": statistics}) for name in outputs
    ]
    return OperatorLineage(inputs=inputs, outputs=output_datasets, job_facets={"sql": sql_job.SQLJobFacet(query=sql)})


def dataset_namespace(url: str) -> tuple[str, str]:
    """The namespace of a warehouse's tables, and what stands before their names, as OpenLineage's naming rules have it.

    >>> dataset_namespace("postgresql+psycopg://me:secret@db:5433/shop")
    ('postgres://db:5433', 'shop.')
    >>> dataset_namespace("duckdb:////data/shop.duckdb?threads=1")
    ('duckdb:///data/shop.duckdb', '')
    """
    parts = urlsplit(url)
    scheme = parts.scheme.partition("+")[0]
    if scheme == "duckdb":
        return f"duckdb://{parts.path[1:] if parts.path.startswith('//') else parts.path}", ""
    if scheme in {"postgresql", "postgres"}:
        return f"postgres://{parts.hostname or 'localhost'}:{parts.port or 5432}", f"{parts.path.strip('/')}."
    where = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    return f"{scheme}://{where}", f"{parts.path.strip('/').replace('/', '.')}." if parts.path.strip("/") else ""
