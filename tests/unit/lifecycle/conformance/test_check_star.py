"""Tests for the star that warehouses are checked with."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb
import pytest

from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import (
    INDICATORS,
    LATER,
    MODEL,
    TABLES,
    describe_rows,
    read_rows,
    write_model,
)
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.statements import render


def _column(table: str, name: str) -> list[str | None]:
    rows = read_rows(table)
    place = [column for column, _ in rows.columns].index(name)
    return [row[place] for row in rows.rows]


def test_the_rows_have_what_goes_wrong_first() -> None:
    """NULLs, keys that lead nowhere, rows that are there twice, negative numbers, texts that are nearly equal."""
    shops, days = set(_column("check_shop", "shop_id")), set(_column("check_day", "day_id"))
    cities = _column("check_shop", "city")

    assert {None, "99"} <= set(_column("check_sale", "shop_id")) - shops
    assert {None, "99"} <= set(_column("check_sale", "day_id")) - days
    assert max(Counter(read_rows("check_sale").rows).values()) == 3
    assert any(amount is not None and amount.startswith("-") for amount in _column("check_sale", "amount"))
    assert {"Zürich", "zürich", "Bern", "Bern ", None} <= set(cities)
    assert {"", None, "web", "Web", "wëb"} <= set(_column("check_sale", "channel"))


def test_later_rows_are_newer_but_for_two_that_are_late() -> None:
    greatest = max(map(int, filter(None, _column("check_sale", "sale_id"))))

    assert sum(int(str(number)) <= greatest for number in _column(LATER, "sale_id")) == 2
    assert describe_rows(["check_day"]) == "1 tables with 11 rows"


def test_rows_are_selected_with_their_types() -> None:
    with duckdb.connect() as connection:
        query = render(read_rows("check_sale").select(0, 2), DIALECTS["duckdb"])
        result = connection.execute(f"DESCRIBE {query}").fetchall()

    types = {row[0]: row[1] for row in result}
    assert (types["amount"], types["loaded_tz"], types["sale_id"]) == (
        "DECIMAL(9,2)",
        "TIMESTAMP WITH TIME ZONE",
        "BIGINT",
    )


@pytest.mark.parametrize("indicator", ["", *INDICATORS])
def test_each_model_can_be_read_and_says_where_its_tables_are(tmp_path: Path, indicator: str) -> None:
    name = write_model(tmp_path, "my schema", indicator=indicator)
    folder = read_model_folder(tmp_path)

    assert (name == MODEL) is not bool(indicator)
    assert f"unique_name: {name}\n" in (tmp_path / "model.yml").read_text(encoding="utf-8")
    assert "schema: 'my schema'" in (tmp_path / "connection.yml").read_text(encoding="utf-8")
    text = (tmp_path / "dataset_sale.yml").read_text(encoding="utf-8")
    assert ("incremental" in text) is bool(indicator)
    assert folder is not None
    assert set(TABLES) == {f"check_{file.stem.removeprefix('dataset_')}" for file in tmp_path.glob("dataset_*.yml")}
