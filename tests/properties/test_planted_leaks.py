# ruff: noqa: ARG005 - a planted leak ignores what it should not
"""The property test of row security catches leaks: each is planted, and must be found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.lifecycle.query import model_planner, router
from airflow_atscale_aggs.engine.lifecycle.query.secured_rows import SecuredRows
from airflow_atscale_aggs.engine.model.row_security import RowRule, RowRules
from airflow_atscale_aggs.engine.sql import rows, seen_rows
from airflow_atscale_aggs.engine.sql.seen_rows import SeenRows
from tests.support.kill.planting import Plant, assert_found, plants
from tests.support.oracles.secured_answers import check, open_pair


def _aggregates_are_open(patch: pytest.MonkeyPatch) -> None:
    """The rows of an aggregate are all shown."""
    patch.setattr(SecuredRows, "restrict_aggregate", lambda self, instance, rows: None)


def _any_aggregate_serves(patch: pytest.MonkeyPatch) -> None:
    """An aggregate that does not store whose rows it has answers as it is."""
    patch.setattr(SecuredRows, "guard", lambda self, part: part)
    patch.setattr(SecuredRows, "restrict_aggregate", lambda self, instance, rows: None)


def _facts_are_open(patch: pytest.MonkeyPatch) -> None:
    """The facts, and the members of dimensions, are all shown."""
    patch.setattr(SecuredRows, "restrict_facts", lambda self, dataset, rows: None)


def _anybody_is_meant(patch: pytest.MonkeyPatch) -> None:
    """What one user sees, all see."""
    patch.setattr(seen_rows, "_is_one_of", lambda owner, names: exp.true())


def _one_of_two_is_enough(patch: pytest.MonkeyPatch) -> None:
    """Of two conditions one must hold."""
    _change_rule(patch, lambda rule: replace(rule, guards=rule.guards[:1]))


def _members_are_open(patch: pytest.MonkeyPatch) -> None:
    """Members of dimensions that nothing secures are shown though no fact that is seen has them."""
    _change_rule(patch, lambda rule: replace(rule, met_by=()))


def _change_rule(patch: pytest.MonkeyPatch, change: Any) -> None:
    plain = RowRules.of

    def of(self: RowRules, dataset: str) -> RowRule:
        changed: RowRule = change(plain(self, dataset))
        return changed

    patch.setattr(RowRules, "of", of)


def _null_is_everybodys(patch: pytest.MonkeyPatch) -> None:
    """A row without a key is shown."""
    plain = seen_rows._is_in

    def is_in(values: list[exp.Expr], select: exp.Select) -> exp.Expr:
        is_null = exp.Is(this=values[0].copy(), expression=exp.Null())
        return exp.Paren(this=exp.Or(this=is_null, expression=plain(values, select)))

    patch.setattr(seen_rows, "_is_in", is_in)


def _rights_multiply(patch: pytest.MonkeyPatch) -> None:
    """A right that stands twice doubles the rows."""

    def restrict(self: SeenRows, relation: exp.Expr, alias: str, condition: exp.Expr) -> exp.Expr:
        twice = exp.select("1").from_("(VALUES (1), (2)) AS twice(x)").subquery("twice")
        star = exp.Column(this=exp.Star(), table=exp.to_identifier(alias, quoted=True))
        marker = exp.alias_(exp.true(), seen_rows.MARKER, quoted=True)
        select = exp.select(star, marker).from_(relation).join(twice, join_type="cross").where(condition)
        return select.subquery(exp.to_identifier(alias, quoted=True))

    patch.setattr(SeenRows, "restrict", restrict)


def _errors_speak(patch: pytest.MonkeyPatch) -> None:
    """The warehouse's own words are passed on, and expressions are computed of hidden rows."""

    @contextlib.contextmanager
    def spoken(*, is_secured: bool) -> Iterator[None]:
        yield

    def restrict(self: SeenRows, relation: exp.Expr, alias: str, condition: exp.Expr) -> exp.Expr:
        return relation

    for module in (model_planner, router):
        patch.setattr(module, "withheld_errors", spoken)
    patch.setattr(SeenRows, "restrict", restrict)
    patch.setattr(rows, "guarded", lambda value, alias: value)


_PLANTS: tuple[Plant, ...] = (
    _aggregates_are_open,
    _any_aggregate_serves,
    _facts_are_open,
    _anybody_is_meant,
    _one_of_two_is_enough,
    _members_are_open,
    _null_is_everybodys,
    _rights_multiply,
    _errors_speak,
)
_QUICK = {_facts_are_open, _anybody_is_meant}


@pytest.mark.parametrize("plant", plants(_PLANTS, is_slow=lambda plant: plant not in _QUICK))
def test_a_planted_leak_is_found(plant: Plant, tmp_path: Path) -> None:
    """Within some stars."""
    with open_pair(tmp_path) as pair:
        assert_found(plant, lambda data: check(pair, data), examples=40)
