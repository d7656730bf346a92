"""The page's bundle and its client are what its sources are built to, and Airflow serves them."""

from __future__ import annotations

import filecmp
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from airflow_atscale_aggs.plugins.aggregates import AggregatesPlugin
from airflow_atscale_aggs.plugins.static_files import FOLDER, mount_static_files

_WWW = FOLDER.parent
_OLDEST_NODE = (20, 19)


def _why_not() -> str:
    """Why the page cannot be built here; empty when it can."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return "the page is built by Node, which is not installed; `dist` is taken as it is"
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    if tuple(int(part) for part in version.lstrip("v").split(".")[:2]) < _OLDEST_NODE:
        return f"the page is built by Node 20.19 or newer, and {version} is installed; `dist` is taken as it is"
    return ""


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the page with its client generated and its bundle built anew."""
    if why_not := _why_not():
        pytest.skip(why_not)
    folder = tmp_path_factory.mktemp("page") / "www"
    shutil.copytree(_WWW, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    _run(folder, "npm", "ci")
    _run(folder, "npm", "run", "generate")
    _run(folder, "npm", "run", "build")
    return folder


def _files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


@pytest.mark.slow
def test_the_bundle_is_what_the_sources_are_built_to(built: Path) -> None:
    """Byte by byte. When it fails: `npm run build` in plugins/www, and commit `dist`."""
    assert _files(built / "dist") == _files(FOLDER)
    _, differing, unreadable = filecmp.cmpfiles(FOLDER, built / "dist", sorted(_files(FOLDER)), shallow=False)

    assert (differing, unreadable) == ([], [])


@pytest.mark.slow
def test_the_client_is_generated_from_the_description_of_the_api(built: Path) -> None:
    """When it fails: `npm run generate` in plugins/www, and commit `src/api/schema.d.ts`."""
    assert (built / "src/api/schema.d.ts").read_bytes() == (_WWW / "src/api/schema.d.ts").read_bytes()


def test_the_client_knows_no_route_that_there_is_not() -> None:
    """When it fails: `make page`, and commit what it changed."""
    from tests.support.api_description import FILE, describe_api

    known = {(path, method) for path, methods in json.loads(FILE.read_text())["paths"].items() for method in methods}
    served = {(path, method) for path, methods in describe_api()["paths"].items() for method in methods}

    assert known
    assert known - served == set()


def test_the_lock_file_names_no_registry() -> None:
    """Whoever builds the page takes its packages from the registry of their choice, and the very same ones."""
    packages: dict[str, dict[str, Any]] = json.loads((_WWW / "package-lock.json").read_text())["packages"]
    installed = {name: package for name, package in packages.items() if name and not package.get("inBundle")}

    assert len(installed) > 100
    assert [name for name, package in installed.items() if "resolved" in package] == []
    assert [name for name, package in installed.items() if "integrity" not in package] == []


@pytest.fixture
def client() -> TestClient:
    """The application that serves the files."""
    app = FastAPI()
    mount_static_files(app)
    return TestClient(app)


def test_each_place_finds_its_bundle_and_its_icons(client: TestClient) -> None:
    """What the plugin names is served, and the bundle hands over a component under each name."""
    bundle = (FOLDER / "main.js").read_text(encoding="utf-8")

    routes = [app["url_route"] for app in AggregatesPlugin.react_apps]
    assert len(set(routes)) == len(routes) == 4
    for app in AggregatesPlugin.react_apps:
        for key in ("bundle_url", "icon", "icon_dark_mode"):
            assert client.get(app[key].removeprefix("atscale_aggs")).status_code == 200
        assert re.search(rf"[`'\"]{app['name']}[`'\"]", bundle)


def test_the_notices_name_what_is_in_the_bundle() -> None:
    """With version, licence, its text, and where the source is: the licence of the layout engine asks for all."""
    notices = (FOLDER / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")
    packages = json.loads((_WWW / "package.json").read_text())["dependencies"]

    titles = set(re.findall(r"^(\S+ \d\S*) \(.+\)$", notices, re.MULTILINE))
    assert {f"{name} {version}" for name, version in packages.items()} <= titles
    assert "https://github.com/kieler/elkjs" in notices
    assert "Eclipse Public License" in notices


def test_a_browser_keeps_chunks_for_good_and_asks_for_the_rest(client: TestClient) -> None:
    """After an upgrade of the package nobody has to empty a cache."""
    chunk = next((FOLDER / "chunks").glob("*.js")).name

    main = client.get("/static/main.js")
    assert main.headers["cache-control"] == "no-cache"
    assert main.headers["content-type"].startswith("text/javascript")
    assert client.get("/static/main.js", headers={"If-None-Match": main.headers["etag"]}).status_code == 304
    assert client.get(f"/static/chunks/{chunk}").headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path", ["/static/../static_files.py", "/static/%2e%2e/package.json", "/static/chunks", "/static/no.js"]
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    """Files beside the bundle, folders, and what is not there are not found, and no 404 is kept by a browser."""
    answer = client.get(path)

    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("cache-control", "")
