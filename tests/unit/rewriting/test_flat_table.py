"""Which name of a flat table means which attribute, metric or calculation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import AmbiguousColumnError, UnknownColumnError, UnsupportedQueryError
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import CalculationGroup, Perspective, SemanticModel
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from tests.support.stars.shop_star import CALCULATIONS, METRICS, shop_model, shop_names, shop_paths

_SENT = Role("Calendar", "Sent {0}")


def _with_labels(**labels: str) -> SemanticModel:
    """The model with other labels of metrics."""
    model = shop_model()
    metrics = {
        name: replace(metric, label=labels.get(name.replace(" ", "_"), metric.label))
        for name, metric in model.metrics.items()
    }
    return replace(model, metrics=metrics)


def _names(model: SemanticModel, perspective: Perspective | None = None) -> SurfaceNames:
    return SurfaceNames(model, shop_paths(), perspective)


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("City", GrainAttribute(Role("Shops"), "City")),
        ("Month", GrainAttribute(Role("Calendar"), "Month")),
        ("Sent Month", GrainAttribute(_SENT, "Month")),
        ("Date of Day", GrainAttribute(Role("Calendar"), "Day")),
        ("Sent Date of Day", GrainAttribute(_SENT, "Day")),
        ("cITY", GrainAttribute(Role("Shops"), "City")),
        ("date of day", GrainAttribute(Role("Calendar"), "Day")),
        ("Amount", shop_model().metrics["Amount"]),
        ("AMOUNT", shop_model().metrics["Amount"]),
        ("Price", shop_model().calculations["Price"]),
    ],
)
def test_a_name_or_a_label_in_any_case_has_a_meaning(name: str, meaning: object) -> None:
    """An attribute that two facts reach is one attribute."""
    assert shop_names().find(name) == meaning
    assert shop_names().has(name)


@pytest.mark.parametrize(
    ("labels", "name", "metric"),
    [
        ({"Quantity": "Amount"}, "Amount", "Amount"),
        ({"Quantity": "amount"}, "amount", "Quantity"),
        ({"Quantity": "aMOUNT"}, "AMOUNT", "Amount"),
        ({"Quantity": "Pieces", "Lines": "pieces"}, "Pieces", "Quantity"),
        ({"Quantity": "Pieces", "Lines": "pieces"}, "pieces", "Lines"),
    ],
)
def test_the_same_case_goes_before_another_one_and_a_name_before_a_label(
    labels: dict[str, str], name: str, metric: str
) -> None:
    model = _with_labels(**labels)

    assert _names(model).find(name) == model.metrics[metric]


@pytest.mark.parametrize(
    ("labels", "name", "meanings"),
    [
        ({"Quantity": "Pieces", "Lines": "Pieces"}, "Pieces", {"metric `Quantity`", "metric `Lines`"}),
        ({"Quantity": "Pieces", "Lines": "pieces"}, "PIECES", {"metric `Quantity`", "metric `Lines`"}),
        (
            {"Quantity": "Date of Day"},
            "Date of Day",
            {"metric `Quantity`", "attribute `Day` of dimension `Calendar`"},
        ),
        (
            {"Quantity": "x", "Lines": "x", "Amount": "x"},
            "X",
            {"metric `Quantity`", "metric `Lines`", "metric `Amount`"},
        ),
    ],
)
def test_a_name_that_means_several_things_is_refused_with_all_of_them(
    labels: dict[str, str], name: str, meanings: set[str]
) -> None:
    names = _names(_with_labels(**labels))

    assert names.has(name)
    with pytest.raises(AmbiguousColumnError) as error:
        names.find(name)
    assert set(error.value.meanings) == meanings
    assert "shop_star" in str(error.value)


def test_a_calculation_is_called_so_among_the_meanings() -> None:
    model = shop_model()
    calculations = {name: replace(calculation, label="x") for name, calculation in model.calculations.items()}

    with pytest.raises(AmbiguousColumnError) as error:
        _names(replace(model, calculations=calculations)).find("x")
    assert set(error.value.meanings) == {f"calculated metric `{name}`" for name in CALCULATIONS}


@pytest.mark.parametrize(
    ("name", "near"),
    [("Amounts", ("Amount",)), ("sent moth", ("Sent Month",)), ("Warehouse", ()), ("Mon", ("Month",)), ("", ())],
)
def test_an_unknown_name_is_refused_with_its_clause_and_near_names(name: str, near: tuple[str, ...]) -> None:
    assert not shop_names().has(name)
    with pytest.raises(UnknownColumnError) as error:
        shop_names().find(name, lambda: f'SUM("{name}")')

    assert (error.value.model, error.value.name, error.value.clause) == ("shop_star", name, f'SUM("{name}")')
    assert error.value.near[: len(near)] == near
    assert bool(error.value.near) == bool(near)


def test_an_override_replaces_the_name_and_not_the_label() -> None:
    model = replace(_with_labels(Amount="Takings"), query_names={"Amount": "Revenue", "City": "Town"})
    names = _names(model)

    assert names.find("Revenue") == names.find("Takings") == model.metrics["Amount"]
    assert names.find("Town") == GrainAttribute(Role("Shops"), "City")
    assert not names.has("Amount")
    assert [name for name in ("Town", "City", "TOWN", "Takings") if names.spells(name)] == ["Town", "City", "Takings"]


def test_a_quantile_of_a_percentile_is_a_column() -> None:
    median = replace(shop_model().metrics["Amount"], name="Median", label="Median", calculation_method="percentile")

    assert _names(replace(shop_model(), quantiles={"Median 50": median})).find("Median") == median


@pytest.mark.parametrize("name", ["Periods", "of time", "YEAR TO DATE"])
def test_a_calculation_group_and_its_members_are_refused_by_name(name: str) -> None:
    group = CalculationGroup(
        name="Periods", label="Of Time", dimension="Calendar", members=("Year to Date",), where="periods.yml:1"
    )
    names = _names(replace(shop_model(), calculation_groups=(group,)))

    with pytest.raises(UnsupportedQueryError, match=r"the calculation group `Periods` \(periods.yml:1\)"):
        names.find(name)


def test_what_is_hidden_is_not_listed_but_has_a_name() -> None:
    model = shop_model()
    shops = model.dimensions["Shops"]
    hidden_city = {**shops.attributes, "City": replace(shops.attributes["City"], is_hidden=True)}
    model = replace(
        model,
        metrics={**model.metrics, "Lines": replace(model.metrics["Lines"], is_hidden=True)},
        dimensions={**model.dimensions, "Shops": replace(shops, attributes=hidden_city)},
    )
    names = _names(model)

    assert names.find("City") == GrainAttribute(Role("Shops"), "City")
    assert names.find("Lines") == model.metrics["Lines"]
    assert {"City", "Lines"}.isdisjoint(name for name, _ in names.unique())


def test_names_are_listed_once_with_attributes_first_and_without_those_of_several_meanings() -> None:
    model = replace(shop_model(), query_names={"Quantity": "Amount", "Lines": "City"})

    listed = [name for name, _ in _names(model).unique()]

    assert listed[:2] == ["Year", "Month"]
    assert set(METRICS) - set(listed) == {"Amount", "Quantity", "Lines"}
    assert "City" not in listed
    assert listed.index("Sent Day") < listed.index("Mean") < listed.index("Price")


def test_what_a_perspective_hides_has_no_name_in_it_but_calculations_know_it() -> None:
    perspective = Perspective(
        name="Buyers",
        metrics=frozenset({"Visitors", "Price"}),
        attributes=frozenset({("Calendar", "Month"), ("Shops", "Size")}),
        roles={"Calendar": frozenset({"Sent {0}"})},
    )
    names = _names(shop_model(), perspective)

    assert [name for name in ("Visitors", "Price", "Sent Month", "Size") if names.has(name)] == []
    assert [name for name in ("Amount", "Month", "Sent Year", "City") if not names.has(name)] == []
    assert names.everything.has("Visitors")
    assert names.everything.find("Sent Month") == GrainAttribute(_SENT, "Month")
    assert names.roles == names.everything.roles == (_SENT, Role("Calendar"), Role("Shops"))


def test_roles_are_found_by_what_their_dimension_is_called_in_them() -> None:
    names = shop_names()

    assert names.roles_named("sent CALENDAR") == [_SENT]
    assert names.roles_named("Calendar") == [Role("Calendar")]
    assert not names.roles_named("Sent Shops")
