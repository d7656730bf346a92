"""The aggregates that the form of a batch's run offers.

A DAG file must not open the registry: it is read again and again. So ``plan`` remembers the names in an Airflow
Variable, and the DAG processor, which alone needs them, reads that.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow.sdk import Variable, get_parsing_context

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.registry.records import DefinitionRecord
    from airflow_atscale_aggs.engine.registry.registry import RegistryReader

MOST_CHOICES = 1000
"""A form offers no more, and takes names as a text instead: they would be a part of each version of the DAG."""

_log = logging.getLogger(__name__)


def choices_variable(dag_id: str) -> str:
    """The key of the Variable that holds the choices of a DAG's form."""
    return f"atscale_aggs.choices.{dag_id}"


def read_choices(variable: str) -> Mapping[str, str]:
    """What people see of each aggregate, by its name; nothing outside of the DAG processor, and before the first plan.

    Neither a task nor a command that parses the DAG shows its form, so that neither pays for the look.
    """
    if not _is_in_dag_processor():
        return {}
    try:
        remembered = Variable.get(variable, default=None, deserialize_json=True)
    except Exception:  # noqa: BLE001 - backends of secrets raise anything; a DAG without choices is better than none
        _log.warning("The Variable %s could not be read; the form takes names as a text.", variable, exc_info=True)
        return {}
    if not isinstance(remembered, dict):
        return {}
    return {name: shown for name, shown in remembered.items() if isinstance(shown, str)}


def remember_choices(variable: str, choices: Mapping[str, str]) -> None:
    """Write the choices down, unless they are written there. A failure is logged: the form is no reason to stop."""
    try:
        if Variable.get(variable, default=None, deserialize_json=True) != choices:
            description = "What the form of this DAG's runs offers. Written by its task `plan`."
            Variable.set(variable, dict(choices), description=description, serialize_json=True)
    except Exception:  # noqa: BLE001 - the same as above
        _log.warning(
            "The Variable %s could not be written; the form offers what it did before.", variable, exc_info=True
        )


def aggregate_choices(read: RegistryReader, model_id: str) -> Mapping[str, str]:
    """What people see of each aggregate of a model that is defined, by its name, sorted; none if they are too many."""
    from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus

    statuses = [status for _, status in read.definitions.names_and_statuses(model_id).values()]
    if statuses.count(DefinitionStatus.DEFINED) > MOST_CHOICES:
        return {}
    records = read.definitions.of_model(model_id)
    return dict(sorted((record.definition.name, _shown(record)) for record in records))


def _shown(record: DefinitionRecord) -> str:
    from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin

    definition = record.definition
    remarks = [definition.label] if definition.label not in {"", definition.name} else []
    remarks += {DefinitionOrigin.DEMAND_DEFINED: ["by demand"], DefinitionOrigin.PREDICTION_DEFINED: ["predicted"]}.get(
        definition.origin, []
    )
    return f"{definition.name} ({', '.join(remarks)})" if remarks else definition.name


def _is_in_dag_processor() -> bool:
    """Whether this process parses DAG files for others: it can ask for Variables, and there is no task that it runs."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return getattr(runner, "SUPERVISOR_COMMS", None) is not None and get_parsing_context().dag_id is None
