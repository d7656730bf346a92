"""The API's reference: Swagger UI over the API's own description, all of it from this server."""

from __future__ import annotations

import re

import pytest

from airflow_atscale_aggs.plugins.static_files import FOLDER
from tests.support.api_server import ROLES, ApiServer

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize(("user", "status"), [(None, 401), *((name, 200) for name in ROLES)])
def test_the_reference_is_for_those_who_are_signed_in(server: ApiServer, user: str | None, status: int) -> None:
    """Whoever they are."""
    assert server.client(user).get("/docs").status_code == status


def test_all_that_the_reference_loads_is_served_here(server: ApiServer) -> None:
    """No file of another server, no script in the page itself; the rules for the browser say so too."""
    page = server.client("viewer").get("/docs")

    assert page.headers["content-type"].startswith("text/html")
    assert "://" not in page.text
    assert re.findall(r"<script[^>]*>([^<]+)</script>", page.text) == []
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(files) == 4
    for file in files:
        assert server.client(None).get(f"/{file}").status_code == 200, file
    rules = page.headers["content-security-policy"]
    assert rules.startswith("default-src 'none'; script-src 'self';")
    assert "connect-src 'self'" in rules
    assert "http" not in rules


def test_the_reference_is_small_and_its_licence_is_told() -> None:
    """The wheel grows by half a megabyte, and not by a library's maps and second copies."""
    files = {file.name: file.stat().st_size for file in (FOLDER / "reference").iterdir()}

    assert set(files) == {"start.js", "swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui.css"}
    assert sum(files.values()) < 2_200_000
    notices = (FOLDER / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")
    assert re.search(r"^swagger-ui-dist \d\S* \(Apache-2\.0\)$", notices, re.MULTILINE)
