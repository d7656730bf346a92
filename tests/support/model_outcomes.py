"""What comes of a model: the SQL of queries, messages, names, definitions, and what later stages are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.lifecycle.deploy.check_support import check_support
from airflow_atscale_aggs.engine.lifecycle.deploy.product_settings import check_settings, settings_of
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.rewriting.compose.compose import compose
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from airflow_atscale_aggs.engine.rewriting.split.empty_member_parts import empty_member_queries
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import split_by_fact
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.rows import FactRows
from airflow_atscale_aggs.engine.sql.sources import Sources


@dataclass(frozen=True, slots=True)
class Answered:
    """What a query is answered by: SQL for PostgreSQL, or the sentence with which it is refused."""

    query: str
    text: str
    is_refused: bool


@dataclass(frozen=True, slots=True)
class ModelOutcome:
    """Everything that a folder of SML leads to.

    Attributes:
        models: by name.
        issues: what `deploy` says, each with file and line.
        descriptions: what later stages read.
    """

    models: Mapping[str, SemanticModel]
    issues: tuple[str, ...]
    descriptions: tuple[str, ...]

    def answer(self, query: str) -> Answered | None:
        """What a query is answered by; None: its model is not there."""
        model = next((model for name, model in self.models.items() if f"FROM {name}" in query), None)
        return None if model is None else _answer(model, query)

    def texts(self, queries: Iterable[str]) -> set[str]:
        """All of it, with the answers of some queries."""
        answers = (self.answer(query) for query in queries)
        return {*(answer.text for answer in answers if answer is not None), *self.issues, *self.descriptions}


def outcome_of(files: Mapping[str, str]) -> ModelOutcome:
    """What comes of a model, which is written into the folder `model` of the current one."""
    folder = Path("model")
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.yml").write_text(content)
    model_folder = read_model_folder(folder)
    resolver = ModelResolver(model_folder)
    descriptions: list[str] = []
    models: dict[str, SemanticModel] = {}
    for name in model_names(model_folder):
        model = models[name] = resolver.resolve(name)
        descriptions += _model_description(model)
        descriptions.append(repr(define_user_aggregates(model, JoinPaths(model), model_folder.issues)))
        descriptions.append(repr(settings_of(name, model_folder)))
    checked = CheckInput(
        folder=model_folder,
        names=model_names(model_folder),
        models=list(models.values()),
        physical={},
        dialect=find_dialect("postgres"),
    )
    model_folder.issues.add((*check_support(checked), *check_settings(checked)))
    return ModelOutcome(models, tuple(map(str, model_folder.issues.all())), tuple(descriptions))


def _model_description(model: SemanticModel) -> list[str]:
    """What later stages read: how each dataset is built, what is kept out of which aggregates, and the names."""
    texts = [f"{model.catalog} {model.name} {model.connection} {model.build_speculative_aggs} {model.listed}"]
    for dataset in model.datasets.values():
        texts.append(
            f"{dataset.name} {dataset.connection} {dataset.incremental} {dataset.immutable} {dataset.allow_aggregates}"
        )
        texts.append(f"{dataset.name} {[(column.name, column.data_type) for column in dataset.columns.values()]}")
    for dimension in model.dimensions.values():
        texts += [
            f"{attribute.name} {attribute.exclude_from_dim_agg} {attribute.exclude_from_fact_agg}"
            for attribute in dimension.attributes.values()
        ]
    texts += [f"{link.dataset} {link.column} {link.row_security}" for link in model.security_links]
    for security in model.row_securities.values():
        key = f"{security.dataset} {security.filter_key_column} {security.ids_column} {security.id_type}"
        texts.append(f"{security.name} {key} {security.scope} {security.secure_totals}")
    paths = JoinPaths(model)
    texts.append(repr([name for name, _ in SurfaceNames(model, paths).unique()]))
    for perspective in model.perspectives.values():
        names = [name for name, _ in SurfaceNames(model, paths, perspective).unique()]
        texts.append(f"{perspective.name} {names}")
    return texts


def _answer(model: SemanticModel, sql: str) -> Answered:
    paths = JoinPaths(model)
    physical = {
        (dataset.database, dataset.schema, dataset.table): {
            c.name: c.data_type or "" for c in dataset.columns.values() if not c.variants
        }
        for dataset in model.datasets.values()
        if dataset.table
    }
    dialect = find_dialect("postgres")
    sources, constraints = Sources(model.datasets, physical, dialect), _Everything()
    try:
        select = sqlglot.parse_one(sql, dialect="postgres")
        assert isinstance(select, exp.Select)
        names = SurfaceNames(model, paths)
        query = read_select(select, names, CalculatedMetrics(model), dialect="postgres")
        parts = split_by_fact(query, model, paths)
        rows = [(part, FactRows(part.needed, sources, constraints)) for part in parts]
        members = empty_member_queries(query, parts, model, paths)
        composed = compose(query, rows, lambda part: FactRows(part, sources, constraints), members)
        return Answered(sql, composed.sql(dialect="postgres"), is_refused=False)
    except AtScaleAggsError as error:
        return Answered(sql, str(error), is_refused=True)


class _Any(frozenset[Any]):
    def __contains__(self, item: object) -> bool:
        return True


class _Everything(ProvenConstraints):
    """All keys are unique, and all hierarchies functional."""

    def __init__(self) -> None:
        super().__init__(unique_keys=_Any(), functional=_Any())
