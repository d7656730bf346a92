"""Records: values that are told by their names, compare as equal, and cannot be changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from airflow_atscale_aggs.engine.registry import records
from airflow_atscale_aggs.engine.registry.records import BuiltParts, QuerySource

_RECORDS = [item for item in vars(records).values() if is_dataclass(item) and item.__module__ == records.__name__]


@pytest.mark.parametrize("record", _RECORDS, ids=lambda record: str(record.__name__))
def test_every_field_is_given_by_its_name(record: type) -> None:
    """Many have the same type, so that places would be mistaken for each other."""
    assert [field.name for field in fields(record) if not field.kw_only] == []


def test_a_record_cannot_be_changed() -> None:
    parts = BuiltParts(rows=3)

    with pytest.raises(FrozenInstanceError):
        parts.rows = 4  # type: ignore[misc] # this is what is tested
    assert parts == BuiltParts(rows=3, segments=(), uses=())


def test_a_source_without_a_definition_is_the_facts() -> None:
    assert QuerySource(fact="sales") == QuerySource(fact="sales", aggregate="", definition_id="")
