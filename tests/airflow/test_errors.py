"""What Airflow does about an error of the engine is decided in one place, for every class of the tree."""

from __future__ import annotations

import inspect
import logging
import pickle
import traceback

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.engine import errors
from airflow_atscale_aggs.engine.troubleshooting.passages import codes_of, pointer
from airflow_atscale_aggs.hooks.aggregates import airflow_errors, is_worth_retrying
from airflow_atscale_aggs.hooks.sentences import without_sql
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
        (errors.SliceError("sales", "5..3", "it ends before it begins"), False),
        (errors.BatchEndedError("m", "Q2", "b", "done"), False),
        (errors.ImportRefusedError("a.json", "it is damaged", "Export it again."), False),
        (errors.InstanceNeededError("i", "Q2", "it serves", "retire its definition first"), False),
        (errors.ViewStaysError("agg_retail_city", "a table has its name; rename the table"), False),
        (errors.SchemaOwnedError("aggs", "the registry at x writes there"), False),
        (errors.ModelRetiredError("sales"), False),
        (errors.OutOfReachError("secrets.t", "it may not be read"), False),
        (errors.CursorError("definitions", "it is of another list"), False),
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


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """The log of the hook. Other tests run programs that disable loggers, or all of logging."""
    logger = logging.getLogger("airflow_atscale_aggs.hooks.aggregates")
    monkeypatch.setattr(logger, "disabled", False)
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    return caplog


@pytest.mark.parametrize("kind", _ALL, ids=lambda error_class: error_class.__name__)
def test_every_error_is_mapped(kind: type[errors.AtScaleAggsError]) -> None:
    """An error that is worth retrying is raised as it is.

    Everything else becomes an AirflowFailException with the same sentence. Either tells where to read more.
    """
    example, is_retried = _EXAMPLES[kind]

    assert is_worth_retrying(example) is is_retried
    with pytest.raises(kind if is_retried else AirflowFailException) as caught, airflow_errors():
        raise example
    sentence = without_sql(str(example)) if isinstance(example, errors.WarehouseError) else str(example)
    more = pointer(codes_of(example))
    if is_retried:
        assert (str(caught.value), caught.value.__notes__) == (sentence, [more])
    else:
        assert str(caught.value) == f"{sentence}\n{more}"


@pytest.mark.parametrize("is_retried", [True, False])
def test_an_error_comes_without_its_chain_and_with_the_innermost_traceback(*, is_retried: bool) -> None:
    """Airflow logs every link of a chain with its traceback."""

    def refuse() -> None:
        try:
            raise ConnectionError
        except ConnectionError as error:
            raise errors.TransientWarehouseError("duckdb", "", "locked") from error

    def build() -> None:
        try:
            refuse()
        except errors.TransientWarehouseError as error:
            raise errors.BuildFailedError("Q2", "1", 1, 3 if is_retried else 1, str(error)) from error

    with (
        pytest.raises(errors.BuildFailedError if is_retried else AirflowFailException) as caught,
        airflow_errors(),
    ):
        build()

    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-2:] == ["build", "refuse"]
    assert str(caught.value).startswith("Aggregate `Q2` failed (attempt 1 of ")
    assert ("clear this task" in str(caught.value)) is not is_retried


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT a FROM t", "SELECT\n  a\nFROM t"),
        ("SELEC a FROM (", "SELEC a FROM ("),
        (f"SELECT {' + '.join(['a'] * 3000)} FROM t", "a"),
        (f"SELECT {'(' * 3000}a{')' * 3000} FROM t", "(((("),
    ],
    ids=["statement", "unreadable", "long", "deep"],
)
def test_the_refused_statement_is_logged_by_itself(sql: str, shown: str, log: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AirflowFailException, match="refused a statement"), airflow_errors():
        raise errors.PermanentWarehouseError("duckdb", sql, "syntax")

    (record,) = log.records
    assert record.getMessage().startswith("The warehouse refused:\n")
    assert shown in record.getMessage()


def test_a_statement_that_is_in_the_log_already_is_not_logged_again(log: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AirflowFailException), airflow_errors({"SELECT 1"}):
        raise errors.PermanentWarehouseError("duckdb", "SELECT 1", "syntax")

    assert log.records == []


@pytest.mark.parametrize("kind", _ALL, ids=lambda error_class: error_class.__name__)
def test_every_error_survives_pickling(kind: type[errors.AtScaleAggsError]) -> None:
    """Errors travel between Airflow's processes with all they know."""
    example, _ = _EXAMPLES[kind]

    copy = pickle.loads(pickle.dumps(example))

    assert (type(copy), str(copy), copy.args) == (type(example), str(example), example.args)


@pytest.mark.parametrize(
    "error",
    [
        errors.PermanentWarehouseError("duckdb", "SELECT 1", "no disk"),
        errors.UnreadableQueryError("SELECT (", "it ends"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_sentence_can_be_had_without_its_statement(error: errors.AtScaleAggsError) -> None:
    assert "SELECT" in str(error)
    assert "SELECT" not in without_sql(str(error))
    assert without_sql("no statement") == "no statement"


@pytest.mark.parametrize(("used", "action"), [(1, "retry"), (3, "fail")])
def test_the_retry_policy_asks_the_aggregate(used: int, action: str) -> None:
    """An aggregate's own limit decides, not the task's number of tries."""
    failure = errors.BuildFailedError("Q2", "1", used, 3, "deadlock")

    decision = AttemptsOfAggregate().evaluate(failure, try_number=17, max_tries=30)

    assert decision.action.value == action


def test_other_failures_follow_the_tasks_own_retries() -> None:
    """A lost worker is no failed attempt of the aggregate."""
    assert AttemptsOfAggregate().evaluate(ConnectionError(), 1, 30).action.value == "default"
