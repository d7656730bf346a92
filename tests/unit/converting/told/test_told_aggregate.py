"""A stable view is told with what each column holds and how groups are combined."""

from __future__ import annotations

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.converting.told.told_aggregate import plain_name, tell_part
from tests.support.stars.small_star import SHOP, attribute


def test_columns_are_told_with_how_they_are_combined() -> None:
    measures = tuple(
        StoredMeasure(function, "sales", "amount")
        for function in (StoredFunction.SUM, StoredFunction.MAXIMUM, StoredFunction.COUNT_DISTINCT)
    )
    part = FactPart(fact="sales", attributes=(attribute("city", "shop", "id", "city", SHOP),), measures=measures)
    definition = AggregateDefinition(
        model_id="m", name="by city", label="", origin=DefinitionOrigin.USER_DEFINED, metrics=("Amount",), parts=(part,)
    )

    told = tell_part(definition, part, "agg_m_by_city", ("Amount",))

    assert [(column.rolled_up, column.is_measure) for column in told.columns] == [
        ("", False),
        ("", False),
        ("", False),
        ("sum", True),
        ("max", True),
        ("", True),
    ]
    assert (told.view, told.aggregate, told.metrics) == ("agg_m_by_city", "by city", ("Amount",))


def test_plain_names_are_ascii_words() -> None:
    for text in ("Größe", "1st", "a-b", "x;}{", "__", "日本"):
        assert plain_name(text).isascii()
        assert plain_name(text).isidentifier()
