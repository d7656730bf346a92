"""Names of facts, attributes and metrics resolved against a model, or everything that the model lacks."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, model_id
from airflow_atscale_aggs.engine.aggregates.system_defined import (
    AttributeNames,
    NamedMeaning,
    ResolvedMeaning,
    SystemDefiner,
)
from tests.support.stars.documents import Documents, aggregate, metric, resolve_documents, star

_MONTH = ("Calendar", "Sold {0}", "Month")
_CITY = ("Shops", "{0}", "City")
_ROLES = "`Ship Month`, `Sold Month`"


def _definer(documents: Documents | None = None) -> SystemDefiner:
    resolved = resolve_documents(documents or star())
    return SystemDefiner(model_id("cat", "m"), resolved.model, resolved.paths)


def _define(definer: SystemDefiner, meaning: NamedMeaning) -> AggregateDefinition:
    resolved = definer.resolve(meaning)
    assert isinstance(resolved, ResolvedMeaning)
    return definer.define(resolved, name="d", label="D", origin=DefinitionOrigin.DEMAND_DEFINED)


def test_names_mean_what_a_user_would_have_declared() -> None:
    """The definition is the same, down to its identity."""
    documents = star()
    attributes: list[dict[str, Any]] = [
        {"name": "Month", "dimension": "Calendar", "relationships_path": ["sold"]},
        {"name": "City", "dimension": "Shops"},
    ]
    documents["model"]["aggregates"] = [aggregate("d", attributes, ["Net", "Average"])]
    declared = resolve_documents(documents).aggregates["d"]

    defined = _define(_definer(), NamedMeaning(("returns", "sales"), (_MONTH, _CITY), ("Net", "Average")))

    assert (defined.id, defined.parts, defined.metrics) == (declared.id, declared.parts, declared.metrics)
    assert (defined.name, defined.label, defined.origin) == ("d", "D", DefinitionOrigin.DEMAND_DEFINED)


def test_the_fingerprint_is_known_before_the_definition_is_made() -> None:
    definer = _definer()
    meaning = NamedMeaning(("sales",), (_CITY,), ("Amount",))

    resolved = definer.resolve(meaning)

    assert isinstance(resolved, ResolvedMeaning)
    assert resolved.fingerprint == _define(definer, meaning).fingerprint


@pytest.mark.parametrize(
    ("facts", "attributes", "metrics", "measures"),
    [
        (("sales",), (_CITY,), ("Amount",), ["count_rows(sales)", "sum(sales.amount)"]),
        (("sales",), (), ("Average", "Amount"), ["count(sales.amount)", "count_rows(sales)", "sum(sales.amount)"]),
        (("shop",), (_CITY,), (), ["count_rows(shop)"]),
        (("sales",), (_CITY,), ("AMOUNT",), ["count_rows(sales)", "sum(sales.amount)"]),
    ],
    ids=["one metric", "metrics that share a piece", "rows of a dimension", "without case"],
)
def test_what_a_part_stores(
    facts: tuple[str, ...], attributes: tuple[AttributeNames, ...], metrics: tuple[str, ...], measures: list[str]
) -> None:
    (part,) = _define(_definer(), NamedMeaning(facts, attributes, metrics)).parts

    assert [str(measure) for measure in part.measures] == measures
    assert len(part.attributes) == len(attributes)


@pytest.mark.parametrize(
    ("facts", "attributes", "metrics", "lacking"),
    [
        (("sales",), (), ("Amuont",), ["metric `Amuont` (near: `Amount`)"]),
        (("sales",), (), ("Loop",), ["metric `Loop`, which refers to itself"]),
        (("sales",), (), ("Semi",), ["a way to store the semi-additive metric `Semi`"]),
        (("sale",), (), (), ["dataset `sale` (near: `sales`)"]),
        (("secret",), (), (), ["permission to aggregate dataset `secret` (`allow_aggregates: false`)"]),
        (
            ("sales",),
            (),
            ("Net", "Amount"),
            ["metrics `Net`, `Amount` on sales alone: they need dataset `returns` as well"],
        ),
        (("sales",), (("Shop", "{0}", "City"),), ("Amount",), ["dimension `Shop` (near: `Shops`)"]),
        (
            ("sales",),
            (("Shops", "{0}", "Citty"),),
            ("Amount",),
            ["attribute `Citty` of dimension `Shops` (near: `City`)"],
        ),
        (
            ("sales",),
            (("Calendar", "Paid {0}", "Month"),),
            ("Amount",),
            [f"attribute `Paid Month` of dimension `Calendar` for dataset `sales`, which has {_ROLES}"],
        ),
        (
            ("returns",),
            (("Kind", "{0}", "Kind"), _CITY, ("Shops", "{0}", "x")),
            ("Lost",),
            ["attribute `Kind` of dimension `Kind` for dataset `returns`", "attribute `x` of dimension `Shops`"],
        ),
    ],
    ids=[
        "metric",
        "cycle",
        "semi-additive",
        "dataset",
        "permission",
        "another fact",
        "dimension",
        "attribute",
        "role",
        "several",
    ],
)
def test_everything_that_the_model_lacks_is_told(
    facts: tuple[str, ...], attributes: tuple[AttributeNames, ...], metrics: tuple[str, ...], lacking: list[str]
) -> None:
    documents = star()
    documents["Loop"] = {**documents["Net"], "unique_name": "Loop", "expression": "[Measures].[Loop]"}
    documents["Semi"] = metric("Semi", "sales", "amount", semi_additive={"position": "last"})
    documents["secret"] = {**documents["shop"], "unique_name": "secret"}
    documents["catalog"]["dataset_properties"] = {"secret": {"allow_aggregates": False}}

    assert _definer(documents).resolve(NamedMeaning(facts, attributes, metrics)) == tuple(lacking)


def test_what_several_facts_lack_is_told_once() -> None:
    meaning = NamedMeaning(("returns", "sales"), (("Shops", "{0}", "x"),), ("Net",))

    assert _definer().resolve(meaning) == ("attribute `x` of dimension `Shops`",)
