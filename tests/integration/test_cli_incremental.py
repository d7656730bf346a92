"""Incremental rebuilds from the command line: real processes, real files."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.support.command_line import run_command
from tests.support.stars import incremental_star as star
from tests.support.stars.incremental_star import START, Sale


def _load(folder: Path, *sales: Sale) -> None:
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute(f"INSERT INTO sales VALUES {', '.join(sale.sql() for sale in sales)}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A star in warehouse.duckdb, its model in m/, deployed."""
    star.write_model(tmp_path / "m", immutable=("shop",))
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        for statement in star.SETUP_SQL:
            connection.execute(statement)
    _load(tmp_path, *(Sale(at=START + 5 * n, day=n, shop=1 + n % 4, amount=n) for n in range(20)))
    assert run_command(tmp_path, "deploy", "m")[0] == 0
    return tmp_path


def test_plan_and_build_by_increments(folder: Path) -> None:
    """The plan says what is incremental, and why the rest is not. Late rows count, with grace periods of one batch."""
    code, _, err = run_command(folder, "build", "tiny_sales", "--incremental")
    assert code == 0
    assert "Built in full: by_city: it has not been built before." in err
    _load(folder, Sale(at=START + 300, amount=1), Sale(at=START + 20, amount=2))

    code, out, err = run_command(folder, "plan", "tiny_sales", "--incremental", "--json")
    steps = {step["aggregate"]: step for step in json.loads(out)["steps"]}
    assert code == 0
    assert (steps["by_city"]["build"], steps["by_month"]["build"]) == ("increment", "full")
    assert [segment["settled"] for segment in steps["by_city"]["segments"]] == [True, False]
    assert steps["by_month"]["full_reason"].startswith("it joins `day`, not `immutable`")

    code, _, err = run_command(folder, "build", "tiny_sales", "--incremental")
    assert code == 0
    assert "1 row of sales came later than the grace period of 10s allows" in err
    code, out, _ = run_command(folder, "instances", "--json")
    assert {
        instance["aggregate"]: instance["build"] for instance in json.loads(out) if instance["status"] == "active"
    } == {
        "by_city": "increment",
        "by_day_and_shop": "full",
        "by_month": "full",
    }
    code, _, err = run_command(folder, "build", "tiny_sales", "--incremental", "--grace-period", "sales=1h")
    assert code == 1
    assert "overrides are switched off" in err


def test_a_plan_shows_which_segments_a_named_range_reaches_and_records_nothing(folder: Path) -> None:
    for _ in range(2):
        assert run_command(folder, "build", "tiny_sales", "--incremental")[0] == 0

    code, out, err = run_command(folder, "plan", "tiny_sales", "--changed", "sales=2025-10-09", "--json")
    plan = json.loads(out)
    steps = {step["aggregate"]: step for step in plan["steps"]}
    assert (code, plan["build_type"], steps["by_city"]["build"]) == (0, "incremental", "increment")
    assert [segment["settled"] for segment in steps["by_city"]["segments"]] == [True, False]
    assert any(note.startswith("`sales` was named as changed (2025-10-09)") for note in plan["notes"])
    (sales,) = [fact for fact in plan["cost"]["facts"] if fact["fact"] == "sales"]
    assert sales["whole"].get("marks", 0) == 0

    code, out, err = run_command(folder, "plan", "tiny_sales", "--changed", "salez=2025-10-09")
    assert (code, "Did you mean `sales`" in err) == (1, True)
    code, out, _ = run_command(folder, "plan", "tiny_sales", "--incremental", "--json")
    assert not any("was named as changed" in note for note in json.loads(out)["notes"])


def test_an_override_finds_what_was_late(folder: Path) -> None:
    """Both settings are on; afterwards the aggregates agree with the facts."""
    for key in ("aggregate.batch.gracePeriodOverrides.enabled", "aggregate.batch.cube.gracePeriodOverrides.enabled"):
        assert run_command(folder, "settings", "set", key, "true", "--model", "tiny_sales")[0] == 0
    for number in (1, 2, 3):
        assert run_command(folder, "build", "tiny_sales", "--incremental")[0] == 0
        _load(folder, Sale(at=START + 100 + 100 * number))
    _load(folder, Sale(at=START + 210, amount=7))

    code, _, err = run_command(folder, "build", "tiny_sales", "--incremental", "--grace-period", "sales=3m")

    assert code == 0
    assert "Grace period of sales: 3m instead of 10s." in err
    assert "Built in full: by_city" not in err
    code, _, err = run_command(folder, "verify", "tiny_sales", "--level", "full")
    assert code == 0, err

    # A row that no grace period reaches is found by the name of its range; `--full` and `--resume` have their say.
    _load(folder, Sale(at=START + 20, amount=9))
    code, _, err = run_command(folder, "build", "tiny_sales", "--changed", "sales=2025-10-09T08:53")
    assert code == 0, err
    assert "`sales` was named as changed (2025-10-09T08:53)" in err
    assert "1 more than when they were built" in err
    assert run_command(folder, "verify", "tiny_sales", "--level", "full")[0] == 0
    for arguments, expected in (
        (("--changed", "sales"), "write DATASET=FROM..THROUGH"),
        (("--changed", "sales=2026-01-02..2026-01-01"), "it ends before it begins"),
        (("--changed", "sales=2026", "--resume", "b"), "Leave --changed out, or --resume"),
    ):
        code, _, err = run_command(folder, "build", "tiny_sales", *arguments)
        assert (code != 0, expected in err) == (True, True), err
