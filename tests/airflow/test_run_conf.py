"""What a run may be asked for, and the sentence for everything else."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.hooks.run_conf import (
    check_keys,
    check_values,
    read_aggregates,
    read_changed,
    read_grace_periods,
    read_max_concurrent_builds,
    signal_ids_of_conf,
    signal_ids_of_event,
)

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("id"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, ()),
        ("", ()),
        ("[]", ()),
        ("null", ()),
        ("a\nb\n\na", ("a", "b")),
        ('["a", "b c"]', ("a", "b c")),
        (["a"], ("a",)),
        (("a", "a"), ("a",)),
    ],
)
def test_names_of_aggregates(value: object, names: tuple[str, ...]) -> None:
    assert read_aggregates(value) == names


@pytest.mark.parametrize("value", [5, True, {"a": 1}, [1], [["a"]], "[1]", '{"a": 1}', "[", b"a"])
def test_what_is_no_list_of_names(value: object) -> None:
    with pytest.raises(AirflowFailException, match="Run parameter `aggregates`"):
        read_aggregates(value)


@pytest.mark.parametrize(
    ("value", "periods"),
    [(None, {}), ("", {}), ('{"s": "2d"}', {"s": "2d"}), ({"s": 3600}, {"s": "3600"}), ("null", {})],
)
def test_grace_periods(value: object, periods: dict[str, str]) -> None:
    assert read_grace_periods(value) == periods


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        (None, ()),
        ("", ()),
        ("{}", ()),
        ("null", ()),
        ('{"s": "1..2"}', (("s", "1..2"),)),
        ({"s": ["1..2", "1..2", 7], "r": "2026-01"}, (("s", "1..2"), ("s", "7"), ("r", "2026-01"))),
    ],
)
def test_changed_ranges(value: object, pairs: tuple[tuple[str, str], ...]) -> None:
    """Whether they are ranges is told by the engine, with their dataset."""
    assert read_changed(value) == pairs


@pytest.mark.parametrize(
    "value", ["sales", "[", [], "[1]", 5, {"s": None}, {"s": True}, {"s": []}, {"s": [None]}, {"s": {}}, {"s": 1.5}]
)
def test_what_is_no_changed_range(value: object) -> None:
    with pytest.raises(AirflowFailException, match="Run parameter `changed`"):
        read_changed(value)


@pytest.mark.parametrize("value", ["soon", [], "[1]", {"s": None}, {"s": True}, {"s": ["2d"]}, 5])
def test_what_is_no_grace_period(value: object) -> None:
    with pytest.raises(AirflowFailException, match="Run parameter `grace_periods`"):
        read_grace_periods(value)


@pytest.mark.parametrize(("value", "most"), [(None, None), ("", None), ("None", None), (3, 3), ("4", 4), (" 2 ", 2)])
def test_concurrent_builds(value: object, most: int | None) -> None:
    assert read_max_concurrent_builds(value) == most


@pytest.mark.parametrize(
    "value", [0, -1, 1.5, True, "many", "٣", [], {}, "9" * 5000, pytest.param(10**5000, id="long"), 10**12]
)
def test_what_is_no_number_of_builds(value: object) -> None:
    with pytest.raises(AirflowFailException, match="Run parameter `max_concurrent_builds`"):
        read_max_concurrent_builds(value)


@pytest.mark.parametrize("value", [[{"x": 1}], "abc", 5, {"id": "a"}, [None], [""], [{"id": None}], [[1]], [True]])
def test_what_is_no_signal(value: object) -> None:
    """Refused in a conf, which somebody wrote for this run; passed over in an event, whose rows must not be lost."""
    with pytest.raises(AirflowFailException, match="Run parameter `signals`"):
        signal_ids_of_conf(value)
    assert signal_ids_of_event({"payload": {"signals": value}}) == ()


@given(_ANYTHING)
def test_nothing_but_a_sentence_comes_of_anything(value: object) -> None:
    signal_ids_of_event(value)
    signal_ids_of_event({"payload": value})
    for key in ("build_type", "aggregates", "grace_periods", "max_concurrent_builds", "signals"):
        try:
            check_values(check_keys({key: value}, ()))
        except AirflowFailException as error:
            assert f"`{key}`" in str(error)


def test_a_misspelt_key_is_refused_and_a_key_of_the_dag_is_not() -> None:
    with pytest.raises(AirflowFailException, match="Did you mean `grace_periods`"):
        check_keys({"grace_period": {}}, ())
    assert check_keys({"grace_period": {}}, ("grace_period",)) == {"grace_period": {}}
    assert check_keys({"my_own": 1}, ()) == {"my_own": 1}
