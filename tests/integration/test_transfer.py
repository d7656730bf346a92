"""Exporting and importing: each sentence of the product's page is a test, then come files that somebody changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs import __version__
from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.errors import ImportRefusedError
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.transfer.export import export_definitions
from airflow_atscale_aggs.engine.lifecycle.transfer.import_ import ImportReport, import_definitions
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from tests.conftest import PostgresDatabase
from tests.support.stars import tiny_star
from tests.support.strategies.system_definitions import NOW, define

_ONE_USERS = {"by_city": (("City",), ("Amount",))}
_WANTED = {
    "month_city": (("Month", "City"), ("Quantity", "Average Amount")),
    "all_members": ((), ("Quantity", "Amount", "Average Amount")),
    "days": (("Day",), ("Amount",)),
}
_QUERY = 'SELECT "Month", SUM("Quantity") FROM tiny_sales GROUP BY 1 ORDER BY 1'


def _open_system(folder: Path, name: str, **urls: str) -> Workspace:
    """A system with the tiny star's model and facts."""
    options: dict[str, Any] = {
        "registry": f"sqlite:///{folder}/{name}.sqlite",
        "warehouse": f"duckdb:///{folder}/{name}.duckdb",
        **urls,
    }
    opened = open_workspace(**options, aggregate_schema="aggs")
    tiny_star.run_sql(opened, *tiny_star.SETUP_SQL)
    deploy(opened, tiny_star.write_model(folder / f"{name}_model", _ONE_USERS), now=NOW)
    return opened


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Where three definitions have been learnt, built and used; the tests only read it."""
    with _open_system(tmp_path_factory.mktemp("source"), "source") as opened:
        define(opened, _WANTED)
        run_batch(opened, "tiny_sales", owner="test")
        answer(opened, _QUERY)
        yield opened


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Workspace]:
    """Another system with the same model, which has learnt nothing yet."""
    with _open_system(tmp_path, "target") as opened:
        yield opened


@pytest.fixture(scope="module")
def export_data(source: Workspace) -> bytes:
    """The bytes of an export file."""
    return export_definitions(source, "tiny_sales", now=NOW).data


def _outcomes(report: ImportReport) -> dict[str, str]:
    return {definition.name: definition.outcome for definition in report.definitions}


def _names(workspace: Workspace) -> set[str]:
    model_id = workspace.read.models.get("tiny_sales").id
    return {record.definition.name for record in workspace.read.definitions.of_model(model_id)}


def _with_change(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(data)
    change(document)
    return json.dumps(document).encode()


def test_definitions_are_exported_to_a_file_and_imported_into_a_separate_system(
    source: Workspace, tmp_path: Path, postgres_database: PostgresDatabase
) -> None:
    """DuckDB to PostgreSQL, other registries, other physical places; then the same file again changes nothing."""
    export_data = export_definitions(source, "tiny_sales", now=NOW).data
    with (
        postgres_database("transfer_registry") as registry,
        postgres_database("transfer_warehouse") as warehouse,
        _open_system(tmp_path, "far", registry=registry, warehouse=warehouse) as far,
    ):
        report = import_definitions(far, "tiny_sales", export_data, now=NOW)
        assert _outcomes(report) == dict.fromkeys(_WANTED, "imported")
        run_batch(far, "tiny_sales", owner="test", request=BatchRequest(aggregates=report.to_build))
        result = answer(far, _QUERY)
        assert result.plan.sources[0].aggregate == "month_city"
        assert result.rows == answer(source, _QUERY, use_aggregates=False).rows
        before = far.read.definitions.of_model(far.read.models.get("tiny_sales").id)
        again = import_definitions(far, "tiny_sales", export_data, now=NOW + timedelta(days=1))
        assert (again.counts, again.to_build) == ({"duplicate": 3}, ())
        assert far.read.definitions.of_model(far.read.models.get("tiny_sales").id) == before
        back = import_definitions(source, "tiny_sales", export_definitions(far, "tiny_sales", now=NOW).data, now=NOW)
        assert back.counts == {"duplicate": 3}


def test_definitions_move_only_between_models_with_the_same_model_id(export_data: bytes, target: Workspace) -> None:
    """Another one is refused with both ids, and nothing is recorded."""
    other = _with_change(export_data, lambda file: file.update(model_id="0" * 8, model="other"))

    with pytest.raises(ImportRefusedError, match=r"ModelID 00000000, and `tiny.tiny_sales` has ModelID"):
        import_definitions(target, "tiny_sales", other, now=NOW)
    assert _names(target) == {"by_city"}


def test_the_model_id_is_globally_unique_and_stored_in_the_file(
    export_data: bytes, source: Workspace, target: Workspace
) -> None:
    """The same model has the same one wherever it is deployed."""
    ids = {workspace.read.models.get("tiny_sales").id for workspace in (source, target)}

    assert ids == {json.loads(export_data)["model_id"]}


def test_the_model_must_be_deployed_in_the_target_first(export_data: bytes, tmp_path: Path) -> None:
    """Otherwise the import is refused, and says what to do."""
    with (
        open_workspace(registry=f"sqlite:///{tmp_path}/e.sqlite", warehouse="duckdb:///:memory:") as empty,
        pytest.raises(ImportRefusedError, match=r"not deployed here .*deploy DIR"),
    ):
        import_definitions(empty, "tiny_sales", export_data, now=NOW)


def test_the_same_release_version_is_no_reason_for_a_word(export_data: bytes, target: Workspace) -> None:
    """There is no warning."""
    assert json.loads(export_data)["product_version"] == __version__
    assert import_definitions(target, "tiny_sales", export_data, now=NOW).warnings == ()


@pytest.mark.parametrize("change", [{"product_version": "99.0"}, {"format_version": 2, "unheard_of": {"x": 1}}])
def test_definitions_cannot_be_imported_to_a_version_older_than_the_source(
    export_data: bytes, target: Workspace, change: Mapping[str, object]
) -> None:
    """Both versions are named, even when the newer file holds what this version does not know."""
    with pytest.raises(ImportRefusedError, match=rf"newer version .*this is {re.escape(__version__)}"):
        import_definitions(target, "tiny_sales", _with_change(export_data, lambda file: file.update(change)), now=NOW)


def test_importing_from_an_older_version_works_with_a_warning(export_data: bytes, target: Workspace) -> None:
    """Backwards compatibility is not guaranteed, and the warning says so."""
    old = _with_change(export_data, lambda file: file.update(product_version="0.0.1.dev1"))

    report = import_definitions(target, "tiny_sales", old, now=NOW)

    assert report.counts == {"imported": 3}
    assert report.warnings[0].startswith("The file was made by the older version 0.0.1.dev1")


def test_what_exists_does_not_fail_the_import_is_ignored_and_reported_as_duplicate(
    export_data: bytes, target: Workspace
) -> None:
    """The meaning decides, not the name; it may also be one that a user has defined."""
    define(target, {"other_name": (("City", "Month"), ("Average Amount", "Quantity"))})
    of_user = _with_change(export_data, lambda file: file["definitions"].append(_as_users_by_city(file)))

    report = import_definitions(target, "tiny_sales", of_user, now=NOW)

    assert _outcomes(report) == {
        "month_city": "duplicate",
        "all_members": "imported",
        "days": "imported",
        "cities": "duplicate",
    }
    why = {definition.name: definition.why for definition in report.definitions}
    assert why["month_city"] == "it means the same as `other_name` of this system"
    assert why["cities"] == "it means the same as `by_city` of this system"
    assert _names(target) == {"by_city", "other_name", "all_members", "days"}


def _as_users_by_city(file: dict[str, Any]) -> dict[str, Any]:
    attributes = [{"dimension": "Shops", "attribute": "City"}]
    return {**file["definitions"][0], "name": "cities", "attributes": attributes, "metrics": ["Amount"]}


def test_user_defined_aggregates_are_not_included(export_data: bytes, source: Workspace, target: Workspace) -> None:
    """They are part of the model. A file that says that it holds one is no export file."""
    document = json.loads(export_data)

    assert "by_city" in _names(source)
    assert [definition["name"] for definition in document["definitions"]] == ["all_members", "days", "month_city"]
    claimed = _with_change(export_data, lambda file: file["definitions"][0].update(origin="user_defined"))
    with pytest.raises(ImportRefusedError, match="user_defined"):
        import_definitions(target, "tiny_sales", claimed, now=NOW)


def test_source_and_target_should_have_the_same_deployed_model(export_data: bytes, tmp_path: Path) -> None:
    """What the target's model lacks is named one by one, and nothing else suffers from it."""
    with _open_system(tmp_path, "old") as workspace:
        folder = tiny_star.write_model(tmp_path / "older", _ONE_USERS)
        calendar = (folder / "calendar.yml").read_text()
        (folder / "calendar.yml").write_text(calendar.replace("unique_name: Month", "unique_name: Monat"))
        model = (folder / "model.yml").read_text()
        (folder / "model.yml").write_text(model.replace("  - unique_name: Average Amount\n", ""))
        (folder / "metric_Average Amount.yml").unlink()
        deploy(workspace, folder, now=NOW)

        report = import_definitions(workspace, "tiny_sales", export_data, now=NOW)

    assert _outcomes(report) == {"month_city": "refused", "all_members": "refused", "days": "imported"}
    assert report.warnings == ("The model deployed here is not the same as where the file was made.",)
    why = {definition.name: definition.why for definition in report.definitions}
    assert why["all_members"] == "the model deployed here lacks metric `Average Amount` (near: `Amount`)"
    assert "lacks metric `Average Amount`" in why["month_city"]


def test_each_definition_travels_with_its_statistics_and_the_reason_why_it_exists(
    export_data: bytes, source: Workspace, target: Workspace
) -> None:
    """The figures are those of its source; its own statistics begin anew."""
    file = json.loads(export_data)
    (sent,) = [definition for definition in file["definitions"] if definition["name"] == "month_city"]
    import_definitions(target, "tiny_sales", export_data, now=NOW)
    model_id = target.read.models.get("tiny_sales").id
    (got,) = [record for record in target.read.definitions.of_model(model_id) if record.definition.name == "month_city"]

    assert (sent["reason"], sent["evidence"]) == ("asked 12 times a day", {"predicted_rows": 4.0})
    assert sent["statistics"]["uses"] == 1
    assert sent["statistics"]["rows"] == 16
    assert file["exported_at"] == "2026-01-02T00:00:00Z"
    assert got.reason == "asked 12 times a day"
    assert got.evidence["source_uses"] == 1.0
    assert got.evidence["predicted_rows"] == 4.0
    assert got.definition.origin is DefinitionOrigin.DEMAND_DEFINED
    assert target.read.queries.usages(model_id) == ()


def test_the_file_holds_no_secret_no_path_and_no_query(export_data: bytes, tmp_path: Path) -> None:
    """It holds names and figures only."""
    text = export_data.decode()

    assert not re.search(r"select|password|://|aggs[.]|warehouse", text, re.IGNORECASE)
    assert str(tmp_path) not in text
    assert set(json.loads(text)["definitions"][0]) <= {
        *("name", "label", "origin", "fingerprint", "facts", "attributes", "metrics", "defined_at", "reason"),
        *("evidence", "statistics"),
    }


def test_importing_immediately_queues_the_aggregates_and_their_status_can_be_seen(
    export_data: bytes, target: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A batch of just those starts; a second import has nothing to queue."""
    file, places = tmp_path / "file.json", _options(target)
    file.write_bytes(export_data)
    target.close()

    assert run(["import", "tiny_sales", str(file), *places]) == 0
    assert "3 definitions in the file: 3 imported." in capsys.readouterr().err
    assert run(["instances", "--json", *places]) == 0
    instances = json.loads(capsys.readouterr().out)
    assert {instance["aggregate"]: instance["status"] for instance in instances} == dict.fromkeys(_WANTED, "active")
    assert run(["import", "tiny_sales", str(file), "--json", *places]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["counts"], again["batch_id"]) == ({"duplicate": 3}, None)
    assert run(["batches", "--json", *places]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_users_who_wish_to_avoid_the_load_import_without_building(
    export_data: bytes, target: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The definitions wait; the same file without --no-build builds what is still waiting."""
    file, places = tmp_path / "file.json", _options(target)
    file.write_bytes(export_data)
    target.close()

    assert run(["import", "tiny_sales", str(file), "--no-build", *places]) == 0
    assert "3 wait for the next batch" in capsys.readouterr().err
    assert run(["batches", "--json", *places]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run(["import", "tiny_sales", str(file), "--json", *places]) == 0
    assert json.loads(capsys.readouterr().out)["batch_id"]


def test_a_deployed_set_of_definitions_is_exported_from_the_command_line(
    target: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes to a path, or to a URL that fsspec knows, with the same content but for the time."""
    define(target, _WANTED)
    places = _options(target)
    target.close()

    assert run(["export", "tiny_sales", str(tmp_path / "here.json"), *places]) == 0
    assert "Exported 3 definitions of tiny_sales" in capsys.readouterr().err
    assert run(["export", "tiny_sales", f"file://{tmp_path}/there.json", *places]) == 0
    here, there = (json.loads((tmp_path / name).read_bytes()) for name in ("here.json", "there.json"))
    assert here["definitions"] == there["definitions"]
    assert sorted(path.name for path in tmp_path.glob("*.json*")) == ["here.json", "there.json"]


def _options(workspace: Workspace) -> list[str]:
    """Options of the command line that name a workspace's registry and warehouse."""
    folder = Path(str(workspace.registry.database.url.database))
    return [
        "--registry",
        f"sqlite:///{folder}",
        "--warehouse",
        f"duckdb:///{folder.with_suffix('.duckdb')}",
        "--schema",
        "aggs",
    ]


def test_a_blocked_definition_stays_blocked_and_a_retired_one_comes_back(export_data: bytes, target: Workspace) -> None:
    """What a person decided here outweighs what another system has learnt."""
    ids = define(target, {name: _WANTED[name] for name in ("days", "all_members")})
    target.registry.definitions.set_status(
        [ids["days"]], DefinitionStatus.BLOCKED, "wrong", expected=DefinitionStatus.DEFINED, now=NOW
    )
    target.registry.definitions.set_status(
        [ids["all_members"]], DefinitionStatus.RETIRED, "unused", expected=DefinitionStatus.DEFINED, now=NOW
    )

    report = import_definitions(target, "tiny_sales", export_data, now=NOW)

    assert _outcomes(report) == {"month_city": "imported", "all_members": "returned", "days": "blocked"}
    assert _names(target) == {"by_city", "month_city", "all_members"}
    assert set(report.to_build) == {"month_city", "all_members"}


def test_a_name_that_is_taken_is_made_unique(export_data: bytes, target: Workspace) -> None:
    """The report says so."""
    named = _with_change(export_data, lambda file: file["definitions"][0].update(name="by_city"))

    report = import_definitions(target, "tiny_sales", named, now=NOW)

    name = report.definitions[0].name
    assert re.fullmatch("by_city_[0-9a-f]{6}", name)
    assert report.definitions[0].why == "the file calls it `by_city`, a name that is taken here"
    assert name in report.to_build


def _set(**values: object) -> Callable[[dict[str, Any]], object]:
    return lambda file: file["definitions"][0].update(values)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set(facts="sales"), "Expected `array`"),
        (_set(facts=[]), "length >= 1"),
        (_set(name=""), "length >= 1"),
        (_set(name="x" * 1001), "length <= 1000"),
        (_set(name="a\u001b[2Jb"), "control characters"),
        (_set(reason="nul\u0000"), "control characters"),
        (_set(metrics=[{"name": "Amount"}]), "Expected `str`"),
        (_set(metrics=["Amount"] * 2001), "length <= 2000"),
        (_set(evidence={"rows": "many"}), "Expected `float`"),
        (_set(evidence={str(n): 1 for n in range(201)}), "length <= 200"),
        (_set(statistics={"uses": -1}), ">= 0"),
        (_set(statistics={"uses": 2**70}), "<= "),
        (_set(steps=[{"kind": "unique_key"}]), "unknown field `steps`"),
        (_set(defined_at="yesterday"), "RFC3339"),
        (_set(defined_at="2026-01-01T00:00:00"), "timezone"),
        (lambda file: file.pop("definitions"), "missing required field `definitions`"),
        (lambda file: file.update(definitions={}), "Expected `array`"),
        (lambda file: file.update(format="something else"), "its `format` is not"),
        (lambda file: file.update(product_version="latest"), "`latest` is no version"),
        (lambda file: file.update(product_version="1" * 30_000), "length <= 20000"),
        (lambda file: file.update(format_version="1"), "Expected `int`"),
        (lambda file: file.update(secret="x"), "unknown field `secret`"),
    ],
)
def test_a_damaged_or_hostile_file_is_refused(
    export_data: bytes, target: Workspace, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    """The error names the place, and nothing of the file is recorded."""
    with pytest.raises(ImportRefusedError, match=reason):
        import_definitions(target, "tiny_sales", _with_change(export_data, change), now=NOW)
    assert _names(target) == {"by_city"}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[: len(data) // 2], "damaged"),
        (lambda _: b"", "damaged"),
        (lambda _: b"PK\x03\x04", "damaged"),
        (lambda data: b"\xff\xfe" + data, "damaged"),
        (lambda data: data.replace(b"days", b"da\xffys"), "damaged"),
        (lambda data: data.replace(b'"days"', b'"\\ud800"'), "damaged"),
        (lambda _: b"[" * 1_000_000, "damaged|too deeply"),
        (
            lambda data: data.replace(b'"catalog":"tiny"', b'"catalog":' + b"[" * 200_000 + b"]" * 200_000),
            "damaged|deep",
        ),
        (
            lambda data: data.replace(
                b'"catalog"', b'"x":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b',"catalog"'
            ),
            "damaged|deep",
        ),
        (lambda data: data.replace(b"4.0", b"1e999"), "damaged"),
        (lambda data: data.replace(b"4.0", b"NaN"), "damaged"),
    ],
    ids=[
        "half",
        "empty",
        "zip",
        "mark",
        "encoding",
        "surrogate",
        "arrays",
        "deep value",
        "deep unknown",
        "infinite",
        "NaN",
    ],
)
def test_bytes_that_are_no_export_file_are_refused(
    export_data: bytes, target: Workspace, damage: Callable[[bytes], bytes], reason: str
) -> None:
    """Neither depth nor encoding matters."""
    with pytest.raises(ImportRefusedError, match=reason):
        import_definitions(target, "tiny_sales", damage(export_data), now=NOW)


def test_a_file_that_is_too_large_is_not_even_parsed(target: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is far above what a hundred thousand definitions need."""
    monkeypatch.setattr("airflow_atscale_aggs.engine.aggregates.exported.MOST_BYTES", 2**20)

    with pytest.raises(ImportRefusedError, match="larger than 1 MiB"):
        import_definitions(target, "tiny_sales", b" " * (2**20 + 1), now=NOW)


@pytest.mark.parametrize(
    ("values", "lacking"),
    [
        ({"metrics": ["Amuont"]}, "metric `Amuont` (near: `Amount`)"),
        ({"facts": ["sale"]}, "dataset `sale` (near: `sales`)"),
        ({"facts": ["shop"]}, "they need dataset `sales` as well"),
        ({"attributes": [{"dimension": "Shop", "attribute": "City"}]}, "dimension `Shop` (near: `Shops`)"),
        ({"attributes": [{"dimension": "Shops", "attribute": "Town"}]}, "attribute `Town` of dimension `Shops`"),
        (
            {"attributes": [{"dimension": "Shops", "attribute": "City", "role": "Second {0}"}]},
            "attribute `Second City` of dimension `Shops` for dataset `sales`, which has `City`",
        ),
    ],
)
def test_what_the_targets_model_lacks_is_named(
    export_data: bytes, target: Workspace, values: dict[str, object], lacking: str
) -> None:
    """It is named with near names; the other definitions are imported."""
    report = import_definitions(target, "tiny_sales", _with_change(export_data, _set(**values)), now=NOW)

    assert report.counts == {"refused": 1, "imported": 2}
    assert lacking in report.definitions[0].why


def test_the_fingerprint_of_the_file_is_not_believed(export_data: bytes, target: Workspace) -> None:
    """The identity is what the definition means in the target's model."""
    forged = _with_change(
        export_data, lambda file: [definition.update(fingerprint="0" * 32) for definition in file["definitions"]]
    )

    report = import_definitions(target, "tiny_sales", forged, now=datetime.now(UTC))

    ids = {definition.definition_id for definition in report.definitions}
    assert ids == {
        record.definition.id
        for record in target.read.definitions.of_model(report.model_id)
        if record.definition.origin.is_system_defined
    }
