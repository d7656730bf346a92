"""A router finds models by name, and takes snapshots of them again when they are outdated."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from airflow_atscale_aggs.engine.errors import NotRegisteredError, RegistryUnavailableError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import LONGEST_ALONE, LOOK_EVERY, SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars import tiny_star
from tests.support.stars.standing_star import LATER, MODEL, NOW, model_id, put_settings

_SECOND = timedelta(seconds=1)


def _table(name: str) -> exp.Table:
    (table,) = parse_one(f"SELECT * FROM {name}", read="postgres").find_all(exp.Table)
    return table


def _looked(workspace: Workspace) -> SnapshotCache:
    cache = SnapshotCache(workspace)
    cache.look(NOW)
    return cache


def _deploy(workspace: Workspace, folder: Path, *, catalog: str = "tiny", model: str = MODEL) -> None:
    """Deploy the model of the star under another name."""
    tiny_star.write_model(folder, {})
    for file, old, new in (("catalog", "unique_name: tiny\n", catalog), ("model", "unique_name: tiny_sales\n", model)):
        path = folder / f"{file}.yml"
        path.write_text(path.read_text().replace(old, f"unique_name: {new}\n"))
    deploy(workspace, folder, now=LATER)


@pytest.mark.parametrize(
    ("name", "is_model"),
    [
        ("tiny_sales", True),
        ("TINY_SALES", True),
        ("tiny.tiny_sales", True),
        ("Tiny.Tiny_Sales", True),
        # Clients put a default schema before a name where they know of none.
        ("public.tiny_sales", True),
        ("main.tiny_sales", True),
        ("here.tiny_sales", True),
        ("elsewhere.tiny_sales", False),
        ("tiny_sale", False),
    ],
)
def test_a_name_in_from_may_mean_a_model(asked_star: Workspace, name: str, *, is_model: bool) -> None:
    records = _looked(asked_star).named_like(_table(name), lambda: frozenset({"here"}))

    assert [record.name for record in records] == [MODEL] * is_model


def test_a_folder_may_stand_before_the_name_of_its_models(deployed_star: Workspace, tmp_path: Path) -> None:
    folder = tiny_star.write_model(tmp_path / "other", {})
    text = (folder / "model.yml").read_text()
    (folder / "models" / "Retail EU").mkdir(parents=True)
    (folder / "model.yml").rename(folder / "models" / "Retail EU" / "model.yml")
    (folder / "second.yml").write_text(text.replace("tiny_sales", "TINY_SALES"))
    deploy(deployed_star, folder, now=LATER)
    cache = _looked(deployed_star)

    def names(name: str) -> list[str]:
        return [record.name for record in cache.named_like(_table(name), frozenset)]

    assert names('"Retail EU".tiny_sales') == names('tiny."retail eu"."Tiny_Sales"') == ["tiny_sales"]
    assert names("public.tiny_sales") == ["TINY_SALES"]
    assert names("elsewhere.tiny_sales") == []


def test_an_exact_spelling_counts_more_than_one_in_another_case(deployed_star: Workspace, tmp_path: Path) -> None:
    _deploy(deployed_star, tmp_path / "other", model="Tiny_Sales")
    cache = _looked(deployed_star)

    def names(name: str) -> list[str]:
        return sorted(record.name for record in cache.named_like(_table(name), frozenset))

    assert names("tiny_sales") == ["tiny_sales"]
    assert names('"Tiny_Sales"') == ["Tiny_Sales"]
    assert names('"TINY_SALES"') == ["Tiny_Sales", "tiny_sales"]


def test_a_name_of_several_catalogs_needs_its_catalog(deployed_star: Workspace, tmp_path: Path) -> None:
    _deploy(deployed_star, tmp_path / "other", catalog="huge")
    cache = _looked(deployed_star)
    (of_catalog,) = cache.named_like(_table("huge.tiny_sales"), frozenset)
    both = cache.named_like(_table("tiny_sales"), frozenset)

    assert (of_catalog.catalog, len(both)) == ("huge", 2)
    assert cache.only(_table("huge.tiny_sales"), [of_catalog]) is of_catalog
    with pytest.raises(NotRegisteredError, match=r"huge\.tiny_sales|tiny\.tiny_sales"):
        cache.only(_table("tiny_sales"), both)


@pytest.mark.parametrize(
    ("sql", "named", "named_behind_verb"),
    [
        ("DESCRIBE tiny_sales", MODEL, MODEL),
        ("SHOW COLUMNS FROM Tiny_Sales", MODEL, MODEL),
        ('PIVOT tiny."tiny_sales" ON city', MODEL, MODEL),
        ("SELECT 'tiny_sales'", MODEL, ""),
        ("DESCRIBE tiny_sales_of_today", "", ""),
    ],
)
def test_a_model_is_found_among_the_words_of_a_text(
    asked_star: Workspace, sql: str, named: str, named_behind_verb: str
) -> None:
    """Or behind its first word, FROM or JOIN."""
    cache = _looked(asked_star)

    assert (cache.named_in(sql), cache.asked_in(sql)) == (named, named_behind_verb)


@pytest.mark.parametrize(("name", "near"), [("tiny_sale", ("tiny.tiny_sales",)), ("nonsense", ("tiny.tiny_sales",))])
def test_models_near_a_name_are_told_or_all(asked_star: Workspace, name: str, near: tuple[str, ...]) -> None:
    assert _looked(asked_star).near(_table(name)) == near


def test_the_default_model_must_be_there(asked_star: Workspace) -> None:
    cache = _looked(asked_star)

    assert cache.default(MODEL).name == MODEL
    assert [snapshot.record.name for snapshot in cache.all(MODEL, NOW)] == [MODEL]
    with pytest.raises(NotRegisteredError, match="no model `tiny`"):
        cache.default("tiny")
    with pytest.raises(NotRegisteredError, match="no model `tiny`"):
        cache.all("tiny", NOW)


def test_the_registry_is_looked_at_once_a_second(deployed_star: Workspace, tmp_path: Path) -> None:
    cache = _looked(deployed_star)
    before = cache.records
    _deploy(deployed_star, tmp_path / "other", model="other")

    cache.look(NOW + LOOK_EVERY - timedelta(microseconds=1))
    assert cache.records is before

    cache.look(NOW + LOOK_EVERY)
    assert [record.name for record in cache.records] == ["other", MODEL]
    after = cache.records
    cache.look(NOW + 2 * LOOK_EVERY)
    assert cache.records is after


def test_a_snapshot_is_taken_again_when_the_registry_has_changed(deployed_star: Workspace) -> None:
    cache = _looked(deployed_star)
    (record,) = cache.records
    first = cache.of(record, NOW)
    assert cache.of(record, NOW) is first
    deployed_star.registry.instances.let_go(model_id(deployed_star), [], {}, now=NOW, drop_after=NOW)

    assert cache.of(record, NOW) is first
    cache.look(NOW + _SECOND)
    second = cache.of(record, NOW + _SECOND)

    assert second is not first
    assert not cache.is_true(first, NOW + _SECOND)
    assert cache.is_true(second, NOW + _SECOND)


def test_a_snapshot_is_taken_again_when_its_proofs_are_old(deployed_star: Workspace) -> None:
    put_settings(deployed_star, proof_seconds=60)
    cache = _looked(deployed_star)
    (record,) = cache.records
    first = cache.of(record, NOW)

    assert cache.of(record, NOW + 60 * _SECOND) is first
    assert cache.of(record, NOW + 61 * _SECOND) is not first


def test_a_snapshot_that_was_forgotten_is_taken_again(deployed_star: Workspace) -> None:
    cache = _looked(deployed_star)
    (record,) = cache.records
    first = cache.of(record, NOW)

    cache.forget()

    assert cache.of(record, NOW) is not first


def test_settings_are_those_of_the_model_and_defaults_without_one(deployed_star: Workspace) -> None:
    put_settings(deployed_star, history_days=3)
    cache = _looked(deployed_star)

    assert cache.settings_of(model_id(deployed_star)).history_days == 3
    assert cache.settings_of("").history_days == deployed_star.settings.history_days


def test_without_its_registry_a_router_answers_by_its_snapshots_for_a_while(
    deployed_star: Workspace, tmp_path: Path
) -> None:
    cache = _looked(deployed_star)
    (record,) = cache.records
    snapshot = cache.of(record, NOW)
    cache.look(NOW + _SECOND)
    deployed_star.registry.close()
    (tmp_path / "registry.sqlite").rename(tmp_path / "away.sqlite")
    (tmp_path / "registry.sqlite").mkdir()

    cache.look(NOW + LONGEST_ALONE)

    assert cache.of(record, NOW + LONGEST_ALONE) is snapshot
    with pytest.raises(RegistryUnavailableError):
        cache.look(NOW + LONGEST_ALONE + _SECOND)
    with pytest.raises(RegistryUnavailableError):
        SnapshotCache(deployed_star).look(NOW)
