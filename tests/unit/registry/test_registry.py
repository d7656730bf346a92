"""The registry as a whole: opened on a URL, and put together from a reader and a writer for each subject."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError
from airflow_atscale_aggs.engine.registry.registry import Registry, RegistryReader, open_registry
from tests.support.registry_content import REVENUE, UNITS


def _subjects(of: type) -> set[str]:
    """Names of parts, without what is read across subjects, and written by nobody."""
    return {name for name in vars(of) if not name.startswith("_")} - {"lists", "over", "read", "close"}


_SUBJECTS = _subjects(RegistryReader)


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
    assert _subjects(Registry) == _SUBJECTS
    assert len(_SUBJECTS) == 14
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


_FIRST_USES = """
import sys
from airflow_atscale_aggs.engine.registry.registry import Registry, RegistryReader, open_registry
room = "airflow_atscale_aggs.engine.registry"
def parts(): return [name for name in ("models", "attempts", "users") if f"{room}.{name}" in sys.modules]
registry = open_registry("sqlite:///registry.sqlite")
print(parts())
registry.read.users.all()
print(parts())
registry.read.models.current()
print(parts())
"""


def test_a_part_is_imported_when_it_is_asked_for_and_made_once(registry: Registry, tmp_path: Path) -> None:
    used = subprocess.run([sys.executable, "-c", _FIRST_USES], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert used.stdout.splitlines() == ["[]", "['users']", "['models', 'users']"]
    assert registry.read is registry.read
    assert registry.attempts is registry.attempts
    assert registry == Registry.over(registry.database)
    assert hash(registry.read) == hash(RegistryReader.over(registry.database))
