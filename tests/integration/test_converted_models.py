"""Converted models answer as SQL by hand does, from the facts and from aggregates, and say what they left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.transfer.convert_model import (
    ConversionWish,
    convert_ossie_file,
)
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.stars.bakery import PROJECT, deployed_bakery
from tests.support.stars.library import FILE, make_library

_AGGREGATES = """\
aggregates:
  - unique_name: by_country_and_day
    label: by country and day
    metrics: [revenue, costs, basket_rows, mean_amount, paid_revenue, norwegian_revenue, revenue_of_nowhere]
    attributes:
      - {name: customer__country, dimension: customer}
      - {name: metric_time__day, dimension: metric_time}
"""

_BAKERY = {
    'SELECT "customer__country", revenue, costs, margin FROM bakery GROUP BY 1': """
        SELECT c.country, SUM(b.amount), SUM(b.cost), SUM(b.amount) - SUM(b.cost)
        FROM bakery.baskets b LEFT JOIN bakery.customers c USING (customer_id) GROUP BY 1""",
    'SELECT "metric_time__month", revenue, basket_rows, mean_amount FROM bakery GROUP BY 1': """
        SELECT DATE_TRUNC('month', ordered_at), SUM(amount), COUNT(*), AVG(amount) FROM bakery.baskets GROUP BY 1""",
    'SELECT "customer__country", paid_share FROM bakery GROUP BY 1': """
        SELECT c.country, CAST(SUM(b.amount) FILTER (WHERE b.state = 'paid') AS DOUBLE) / NULLIF(SUM(b.amount), 0)
        FROM bakery.baskets b LEFT JOIN bakery.customers c USING (customer_id) GROUP BY 1""",
    'SELECT "basket__customer__country", line_value FROM bakery GROUP BY 1': """
        SELECT c.country, SUM(l.quantity * l.price) FROM bakery.basket_lines l
        LEFT JOIN bakery.baskets b USING (basket_id) LEFT JOIN bakery.customers c USING (customer_id) GROUP BY 1""",
    'SELECT "branch__area", buyers, paid_by_card, priced_baskets FROM bakery GROUP BY 1': """
        SELECT UPPER(n.area), COUNT(DISTINCT customer_id), SUM(CASE WHEN by_card THEN 1 ELSE 0 END), COUNT(amount)
        FROM bakery.baskets b LEFT JOIN bakery.branches n USING (branch_id) GROUP BY 1""",
    'SELECT "metric_time__day", revenue_of_week FROM bakery GROUP BY 1': """
        SELECT d.day, (SELECT SUM(amount) FROM bakery.baskets b
            WHERE CAST(b.ordered_at AS DATE) <= d.day AND CAST(b.ordered_at AS DATE) > d.day - INTERVAL 7 DAY)
        FROM bakery.days d""",
    'SELECT "metric_time__year", revenue_of_week FROM bakery GROUP BY 1': """
        SELECT DISTINCT DATE_TRUNC('year', CAST(day AS TIMESTAMP)), NULL FROM bakery.days""",
    'SELECT "metric_time__day", growth_of_month FROM bakery GROUP BY 1': """
        SELECT d.day, (SELECT SUM(amount) FROM bakery.baskets b WHERE CAST(b.ordered_at AS DATE) = d.day)
            - (SELECT SUM(amount) FROM bakery.baskets b WHERE CAST(b.ordered_at AS DATE) = d.day - INTERVAL 1 MONTH)
        FROM bakery.days d""",
    'SELECT "customer__country", norwegian_revenue, revenue_of_nowhere FROM bakery GROUP BY 1': """
        SELECT c.country, SUM(b.amount) FILTER (WHERE c.country = 'NO'),
            SUM(b.amount) FILTER (WHERE c.country IS NULL AND UPPER(n.area) = 'NORTH')
        FROM bakery.baskets b LEFT JOIN bakery.customers c USING (customer_id)
        LEFT JOIN bakery.branches n USING (branch_id) GROUP BY 1""",
    'SELECT "basket__state", norwegian_revenue, norwegian_share FROM bakery GROUP BY 1': """
        SELECT b.state, SUM(b.amount) FILTER (WHERE c.country = 'NO'),
            CAST(SUM(b.amount) FILTER (WHERE c.country = 'NO') AS DOUBLE) / NULLIF(SUM(b.amount), 0)
        FROM bakery.baskets b LEFT JOIN bakery.customers c USING (customer_id) GROUP BY 1""",
    'SELECT "line__product", norwegian_lines FROM bakery GROUP BY 1': """
        SELECT l.product, SUM(l.quantity * l.price) FILTER (WHERE c.country = 'NO') FROM bakery.basket_lines l
        LEFT JOIN bakery.baskets b USING (basket_id) LEFT JOIN bakery.customers c USING (customer_id) GROUP BY 1""",
    'SELECT "metric_time__month", revenue_to_the_end, revenue_to_date FROM bakery GROUP BY 1': """
        SELECT d.m,
            CASE WHEN days >= 28 THEN (SELECT SUM(amount) FROM bakery.baskets b
                WHERE b.ordered_at >= DATE_TRUNC('quarter', d.m) AND b.ordered_at < d.m + INTERVAL 1 MONTH) END,
            (SELECT SUM(amount) FROM bakery.baskets b WHERE CAST(b.ordered_at AS DATE) = d.m)
        FROM (SELECT DATE_TRUNC('month', CAST(day AS TIMESTAMP)) AS m, COUNT(*) AS days
            FROM bakery.days GROUP BY 1) d""",
    'SELECT "metric_time__month", revenue_two_months_before FROM bakery GROUP BY 1': """
        SELECT d.m, (SELECT SUM(amount) FROM bakery.baskets b
            WHERE DATE_TRUNC('month', b.ordered_at) = d.m - INTERVAL 2 MONTH)
        FROM (SELECT DISTINCT DATE_TRUNC('month', CAST(day AS TIMESTAMP)) AS m FROM bakery.days) d""",
    'SELECT "metric_time__day", buyers_year_before FROM bakery GROUP BY 1': """
        SELECT d.day, (SELECT COUNT(DISTINCT customer_id) FROM bakery.baskets b
            WHERE CAST(b.ordered_at AS DATE) = d.day - INTERVAL 1 YEAR) FROM bakery.days d
        WHERE d.day - INTERVAL 1 YEAR IN (SELECT CAST(ordered_at AS DATE) FROM bakery.baskets)
        UNION ALL SELECT d.day, NULL FROM bakery.days d
        WHERE d.day - INTERVAL 1 YEAR NOT IN (SELECT CAST(ordered_at AS DATE) FROM bakery.baskets)""",
    'SELECT "metric_time__day", growth_in_the_month FROM bakery GROUP BY 1': """
        SELECT d.day, (SELECT SUM(amount) FROM bakery.baskets b WHERE CAST(b.ordered_at AS DATE) = d.day)
            - (SELECT SUM(amount) FROM bakery.baskets b
                WHERE CAST(b.ordered_at AS DATE) = DATE_TRUNC('month', CAST(d.day AS TIMESTAMP)))
        FROM bakery.days d""",
    'SELECT delivered_revenue, "metric_time__month" FROM bakery GROUP BY 2': """
        SELECT SUM(amount), DATE_TRUNC('month', delivered_at) FROM bakery.baskets GROUP BY 2""",
}

_LIBRARY = {
    "SELECT shelf, loans_made, fees, long_loans FROM library GROUP BY 1": """
        SELECT UPPER(shelf), COUNT(loan_id), SUM(COALESCE(fee, 0) + COALESCE(fine, 0)),
            SUM(CASE WHEN days_out > 14 THEN 1 ELSE 0 END) FROM library.loans GROUP BY 1""",
    "SELECT reader, fees, active_readers, fee_per_reader FROM library GROUP BY 1": """
        SELECT r.name, SUM(COALESCE(fee, 0) + COALESCE(fine, 0)), COUNT(DISTINCT l.reader_id),
            CAST(SUM(COALESCE(fee, 0) + COALESCE(fine, 0)) AS DOUBLE) / NULLIF(COUNT(DISTINCT l.reader_id), 0)
        FROM library.loans l LEFT JOIN library.readers r USING (reader_id) GROUP BY 1""",
    "SELECT region, fees FROM library GROUP BY 1": """
        SELECT t.region, SUM(COALESCE(fee, 0) + COALESCE(fine, 0)) FROM library.loans l
        LEFT JOIN library.readers r USING (reader_id) LEFT JOIN library.towns t USING (country, town) GROUP BY 1""",
    'SELECT "lent year", "due year", loans_made FROM library GROUP BY 1, 2': """
        SELECT EXTRACT(YEAR FROM a.day), EXTRACT(YEAR FROM b.day), COUNT(*) FROM library.loans l
        LEFT JOIN library.calendar a ON a.day = l.lent_on LEFT JOIN library.calendar b ON b.day = l.due_on
        GROUP BY 1, 2""",
    "SELECT mean_age FROM library": "SELECT AVG(age) FROM library.readers",
}


@pytest.fixture(scope="module")
def bakery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The bakery converted from its YAML, with one aggregate, built."""
    with deployed_bakery(tmp_path_factory.mktemp("bakery"), _AGGREGATES) as place:
        run_batch(place, "bakery", owner="test")
        yield place


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The library converted from its file."""
    scratch = tmp_path_factory.mktemp("library")
    url = make_library(scratch / "warehouse.duckdb")
    convert_ossie_file(FILE, scratch / "sml", ConversionWish())
    with open_workspace(registry=f"sqlite:///{scratch / 'r.sqlite'}", warehouse=url, aggregate_schema="aggs") as place:
        deploy(place, scratch / "sml", now=utc_now())
        yield place


def _rows(rows: list[tuple[object, ...]]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(_text(value) for value in row) for row in rows)


def _text(value: object) -> str:
    """Numbers to nine digits, times without their midnight."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return f"{float(value):.9f}"
    return str(value).removesuffix(" 00:00:00")


def _by_hand(place: Workspace, sql: str) -> list[tuple[object, ...]]:
    with place.warehouse.session() as session:
        return [tuple(row) for row in session.fetch_all(sql)]


@pytest.mark.parametrize("question", _BAKERY)
@pytest.mark.parametrize("with_aggregates", [True, False], ids=["routed", "facts"])
def test_a_converted_dbt_project_answers_as_sql_does(
    bakery: Workspace, question: str, *, with_aggregates: bool
) -> None:
    answer = QueryRouter(bakery).answer(question, use_aggregates=with_aggregates)

    assert _rows([tuple(row) for row in answer.rows]) == _rows(_by_hand(bakery, _BAKERY[question]))


def test_aggregates_of_a_converted_model_answer(bakery: Workspace) -> None:
    sql = 'SELECT "customer__country", revenue, margin, norwegian_revenue FROM bakery GROUP BY 1'

    assert all(source.aggregate is not None for source in QueryRouter(bakery).answer(sql).plan.sources)


@pytest.mark.parametrize("question", _LIBRARY)
def test_a_converted_ossie_file_answers_as_sql_does(library: Workspace, question: str) -> None:
    answer = QueryRouter(library).answer(question)

    assert _rows([tuple(row) for row in answer.rows]) == _rows(_by_hand(library, _LIBRARY[question]))


def test_the_verb_tells_what_it_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sml"

    assert run(["convert", "dbt", str(PROJECT), str(out)]) == 0
    told = capsys.readouterr()
    assert "left out: metric `joined_then_bought` (models/metrics.yml:" in told.out
    assert f"Next: atscale-aggs deploy {out}" in told.err
    assert run(["convert", "ossie", str(FILE), str(tmp_path / "library"), "--strict", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert {made["name"] for made in document["constructs"] if made["outcome"] == "left out"} >= {"mood", "fees_by_age"}


def test_a_file_that_somebody_changed_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "ossie", str(FILE), str(tmp_path)]) == 0
    model = tmp_path / "models" / "library.yml"
    model.write_text(model.read_text().replace("label: library", "label: Library"))

    assert run(["convert", "ossie", str(FILE), str(tmp_path)]) == 1
    assert f"Error: {model}: somebody else wrote or changed this file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.yaml", "semantic_model: ["),
        ("list.yaml", "- a"),
        ("missing.yaml", None),
        ("cycle.yaml", "semantic_model: &a [*a]"),
        ("bytes.yaml", "\udcff"),
    ],
)
def test_a_hostile_file_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | None
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content.encode("utf-8", errors="surrogateescape"))

    assert run(["convert", "ossie", str(file), str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"Error: {file}")
    assert "Traceback" not in told
    assert "not foreseen" not in told
