"""The pages that are made from code say what the code says."""

from __future__ import annotations

import re
from dataclasses import fields

import click
import pytest

from airflow_atscale_aggs.cli.main import cli
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.troubleshooting.passages import all_passages
from tests.reference_pages.all_pages import DOCS, PAGES
from tests.reference_pages.metrics_page import metrics


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_the_code_is(name: str) -> None:
    file = DOCS / name

    assert file.exists(), f"docs/{name} is not there. `make reference` writes it."
    # Without pytest's comparison, which would take long and tell less than the version control does.
    is_fresh = file.read_text(encoding="utf-8") == PAGES[name]()
    assert is_fresh, f"docs/{name} is stale. `make reference` makes it anew; commit what it writes."


def test_nothing_is_left_out() -> None:
    """Each setting, verb, metric and code has its place."""
    text = {name: (DOCS / name).read_text(encoding="utf-8") for name in PAGES}
    assert isinstance(cli, click.Group)

    assert [spec.name for spec in fields(Settings) if f"`{spec.name}`" not in text["reference/settings.md"]] == []
    verbs = cli.list_commands(click.Context(cli))
    assert [verb for verb in verbs if f"\n## {verb}\n" not in text["reference/command-line.md"]] == []
    assert [code for code in all_passages() if f"\n### {code}\n" not in text["troubleshooting.md"]] == []
    assert len(metrics()) >= 15


def test_what_passages_point_to_is_there() -> None:
    text = "\n".join(f"{passage.happened} {passage.reason} {passage.remedy}" for passage in all_passages().values())

    named = set(re.findall(r"docs/([\w./-]+\.md)", text))
    assert {name for name in named if not (DOCS / name).exists()} == set()


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_lead_somewhere(name: str) -> None:
    file = DOCS / name
    for target in re.findall(r"\]\(([^)#]+)", file.read_text(encoding="utf-8")):
        assert (file.parent / target).exists(), f"{name}: {target}"
