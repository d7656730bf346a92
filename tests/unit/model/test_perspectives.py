"""What each form of a perspective hides, and which names that do not exist are warnings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.stars.documents import Documents, Resolved, level, resolve_documents, star


def _star() -> Documents:
    """The star with a second hierarchy of the calendar: weeks above days."""
    documents = star()
    weeks = {"unique_name": "weeks", "label": "w", "levels": [{"unique_name": "Week"}, {"unique_name": "Day"}]}
    documents["Day"]["hierarchies"].append(weeks)
    documents["Day"]["level_attributes"].append(level("Week", "day", "week"))
    return documents


def _resolve(*dimensions: dict[str, Any], metrics: tuple[str, ...] = ()) -> Resolved:
    documents = _star()
    perspective = {"unique_name": "p", "metrics": list(metrics), "dimensions": list(dimensions)}
    documents["model"]["perspectives"] = [perspective]
    return resolve_documents(documents)


def _calendar(**more: Any) -> dict[str, Any]:
    return {"name": "Calendar", **more}


@pytest.mark.parametrize(
    ("entry", "hidden"),
    [
        (_calendar(), {"Year", "Month", "Week", "Day", "Day Kind", "Date"}),
        (_calendar(visible=True), set()),
        (_calendar(visible=False, secondary_attributes=["Day Kind"]), {"Day Kind"}),
        (_calendar(secondaryattributes=["Day Kind"]), {"Day Kind"}),
        (_calendar(hierarchies=[{"name": "Calendar levels"}]), {"Year", "Month"}),
        (_calendar(hierarchies=[{"name": "weeks"}]), {"Week"}),
        (_calendar(hierarchies=[{"name": "Calendar levels", "level": "Month"}]), {"Month"}),
        (_calendar(hierarchies=[{"name": "Calendar levels", "levels": "Month"}]), {"Month"}),
        (_calendar(hierarchies=[{"name": "Calendar levels", "levels": [{"unique_name": "Month"}, "Day"]}]), {"Month"}),
        (
            _calendar(hierarchies=[{"name": "Calendar levels", "level": "Day"}, {"name": "weeks", "level": "Day"}]),
            {"Day", "Day Kind", "Date"},
        ),
        (_calendar(hierarchies=[{"name": "weeks"}], secondary_attributes=["Date"]), {"Week", "Date"}),
    ],
    ids=[
        "the dimension",
        "visible",
        "an attribute",
        "an attribute, in the older spelling",
        "a hierarchy hides no level of another one",
        "the other hierarchy",
        "from a level on",
        "from a level on, in the older spelling",
        "from the coarsest of several levels on",
        "a level in both hierarchies, with what hangs on it",
        "a hierarchy and an attribute",
    ],
)
def test_what_an_entry_hides(entry: dict[str, Any], hidden: set[str]) -> None:
    resolved = _resolve(entry)

    assert {name for _, name in resolved.model.perspectives["p"].attributes} == hidden
    assert resolved.issues == ()


def test_metrics_and_calculations_are_hidden_by_name() -> None:
    assert _resolve(metrics=("Amount", "Net")).model.perspectives["p"].metrics == {"Amount", "Net"}


@pytest.mark.parametrize(
    ("path", "templates"),
    [
        ([], None),
        (["sold"], {"Sold {0}"}),
        (["sold", "shipped"], {"Sold {0}", "Ship {0}"}),
        (["sales_shop"], None),
    ],
    ids=["no path", "one relationship", "two", "a relationship of another dimension"],
)
def test_a_path_names_the_roles_in_which_a_dimension_is_hidden(path: list[str], templates: set[str] | None) -> None:
    roles = _resolve(_calendar(relationships_path=path)).model.perspectives["p"].roles

    assert roles == ({} if templates is None else {"Calendar": templates})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "Calender"}, "dimension `Calender`, which does not exist. Did you mean `Calendar`?"),
        (_calendar(hierarchies=[{"name": "week"}]), "hierarchy `week`, which does not exist. Did you mean `weeks`?"),
        (_calendar(hierarchies=[{"name": "weeks", "level": "Wek"}]), "level `Wek`, which does not exist. Did you mean"),
        (_calendar(secondary_attributes=["Day Kin"]), "attribute `Day Kin`, which does not exist. Did you mean"),
    ],
)
def test_what_does_not_exist_hides_nothing_and_is_a_warning(entry: dict[str, Any], message: str) -> None:
    resolved = _resolve(entry)

    (warning,) = resolved.warnings
    assert warning.startswith(f"perspective `p` refers to {message}")
    assert resolved.errors == []
    assert resolved.model.perspectives["p"].attributes == frozenset()


def test_a_metric_that_does_not_exist_is_a_warning() -> None:
    assert _resolve(metrics=("Amonut",)).warnings == [
        "perspective `p` refers to metric `Amonut`, which does not exist. Did you mean `Amount`?"
    ]
