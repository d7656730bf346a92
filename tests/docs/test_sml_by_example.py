"""SML by example says what the engine does, and its first model works as it stands on the page."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
import yaml

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.model.sml import SHAPES
from tests.reference_pages.all_pages import DOCS, SML_PAGES
from tests.reference_pages.property_examples import fragment
from tests.reference_pages.small_model import ASKED, BUILD_SQL
from tests.reference_pages.sml_shapes import PAGES
from tests.support.honoured_properties import PropertyChange, property_changes

_INDEX = DOCS / "sml-by-example.md"


@pytest.mark.parametrize("name", SML_PAGES)
def test_a_page_is_as_the_engine_is(name: str) -> None:
    file = DOCS / name

    assert file.exists(), f"docs/{name} is not there. `make reference` writes it."
    is_fresh = file.read_text(encoding="utf-8") == SML_PAGES[name]()
    assert is_fresh, f"docs/{name} is stale. `make reference` makes it anew; look at what has changed, and commit it."


def test_every_shape_has_its_place() -> None:
    placed = [shape for _, _, shapes in PAGES.values() for shape in shapes]

    assert sorted(placed) == sorted(SHAPES)


@pytest.mark.parametrize("change", property_changes(), ids=lambda change: f"{change.shape}-{change.name}")
def test_an_example_is_yaml(change: PropertyChange) -> None:
    assert yaml.safe_load(fragment(change))


@pytest.mark.parametrize("name", SML_PAGES)
def test_links_lead_somewhere(name: str) -> None:
    file = DOCS / name
    for target in re.findall(r"\]\(([^)#]+\.md)", file.read_text(encoding="utf-8")):
        assert (file.parent / target).exists(), f"{name}: {target}"


def test_the_small_model_works_as_it_stands_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its files are deployed without a warning, its aggregate is built of the SQL there, and its queries answered."""
    monkeypatch.chdir(tmp_path)
    page = _INDEX.read_text(encoding="utf-8")
    (data,) = re.findall(r"`data\.sql`:\n\n```sql\n(.*?)```", page, re.DOTALL)
    files = re.findall(r"^`(\w+\.yml)`: .*?\n\n```yaml\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    Path("model").mkdir()
    for name, text in files:
        (Path("model") / name).write_text(text)
    with duckdb.connect("warehouse.duckdb") as connection:
        connection.execute(data)

    assert (len(files), run(["deploy", "model"])) == (8, 0)
    assert "warning" not in capsys.readouterr().err
    assert run(["plan", "shop_sales", "--sql"]) == 0
    assert BUILD_SQL in page
    assert BUILD_SQL in capsys.readouterr().out
    assert run(["build", "shop_sales"]) == 0
    capsys.readouterr()
    for query, (rows, source) in ASKED.items():
        assert run(["query", query]) == 0
        told = capsys.readouterr()
        assert [line.rstrip() for line in told.out.splitlines()] == rows.splitlines()
        assert told.err.startswith(source)
        assert f"{rows}{source}" in page
