"""An aggregate that serves, as other tools need to know it: its stable view, with what each column holds."""

from __future__ import annotations

import re

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, FactPart, name_word
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns

_ROLLED_UP: dict[StoredFunction, str] = {
    StoredFunction.COUNT_ROWS: "sum",
    StoredFunction.SUM: "sum",
    StoredFunction.COUNT: "sum",
    StoredFunction.MINIMUM: "min",
    StoredFunction.MAXIMUM: "max",
}
"""How groups are combined into coarser ones by plain SQL; what is not here cannot be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldColumn:
    """A column of a stable view.

    Attributes:
        title: a name for people.
        description: what it holds, in one sentence.
        rolled_up: ``sum`` | ``min`` | ``max``: how it is combined; empty: it is grouped by, or cannot be combined.
        is_measure: it is computed from the facts.
    """

    name: str
    title: str
    description: str
    rolled_up: str = ""
    is_measure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAggregate:
    """One stable view.

    Attributes:
        view: its name, unquoted.
        aggregate: the name of the aggregate.
        fact: the dataset whose rows it aggregates.
        attributes: names on the SQL surface, in order.
        metrics: of the fact, as the model names them.
    """

    view: str
    aggregate: str
    fact: str
    attributes: tuple[str, ...]
    metrics: tuple[str, ...]
    columns: tuple[ToldColumn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldModel:
    """A model with its stable views.

    Attributes:
        schema: where they are; empty: the warehouse's default.
        aggregates: sorted by view.
    """

    name: str
    schema: str
    aggregates: tuple[ToldAggregate, ...]


def tell_part(definition: AggregateDefinition, part: FactPart, view: str, metrics: tuple[str, ...]) -> ToldAggregate:
    """What a stable view shows.

    Args:
        metrics: those of the definition that the part's fact has.
    """
    stored = stored_columns(part)
    columns: list[ToldColumn] = []
    for attribute, place in stored.attributes.items():
        for column in place.columns:
            what = "the name" if column == place.name else "a key"
            sentence = f"{attribute.query_name}: {what} of the member."
            columns.append(ToldColumn(name=column, title=attribute.query_name, description=sentence))
    for steps, column in stored.matched.items():
        sentence = f"1 where the facts have a member in {steps[-1].to_dataset}, 0 where they have none."
        columns.append(ToldColumn(name=column, title=column, description=sentence))
    columns += [_measure(measure, column) for measure, column in stored.measures.items()]
    return ToldAggregate(
        view=view,
        aggregate=definition.part_name(part),
        fact=part.fact,
        attributes=tuple(bound.attribute.query_name for bound in part.attributes),
        metrics=metrics,
        columns=tuple(columns),
    )


def _measure(measure: StoredMeasure, column: str) -> ToldColumn:
    rolled_up = _ROLLED_UP.get(measure.function, "")
    of = f" of {measure.column}" if measure.column else ""
    how = f"Combine groups with {rolled_up.upper()}." if rolled_up else "Groups cannot be combined by it."
    words = str(measure.function.value).replace("_", " ")
    sentence = f"{words}{of} in {measure.dataset}. {how}"
    return ToldColumn(
        name=column,
        title=f"{words}{of}",
        description=sentence[0].upper() + sentence[1:],
        rolled_up=rolled_up,
        is_measure=True,
    )


def plain_name(text: str) -> str:
    """A name that dbt, Looker and Lightdash take: lower case ASCII letters, digits and underscores.

    >>> plain_name("Sold Calendar Year - (Größe)"), plain_name("2024"), plain_name("日本"), plain_name("a__b")
    ('sold_calendar_year_gr_e', 'x_2024', 'x', 'a__b')
    """
    word = re.sub("[^a-z0-9_]+", "_", name_word(text)).strip("_")
    return word if word[:1].isalpha() else f"x_{word}".rstrip("_")
