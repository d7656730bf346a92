# ruff: noqa: ARG005 - a planted bug ignores what it should not
"""The property of calculated forms catches bugs of each rule of decision 22: each is planted, and must be found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.model.paths import BoundAttribute
from airflow_atscale_aggs.engine.rewriting.compose import compose as composing
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import Move, Window, Without
from airflow_atscale_aggs.engine.rewriting.split import context_shifts as scopes
from airflow_atscale_aggs.engine.rewriting.split import fact_queries as parts
from airflow_atscale_aggs.engine.rewriting.split import member_moves as members
from airflow_atscale_aggs.engine.rewriting.split.member_moves import Calendar
from tests.support.kill.planting import Plant, assert_found, plants
from tests.support.oracles.calculated_answers import check
from tests.support.stars.throwaway_database import duckdb_in_memory


def _filters_hold(patch: pytest.MonkeyPatch) -> None:
    """The month before lies in the filter."""
    patch.setattr(scopes._Shifter, "_override", lambda self, axis, level: [])


def _all_keeps_filters(patch: pytest.MonkeyPatch) -> None:
    """`[All]` replaces the grouping alone."""
    plain = scopes._Shifter._leave_out

    def leave_out(self: scopes._Shifter, without: Without) -> None:
        conditions = list(self._conditions)
        plain(self, without)
        self._conditions = conditions

    patch.setattr(scopes._Shifter, "_leave_out", leave_out)


def _members_are_in_order_of_names(patch: pytest.MonkeyPatch) -> None:
    """Members are in the order of names instead of that of keys."""
    plain = members._column

    def column(bound: BoundAttribute, name: str) -> BoundAttribute:
        return plain(bound, bound.name_column)

    patch.setattr(members, "_column", column)


def _one_name_is_one_member(patch: pytest.MonkeyPatch) -> None:
    """Each name is taken for one member, whatever the data says."""
    patch.setattr("tests.support.oracles.calculated_answers.proven_calendar", lambda calendar, functional: calendar)


def _places_between_do_not_matter(patch: pytest.MonkeyPatch) -> None:
    """A parallel period keeps its place in the level above alone."""
    plain = members._meeting_conditions

    def meeting(move: Move, calendar: Calendar) -> list[exp.Expr]:
        tests = plain(move, calendar)
        return [tests[0], tests[-1]]

    patch.setattr(members, "_meeting_conditions", meeting)


def _empty_members_count(patch: pytest.MonkeyPatch) -> None:
    """Empty members count as zero."""
    plain = members.over_members

    def over(function: str, value: exp.Expr) -> exp.Expr:
        return plain(function, exp.Coalesce(this=value, expressions=[exp.Literal.number(0)]))

    patch.setattr(members, "over_members", over)
    patch.setattr(composing, "over_members", over)


def _distinct_counts_add_up(patch: pytest.MonkeyPatch) -> None:
    """Distinct counts are added up over the members of a set."""
    patch.setitem(parts.ROLLED_UP, "count distinct", "sum")


def _windows_end_early(patch: pytest.MonkeyPatch) -> None:
    """A window has one member too few."""
    plain = members._meeting_conditions

    def meeting(move: Move, calendar: Calendar) -> list[exp.Expr]:
        return plain(replace(move, first=move.first - 1) if isinstance(move, Window) else move, calendar)

    patch.setattr(members, "_meeting_conditions", meeting)


def _moved_rows_make_groups(patch: pytest.MonkeyPatch) -> None:
    """Groups without rows of their own are shown."""
    plain = composing._union

    def union(whole: list[parts.FactQuery], names: composing._Names) -> exp.Expr:
        statement = plain(whole, names)
        for alias in statement.find_all(exp.Alias):
            if alias.alias == names.is_there:
                alias.set("this", exp.Literal.number(1))
        return statement

    patch.setattr(composing, "_union", union)


_PLANTS = (
    _filters_hold,
    _all_keeps_filters,
    _members_are_in_order_of_names,
    _one_name_is_one_member,
    _places_between_do_not_matter,
    _empty_members_count,
    _distinct_counts_add_up,
    _windows_end_early,
    _moved_rows_make_groups,
)

_SLOW = (_places_between_do_not_matter, _all_keeps_filters, _distinct_counts_add_up)


@pytest.mark.slow
@pytest.mark.parametrize("plant", plants(_PLANTS, is_slow=lambda plant: plant in _SLOW))
def test_a_planted_bug_is_found(plant: Plant) -> None:
    """The property fails, by a wrong answer or by an answer where plain Python has none."""
    with duckdb_in_memory() as database:
        assert_found(plant, lambda data: check(database, data), examples=400)
