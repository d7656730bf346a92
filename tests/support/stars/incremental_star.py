"""The tiny star with an incremental fact: every kind of indicator of one and the same moment, and the truth by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.aggregates.segment import Segment
from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport, activate_batch
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, begin_batch
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars import tiny_star

START = 1_760_000_000
"""Seconds since 1970 at which the story of a test begins."""

INDICATORS = {"plain": "seq", "milliseconds": "epoch_ms", "timestamp": "loaded_at", "instant": "loaded_tz"}
"""Kind of indicator to its column."""

OWNER = "a test"
MODEL = "tiny_sales"

DeployModel = Callable[..., Workspace]
"""Deploys the model with an indicator and other options, as `write_model` takes them."""

AGGREGATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "by_city": (("City",), ("Quantity", "Amount", "Average Amount", "Least", "Greatest", "Variance")),
    "by_day_and_shop": (("Day", "Shop"), ("Quantity", "Amount", "Least", "Greatest")),
    "by_month": (("Month",), ("Amount", "Greatest")),
}

_MORE_METRICS = {"Least": "minimum", "Greatest": "maximum", "Variance": "var_pop"}
_DAY = "d.day_id, d.day_name"
_DAY_THERE = "CASE WHEN d.day_id IS NULL THEN 0 ELSE 1 END"
_SHOP_THERE = "CASE WHEN s.shop_id IS NULL THEN 0 ELSE 1 END"
_JOINED = "sales AS f LEFT JOIN day AS d ON d.day_id = f.day_id LEFT JOIN shop AS s ON s.shop_id = f.shop_id"
_ALL = "SUM(f.quantity), SUM(f.amount), MIN(f.amount), MAX(f.amount)"
_SQUARES = "VAR_POP(CAST(f.amount AS DOUBLE PRECISION)) * COUNT(f.amount)"

_TRUTH = {
    "by_city": (
        "city, shop_matched, sum_quantity, sum_amount, min_amount, max_amount, count_amount, row_count, squares_amount",
        f"SELECT s.city, {_SHOP_THERE}, {_ALL}, COUNT(f.amount), COUNT(*), {_SQUARES} FROM {_JOINED} GROUP BY 1, 2",
        2,
    ),
    "by_day_and_shop": (
        (
            "day_key, day, shop_key, shop, day_matched, shop_matched, sum_quantity, sum_amount, min_amount, "
            "max_amount, row_count"
        ),
        (
            f"SELECT {_DAY}, s.shop_id, s.shop_name, {_DAY_THERE}, {_SHOP_THERE}, {_ALL}, COUNT(*) FROM {_JOINED} "
            "GROUP BY 1, 2, 3, 4, 5, 6"
        ),
        6,
    ),
    "by_month": (
        "month, day_matched, sum_amount, max_amount, row_count",
        f"SELECT d.month, {_DAY_THERE}, SUM(f.amount), MAX(f.amount), COUNT(*) FROM {_JOINED} GROUP BY 1, 2",
        2,
    ),
    "by_tag": (
        "tag_key, tag, tag_matched, sum_quantity, sum_amount, row_count",
        (
            "SELECT g.tag_id, g.tag_name, CASE WHEN g.tag_id IS NULL THEN 0 ELSE 1 END, SUM(f.quantity), "
            "SUM(f.amount), COUNT(*) "
            "FROM sales AS f LEFT JOIN bridge AS b ON b.shop_id = f.shop_id LEFT JOIN tag AS g ON g.tag_id = b.tag_id "
            "GROUP BY 1, 2, 3"
        ),
        3,
    ),
}
"""Aggregate to the columns of its view, the SELECT written by hand that they must equal, and the number of keys."""

SETUP_SQL = (
    *tiny_star.SETUP_SQL[:2],
    (
        "CREATE TABLE sales (day_id INTEGER, shop_id INTEGER, quantity INTEGER, amount DECIMAL(9,2), "
        "seq BIGINT, epoch_ms BIGINT, loaded_at TIMESTAMP, loaded_tz TIMESTAMP WITH TIME ZONE)"
    ),
    *tiny_star.SETUP_SQL[3:5],
)


_COLUMNS = "day_id, shop_id, quantity, amount, seq, epoch_ms, loaded_at, loaded_tz"


@dataclass(frozen=True)
class Sale:
    """One fact row; ``at``: seconds since 1970, None for no indicator."""

    at: int | None
    day: int = 1
    shop: int | None = 1
    quantity: int | None = 1
    amount: int | None = 1

    def sql(self) -> str:
        """A row of VALUES."""
        moment = "NULL" if self.at is None else f"'{datetime.fromtimestamp(self.at, UTC):%Y-%m-%d %H:%M:%S}'"
        zoned = moment if self.at is None else f"{moment[:-1]}+00'"
        indicators = (
            f"{'NULL' if self.at is None else self.at - START}, {'NULL' if self.at is None else self.at * 1000}, "
            f"CAST({moment} AS TIMESTAMP), CAST({zoned} AS TIMESTAMP WITH TIME ZONE)"
        )
        values = (
            "NULL" if value is None else str(value) for value in (self.day, self.shop, self.quantity, self.amount)
        )
        return f"({', '.join(values)}, {indicators})"


TAG_SQL = (
    "CREATE TABLE bridge AS SELECT * FROM (VALUES (1, 1), (1, 2), (2, 1), (3, 2)) AS t (shop_id, tag_id)",
    "CREATE TABLE tag AS SELECT * FROM (VALUES (1, 'new'), (2, 'big')) AS t (tag_id, tag_name)",
)
"""Shops have several tags, or none."""

_BY_TAG = """\
aggregates:
  - unique_name: by_tag
    label: by_tag
    attributes:
      - {name: Tag, dimension: Tags}
    metrics: [Quantity, Amount]
"""
_TAGS = """\
unique_name: Tags
object_type: dimension
label: Tags
type: standard
hierarchies:
  - unique_name: Tags levels
    label: Tags levels
    filter_empty: 'yes'
    levels:
      - unique_name: Tag
level_attributes:
  - {unique_name: Tag, label: Tag, dataset: tag, is_unique_key: true, key_columns: [tag_id], name_column: tag_name}
"""
_BRIDGE = """\
unique_name: Bridge
object_type: dimension
label: Bridge
type: standard
hierarchies:
  - unique_name: Bridge levels
    label: Bridge levels
    filter_empty: 'yes'
    levels:
      - unique_name: Bridge Key
level_attributes:
  - {unique_name: Bridge Key, label: Bridge Key, dataset: bridge, key_columns: [shop_id], name_column: shop_id}
relationships:
  - unique_name: to_tag
    type: embedded
    m2m: true
    from: {dataset: bridge, join_columns: [tag_id], level: Bridge Key}
    to: {dimension: Tags, level: Tag}
"""
_TO_BRIDGE = """\
  - unique_name: sales_tags
    from: {dataset: sales, join_columns: [shop_id]}
    to: {dimension: Bridge, level: Bridge Key}
"""

HISTORY = tuple(Sale(at=START - 60 + 5 * n, day=n % 20, shop=1 + n % 4, amount=n) for n in range(13))
"""A minute of rows, the last one at START."""


@contextmanager
def open_star(folder: Path, url: str = "") -> Iterator[Workspace]:
    """A workspace on tables with a minute of facts, in files of a folder or another database; nothing is deployed.

    All segments of so few facts are small. They are merged only when there are too many, so that stories have several.
    """
    with open_workspace(
        registry=f"sqlite:///{folder / 'registry.sqlite'}",
        warehouse=url or f"duckdb:///{folder / 'w.duckdb'}",
        aggregate_schema="aggs",
    ) as opened:
        tiny_star.run_sql(opened, *SETUP_SQL)
        load(opened, *HISTORY)
        opened.registry.settings.put(None, "aggregate.incrementalUpdate.mergeSmallSegments.rows", "0")
        yield opened


def write_model(
    folder: Path,
    *,
    indicator: str = "timestamp",
    grace: str = "10s",
    immutable: Sequence[str] = ("shop", "day"),
    aggregates: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] | None = None,
    column: str = "",
    more_columns: str = "",
) -> Path:
    """Write the SML files; returns their folder."""
    tiny_star.write_model(folder, aggregates or AGGREGATES)
    for name, method in _MORE_METRICS.items():
        text = tiny_star.METRIC.format(name=name, method=method, column="amount")
        (folder / f"metric_{name}.yml").write_text(text, encoding="utf-8")
    model = folder / "model.yml"
    listed = "".join(f"  - unique_name: {name}\n" for name in _MORE_METRICS)
    model.write_text(model.read_text().replace("metrics:\n", f"metrics:\n{listed}", 1), encoding="utf-8")
    facts = folder / "dataset_sales.yml"
    facts.write_text(
        f"{facts.read_text()}{more_columns}"
        f"incremental: {{column: {column or INDICATORS[indicator]}, grace_period: '{grace}'}}\n"
    )
    for name in immutable:
        file = folder / f"dataset_{name}.yml"
        file.write_text(file.read_text() + "immutable: true\n")
    return folder


def add_tags(folder: Path) -> Path:
    """Add the tags of shops, a many-to-many attribute, and an aggregate ``by_tag`` to a written model; its folder."""
    for table, columns in {"bridge": ("shop_id int", "tag_id int"), "tag": ("tag_id int", "tag_name string")}.items():
        (folder / f"dataset_{table}.yml").write_text(tiny_star.dataset(table, columns) + "immutable: true\n")
    (folder / "tags.yml").write_text(_TAGS)
    (folder / "bridge.yml").write_text(_BRIDGE)
    model = folder / "model.yml"
    text = model.read_text().replace("metrics:\n", f"{_TO_BRIDGE}metrics:\n", 1)
    model.write_text(text.replace("aggregates:\n", _BY_TAG, 1))
    return folder


def fetch(workspace: Workspace, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with workspace.warehouse.session() as session:
        return session.fetch_all(tiny_star.said_for(sql, workspace.warehouse.dialect))


def load(workspace: Workspace, *sales: Sale) -> None:
    """Add fact rows."""
    if sales:
        tiny_star.run_sql(workspace, f"INSERT INTO sales ({_COLUMNS}) VALUES {', '.join(sale.sql() for sale in sales)}")


def build(
    workspace: Workspace,
    build_type: BuildType = BuildType.INCREMENTAL,
    *,
    at: int = START,
    events: list[BuildEvent] | None = None,
    request: BatchRequest | None = None,
) -> BatchReport:
    """Build one batch by the clock of the test, or finish one that was killed."""
    now = datetime.fromtimestamp(at, UTC)
    begun = begin_batch(
        workspace, MODEL, build_type=build_type, owner=OWNER, now=now, request=request or BatchRequest()
    )
    for instance in begun.instances:
        build_instance(workspace, instance.id, owner=OWNER, on_event=(events if events is not None else []).append)
    report = activate_batch(workspace, begun.batch.id, owner=OWNER, now=now)
    assert report.batch.status is BatchStatus.DONE
    return report


def segments(workspace: Workspace, aggregate: str = "by_city") -> tuple[Segment, ...]:
    """The segments that serve for an aggregate."""
    active = workspace.read.instances.serving(workspace.read.models.get(MODEL).id)
    return workspace.read.instances.segments(
        next(instance.id for instance in active if instance.step.aggregate == aggregate)
    )


def put_setting(workspace: Workspace, key: str, value: object) -> None:
    """Change a setting of the model."""
    workspace.registry.settings.put(workspace.read.models.get(MODEL).id, key, str(value))


def reasons(report: BatchReport) -> dict[str, str]:
    """Why each aggregate was built in full; empty for an increment."""
    steps = [instance.step for instance in report.instances]
    return {step.aggregate: ("table: " if step.increment is None else "") + step.full_reason for step in steps}


def check_views(workspace: Workspace, aggregates: Sequence[str] = tuple(AGGREGATES)) -> None:
    """Check that every stable view holds what a full rebuild would."""
    for name in aggregates:
        columns, truth, _ = _TRUTH[name]
        expected = contents(workspace, name, truth)
        shown = contents(workspace, name, f'SELECT {columns} FROM aggs."agg_{MODEL}_{name}"')
        assert is_same(shown, expected), f"{name}: {shown} is not {expected}"


def view_contents(
    workspace: Workspace, aggregates: Sequence[str] = tuple(AGGREGATES)
) -> dict[str, dict[Any, tuple[Any, ...]]]:
    """The rows that the stable views hold."""
    return {
        name: contents(workspace, name, f'SELECT {_TRUTH[name][0]} FROM aggs."agg_{MODEL}_{name}"')
        for name in aggregates
    }


def contents(workspace: Workspace, name: str, sql: str) -> dict[Any, tuple[Any, ...]]:
    """Rows by key; a key that stands twice is an error."""
    width = _TRUTH[name][2]
    rows = fetch(workspace, sql)
    rows_by_key = {row[:width]: row[width:] for row in rows}
    assert len(rows_by_key) == len(rows), f"{name} holds a group twice: {rows}"
    return rows_by_key


def is_same(rows: dict[Any, tuple[Any, ...]], other_rows: dict[Any, tuple[Any, ...]]) -> bool:
    """Whether both have equal rows; floating values may differ by a little."""
    if rows.keys() != other_rows.keys():
        return False
    return all(_near(a, b) for key, row in rows.items() for a, b in zip(row, other_rows[key], strict=True))


def _near(value: Any, other_value: Any) -> bool:
    if isinstance(value, float) and isinstance(other_value, float):
        return math.isclose(value, other_value, rel_tol=1e-9, abs_tol=1e-6)
    return bool(value == other_value)


def deploy_and_build(workspace: Workspace, folder: Path, *before: str, **options: Any) -> None:
    """Deploy the model and build it in full, after some statements."""
    tiny_star.run_sql(workspace, *before)
    deploy(workspace, write_model(folder / "model", **options), now=utc_now())
    build(workspace, BuildType.FULL)


def reason_of_rebuild(workspace: Workspace, *changes: str, aggregate: str = "by_city", at: int = START + 20) -> str:
    """Why an aggregate is built in full, some new rows and changes later; all of them are right afterwards."""
    tiny_star.run_sql(workspace, *changes)
    load(workspace, Sale(at=at - 3, amount=3), Sale(at=at, amount=4))
    report = build(workspace, at=at)
    check_views(workspace)
    return reasons(report)[aggregate]


def is_incremental(reason: str) -> bool:
    """Whether a reason says that an increment was built."""
    return reason in {"", "increment"}


def record_queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list to which every query of a warehouse session is added from now on."""
    queries: list[str] = []
    fetch_all = DbApiSession.fetch_all

    def record_query(self: DbApiSession, sql: str) -> Any:
        queries.append(sql)
        return fetch_all(self, sql)

    monkeypatch.setattr(DbApiSession, "fetch_all", record_query)
    return queries
