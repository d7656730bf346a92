"""Semi-additive metrics are answered for the first or last member, or refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import (
    UnsupportedQueryError,
)
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import DeployReport, deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from tests.support.stars import tiny_star


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize(("position", "pick"), [("last", "MAX"), ("first", "MIN")])
def test_semi_additive_metrics_are_those_of_the_first_or_last_member(
    workspace: Workspace, tmp_path: Path, position: str, pick: str
) -> None:
    """Each group takes the last member that has a value; NULL values and missing days are never the last."""
    tiny_star.run_sql(
        workspace, "INSERT INTO sales VALUES (777, 1, 5, 1), (NULL, 1, 6, 1), (19, 1, NULL, 1), (0, 4, NULL, 1)"
    )
    _deploy_with(workspace, tmp_path, f"{{position: {position}, relationships: [sales_day]}}")

    by_city = answer(workspace, 'SELECT "City", "Edge", "Amount" FROM tiny.tiny_sales')
    whole = answer(workspace, 'SELECT "Edge" FROM tiny.tiny_sales WHERE "Month" <> \'month 1\'')

    rows = "FROM sales f LEFT JOIN shop s ON f.shop_id = s.shop_id LEFT JOIN day d ON d.day_id = f.day_id"
    best = f"SELECT {pick}(d.day_id) {rows} WHERE f.quantity IS NOT NULL"
    with workspace.warehouse.session() as session:
        wanted = session.fetch_all(
            f"SELECT o.city, (SELECT SUM(f.quantity) {rows} WHERE s.shop_id IS NOT NULL "
            "AND s.city IS NOT DISTINCT FROM o.city "
            f"AND d.day_id = ({best} AND s.shop_id IS NOT NULL AND s.city IS NOT DISTINCT FROM o.city)), "
            "SUM(g.amount) FROM sales g JOIN shop o ON g.shop_id = o.shop_id GROUP BY o.city"
        )
        ((total,),) = session.fetch_all(
            f"SELECT SUM(f.quantity) {rows} WHERE d.day_id = ({best} AND d.month <> 'month 1')"
        )
    assert sorted(by_city.rows, key=str) == sorted(wanted, key=str)
    assert whole.rows == [(total,)]
    assert not by_city.plan.uses_aggregates
    (candidate, *_) = explain(workspace, 'SELECT "City", "Edge" FROM tiny.tiny_sales', estimate=False).candidates[0]
    assert (candidate.miss, candidate.missing, candidate.change) == (Miss.SEMI_ADDITIVE, ("Edge",), "")


@pytest.mark.parametrize(
    "semi_additive",
    ["{position: last_child, relationships: [sales_day]}", "{position: last, relationships: [sales_day, sales_shop]}"],
)
def test_other_semi_additive_metrics_are_refused_by_name(
    workspace: Workspace, tmp_path: Path, semi_additive: str
) -> None:
    """Empty members would count for a child, and two dimensions have no common order."""
    report = _deploy_with(workspace, tmp_path, semi_additive)

    assert [issue.file for issue in report.issues if issue.code == "not-honoured"] == ["edge.yml"]
    with pytest.raises(UnsupportedQueryError, match="`Edge` is not answered: it is semi-additive by more than"):
        answer(workspace, 'SELECT "Edge" FROM tiny.tiny_sales')


def _deploy_with(workspace: Workspace, tmp_path: Path, semi_additive: str) -> DeployReport:
    """The model with a metric `Edge`."""
    folder = tmp_path / "model"
    (folder / "edge.yml").write_text(
        "unique_name: Edge\nobject_type: metric\nlabel: Edge\ncalculation_method: sum\ndataset: sales\ncolumn: "
        "quantity\n"
        f"semi_additive: {semi_additive}\n",
        encoding="utf-8",
    )
    model = folder / "model.yml"
    text = model.read_text(encoding="utf-8")
    model.write_text(text.replace("metrics:\n", "metrics:\n  - unique_name: Edge\n", 1), encoding="utf-8")
    return deploy(workspace, folder, now=_now())
