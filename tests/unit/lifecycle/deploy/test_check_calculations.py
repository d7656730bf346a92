"""Checks of default members, empty members and calculations: can they be said in SQL?"""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.check_calculations import (
    check_calculations,
    check_default_members,
    check_empty_members,
)
from tests.support.deploy_checks import TABLES, check_input, lines_of
from tests.support.stars.documents import Documents, calculation, star


def _with_default(expression: str, file: str = "Day") -> Documents:
    documents = star()
    documents[file]["hierarchies"][0]["default_member"] = {"expression": expression}
    return documents


def _with_empty_member(name: str, level: int = 0, file: str = "Day") -> Documents:
    documents = star()
    documents[file]["level_attributes"][level]["custom_empty_member"] = {"key": [name], "name": name}
    return documents


@pytest.mark.parametrize(
    "expression",
    ["[Calendar].[Year].&[2024]", "[Calendar].[Month].[May]", "[Calendar].[Calendar levels].[All]"],
)
def test_one_member_by_key_or_name_may_be_the_default(expression: str) -> None:
    assert check_default_members(check_input(_with_default(expression))) == ()


def test_a_default_member_that_is_a_set_is_not_read() -> None:
    documents = _with_default("Tail([Calendar].[Year].Members, 1).Item(0)")

    (line,) = lines_of(check_default_members(check_input(documents)))

    assert line.startswith(
        "warning in Day.yml, default-member: the default member of hierarchy `Calendar levels`, `Tail"
    )
    assert line.endswith("is not one member by key or name; queries that name no level of it are refused")


@pytest.mark.parametrize(
    ("kind", "is_sound"), [("integer", False), ("varchar", True), ("timestamp", False), ("boolean", False)]
)
def test_a_default_member_is_a_value_of_its_column(kind: str, is_sound: bool) -> None:
    """The type is the warehouse's; the SML says that it is a number."""
    tables = {**TABLES, "day": f"day_id integer, month varchar, year {kind}, kind varchar"}

    lines = lines_of(check_default_members(check_input(_with_default("[Calendar].[Year].&[first]"), tables)))

    expected = (
        "warning in Day.yml, default-member: the default member of hierarchy `Calendar levels` is `first`, which is no "
        f"value of column `year` ({kind}); queries that name no level of it fail"
    )
    assert lines == ([] if is_sound else [expected])


@pytest.mark.parametrize(("year", "is_sound"), [("first", False), ("2024", True)])
def test_without_a_table_the_type_of_the_sml_counts(year: str, is_sound: bool) -> None:
    issues = check_default_members(check_input(_with_default(f"[Calendar].[Year].&[{year}]"), {}))

    assert bool(issues) is not is_sound


@pytest.mark.parametrize(
    ("name", "level", "is_sound"),
    [("0", 0, True), ("none", 0, False), ("none", 1, True)],
    ids=["a number", "a text among numbers", "a text among texts"],
)
def test_the_name_of_an_empty_member_is_a_value_of_its_column(name: str, level: int, is_sound: bool) -> None:
    """An attribute in several roles is told once."""
    lines = lines_of(check_empty_members(check_input(_with_empty_member(name, level))))

    assert len(lines) == (0 if is_sound else 1)
    for line in lines:
        assert line.startswith("warning in Day.yml, empty-member-type: the custom empty member of ")
        assert "is `none`, which is no value of its column `year` (integer)" in line
        assert "queries that use the attribute are refused. Correct `custom_empty_member`" in line


def test_models_without_members_of_their_own_have_no_issues() -> None:
    checked = check_input(star())

    assert (check_default_members(checked), check_empty_members(checked)) == ((), ())


@pytest.mark.parametrize(
    ("expression", "is_translated"),
    [
        ("[Measures].[Amount] / [Measures].[Lost]", True),
        ("([Measures].[Amount], [Shops].[City].&[x])", True),
        ("Foo([Measures].[Amount])", False),
        ("Tail([Shops].[City].Members, 1)", False),
    ],
)
def test_a_calculation_that_is_not_translated_is_told(expression: str, is_translated: bool) -> None:
    documents = star()
    documents["Tried"] = calculation("Tried", expression)
    documents["model"]["metrics"].append({"unique_name": "Tried"})

    lines = lines_of(check_calculations(check_input(documents)))

    assert len(lines) == (0 if is_translated else 1)
    for line in lines:
        assert line.startswith("warning in Tried.yml, untranslated-calculation: calculation `Tried` will not be ")
        assert line.endswith("; its base metrics will")


def test_a_model_without_calculations_has_none_to_tell() -> None:
    documents = star()
    del documents["Net"]
    documents["model"]["metrics"] = [{"unique_name": "Amount"}]

    assert check_calculations(check_input(documents)) == ()
