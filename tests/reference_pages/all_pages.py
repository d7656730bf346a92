"""All pages that are made from code, by their path below `docs/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.reference_pages.airflow_page import airflow_page
from tests.reference_pages.command_line_page import command_line_page
from tests.reference_pages.metrics_page import metrics_page
from tests.reference_pages.registry_page import registry_page
from tests.reference_pages.rest_page import rest_page
from tests.reference_pages.settings_page import settings_page
from tests.reference_pages.sml_pages import index_page, shape_page
from tests.reference_pages.sml_shapes import PAGES as SHAPE_PAGES
from tests.reference_pages.troubleshooting_page import troubleshooting_page

DOCS = Path(__file__).parents[2] / "docs"

PAGES: Mapping[str, Callable[[], str]] = {
    "reference/settings.md": settings_page,
    "reference/command-line.md": command_line_page,
    "reference/airflow.md": airflow_page,
    "reference/rest-api.md": rest_page,
    "reference/metrics.md": metrics_page,
    "reference/registry.md": registry_page,
    "troubleshooting.md": troubleshooting_page,
}
"""What makes each page that needs no engine."""

SML_PAGES: Mapping[str, Callable[[], str]] = {
    "sml-by-example.md": index_page,
    **{f"sml-by-example/{name}.md": partial(shape_page, name) for name in SHAPE_PAGES},
}
"""What makes each page of SML by example; for these the engine answers hundreds of queries."""
