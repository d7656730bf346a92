"""The tiny star with some thousand facts and no aggregates: what advice is given on."""

from __future__ import annotations

from pathlib import Path

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import DeployReport, deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars import tiny_star
from tests.support.stars.standing_star import NOW

FACT_ROWS = tiny_star.FACT_ROWS + tiny_star.FACT_ROWS**2

MORE_FACTS = "INSERT INTO sales SELECT a.day_id, b.shop_id, a.quantity, b.amount FROM sales AS a CROSS JOIN sales AS b"
"""20 days in 4 months, 4 shops in 2 cities or none, foreign keys that lead nowhere."""

_METRICS = {"Days": "count distinct", "Visitors": "estimated count distinct", "Takings": "sum distinct"}
"""Metrics that do not roll up, or only as estimates; they are of the column ``day_id``."""


ROW_SECURITY = """\
unique_name: own_shops
object_type: row_security
label: Own shops
dataset: shop
filter_key_column: city
ids_column: city
id_type: user
scope: all
use_filter_key: true
"""
"""Who sees which shops: a file of the model."""


def lay_tables(workspace: Workspace, folder: Path) -> None:
    """Make the tables, and write the model in ``model``."""
    tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL, MORE_FACTS)
    tiny_star.write_model(folder / "model", {})


def deploy_model(workspace: Workspace, folder: Path) -> None:
    """Deploy the model as well."""
    lay_tables(workspace, folder)
    deploy(workspace, folder / "model", now=NOW)


def deploy_with_distinct_metrics(workspace: Workspace, folder: Path) -> None:
    """Deploy it with metrics that are hard to store."""
    lay_tables(workspace, folder)
    for name, method in _METRICS.items():
        text = tiny_star.METRIC.format(name=name, method=method, column="day_id")
        (folder / "model" / f"metric_{name}.yml").write_text(text)
    listed = "".join(f"  - unique_name: {name}\n" for name in _METRICS)
    edit(folder / "model", "model", "metrics:\n", f"metrics:\n{listed}")
    deploy(workspace, folder / "model", now=NOW)


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Change a text in the first place where it stands in a file of the model."""
    file = folder / f"{name}.yml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def redeploy(workspace: Workspace, folder: Path, *edits: tuple[str, str, str]) -> DeployReport:
    """Deploy the model of a folder after edits: file, old text, new text."""
    for name, old, new in edits:
        edit(folder, name, old, new)
    return deploy(workspace, folder, now=NOW)
