"""Every property of SML is honoured, refused by name, or harmless for a stated reason.

Of each honoured one a change is made to a model that has nearly everything. What comes of the model is compared: the
SQL of some queries, messages, names, definitions, and what later stages are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.model.sml import SHAPES
from tests.support.honoured_properties import PropertyChange, property_changes
from tests.support.model_outcomes import outcome_of
from tests.support.property_treatments import PROPERTY_TREATMENTS, Treatment
from tests.support.stars.everything_model import FILES, QUERIES


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What comes of the model as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("plain"))
        return _outcome(FILES)


def _outcome(files: Mapping[str, str]) -> set[str]:
    """Everything that a model leads to, as texts."""
    return outcome_of(files).texts(QUERIES)


def test_every_property_has_a_treatment() -> None:
    """The two tables name the same properties."""
    assert {shape: set(table) for shape, table in SHAPES.items()} == {
        shape: set(treatments) for shape, treatments in PROPERTY_TREATMENTS.items()
    }
    unexplained = [
        (shape, name)
        for shape, treatments in PROPERTY_TREATMENTS.items()
        for name, entry in treatments.items()
        if not entry.reason and entry.treatment is not Treatment.HONOURED
    ]
    assert unexplained == []


def test_the_model_that_has_nearly_everything_is_sound() -> None:
    """Nothing is said of it, and its queries are answered."""
    texts = _outcome(FILES)

    refused = [text for text in texts if "is not answered" in text or "has no attribute" in text]
    assert len(refused) == 2, refused
    assert not [text for text in texts if text.startswith(tuple(f"{file}.yml:" for file in FILES))]


_ELSEWHERE = {
    ("package_file", "packages"),
    *(("package", name) for name in ("name", "url", "branch", "version")),
}
"""The tests of packages show these."""


@pytest.mark.parametrize("change", property_changes(), ids=lambda change: f"{change.shape}-{change.name}")
def test_what_is_honoured_makes_a_difference(plain: set[str], change: PropertyChange) -> None:
    """With another value something is said, asked or built differently."""
    assert _outcome(change.made_to(FILES)) != plain, change


def test_every_honoured_property_is_changed() -> None:
    """None is only said to be honoured."""
    honoured = {
        (shape, name)
        for shape, treatments in PROPERTY_TREATMENTS.items()
        for name, entry in treatments.items()
        if entry.treatment is Treatment.HONOURED
    }

    assert honoured == {(change.shape, change.name) for change in property_changes()} | _ELSEWHERE
