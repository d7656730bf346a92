"""The page "About Incremental Rebuilds": each of its sentences is a test, in its order."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, RowRange
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import InvalidModelError
from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.validation import ModelIssue
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.indicator_lookup import indicator_kind, is_finer_than_kept, range_condition
from airflow_atscale_aggs.engine.sql.mark_reading import MARK_TABLE
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import MODEL, START, Sale

_PAGE = 1_475_191_168_000
"""The page's example: called seconds there, and given as 29 September 2016, 23:19:28, which makes it milliseconds."""

_DAY = 86_400_000


_CHECK = "aggregate.incrementalUpdate.checkOlderRows.enabled"


@pytest.fixture
def example(workspace: Workspace, tmp_path: Path) -> Workspace:
    """The page's example: an indicator of that size whose last value is built, with a day of grace."""
    tiny_star.run_sql(workspace, "DELETE FROM sales", *(_sale(_PAGE - age, amount=1) for age in (0, _DAY, 2 * _DAY)))
    deploy(workspace, star.write_model(tmp_path / "model", indicator="milliseconds", grace="86400s"), now=utc_now())
    _build_example(workspace, BuildType.FULL, hours=0)
    return workspace


def _sale(epoch_ms: int, *, amount: int) -> str:
    columns = "day_id, shop_id, quantity, amount, epoch_ms"
    return f"INSERT INTO sales ({columns}) VALUES (1, 1, 1, {amount}, {epoch_ms})"


def _build_example(workspace: Workspace, build_type: BuildType = BuildType.INCREMENTAL, *, hours: int) -> BatchReport:
    return star.build(workspace, build_type, at=_PAGE // 1000 + 3600 * hours)


def _tables(workspace: Workspace) -> dict[str, str]:
    """Tables and views of aggregates, by name."""
    query = (
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'aggs' AND table_name <> '"
        + MARK_TABLE
        + "'"
    )
    return dict(star.fetch(workspace, query))


def _is_settled(workspace: Workspace) -> list[bool]:
    return [segment.is_settled for segment in star.segments(workspace)]


def test_it_appends_new_rows_and_updates_rows_within_a_period_that_you_specify(built_star: Workspace) -> None:
    """Ten seconds here; what is older stays as it was built, where nobody looks at it."""
    star.put_setting(built_star, _CHECK, "false")
    star.load(built_star, Sale(at=START + 1, amount=100))
    tiny_star.run_sql(
        built_star, "UPDATE sales SET amount = 50 WHERE seq = -10", "UPDATE sales SET amount = 60 WHERE seq = -60"
    )

    star.build(built_star, at=START + 1)

    tiny_star.run_sql(built_star, "UPDATE sales SET amount = 0 WHERE seq = -60")
    star.check_views(built_star)


def test_it_reads_everything_when_older_rows_were_updated(built_star: Workspace) -> None:
    """Beyond the page: nobody can tell a correction that comes too late from a table that was loaded anew."""
    tiny_star.run_sql(built_star, "UPDATE sales SET amount = 60 WHERE seq = -60")

    report = star.build(built_star, at=START + 1)

    assert "are not what they were" in star.reasons(report)["by_city"]
    star.check_views(built_star)


# Supported incremental indicator types


@pytest.mark.parametrize("kind", ["INTEGER", "BIGINT", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"])
def test_supported_are_long_integer_timestamp_and_datetime(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    """The types are named as in the warehouse; increments equal the facts with each."""
    is_number = "INT" in kind
    value = "seq" if is_number else "loaded_tz"
    tiny_star.run_sql(workspace, f"ALTER TABLE sales ADD COLUMN i {kind}", f"UPDATE sales SET i = {value}")
    folder = star.write_model(tmp_path / "model", column="i", grace="10")
    deploy(workspace, folder, now=utc_now())
    star.build(workspace, BuildType.FULL)
    tiny_star.run_sql(
        workspace,
        (
            "INSERT INTO sales (day_id, shop_id, quantity, amount, i) SELECT 2, 2, 9, 9, MAX(i) "
            f"{'+ 7' if is_number else ''} FROM sales"
        ),
    )

    assert set(star.reasons(star.build(workspace, at=START + 7)).values()) == {""}
    star.check_views(workspace)


@pytest.mark.parametrize(
    ("dialect", "data_type", "expected"),
    [
        ("snowflake", "decimal(38,0)", IndicatorKind.INTEGER),
        ("snowflake", "decimal(38,2)", None),
        ("duckdb", "decimal(38,0)", None),
        ("postgres", "numeric(38,0)", None),
        ("bigquery", "datetime", IndicatorKind.TIMESTAMP),
    ],
)
def test_decimals_of_38_digits_without_fraction_are_supported_on_snowflake_only(
    dialect: str, data_type: str, expected: IndicatorKind | None
) -> None:
    """Other decimals are supported nowhere."""
    assert indicator_kind(data_type, find_dialect(dialect)) is expected


def test_other_types_are_refused_when_the_model_is_deployed(workspace: Workspace, tmp_path: Path) -> None:
    """The error has the type in the warehouse, the supported ones and the place; nothing is registered."""
    with pytest.raises(InvalidModelError, match="supported are Long, Integer, Decimal") as raised:
        deploy(workspace, star.write_model(tmp_path / "model", column="amount"), now=utc_now())

    (issue,) = (issue for issue in raised.value.issues if issue.is_error)
    assert isinstance(issue, ModelIssue)
    assert "`amount` of dataset `sales` has type " in issue.message
    assert issue.file == "dataset_sales.yml"


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        (IndicatorKind.INSTANT, "CAST('2016-09-29 23:19:28.000000+00:00' AS TIMESTAMP)"),
        (IndicatorKind.TIMESTAMP, "CAST('2016-09-29 23:19:28.000000' AS DATETIME)"),
        (IndicatorKind.INTEGER, "1475191168000000"),
    ],
)
def test_bigquery_prunes_partitions_by_timestamp(kind: IndicatorKind, literal: str) -> None:
    """The partition column itself is compared with a literal of its own type."""
    dialect = find_dialect("bigquery")
    source = Sources(
        {"sales": Dataset(name="sales", table="sales", columns={})}, {(None, None, "sales"): {"i": ""}}, dialect
    )["sales"]

    condition = range_condition(RowRange(column="i", kind=kind, after=_PAGE * 1000), source, "f")

    assert condition is not None
    assert render(condition, dialect) == f"`f`.`i` > {literal}"


@pytest.mark.parametrize(
    ("data_type", "is_finer"), [("timestamp(12)", True), ("timestamp(9)", True), ("timestamp(6)", False)]
)
def test_digits_of_a_timestamp_that_are_not_kept_are_warned_of(data_type: str, is_finer: bool) -> None:
    """Drivers keep microseconds; `test_indicators` shows that no row is lost by it."""
    assert is_finer_than_kept(data_type) is is_finer


# Incremental indicators


def test_you_simply_specify_a_column_in_the_fact_dataset(workspace: Workspace, tmp_path: Path) -> None:
    """All aggregates on it are incremental then; without the line none is."""
    folder = star.write_model(tmp_path / "model")
    dataset = folder / "dataset_sales.yml"
    text = dataset.read_text()
    line = re.search(r"^incremental: .*\n", text, re.MULTILINE)
    assert line is not None
    dataset.write_text(text.replace(line[0], ""))
    deploy(workspace, folder, now=utc_now())
    assert all(instance.step.increment is None for instance in star.build(workspace).instances)
    dataset.write_text(text)
    deploy(workspace, folder, now=utc_now())

    assert all(instance.step.increment is not None for instance in star.build(workspace).instances)


def test_values_must_increase(built_star: Workspace) -> None:
    """A row that breaks this by more than the grace period is not read, but counted."""
    star.load(built_star, Sale(at=START - 30))

    assert any("1 row of sales came later" in note for note in star.build(built_star, at=START + 1).batch.notes)


def test_an_incremental_aggregate_is_a_view_over_incrementally_built_tables(built_star: Workspace) -> None:
    """There is one view per instance, over one table per segment."""
    star.load(built_star, Sale(at=START + 20))
    star.build(built_star, at=START + 20)

    kinds = _tables(built_star)
    active = built_star.read.instances.serving(built_star.read.models.get(MODEL).id)
    view = next(instance.table for instance in active if instance.step.aggregate == "by_city")
    assert view is not None
    assert kinds[view] == "VIEW"
    tables = [segment.table for segment in star.segments(built_star)]
    assert [kinds[name] for name in tables] == ["BASE TABLE"] * 3
    counts = [star.fetch(built_star, f'SELECT COUNT(*) FROM aggs."{name}"')[0][0] for name in (view, *tables)]
    assert counts[0] == sum(counts[1:])


def test_tables_are_consolidated_periodically_and_you_specify_how_many_come_before(built_star: Workspace) -> None:
    """With three allowed, the fourth settled table is not added before two became one."""
    star.put_setting(built_star, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 3)
    counts = []
    for number in range(1, 6):
        star.load(built_star, Sale(at=START + 20 * number))
        star.build(built_star, at=START + 20 * number)
        counts.append(sum(_is_settled(built_star)))

    assert counts[:2] == [2, 3]
    assert max(counts) == 3
    star.check_views(built_star)


def test_data_are_distributed_over_tables_by_ranges_of_the_indicator(built_star: Workspace) -> None:
    """The ranges touch, do not overlap, and each table holds what the facts hold in its range."""
    for number in (1, 2):
        star.load(built_star, Sale(at=START + 20 * number))
        star.build(built_star, at=START + 20 * number)

    segments = star.segments(built_star)

    assert segments[0].after is None
    assert [segment.after for segment in segments[1:]] == [segment.through for segment in segments[:-1]]
    for segment in segments:
        after = "TRUE" if segment.after is None else f"epoch_ms * 1000 > {segment.after}"
        expected_count = star.fetch(
            built_star, f"SELECT COUNT(*) FROM sales WHERE {after} AND epoch_ms * 1000 <= {segment.through}"
        )
        stored_count = star.fetch(built_star, f'SELECT COALESCE(SUM(row_count), 0) FROM aggs."{segment.table}"')
        assert int(stored_count[0][0]) == expected_count[0][0] == segment.fact_rows


def test_indicator_values_are_not_made_for_querying(built_star: Workspace) -> None:
    """No table or view of an aggregate holds them."""
    query = (
        "SELECT DISTINCT column_name FROM information_schema.columns WHERE table_schema = 'aggs' AND table_name <> '"
        + MARK_TABLE
        + "'"
    )
    columns = {name for (name,) in star.fetch(built_star, query)}

    assert columns
    assert columns.isdisjoint(star.INDICATORS.values())


# Appending rows


def test_rows_above_the_last_value_are_retrieved_aggregated_and_appended(built_star: Workspace) -> None:
    """Only they and the window are read; the settled table stays the same table."""
    settled = star.segments(built_star)[0]
    star.load(built_star, Sale(at=START + 3, amount=100), Sale(at=START + 4, amount=200))

    star.build(built_star, at=START + 4)

    segments = star.segments(built_star)
    assert segments[0] == settled
    assert sum(segment.fact_rows or 0 for segment in segments[1:]) == 3 + 2
    star.check_views(built_star)


def test_the_example_of_appending(example: Workspace) -> None:
    """They are rows with an indicator above 1475191168000."""
    tiny_star.run_sql(example, _sale(_PAGE + 1, amount=10), _sale(_PAGE + 3_599_000, amount=20))

    report = _build_example(example, hours=1)

    assert set(star.reasons(report).values()) == {""}
    assert star.segments(example)[-1].through == _PAGE + 3_599_000
    assert any("epoch milliseconds (inferred from" in note for note in report.batch.notes)
    star.check_views(example)


@pytest.mark.parametrize(("written", "seconds"), [("15", 15), ("15s", 15), ("1m", 60)])
def test_a_grace_period_of_a_timestamp_is_in_seconds(
    workspace: Workspace, tmp_path: Path, written: str, seconds: int
) -> None:
    """A bare number is in seconds; SML's suffixes are other multiples of a second."""
    deploy(workspace, star.write_model(tmp_path / "model", grace=written), now=utc_now())

    star.build(workspace, BuildType.FULL)

    assert star.segments(workspace)[0].through == (START - seconds) * 10**6 - 1


# Updating rows


def test_the_grace_period_is_in_the_units_of_the_indicator(workspace: Workspace, tmp_path: Path) -> None:
    """It is ten steps of a plain number, or ten thousand where the column counts milliseconds."""
    for indicator, grace, bound in (("plain", "10", -11), ("milliseconds", "10s", (START - 10) * 1000 - 1)):
        deploy(workspace, star.write_model(tmp_path / "model", indicator=indicator, grace=grace), now=utc_now())
        star.build(workspace, BuildType.FULL)
        assert star.segments(workspace)[0].through == bound


def test_rows_of_the_aggregate_are_updated_where_indicators_match(built_star: Workspace) -> None:
    """One row of the window was corrected, and one was deleted."""
    tiny_star.run_sql(
        built_star, "UPDATE sales SET amount = 500, shop_id = 3 WHERE seq = -5", "DELETE FROM sales WHERE seq = -10"
    )

    star.build(built_star, at=START + 1)

    star.check_views(built_star)


def test_the_example_of_updating(example: Workspace) -> None:
    """Changes a day before the batch began are found. The first row below is not looked at where a setting says so."""
    star.put_setting(example, _CHECK, "false")
    tiny_star.run_sql(
        example,
        f"UPDATE sales SET amount = 70 WHERE epoch_ms = {_PAGE - _DAY}",
        f"UPDATE sales SET amount = 80 WHERE epoch_ms = {_PAGE - 2 * _DAY}",
    )

    _build_example(example, hours=0)

    tiny_star.run_sql(example, f"UPDATE sales SET amount = 1 WHERE epoch_ms = {_PAGE - 2 * _DAY}")
    star.check_views(example)


def test_changes_are_found_by_comparing_with_the_facts(example: Workspace) -> None:
    """Where nothing has changed, nothing is written; where one amount has, it is."""
    before = star.segments(example)
    _build_example(example, hours=1)
    assert star.segments(example) == before
    tiny_star.run_sql(example, f"UPDATE sales SET amount = 70 WHERE epoch_ms = {_PAGE}")
    _build_example(example, hours=2)
    assert star.segments(example) != before
    star.check_views(example)


def test_one_query_for_all_aggregates_finds_what_is_new_and_scans_only_that(
    built_star: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest indicator is looked for once, above the last bound; late rows are counted in the same query."""
    star.load(built_star, Sale(at=START + 8))
    queries = star.record_queries(monkeypatch)

    report = star.build(built_star, at=START + 9)

    (lookup,) = (sql for sql in queries if 'MAX("f"."loaded_at")' in sql)
    bound = datetime.fromtimestamp(START - 11, UTC).strftime("%Y-%m-%d %H:%M:%S") + ".999999"
    latest = lookup.split(" UNION ALL ")[0]
    assert latest.endswith(f'FROM "sales" AS "f" WHERE "f"."loaded_at" > CAST(\'{bound}\' AS TIMESTAMP)')
    assert len({instance.step.aggregate for instance in report.instances}) == 3


# Incremental rebuilds of aggregates that use joins


def test_aggregates_that_use_joins_can_be_rebuilt_incrementally(built_star: Workspace) -> None:
    """Two dimensions are joined; the router answers from the aggregate as from the facts."""
    star.load(built_star, Sale(at=START + 5, day=3, shop=3, amount=40))

    report = star.build(built_star, at=START + 5)

    assert star.reasons(report)["by_day_and_shop"] == ""
    query = 'SELECT "Day", "Shop", "Amount" FROM tiny_sales GROUP BY 1, 2 ORDER BY 1, 2'
    routed = answer(built_star, query)
    assert routed.plan.sources[0].aggregate == "by_day_and_shop"
    assert routed.rows == answer(built_star, query, use_aggregates=False).rows
