"""The registry on SQLite and on PostgreSQL: deployments, compare-and-set, one open batch, what may be dropped."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT, BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.errors import (
    AtScaleAggsError,
    BatchHeldError,
    IllegalTransitionError,
    NotRegisteredError,
    RegistryUnavailableError,
    RegistryVersionError,
    StaleStatusError,
)
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role
from airflow_atscale_aggs.engine.registry.documents import (
    DefinitionDecoder,
    DefinitionEncoder,
    decode_datasets,
    decode_step,
    encode_datasets,
    encode_definition,
    encode_step,
)
from airflow_atscale_aggs.engine.registry.records import BuiltParts, Deployment
from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry
from airflow_atscale_aggs.engine.registry.tables import SCHEMA_VERSION, VERSION_TABLE, metadata

_NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
_LATER = _NOW + timedelta(hours=1)
_MODEL = "11111111-1111-1111-1111-111111111111"


def _definition(name: str, column: str = "amount") -> AggregateDefinition:
    step = JoinStep(JoinKind.UNIQUE_KEY, "sales", ("shop_id",), "shop", ("shop_id",))
    city = BoundAttribute(
        attribute=GrainAttribute(Role("Shops", "Sold {0}"), "City"),
        label="City",
        dataset="shop",
        key_columns=("city",),
        name_column="city",
        steps=(step,),
        determines=frozenset({"Area"}),
    )
    measures = (row_count("sales"), StoredMeasure(StoredFunction.SUM, "sales", column))
    return AggregateDefinition(
        model_id=_MODEL,
        name=name,
        label=name.title(),
        origin=DefinitionOrigin.USER_DEFINED,
        metrics=("Amount",),
        parts=(FactPart(fact="sales", attributes=(city,), measures=measures),),
    )


def _deployment(*definitions: AggregateDefinition, content: str = "1") -> Deployment:
    return Deployment(
        model_id=_MODEL,
        catalog="cat",
        name="shop_sales",
        label="Shop sales",
        connection="w",
        content=content.encode(),
        content_hash=content,
        datasets={"sales": Dataset(name="sales", table="sales", columns={})},
        definitions=definitions,
    )


def _step(definition: AggregateDefinition, number: int, batch: str = "b") -> BuildStep:
    return BuildStep(
        instance_id=f"{batch}-{number}",
        definition_id=definition.id,
        aggregate=definition.name,
        fact="sales",
        position=number,
        sources=(SourceOption(instance_id=None, name="sales", create_sql=f"CREATE TABLE t{TARGET_ATTEMPT}"),),
        table=f"as_agg_{batch}{number}_a{TARGET_ATTEMPT}",
        target_sql="t",
        drop_sql=f"DROP TABLE t{TARGET_ATTEMPT}",
        count_sql="SELECT 1",
        view_statements=(),
        view="v",
    )


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    """A registry with one model and two definitions."""
    made = open_registry(url)
    made.models.record_deployments([_deployment(_definition("one"), _definition("two", "quantity"))], now=_NOW)
    yield made
    made.close()


def _open(registry: Registry, batch: str = "b", owner: str = "me") -> None:
    definitions = [record.definition for record in registry.read.definitions.of_model(_MODEL)]
    registry.batches.open(
        batch_id=batch,
        model_id=_MODEL,
        deployment_id=registry.read.models.get(_MODEL).deployment_id,
        build_type=BuildType.FULL,
        owner=owner,
        lease_until=_NOW + timedelta(minutes=1),
        steps=[_step(definition, number, batch) for number, definition in enumerate(definitions)],
        notes=("a note",),
        now=_NOW,
    )


def _build(registry: Registry, instance_id: str) -> None:
    claim = registry.attempts.claim(instance_id, owner="me", now=_NOW)
    registry.attempts.finish(claim, BuiltParts(rows=5), seconds=0.5, source="sales", now=_NOW)


def test_migrations_make_the_same_tables_as_the_code(url: str) -> None:
    """Alembic finds nothing to change."""
    registry = open_registry(url)

    with registry.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_another_version_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    """Both versions and the upgrade command are named."""
    file = tmp_path / "registry.sqlite"
    open_registry(f"sqlite:///{file}").close()
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0000'")

    with pytest.raises(
        RegistryVersionError,
        match=rf"version 0000, this program needs {SCHEMA_VERSION}. Run: atscale-aggs registry upgrade",
    ):
        open_registry(f"sqlite:///{file}")


def test_two_may_initialise_at_once(url: str) -> None:
    """Both get a registry."""
    opened: list[Registry] = []
    threads = [threading.Thread(target=lambda: opened.append(open_registry(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [registry.read.models.current() for registry in opened] == [(), (), (), ()]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:////nowhere/at/all/registry.sqlite", "the folder /nowhere/at/all does not exist"),
        ("mysql://root:hunter2@localhost/x", "a registry lives in SQLite or PostgreSQL"),
        ("nonsense", "not of the form"),
        ("postgresql+psycopg://me:hunter2@127.0.0.1:1/x", "refused"),
    ],
)
def test_a_registry_that_cannot_be_reached(url: str, reason: str) -> None:
    """One sentence, no password."""
    with pytest.raises(RegistryUnavailableError) as caught:
        open_registry(url)

    assert reason in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_documents_survive_the_round_trip() -> None:
    """Definitions, steps and datasets come back equal."""
    definition = _definition("größe")
    datasets = {"sales": Dataset(name="sales", table="sales", columns={}, where="a.yml:1")}

    decoded = DefinitionDecoder(dict).decode(encode_definition(definition))
    assert decoded == definition
    assert decoded.fingerprint == definition.fingerprint
    assert decode_step(encode_step(_step(definition, 0))) == _step(definition, 0)
    assert decode_datasets(encode_datasets(datasets)) == datasets


@pytest.mark.parametrize("label", ["größe", "Größe"])
def test_short_documents_survive_the_round_trip(label: str) -> None:
    """Whatever the label, whosever the measures; and so do documents in full."""
    definition = _definition("größe")
    elsewhere = StoredMeasure(StoredFunction.COUNT, "returns", "a:b")
    part = replace(definition.parts[0], measures=(*definition.parts[0].measures, elsewhere))
    same_measures = replace(part, fact="returns")
    definition = replace(definition, label=label, parts=(part, same_measures))
    encoder = DefinitionEncoder()
    short = encoder.encode(definition)
    decoder = DefinitionDecoder(lambda: encoder.attributes)

    assert len(short) < len(encode_definition(definition)) / 2
    assert decoder.decode(short) == decoder.decode(encode_definition(definition)) == definition


def test_deployments_are_versioned_by_content(registry: Registry) -> None:
    """The same content again is no new version; definitions appear, change, retire and come back."""
    one, two, three = _definition("one"), _definition("two", "quantity"), _definition("three", "tax")
    (same,) = registry.models.record_deployments([_deployment(one, two)], now=_LATER)
    (second,) = registry.models.record_deployments(
        [_deployment(replace(one, label="New"), three, content="2")], now=_LATER
    )
    retired = {r.definition.name: r.status for r in registry.read.definitions.of_model(_MODEL, include_retired=True)}
    (third,) = registry.models.record_deployments([_deployment(one, two, three, content="3")], now=_LATER)

    assert (same.version, same.is_new_version, same.unchanged) == (1, False, ("one", "two"))
    assert (second.version, second.appeared, second.changed, second.retired) == (2, ("three",), ("one",), ("two",))
    assert retired == {"one": "defined", "two": "retired", "three": "defined"}
    assert (third.version, third.appeared, third.unchanged) == (3, ("two",), ("three",))
    assert registry.read.models.version(_MODEL) == 2


def test_a_renamed_aggregate_is_the_same_definition(registry: Registry) -> None:
    """Identity is the meaning: its instances and statistics stay."""
    before = {record.definition.id for record in registry.read.definitions.of_model(_MODEL)}

    registry.models.record_deployments(
        [_deployment(_definition("uno"), _definition("two", "quantity"), content="2")], now=_LATER
    )

    assert {record.definition.id for record in registry.read.definitions.of_model(_MODEL)} == before
    assert {record.definition.name for record in registry.read.definitions.of_model(_MODEL)} == {"uno", "two"}


def test_unknown_names_have_near_ones(registry: Registry) -> None:
    """A model that is not there, by a name that nearly is."""
    with pytest.raises(NotRegisteredError, match="Did you mean `shop_sales`"):
        registry.read.models.get("shop_sale")
    assert registry.read.models.get("cat.shop_sales").id == _MODEL


def test_one_batch_of_a_model_at_a_time(registry: Registry) -> None:
    """The second is told who holds the lease; the database itself allows one."""
    _open(registry)

    with pytest.raises(BatchHeldError, match="me holds the lease until 2026-01-01T12:01:00"):
        _open(registry, "c", "you")
    assert [batch.id for batch in registry.read.batches.find()] == ["b"]
    assert registry.read.instances.find(batch_id="c") == ()


def test_a_batch_from_beginning_to_end(registry: Registry) -> None:
    """NEW, IN_PROGRESS, DONE, ACTIVE; the next batch supersedes; swept tables are DELETED."""
    _open(registry)
    assert {one.status for one in registry.read.instances.find(batch_id="b")} == {InstanceStatus.NEW}
    for number in range(2):
        _build(registry, f"b-{number}")
    first = registry.batches.activate("b", owner="me", now=_NOW, drop_after=_LATER)
    assert (first.status, first.views_pending, first.notes) == (BatchStatus.DONE, True, ("a note",))
    registry.batches.record_view_switch("b")

    _open(registry, "c")
    for number in range(2):
        _build(registry, f"c-{number}")
    registry.batches.activate("c", owner="me", now=_LATER, drop_after=_LATER + timedelta(hours=1))

    assert {one.id: one.status for one in registry.read.instances.find()} == {
        "c-0": "active",
        "c-1": "active",
        "b-0": "superseded",
        "b-1": "superseded",
    }
    assert registry.read.tables.to_drop(_LATER) == ()
    unneeded = registry.read.tables.to_drop(_LATER + timedelta(hours=2))
    assert [one.attempt.table for one in unneeded] == ["as_agg_b0_a1", "as_agg_b1_a1"]
    for one in unneeded:
        registry.tables.record_drop(one.attempt.instance_id, one.attempt.number, _LATER)
    assert registry.read.instances.get("b-0").status is InstanceStatus.DELETED
    assert registry.read.tables.to_drop(_LATER + timedelta(hours=2)) == ()
    assert registry.read.instances.last_rows(_MODEL) == {
        (record.definition.id, "sales"): 5 for record in registry.read.definitions.of_model(_MODEL)
    }


def test_a_zombie_cannot_finish(registry: Registry) -> None:
    """A newer attempt fences the older one off, whatever it does; its table may be dropped."""
    _open(registry)
    old = registry.attempts.claim("b-0", owner="me", now=_NOW)
    new = registry.attempts.claim("b-0", owner="me", now=_NOW)

    with pytest.raises(StaleStatusError):
        registry.attempts.finish(old, BuiltParts(rows=1), seconds=1, source="sales", now=_NOW)
    with pytest.raises(StaleStatusError):
        registry.attempts.fail(old, error="late", now=_NOW)
    done = registry.attempts.finish(new, BuiltParts(rows=2), seconds=1, source="sales", now=_NOW)

    assert (done.status, done.rows, done.attempt, done.failures) == (InstanceStatus.DONE, 2, 2, 0)
    assert [(one.number, one.status) for one in registry.read.attempts.find(instance_id="b-0")] == [
        (1, "interrupted"),
        (2, "done"),
    ]
    assert [one.attempt.number for one in registry.read.tables.to_drop(_NOW)] == [1]


def test_failures_are_counted_and_a_fresh_allowance_forgets_them(registry: Registry) -> None:
    """On the instance and on the batch; another allowance name, or a resume, begins at zero."""
    _open(registry)
    for _ in range(2):
        claim = registry.attempts.claim("b-0", owner="me", now=_NOW, allowance="first")
        registry.attempts.fail(claim, error="broken", now=_NOW)
    assert (registry.read.instances.get("b-0").failures, registry.read.batches.get("b").failures) == (2, 2)

    claim = registry.attempts.claim("b-0", owner="me", now=_NOW, allowance="second")
    registry.attempts.fail(claim, error="broken", now=_NOW)
    assert (registry.read.instances.get("b-0").failures, registry.read.batches.get("b").failures) == (1, 1)

    registry.batches.fail("b", owner="me", now=_NOW)
    taken = registry.batches.take_over("b", owner="you", previous_owner="me", lease_until=_LATER, fresh_allowance=True)
    assert (taken.status, taken.owner, taken.failures, registry.read.instances.get("b-0").failures) == (
        "in_progress",
        "you",
        0,
        0,
    )


def test_a_failed_batch_is_closed_by_the_next(registry: Registry) -> None:
    """What it had staged is cancelled, and cannot be opened again."""
    _open(registry)
    _build(registry, "b-0")
    registry.batches.fail("b", owner="me", now=_NOW)
    _open(registry, "c")

    assert registry.read.batches.get("b").status is BatchStatus.CANCELLED
    assert {one.status for one in registry.read.instances.find(batch_id="b")} == {InstanceStatus.CANCELLED}
    with pytest.raises(StaleStatusError):
        registry.batches.take_over("b", owner="me", previous_owner="me", lease_until=_LATER)


def test_a_batch_that_was_taken_over_is_lost_to_its_owner(registry: Registry) -> None:
    """Renewal, activation and failure compare the owner."""
    _open(registry)
    registry.batches.take_over("b", owner="you", previous_owner="me", lease_until=_LATER)

    for lost in (
        lambda: registry.batches.renew_lease("b", owner="me", until=_LATER),
        lambda: registry.batches.activate("b", owner="me", now=_NOW, drop_after=_LATER),
        lambda: registry.batches.fail("b", owner="me", now=_NOW),
        lambda: registry.batches.take_over("b", owner="them", previous_owner="me", lease_until=_LATER),
    ):
        with pytest.raises(StaleStatusError):
            lost()
    assert registry.read.batches.get("b").owner == "you"


def test_a_cancelled_batch_builds_nothing_more(registry: Registry) -> None:
    """Its running attempt cannot finish; a batch that is done cannot be cancelled."""
    _open(registry)
    claim = registry.attempts.claim("b-0", owner="me", now=_NOW)
    registry.batches.cancel("b", now=_NOW)

    with pytest.raises(StaleStatusError):
        registry.attempts.finish(claim, BuiltParts(rows=1), seconds=1, source="s", now=_NOW)
    with pytest.raises(IllegalTransitionError):
        registry.attempts.claim("b-1", owner="me", now=_NOW)
    _open(registry, "c")
    registry.batches.activate("c", owner="me", now=_NOW, drop_after=_LATER)
    with pytest.raises(IllegalTransitionError):
        registry.batches.cancel("c", now=_NOW)


def test_each_attempt_is_won_once(registry: Registry) -> None:
    """Eight threads that claim the same instance get eight different attempts; one of them finishes."""
    _open(registry)
    numbers: list[int] = []
    finished: list[int] = []

    def work() -> None:
        claim = registry.attempts.claim("b-0", owner="me", now=_NOW)
        numbers.append(claim.attempt)
        barrier.wait()
        try:
            registry.attempts.finish(claim, BuiltParts(rows=claim.attempt), seconds=1, source="s", now=_NOW)
            finished.append(claim.attempt)
        except StaleStatusError:
            pass

    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(numbers) == list(range(1, 9))
    assert finished == [8]
    assert registry.read.instances.get("b-0").rows == 8


def test_settings_by_model_and_for_all(registry: Registry) -> None:
    """Put, overwrite, forget."""
    registry.settings.put(None, "a.b", "1")
    registry.settings.put(_MODEL, "a.b", "2")
    registry.settings.put(_MODEL, "a.b", "3")

    assert (registry.read.settings.values(None), registry.read.settings.values(_MODEL)) == ({"a.b": "1"}, {"a.b": "3"})
    assert registry.settings.delete(_MODEL, "a.b")
    assert not registry.settings.delete(_MODEL, "a.b")


_CALLS = st.lists(
    st.tuples(
        st.sampled_from(["open", "claim", "finish", "fail", "activate", "fail_batch", "cancel", "resume", "sweep"]),
        st.integers(0, 1),
    ),
    max_size=25,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(calls=_CALLS)
def test_no_order_of_calls_breaks_the_rules(tmp_path: Path, calls: list[tuple[str, int]]) -> None:
    """Never two ACTIVE instances of one definition and fact, never a table to drop that serves or is staged."""
    file = tmp_path / f"{abs(hash(tuple(calls)))}.sqlite"
    registry = open_registry(f"sqlite:///{file}")
    registry.models.record_deployments([_deployment(_definition("one"), _definition("two", "quantity"))], now=_NOW)
    claims = {}
    batch = 0
    for verb, number in calls:
        instance = f"x{batch}-{number}"
        try:
            match verb:
                case "open":
                    _open(registry, f"x{batch + 1}")
                    batch += 1
                case "claim":
                    claims[number] = registry.attempts.claim(instance, owner="me", now=_NOW, rebuild=True)
                case "finish" if number in claims:
                    registry.attempts.finish(claims[number], BuiltParts(rows=1), seconds=1, source="s", now=_NOW)
                case "fail" if number in claims:
                    registry.attempts.fail(claims[number], error="e", now=_NOW)
                case "activate":
                    registry.batches.activate(f"x{batch}", owner="me", now=_NOW, drop_after=_NOW)
                case "fail_batch":
                    registry.batches.fail(f"x{batch}", owner="me", now=_NOW)
                case "cancel":
                    registry.batches.cancel(f"x{batch}", now=_NOW)
                case "resume":
                    registry.batches.take_over(f"x{batch}", owner="me", previous_owner="me", lease_until=_LATER)
                case "sweep":
                    for one in registry.read.tables.to_drop(_LATER):
                        registry.tables.record_drop(one.attempt.instance_id, one.attempt.number, _LATER)
        except AtScaleAggsError:
            pass
        instances = registry.read.instances.find()
        active = [one.step.definition_id for one in instances if one.status == "active"]
        assert len(active) == len(set(active))
        needed = {one.table for one in instances if one.status in {"active", "done"}}
        assert not needed & {one.attempt.table for one in registry.read.tables.to_drop(_LATER)}
        assert sum(one.status == "in_progress" for one in registry.read.batches.find()) <= 1
    registry.close()
