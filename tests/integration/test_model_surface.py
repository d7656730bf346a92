"""Which columns a model shows, under which names, and what deploy says of columns that cannot be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import QueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars import tiny_star

_PERSPECTIVES = """\
perspectives:
  - unique_name: shops_only
    metrics: [Quantity]
    dimensions:
      - name: Calendar
  - unique_name: cities_only
    dimensions:
      - {name: Shops, hierarchies: [{name: Shops levels, level: Shop}]}
"""
_RATIO = (
    "unique_name: Ratio\nobject_type: metric_calc\nlabel: r\nexpression: '[Measures].[Amount] / "
    "[Measures].[Quantity]'\n"
)


def _columns(router: QueryRouter, model: str) -> list[str]:
    return sorted(router.answer(f"SELECT * FROM {model} LIMIT 0").columns)


@pytest.fixture
def folder(empty_workspace: Workspace, tmp_path: Path) -> Path:
    """The tiny model with perspectives, a calculation and a built aggregate."""
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL)
    folder = tiny_star.write_model(tmp_path / "model")
    text = (folder / "model.yml").read_text()
    metrics = text.replace(
        "  - unique_name: Average Amount\n", "  - unique_name: Average Amount\n  - unique_name: Ratio\n"
    )
    (folder / "model.yml").write_text(metrics + _PERSPECTIVES)
    (folder / "ratio.yml").write_text(_RATIO)
    deploy(empty_workspace, folder, now=utc_now())
    run_batch(empty_workspace, "tiny_sales", owner="test")
    return folder


def test_a_perspective_is_a_model_that_shows_a_part(empty_workspace: Workspace, folder: Path) -> None:
    """Its columns, answers and aggregates are the model's; what it hides has no name in it."""
    assert folder.is_dir()
    router = QueryRouter(empty_workspace)

    assert _columns(router, "shops_only") == ["Amount", "Average Amount", "City", "Ratio", "Shop"]
    assert _columns(router, "tiny.cities_only") == [
        "Amount", "Average Amount", "City", "Day", "Month", "Quantity", "Ratio",
    ]  # fmt: skip
    sql = 'SELECT "City", "Amount", "Ratio" FROM {} ORDER BY 1'
    whole, part = router.answer(sql.format("tiny_sales")), router.answer(sql.format('"Shops_Only"'))
    assert part.rows == whole.rows
    assert [source.aggregate for source in part.plan.sources] == [source.aggregate for source in whole.plan.sources]
    assert part.plan.sources[0].aggregate is not None
    for hidden in ("Quantity", "Month"):
        with pytest.raises(QueryError, match=f"no attribute or metric `{hidden}`"):
            router.answer(f'SELECT "{hidden}", "Amount" FROM shops_only')
        assert router.answer(f'SELECT "{hidden}", "Amount" FROM tiny_sales').rows


def test_a_perspective_that_left_the_model_is_no_name_any_more(empty_workspace: Workspace, folder: Path) -> None:
    """A perspective that came is a name."""
    router = QueryRouter(empty_workspace)
    router.answer('SELECT "Amount" FROM shops_only')
    text = (folder / "model.yml").read_text().replace("unique_name: shops_only", "unique_name: stores")
    (folder / "model.yml").write_text(text)
    deploy(empty_workspace, folder, now=utc_now())

    later = QueryRouter(empty_workspace)
    assert later.answer('SELECT "Amount" FROM stores').rows
    with pytest.raises(Exception, match="shops_only"):
        later.answer('SELECT "Amount" FROM shops_only')


def test_what_a_perspective_hides_and_is_not_there_is_told(empty_workspace: Workspace, folder: Path) -> None:
    """There is a warning for each, with near names."""
    text = (folder / "model.yml").read_text()
    for old, new in (
        ("[Quantity]", "[Quantum]"),
        ("name: Calendar\n  - unique_name: cit", "name: Calender\n  - unique_name: cit"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "model.yml").write_text(text.replace("level: Shop}]", "level: Shopp}]"))

    messages = [str(issue) for issue in deploy(empty_workspace, folder, now=utc_now()).issues]

    assert len(messages) == 3
    assert all("perspective `" in message and "Did you mean" in message for message in messages)


def test_hidden_columns_are_answered_and_not_listed(empty_workspace: Workspace, folder: Path) -> None:
    """They are a level, a hierarchy's levels, a metric and a calculation."""
    for file, old in (("shops", "label: City\n"), ("metric_Quantity", "label: Quantity\n"), ("ratio", "label: r\n")):
        path = folder / f"{file}.yml"
        indent = "    " if file == "shops" else ""
        path.write_text(path.read_text().replace(old, f"{old}{indent}is_hidden: true\n", 1))
    calendar = folder / "calendar.yml"
    calendar.write_text(calendar.read_text().replace("    levels:\n", "    is_hidden: true\n    levels:\n", 1))
    deploy(empty_workspace, folder, now=utc_now())
    router = QueryRouter(empty_workspace)

    assert _columns(router, "tiny_sales") == ["Amount", "Average Amount", "Shop"]
    for hidden in ("City", "Quantity", "Ratio", "Month"):
        assert router.answer(f'SELECT "{hidden}", "Amount" FROM tiny_sales').rows


def test_columns_that_are_not_there_and_texts_that_are_summed_are_told(
    empty_workspace: Workspace, folder: Path
) -> None:
    """Issues have file and line; queries and builds that need them are refused by name, others are answered."""
    (folder / "gone.yml").write_text(tiny_star.METRIC.format(name="Gone", method="sum", column="gone"))
    dataset = folder / "dataset_sales.yml"
    dataset.write_text(
        dataset.read_text() + "  - name: gone\n    data_type: int\n  - name: note\n    data_type: string\n"
    )
    tiny_star.run_sql(empty_workspace, "ALTER TABLE sales ADD COLUMN note VARCHAR(9)")
    for name, method in (("Notes", "sum"), ("Mean", "average"), ("Spread", "stddev_pop")):
        (folder / f"{name}.yml").write_text(tiny_star.METRIC.format(name=name, method=method, column="note"))
    shops = folder / "shops.yml"
    shops.write_text(shops.read_text().replace("key_columns: [city]", "key_columns: [town]"))

    issues = [issue for issue in deploy(empty_workspace, folder, now=utc_now()).issues if issue.line]

    assert {(issue.code, issue.file) for issue in issues} == {
        ("missing-column", "gone.yml"),
        ("missing-column", "shops.yml"),
        *(("not-measurable", f"{name}.yml") for name in ("Notes", "Mean", "Spread")),
    }
    router = QueryRouter(empty_workspace)
    for name in ("Gone", "Notes", "Mean", "Spread"):
        with pytest.raises(QueryError, match=r"column `(gone|note)`"):
            router.answer(f'SELECT "{name}" FROM tiny_sales')
    assert router.answer('SELECT "Month", "Amount" FROM tiny_sales').rows


def test_names_that_the_warehouse_takes_for_one_are_told(empty_workspace: Workspace, folder: Path) -> None:
    """Deployment says so where the warehouse cuts names, and nothing elsewhere."""
    start = "A measure whose name goes on for longer than the sixty-three bytes "
    for number in (1, 2):
        name = f"{start}{number}"
        (folder / f"long{number}.yml").write_text(tiny_star.METRIC.format(name=name, method="sum", column="amount"))

    issues = [issue for issue in deploy(empty_workspace, folder, now=utc_now()).issues if issue.code == "long-names"]

    limit = empty_workspace.warehouse.dialect.max_identifier
    assert len(issues) == (1 if limit < len(start) else 0)
    assert all(issue.file == "long2.yml" and str(limit) in issue.message for issue in issues)


def test_calculation_groups_are_refused_by_name(empty_workspace: Workspace, folder: Path) -> None:
    """Deployment and queries that name the group or a member refuse it; the rest of the model is answered."""
    calendar = folder / "calendar.yml"
    group = (
        "calculation_groups:\n  - unique_name: TI\n    label: Time intelligence\n    calculated_members:\n"
        "      - {unique_name: Last, template: Last Year}\n"
    )
    calendar.write_text(calendar.read_text() + group)

    issues = [
        issue for issue in deploy(empty_workspace, folder, now=utc_now()).issues if issue.code == "calculation-group"
    ]

    assert [(issue.file, issue.line) for issue in issues] == [
        ("calendar.yml", len(calendar.read_text().splitlines()) - 3)
    ]
    router = QueryRouter(empty_workspace)
    for name in ("TI", "Time intelligence", "last"):
        with pytest.raises(QueryError, match="calculation group `TI`"):
            router.answer(f'SELECT "{name}", "Amount" FROM tiny_sales')
    assert router.answer('SELECT "Month", "Amount" FROM tiny_sales').rows
