"""What every check of a deployment is given, and how it returns what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.datasets import PhysicalTables
from airflow_atscale_aggs.engine.model.folder_reader import ModelFolder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.validation import ModelIssue
from airflow_atscale_aggs.engine.sql.capabilities import Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInput:
    """A folder that is about to be deployed, and the warehouse that its models stand on.

    Attributes:
        names: of all models of the folder, whether they are deployed or not.
        models: those that are deployed now.
        physical: columns of the tables behind the models' datasets; a table that is not in the warehouse is absent.
        has_answer: the warehouse was asked for them and has answered; otherwise it may have any table.
        place: the warehouse's own database and schema; empty: not known.
        known_paths: of models by name, where they were followed already.
    """

    folder: ModelFolder
    names: Sequence[str]
    models: Sequence[SemanticModel]
    physical: PhysicalTables
    dialect: Dialect
    has_answer: bool = True
    place: tuple[str, str] = ("", "")
    known_paths: Mapping[str, JoinPaths] = field(default_factory=dict)

    def paths_of(self, model: SemanticModel) -> JoinPaths:
        """The attributes that a model's facts reach."""
        return self.known_paths.get(model.name) or JoinPaths(model)


Check = Callable[[CheckInput], tuple[ModelIssue, ...]]
"""A check returns the issues that it sees, and changes nothing."""
