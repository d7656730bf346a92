"""What Airflow does about an error of the engine is decided in one place, for every class of the tree."""

from __future__ import annotations

import inspect
import pickle

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.engine import errors
from airflow_atscale_aggs.hooks.aggregates import airflow_errors, is_worth_retrying
from airflow_atscale_aggs.operators.base import AttemptsOfAggregate

pytestmark = pytest.mark.airflow

_EXAMPLES: dict[type[errors.AtScaleAggsError], tuple[errors.AtScaleAggsError, bool]] = {
    type(example): (example, is_retried)
    for example, is_retried in (
        (errors.AtScaleAggsError("root"), False),
        (errors.ModelError("model"), False),
        (errors.ModelFileError("a.yml", 3, "broken"), False),
        (errors.UnknownNameError("metric", "Salse", ("Sales",)), False),
        (errors.InvalidModelError("models", ()), False),
        (errors.DefinitionError("Q2", "no such column", "Add it."), False),
        (errors.UnsupportedMetricError("Q2", "no sketch", ""), False),
        (errors.NotMeasurableError("Q2", "a sum of texts", ""), False),
        (errors.AggregatesRefusedError("retail", (("Q2", "no table"),), 0), False),
        (errors.QueryError("query"), False),
        (errors.UnreadableQueryError("SELEC", "syntax"), False),
        (errors.UnknownColumnError("retail", "Yaer", "SELECT Yaer", ("Year",)), False),
        (errors.AmbiguousColumnError("retail", "Name", ("attribute `Name`", "metric `Name`")), False),
        (errors.UnsupportedQueryError("DISTINCT ON (a)", "it is not answered", "Group."), False),
        (errors.SettingError("aggregates.x", "unknown", ()), False),
        (errors.RegistryError("registry"), False),
        (errors.RegistryUnavailableError("sqlite:///r", "locked"), True),
        (errors.RegistryVersionError("sqlite:///r", "0000", "0001", "upgrade"), False),
        (errors.IllegalTransitionError("Instance", "1", "done", "new"), False),
        (errors.StaleStatusError("Instance", "1", "in_progress", "done"), False),
        (errors.BatchHeldError("retail", "b", "host:1", "2026-01-01"), True),
        (errors.BatchDamagedError("retail", "b", "`t` of `a` had 3 rows and has 6 now"), False),
        (errors.NotRegisteredError("model", "retial", ("retail",)), False),
        (errors.WarehouseError("duckdb", "SELECT", "?"), False),
        (errors.TransientWarehouseError("duckdb", "SELECT", "locked"), True),
        (errors.PermanentWarehouseError("duckdb", "SELEC", "syntax"), False),
        (errors.UnsupportedOnDialectError("oracle", "", "no row"), False),
        (errors.VerificationError("Q2", "sales", (("sum(sales.amount)", "", "12.5", "12"),)), False),
        (errors.BuildFailedError("Q2", "1", 1, 3, "deadlock"), True),
        (errors.BatchFailedError("retail", "b", ("Q2",), 0), False),
        (errors.GracePeriodError("sales", "2 days", "it is not of the form 12h"), False),
        (errors.BatchEndedError("Q2", "b", "done"), False),
        (errors.ImportRefusedError("a.json", "it is damaged", "Export it again."), False),
        (errors.InstanceNeededError("i", "Q2", "it serves", "retire its definition first"), False),
        (errors.ViewStaysError("agg_retail_city", "a table has its name; rename the table"), False),
        (errors.SchemaOwnedError("aggs", "the registry at x writes there"), False),
        (errors.ModelRetiredError("sales"), False),
    )
}

_ALL = sorted(
    (
        error_class
        for _, error_class in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error_class, errors.AtScaleAggsError)
    ),
    key=lambda error_class: error_class.__name__,
)


@pytest.mark.parametrize("kind", _ALL, ids=lambda error_class: error_class.__name__)
def test_every_error_is_mapped(kind: type[errors.AtScaleAggsError]) -> None:
    """An error that is worth retrying is raised as it is.

    Everything else becomes an AirflowFailException with the same sentence.
    """
    example, is_retried = _EXAMPLES[kind]

    assert is_worth_retrying(example) is is_retried
    with pytest.raises(kind if is_retried else AirflowFailException) as caught, airflow_errors():
        raise example
    assert str(caught.value) == str(example)


@pytest.mark.parametrize("kind", _ALL, ids=lambda error_class: error_class.__name__)
def test_every_error_survives_pickling(kind: type[errors.AtScaleAggsError]) -> None:
    """Errors travel between Airflow's processes with all they know."""
    example, _ = _EXAMPLES[kind]

    copy = pickle.loads(pickle.dumps(example))

    assert (type(copy), str(copy), copy.args) == (type(example), str(example), example.args)


@pytest.mark.parametrize(("used", "action"), [(1, "retry"), (3, "fail")])
def test_the_retry_policy_asks_the_aggregate(used: int, action: str) -> None:
    """An aggregate's own limit decides, not the task's number of tries."""
    failure = errors.BuildFailedError("Q2", "1", used, 3, "deadlock")

    decision = AttemptsOfAggregate().evaluate(failure, try_number=17, max_tries=30)

    assert decision.action.value == action


def test_other_failures_follow_the_tasks_own_retries() -> None:
    """A lost worker is no failed attempt of the aggregate."""
    assert AttemptsOfAggregate().evaluate(ConnectionError(), 1, 30).action.value == "default"
