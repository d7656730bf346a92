"""Every aggregate equals its direct GROUP BY, from the facts and along every path of derivations.

The oracle is plain Python over the generated rows; it shares no code with the composer. Floating measures agree to
`group_by_oracle.TOLERANCE`; everything else, NULLs included, agrees exactly. What the oracle finds right, the engine's
own verification finds right, at every level; what is then corrupted, it finds wrong.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import derivation
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.errors import DefinitionError, VerificationError
from airflow_atscale_aggs.engine.lifecycle.build.compare import Comparison, compare
from airflow_atscale_aggs.engine.lifecycle.proofs import prove
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.sql.comparison_queries import VerificationComposer
from airflow_atscale_aggs.engine.sql.derivations import select_from_instance
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.member_codes import codable, select_by_codes
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import table
from tests.support.oracles.group_by_oracle import differences, expected_rows
from tests.support.stars.throwaway_database import PROFILE, Database
from tests.support.strategies.strategies import Star, aggregates_of, stars

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "32"))
POSTGRES_EXAMPLES = max(EXAMPLES // 4, 1)
CLICKHOUSE_EXAMPLES = max(EXAMPLES // 8, 1)
SAIL_EXAMPLES = max(EXAMPLES // 16, 1)
"""A statement costs some thirty times as much as on DuckDB."""

_MOST_DERIVATIONS = 12
"""Derivations of an example; longer chains come from using the newest table as the next source."""


@given(data=st.data())
@settings(PROFILE, max_examples=EXAMPLES)
def test_aggregates_equal_their_group_by_on_duckdb(on_duckdb: Database, data: st.DataObject) -> None:
    """They are built from facts or derived along any path, on DuckDB."""
    _check(on_duckdb, data)


@pytest.mark.postgres
@given(data=st.data())
@settings(PROFILE, max_examples=POSTGRES_EXAMPLES)
def test_aggregates_equal_their_group_by_on_postgres(on_postgres: Database, data: st.DataObject) -> None:
    """They are built from facts or derived along any path, on PostgreSQL."""
    _check(on_postgres, data)


@given(data=st.data())
@settings(PROFILE, max_examples=SAIL_EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_aggregates_equal_their_group_by_on_sail(on_sail: Database, data: st.DataObject) -> None:
    """They are built from facts or derived along any path, on Sail, as on Spark."""
    _check(on_sail, data)


@given(data=st.data())
@settings(PROFILE, max_examples=CLICKHOUSE_EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_aggregates_equal_their_group_by_on_clickhouse(on_clickhouse: Database, data: st.DataObject) -> None:
    """They are built from facts or derived along any path, on ClickHouse."""
    _check(on_clickhouse, data)


def _check(database: Database, data: st.DataObject) -> None:
    star = data.draw(stars(), label="star")
    parts = data.draw(aggregates_of(star), label="aggregates")
    with database.example():
        for star_table in star.tables.values():
            for statement in star_table.setup_sql():
                database.ask(statement)
        _build_all(database, star, parts, data)


def _build_all(database: Database, star: Star, parts: Sequence[FactPart], data: st.DataObject) -> None:
    sources = Sources(star.datasets(), star.physical(), database.dialect)
    constraints = prove(database.session, parts, sources)
    table_names: dict[FactPart, str] = {}
    for part in parts:
        expected = expected_rows(star, part)
        if expected is None:
            event("refused: a join would have to guess")
            with pytest.raises(DefinitionError):
                select_from_fact(part, sources, constraints)
            continue
        table_names[part] = database.create(select_from_fact(part, sources, constraints))
        _assert_equal(database, star, part, table_names[part], "from the facts")
        by_codes = _build_by_codes(database, part, sources, constraints, data)
        if by_codes:
            _assert_equal(database, star, part, by_codes, "from the facts by codes")
            table_names[part] = by_codes
        if any(bound.is_many_to_many for bound in part.attributes):
            event("many-to-many")
    verifier = _Verifier(database, VerificationComposer(table_names, sources, constraints))
    for part, name in table_names.items():
        verifier.check_sound(part, name)
    _derive_along_paths(database, star, constraints, table_names, data)
    for part, name in table_names.items():
        verifier.check_sound(part, name)
    if table_names:
        part = data.draw(st.sampled_from(list(table_names)), label="corrupted")
        ways = _CORRUPTIONS if database.dialect.transactional_ddl else _CORRUPTION_BY_INSERT
        verifier.check_corrupted(part, table_names[part], data.draw(st.sampled_from(ways), label="corruption"))


def _build_by_codes(
    database: Database, part: FactPart, sources: Sources, constraints: ProvenConstraints, data: st.DataObject
) -> str:
    """The same part, some or all of its dimensions grouped by code; empty where none can be."""
    steps = [coded.step for coded in codable(part, sources, constraints)]
    if not steps:
        return ""
    event("by codes")
    coded = data.draw(st.lists(st.sampled_from(steps), min_size=1, unique=True), label="coded")
    return database.create(select_by_codes(part, sources, constraints, coded))


_CORRUPTIONS = (
    "DELETE FROM {table} WHERE {one}",
    "INSERT INTO {table} SELECT * FROM {table} WHERE {one}",
    "UPDATE {table} SET {count} = {count} + 1 WHERE {one}",
)

_CORRUPTION_BY_INSERT = ("INSERT INTO {table} SELECT * FROM {table} LIMIT 1",)
"""Of tables whose rows can be neither deleted nor changed."""


@dataclass
class _Verifier:
    """The engine's own comparison of a table with its facts."""

    database: Database
    composer: VerificationComposer

    def check_sound(self, part: FactPart, name: str) -> None:
        """No level finds anything wrong, and none is undecided."""
        for level in (VerificationLevel.SAMPLE, VerificationLevel.FULL):
            assert self._compare(part, name, level).undecided == ()

    def check_corrupted(self, part: FactPart, name: str, corruption: str) -> None:
        """Totals tell a lost, a doubled and a changed row."""
        row = {"postgres": "ctid"}.get(self.database.dialect.name, "rowid")
        names = {
            "table": f'"{name}"',
            "one": f'{row} = (SELECT MIN({row}) FROM "{name}")',
            "count": f'"{stored_columns(part).measures[row_count(part.fact)]}"',
        }
        if self.database.ask(f'SELECT SUM({names["count"]}) FROM "{name}"')[0][0] in {None, 0}:
            return
        self.database.ask(corruption.format(**names))
        for level in (VerificationLevel.TOTALS, VerificationLevel.SAMPLE, VerificationLevel.FULL):
            with pytest.raises(VerificationError):
                self._compare(part, name, level)

    def _compare(self, part: FactPart, name: str, level: VerificationLevel) -> Verified:
        is_sample = level is VerificationLevel.SAMPLE
        groups = self.composer.groups_query(part, table(name), is_sample=is_sample)
        comparison = Comparison(
            aggregate=name,
            verification=self.composer.verification(part, table(name), groups),
            level=level,
            earlier_totals=None,
            is_derived=False,
            is_snapshot=True,
        )
        return compare(self.database.session, comparison)


def _derive_along_paths(
    database: Database,
    star: Star,
    constraints: ProvenConstraints,
    table_names: dict[FactPart, str],
    data: st.DataObject,
) -> None:
    """Derive whatever can be, in a random order, each from the newest table of its parent."""
    sources = Sources(star.datasets(), star.physical(), database.dialect)
    ways = [
        (child, parent, way)
        for child in table_names
        for parent in table_names
        if child != parent and (way := derivation(child, parent, constraints.functional)) is not None
    ]
    event(f"derivations: {min(len(ways), 5)}{'+' if len(ways) > 5 else ''}")
    if not ways:
        return
    for child, parent, way in data.draw(st.permutations(ways), label="order")[:_MOST_DERIVATIONS]:
        if not all(origin.is_stored for origin in way.origins):
            event("joined back")
        select = select_from_instance(child, parent, way, table(table_names[parent]), sources, constraints)
        source, table_names[child] = table_names[parent], database.create(select)
        _assert_equal(database, star, child, table_names[child], f"from {source}")


def _assert_equal(database: Database, star: Star, part: FactPart, name: str, source: str) -> None:
    layout = stored_columns(part)
    columns = ", ".join(f'"{column}"' for column in layout.names)
    rows = database.ask(f'SELECT {columns} FROM "{name}"')
    expected = expected_rows(star, part)
    assert expected is not None

    wrong = differences(expected, rows, len(layout.names) - len(layout.measures))

    assert not wrong, f"{name} ({', '.join(layout.names)}) {source}: {'; '.join(wrong)}"
