# ruff: noqa: ARG005 - a planted bug ignores what it should not
"""An aggregate that is grouped by codes of members equals its GROUP BY in plain Python, whatever dimensions are coded.

Bugs of each rule of decision 55 are planted, and must be found.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from airflow_atscale_aggs.engine.lifecycle.proofs import prove
from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.sql import fact_joins, member_codes
from airflow_atscale_aggs.engine.sql.fact_joins import JoinedColumns, Path
from airflow_atscale_aggs.engine.sql.member_codes import codable, select_by_codes
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns
from airflow_atscale_aggs.engine.sql.sources import Sources
from tests.support.kill.planting import Plant, assert_found, plants
from tests.support.oracles.group_by_oracle import differences, expected_rows
from tests.support.stars.throwaway_database import PROFILE, Database, duckdb_in_memory
from tests.support.strategies.strategies import ALL_MEASURES, Star, stars

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
POSTGRES_EXAMPLES = max(EXAMPLES // 2, 1)


@given(data=st.data())
@settings(PROFILE, max_examples=EXAMPLES)
def test_codes_change_nothing_on_duckdb(on_duckdb: Database, data: st.DataObject) -> None:
    _check(on_duckdb, data)


@pytest.mark.postgres
@given(data=st.data())
@settings(PROFILE, max_examples=POSTGRES_EXAMPLES)
def test_codes_change_nothing_on_postgres(on_postgres: Database, data: st.DataObject) -> None:
    _check(on_postgres, data)


def _check(database: Database, data: st.DataObject) -> None:
    drawn = data.draw(stars(), label="star")
    # Queries are never coded.
    star = replace(drawn, tables={name: replace(table, is_query=False) for name, table in drawn.tables.items()})
    pool = [bound for bound in star.attributes if not bound.is_many_to_many and bound.steps]
    assume(pool)
    chosen = data.draw(st.lists(st.sampled_from(pool), unique=True, min_size=1, max_size=4), label="attributes")
    part = star.part((*chosen, *_on_the_fact(star, data)), ALL_MEASURES)
    expected = expected_rows(star, part)
    assume(expected is not None)
    with database.example():
        for star_table in star.tables.values():
            for statement in star_table.setup_sql():
                database.ask(statement)
        sources = Sources(star.datasets(), star.physical(), database.dialect)
        constraints = prove(database.session, [part], sources)
        steps = [coded.step for coded in codable(part, sources, constraints)]
        event(f"dimensions that can be coded: {len(steps)}")
        assume(steps)
        coded = data.draw(st.lists(st.sampled_from(steps), min_size=1, unique=True), label="coded")
        layout = stored_columns(part)
        name = database.create(select_by_codes(part, sources, constraints, coded))
        columns = ", ".join(f'"{column}"' for column in layout.names)
        rows = database.ask(f'SELECT {columns} FROM "{name}"')
        assert expected is not None
        assert not differences(expected, rows, len(layout.names) - len(layout.measures))


def _on_the_fact(star: Star, data: st.DataObject) -> list[BoundAttribute]:
    degenerate = [bound for bound in star.attributes if not bound.steps]
    return data.draw(st.lists(st.sampled_from(degenerate), unique=True, max_size=1), label="on the fact")


def _inner_joins(patch: pytest.MonkeyPatch) -> None:
    """Facts without a member are lost."""
    plain = fact_joins.left_join

    def join(select: exp.Select, relation: exp.Expr, left: list[exp.Expr], right: list[exp.Expr]) -> None:
        plain(select, relation, left, right)
        select.args["joins"][-1].set("side", None)

    patch.setattr("airflow_atscale_aggs.engine.sql.member_codes.left_join", join)


def _patch_order(patch: pytest.MonkeyPatch, change: Callable[[list[exp.Expr]], list[exp.Expr]]) -> None:
    plain = member_codes._Members._order

    def order(self: member_codes._Members, joined: JoinedColumns) -> list[exp.Expr]:
        return change(plain(self, joined))

    patch.setattr(member_codes._Members, "_order", order)


def _one_column_is_the_member(patch: pytest.MonkeyPatch) -> None:
    """Members are ranked by the first thing that they show."""
    _patch_order(patch, lambda order: order[:1])


def _flags_do_not_count(patch: pytest.MonkeyPatch) -> None:
    """Members that meet a region without a name, and members that meet none, share a code."""
    _patch_order(patch, lambda order: [key for key in order if isinstance(key, exp.Column)] or order[:1])


def _members_share_nothing(patch: pytest.MonkeyPatch) -> None:
    """Each member has a code of its own."""
    plain = member_codes._over
    patch.setattr(member_codes, "_over", lambda function, order: plain(exp.RowNumber(), order))


def _no_member_is_another_than_one_that_meets_nothing(patch: pytest.MonkeyPatch) -> None:
    """Behind a dimension, facts without a member and members that meet nothing are two groups."""
    plain = member_codes._Members.codes

    def codes(self: member_codes._Members) -> exp.Select:
        select = plain(self)
        for case in select.expressions[-1].find_all(exp.Case):
            if isinstance(case.parent, exp.Alias):
                case.replace(case.args["ifs"][0].args["true"])
        return select

    patch.setattr(member_codes._Members, "codes", codes)


def _keys_are_believed(patch: pytest.MonkeyPatch) -> None:
    """A key is taken for unique without proof."""
    for module in ("fact_joins", "member_codes"):
        patch.setattr(f"airflow_atscale_aggs.engine.sql.{module}.is_plain", lambda step, constraints: True)


def _every_member_is_met(patch: pytest.MonkeyPatch) -> None:
    """The flag of a dimension behind says 1 for facts without a member."""
    plain = member_codes._CodedSelect._find_names

    def find(self: member_codes._CodedSelect, members: member_codes._Members, path: Path, names: str) -> None:
        plain(self, members, path, names)
        behind = {path + below: exp.Literal.number(1) for below in members.flags}
        self._grouped.flags.update(behind)

    patch.setattr(member_codes._CodedSelect, "_find_names", find)


_PLANTS = (
    _inner_joins,
    _one_column_is_the_member,
    _flags_do_not_count,
    _members_share_nothing,
    _no_member_is_another_than_one_that_meets_nothing,
    _keys_are_believed,
    _every_member_is_met,
)


@pytest.mark.slow
@pytest.mark.parametrize("plant", plants(_PLANTS, is_slow=lambda plant: plant is _flags_do_not_count))
def test_a_planted_bug_is_found(plant: Plant) -> None:
    with duckdb_in_memory() as database:
        assert_found(plant, lambda data: _check(database, data), examples=400)
