"""How row security is read, what is wrong with it in which words, and which rows must meet what."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.row_security import RowRules, why_not_applied
from tests.support.stars.documents import Documents, Resolved, dataset, level, resolve_documents, star


def _secured(link: dict[str, Any] | None = None, *, to: str = "model", **changes: Any) -> Documents:
    """The star whose shops, or whatever the link is from, are secured by city."""
    documents = star()
    documents["rights"] = dataset("rights", "person", "city")
    documents["own"] = {
        "unique_name": "own",
        "object_type": "row_security",
        "label": "own",
        "dataset": "rights",
        "filter_key_column": "city",
        "ids_column": "person",
        "id_type": "user",
        "scope": "all",
        **changes,
    }
    if link is not None:
        documents[to].setdefault("relationships", []).append(link)
    return documents


def _of_shops(**more: Any) -> dict[str, Any]:
    return {
        "unique_name": "shops_own",
        "type": "embedded",
        "from": {"dataset": "shop", "join_columns": ["city"], "hierarchy": "Shops levels", "level": "City"},
        "to": {"row_security": "own"},
        **more,
    }


def _shops(documents: Documents) -> str:
    return next(name for name, value in documents.items() if value.get("unique_name") == "Shops")


def _resolve(link: dict[str, Any] | None = None, **changes: Any) -> Resolved:
    documents = _secured(**changes)
    documents[_shops(documents)].setdefault("relationships", []).append(link or _of_shops())
    return resolve_documents(documents)


def _messages(resolved: Resolved) -> str:
    return "\n".join(issue.message for issue in resolved.issues if issue.is_error)


def test_a_sound_link_is_kept_without_a_word() -> None:
    resolved = _resolve()

    assert resolved.issues == ()
    assert resolved.model.is_secured
    assert [(link.dataset, link.column, link.dimension) for link in resolved.model.security_links] == [
        ("shop", "city", "Shops")
    ]
    assert why_not_applied(resolved.model) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "right"}, "refers to dataset `right`, which does not exist. Did you mean `rights`"),
        ({"ids_column": "persons"}, "dataset `rights` `persons`, which does not exist. Did you mean `person`"),
        ({"filter_key_column": "citi"}, "column of dataset `rights` `citi`, which does not exist. Did you mean `city`"),
        ({"id_type": "users"}, "unknown `id_type` `users`. Did you mean `user`?"),
        ({"id_type": "x"}, "unknown `id_type` `x`. It may be `user`, `group`."),
        ({"scope": "facts"}, "unknown `scope` `facts`. Did you mean `fact`"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_object(changes: dict[str, Any], message: str) -> None:
    assert message in _messages(_resolve(**changes))


@pytest.mark.parametrize(
    ("origin", "to", "message"),
    [
        ({}, {"row_security": "owm"}, "refers to row security `owm`, which does not exist. Did you mean `own`?"),
        ({"dataset": "shops"}, {}, "refers to dataset `shops`, which does not exist. Did you mean `shop`?"),
        ({"join_columns": ["citi"]}, {}, "column of dataset `shop` `citi`, which does not exist. Did you mean `city`?"),
        ({"join_columns": ["city", "shop_id"]}, {}, "joins 2 columns to row security `own`, whose key is one column"),
    ],
)
def test_what_is_wrong_with_a_link(origin: dict[str, Any], to: dict[str, Any], message: str) -> None:
    link = _of_shops()
    assert message in _messages(_resolve({**link, "from": {**link["from"], **origin}, "to": {**link["to"], **to}}))


def test_an_object_that_cannot_be_used_is_an_error_where_it_is_wanted() -> None:
    """A model of which somebody wants rows secured is never deployed without."""
    assert "whose own error says why it cannot be used" in _messages(_resolve(ids_column=None))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scope": "related"}, "scope `related` leaves queries with metrics open"),
        ({"scope": "fact-only"}, "scope `fact-only` leaves queries without metrics open"),
        ({"secure_totals": False}, "leaves totals over rows open"),
        ({"scope": "fact", "secure_totals": True, "use_filter_key": True}, ""),
    ],
)
def test_what_is_not_applied_has_a_reason(changes: dict[str, Any], reason: str) -> None:
    refused = why_not_applied(_resolve(**changes).model)

    assert [reason in said for _, said in refused] == ([True] if reason else [])


def test_security_that_nothing_leads_to_is_not_taken_for_none() -> None:
    ((security, reason),) = why_not_applied(resolve_documents(_secured()).model)

    assert (security.name, "no relationship leads to it" in reason) == ("own", True)


def test_rows_are_guarded_by_every_dataset_on_their_way() -> None:
    """A fact by its shop; a shop by itself; a day by nothing, so that facts must meet it."""
    model = _resolve().model
    rules = RowRules(model, JoinPaths(model))

    (of_sales,) = rules.of("sales").guards
    (of_shops,) = rules.of("shop").guards
    assert [step.to_dataset for step in of_sales.steps] == ["shop"]
    assert {bound.attribute.name for bound in of_sales.carriers} == {"City"}
    assert (of_shops.steps, rules.of("shop").met_by) == ((), ())
    assert {fact for fact, _ in rules.of("day").met_by} >= {"sales"}
    assert [bound.attribute.name for bound in rules.carriers_of("sales")] == ["City"]


def test_with_scope_fact_members_of_other_dimensions_are_everybodys() -> None:
    model = _resolve(scope="fact").model

    assert RowRules(model, JoinPaths(model)).of("day").is_open


def test_a_link_of_the_model_guards_the_fact_itself() -> None:
    link = {"unique_name": "f", "from": {"dataset": "sales", "join_columns": ["x"]}, "to": {"row_security": "own"}}
    model = resolve_documents(_secured(link)).model

    (guard,) = RowRules(model, JoinPaths(model)).of("sales").guards
    assert (guard.steps, guard.link.column) == ((), "x")


def test_a_fact_above_the_secured_level_belongs_to_nobody() -> None:
    """It meets regions; shops, which tell whose rows they are, lie below."""
    documents = _secured()
    shops = documents[_shops(documents)]
    documents["region"] = dataset("region", "region_id")
    shops["level_attributes"].insert(0, level("Region", "region", "region_id", is_unique_key=True))
    shops["hierarchies"][0]["levels"].insert(0, {"unique_name": "Region"})
    up = {"unique_name": "up", "type": "snowflake", "from": {"dataset": "shop", "join_columns": ["region_id"]}}
    shops.setdefault("relationships", []).extend([{**up, "to": {"level": "Region"}}, _of_shops()])
    documents["plans"] = dataset("plans", "region_id", "amount")
    to_region = {"dimension": "Shops", "level": "Region"}
    documents["model"]["relationships"].append(
        {"unique_name": "p", "from": {"dataset": "plans", "join_columns": ["region_id"]}, "to": to_region}
    )
    model = resolve_documents(documents).model

    assert "`plans` meets dimension `Shops` without `shop`" in RowRules(model, JoinPaths(model)).of("plans").refusal
