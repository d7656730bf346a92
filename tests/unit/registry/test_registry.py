"""The registry as a whole: opened on a URL, and put together from a reader and a writer for each subject."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError
from airflow_atscale_aggs.engine.registry.registry import Registry, RegistryReader, open_registry
from tests.support.registry_content import REVENUE, UNITS

_SUBJECTS = {field.name for field in fields(RegistryReader)} - {"lists"}
"""Lists are read across subjects, and written by nobody."""


def _public_names(part: object) -> set[str]:
    return {name for name in dir(part) if not name.startswith("_")} - {"database"}


def test_an_empty_database_is_initialised_once(tmp_path: Path) -> None:
    """What was recorded is there when it is opened again, and so is its id."""
    url = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    first = open_registry(url)
    first.settings.put(None, "a", "1")
    identity = first.read.ownership.registry_id()
    first.close()

    again = open_registry(url)

    assert (again.read.settings.values(None), again.read.ownership.registry_id()) == ({"a": "1"}, identity)
    again.close()


def test_a_database_that_cannot_be_reached_is_no_registry() -> None:
    with pytest.raises(RegistryUnavailableError, match="the folder /no/such does not exist"):
        open_registry("sqlite:////no/such/registry.sqlite")


def test_every_subject_has_a_reader_and_a_writer(registry: Registry) -> None:
    """They stand under the same name; both have something to do."""
    assert {field.name for field in fields(Registry)} - {"database", "read"} == _SUBJECTS
    for subject in _SUBJECTS:
        reader, writer = getattr(registry.read, subject), getattr(registry, subject)
        assert type(reader).__name__ == type(writer).__name__.removesuffix("Writer") + "Reader"
        assert _public_names(reader)
        assert _public_names(writer)


@pytest.mark.parametrize("subject", sorted(_SUBJECTS))
def test_who_only_reads_is_handed_nothing_that_writes(registry: Registry, subject: str) -> None:
    assert _public_names(getattr(registry.read, subject)) & _public_names(getattr(registry, subject)) == set()


def test_what_a_writer_records_its_reader_sees(registry: Registry) -> None:
    """Both stand on one database, also where the reader is opened by itself."""
    for read in (registry.read, RegistryReader.over(registry.database)):
        assert [record.name for record in read.models.current()] == ["sales"]
        (model,) = read.models.current()
        assert {record.definition for record in read.definitions.of_model(model.id)} == {REVENUE, UNITS}
