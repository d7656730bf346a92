"""The sentence of each error, the facts that it carries, and that it survives the way to another process."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine import errors as e
from airflow_atscale_aggs.engine.model.validation import ModelIssue, Severity

_WRONG = ModelIssue("a.yml", 3, Severity.ERROR, "code", "wrong")
_ODD = ModelIssue("a.yml", 4, Severity.WARNING, "code", "odd")
_SENTENCES: list[tuple[e.AtScaleAggsError, str]] = [
    (e.ModelFileError("dir", 0, "there is no such folder"), "dir: there is no such folder"),
    (e.ModelFileError("a.yml", 3, "broken"), "a.yml:3: broken"),
    (e.UnknownNameError("model", "slaes", ["sales"]), "There is no model `slaes`. Did you mean `sales`?"),
    (e.UnknownNameError("model", "x"), "There is no model `x`."),
    (e.InvalidModelError("dir", [_WRONG, _ODD]), "dir: 1 error; nothing was registered.\n  a.yml:3: wrong"),
    (
        e.InvalidModelError("dir", [_WRONG, _WRONG]),
        "dir: 2 errors; nothing was registered.\n  a.yml:3: wrong\n  a.yml:3: wrong",
    ),
    (e.DefinitionError("Q1", "it has no metric", "Add one."), "Aggregate `Q1`: it has no metric. Add one."),
    (e.DefinitionError("", "it has no metric"), "it has no metric."),
    (e.UnsupportedMetricError("Q1", "no sketch"), "Aggregate `Q1`: no sketch."),
    (
        e.AggregatesRefusedError("m", [("Q1", "no key"), ("Q2", "no table")], 1),
        (
            "Model `m`: none of what was asked for can be built; "
            "no batch was begun and the old instances keep serving.\n"
            "  Q1: no key\n  Q2: no table"
        ),
    ),
    (
        e.ImportRefusedError("x.json", "it is damaged", "Export it again."),
        "x.json is not imported: it is damaged. Export it again.",
    ),
    (e.UnreadableQueryError("SELEC", "no query"), "The query cannot be read: no query. [SQL: SELEC]"),
    (
        e.UnknownColumnError("m", "Amonut", "SUM(Amonut)", ["Amount"]),
        "Model `m` has no attribute or metric `Amonut` (in `SUM(Amonut)`). Did you mean `Amount`?",
    ),
    (e.UnknownColumnError("m", "x", ""), "Model `m` has no attribute or metric `x`."),
    (
        e.AmbiguousColumnError("m", "Month", ["Sold Month", "Ship Month"]),
        "`Month` means several things in model `m`: Sold Month, Ship Month. Use a unique name.",
    ),
    (e.UnsupportedQueryError("x IN y", "why", "Do that."), "`x IN y` is not answered: why. Do that."),
    (e.UnsupportedQueryError("x IN y", "why"), "`x IN y` is not answered: why."),
    (
        e.SettingError("a.b", "there is no such setting", ["a.c", "a.d"]),
        "Setting `a.b`: there is no such setting. Did you mean `a.c` or `a.d`?",
    ),
    (e.RegistryUnavailableError("sqlite:///x", "it is locked"), "Registry sqlite:///x cannot be used: it is locked."),
    (
        e.RegistryVersionError("r", "1", "2", "Run: atscale-aggs upgrade"),
        "Registry r has schema version 1, this program needs 2. Run: atscale-aggs upgrade",
    ),
    (e.IllegalTransitionError("Instance", "i", "new", "done"), "Instance i is new and cannot become done."),
    (
        e.StaleStatusError("Instance", "i", "new", "done"),
        (
            "Instance i was expected to be new but is done: somebody else moved it first; "
            "what this process did was discarded."
        ),
    ),
    (
        e.BatchHeldError("m", "b", "host:1", "2026-01-01T00:00:00Z"),
        (
            "Batch b of model `m` is under way: host:1 holds the lease until 2026-01-01T00:00:00Z. "
            "Wait for it, or cancel it with `atscale-aggs cancel b`."
        ),
    ),
    (
        e.CursorError("queries", "it is damaged"),
        "The cursor does not continue this list of queries: it is damaged. Read the list from its start.",
    ),
    (
        e.BatchDamagedError("m", "b", "a table is gone"),
        "Batch b of model `m` cannot be gone on with: a table is gone. Begin a new one with `atscale-aggs build m`.",
    ),
    (
        e.SchemaOwnedError("aggs", "it bears a mark"),
        (
            "Nothing was changed in schema `aggs` of the warehouse: it bears a mark. "
            "Give this registry a schema of its own "
            "(`--schema`); or, if that registry is gone, take the schema over: `atscale-aggs adopt`."
        ),
    ),
    (
        e.ModelRetiredError("m"),
        "Model `m` was retired. Deploy it again to use it: `atscale-aggs deploy DIR`.",
    ),
    (
        e.InstanceNeededError("i", "Q1", "it serves", "block it first"),
        "Instance i of `Q1` is not deleted: it serves; block it first.",
    ),
    (e.NotRegisteredError("model", "slaes", ["sales"]), "The registry has no model `slaes`. Did you mean `sales`?"),
    (e.WarehouseError("duckdb", "SELECT 1", "no"), "duckdb: no [SQL: SELECT 1]"),
    (e.TransientWarehouseError("duckdb", "", "locked"), "duckdb: locked"),
    (e.PermanentWarehouseError("duckdb", "X", "no"), "The warehouse refused a statement. duckdb: no [SQL: X]"),
    (
        e.VerificationError("Q1", "sales", [("rows", "", "3", "4"), ("sum", "city = North", "5", "6")]),
        (
            "The table built for aggregate `Q1` does not agree with its facts `sales`: `rows` should be 3 but is 4; "
            "`sum` of group (city = North) should be 5 but is 6. It was dropped, the old one serves on. "
            "Look for a dimension whose key is no longer unique, then build again."
        ),
    ),
    (
        e.ViewStaysError("v", "somebody reads it. Try again."),
        "Stable view `v` stays as it is: somebody reads it. Try again.",
    ),
    (e.BuildFailedError("Q1", "i", 1, 3, "no disk"), "Aggregate `Q1` failed (attempt 1 of 3): no disk"),
    (
        e.BatchFailedError("m", "b", ["Q1", "Q2"], 1),
        (
            "Batch b of model `m` is not activated: 2 failed (Q1, Q2), `aggregates.batch.max.failures` "
            "allows 1. "
            "The old instances keep serving. Repair, then run `atscale-aggs build m --resume b` "
            "or clear the failed tasks."
        ),
    ),
]
_PARTS = [
    (e.GracePeriodError("sales", "2x", "it is none"), ["`2x` of dataset `sales`: it is none", "s, m, h, d or w"]),
    (e.SliceError("sales", "5..3", "why"), ["The changed range `5..3` of dataset `sales` is refused: why."]),
    (e.SchemaOwnedError("", "why"), ["in the default schema of the warehouse: why"]),
    (e.BatchEndedError("m", "Q1", "b", "done"), ["its batch b is live", "`atscale-aggs build m --aggregate Q1`"]),
    (e.BatchEndedError("m", "Q1", "b", "cancelled"), ["its batch b was cancelled or closed by a newer one"]),
]


@pytest.mark.parametrize(("error", "sentence"), _SENTENCES, ids=lambda value: type(value).__name__)
def test_an_error_is_a_sentence(error: e.AtScaleAggsError, sentence: str) -> None:
    assert str(error) == sentence


@pytest.mark.parametrize(("error", "parts"), _PARTS, ids=lambda value: type(value).__name__)
def test_an_error_says_what_to_do(error: e.AtScaleAggsError, parts: list[str]) -> None:
    assert [part for part in parts if part not in str(error)] == []


@pytest.mark.parametrize(
    "error", [error for error, _ in (*_SENTENCES, *_PARTS)], ids=lambda error: type(error).__name__
)
def test_an_error_survives_the_way_to_another_process(error: e.AtScaleAggsError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert (str(copy), copy.args, vars(copy)) == (str(error), error.args, vars(error))


def test_every_error_with_a_sentence_of_its_own_is_shown_here() -> None:
    defined = {kind for _, kind in inspect.getmembers(e, inspect.isclass) if "__str__" in vars(kind)}

    assert defined <= {type(error) for error, _ in (*_SENTENCES, *_PARTS)}


def test_only_what_time_may_heal_is_worth_retrying() -> None:
    kinds = [kind for _, kind in inspect.getmembers(e, inspect.isclass) if issubclass(kind, e.AtScaleAggsError)]

    assert {kind for kind in kinds if kind.is_transient} == {e.RegistryUnavailableError, e.TransientWarehouseError}


@pytest.mark.parametrize(("used", "may_retry"), [(1, True), (2, True), (3, False), (4, False)])
def test_a_build_may_be_retried_while_attempts_are_left(used: int, *, may_retry: bool) -> None:
    assert e.BuildFailedError("Q1", "i", used, 3, "no disk").may_retry is may_retry


def test_a_verification_carries_its_first_difference() -> None:
    error = e.VerificationError("Q1", "sales", [("rows", "g", "3", "4"), ("sum", "", "5", "6")])

    assert (error.measure, error.group, error.expected, error.found) == ("rows", "g", "3", "4")


@pytest.mark.parametrize(
    ("name", "candidates", "near"),
    [
        ("Store Sale", ["Store Sales", "Item", "Customer"], ("Store Sales",)),
        ("STORE SALE", ["store sales"], ("store sales",)),
        ("sales", ["Sales", "sale", "stales", "sails", "salt"], ("Sales", "stales", "sale")),
        ("xyz", ["Item"], ()),
        ("", ["Item"], ()),
    ],
)
def test_names_that_a_mistyped_one_may_stand_for(name: str, candidates: list[str], near: tuple[str, ...]) -> None:
    """The most similar first, three at the most, without regard to case."""
    assert e.near_names(name, candidates) == near


def test_near_names_are_told_by_one_function() -> None:
    """Three at the most, in the same words."""
    package = Path(inspect.getfile(e)).parents[1]
    telling = {file.name for file in package.rglob("*.py") if "Did you mean {" in file.read_text(encoding="utf-8")}

    assert telling == {"errors.py"}
    assert e.did_you_mean(e.near_names("Amuont", ["Amount", "Amounts", "Amount 2", "A mount"])).count("`") == 6
    assert e.did_you_mean(()) == ""
