"""Tell other tools of a model's aggregates: files of dbt, Lightdash, LookML or Ossie about the views that serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from airflow_atscale_aggs.engine.converting.told.tell_dbt import tell_dbt
from airflow_atscale_aggs.engine.converting.told.tell_lightdash import tell_lightdash
from airflow_atscale_aggs.engine.converting.told.tell_lookml import tell_lookml
from airflow_atscale_aggs.engine.converting.told.tell_ossie import tell_ossie
from airflow_atscale_aggs.engine.converting.told.told_aggregate import ToldModel, tell_part
from airflow_atscale_aggs.engine.converting.written_files import write_files
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace

TOOLS = ("dbt", "lightdash", "lookml", "ossie")
"""Whom aggregates are told to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingWish:
    """What a person may say about how aggregates are told.

    Attributes:
        explores: what a fact is called in the other tool, by the fact's name.
        datagroup: of Looker.
    """

    explores: Mapping[str, str] = field(default_factory=dict)
    datagroup: str = "atscale_aggs"


def tell_aggregates(workspace: Workspace, model: str, tool: str, out: Path, wish: TellingWish) -> tuple[str, ...]:
    """Write files about the stable views of a model's active aggregates; their paths below the folder.

    The same aggregates give the same files. A file that somebody changed is never replaced.

    Args:
        model: name or id.
        tool: one of `TOOLS`.

    Raises:
        NotRegisteredError: no such model.
        ModelFileError: a file in ``out`` is not ours; nothing was written.
        OSError: the folder cannot be written to.
    """
    told = read_told(workspace, model)
    match tool:
        case "dbt":
            texts = tell_dbt(told)
        case "lightdash":
            texts = tell_lightdash(told, explores=wish.explores)
        case "lookml":
            texts = tell_lookml(told, explores=wish.explores, datagroup=wish.datagroup)
        case _:
            texts = tell_ossie(told)
    return write_files(out, texts)


def read_told(workspace: Workspace, model: str) -> ToldModel:
    """The stable views of a model's active aggregates.

    Raises:
        NotRegisteredError: no such model.
    """
    read = workspace.read
    record = read.models.get(model)
    definitions = {found.definition.id: found.definition for found in read.definitions.of_model(record.id)}
    facts = {name: metric.dataset for name, metric in read_deployed_model(read, record).metrics.items()}
    told = []
    for instance in read.instances.serving(record.id):
        definition = definitions.get(instance.step.definition_id)
        parts = [part for part in definition.parts if part.fact == instance.step.fact] if definition else []
        if definition is not None and parts:
            metrics = tuple(name for name in definition.metrics if facts.get(name, parts[0].fact) == parts[0].fact)
            told.append(tell_part(definition, parts[0], instance.step.view, metrics))
    return ToldModel(
        name=record.name,
        schema=workspace.warehouse.aggregate_schema,
        aggregates=tuple(sorted(told, key=lambda aggregate: aggregate.view)),
    )
