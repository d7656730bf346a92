"""The site of the documentation is built strictly, needs nothing from elsewhere, and no link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.docs.pages import ROOT, anchors_of, links_of, readable_files

_LOADED = re.compile(r'<(?:link|script|img|iframe|source)\b[^>]*?(?:href|src)="((?:https?:)?//[^"]+)"')
_BIGGEST_PICTURE = 200_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A warning of MkDocs, about a page, a link or an anchor, is an error."""
    pytest.importorskip("material", reason="the site is built with Python 3.11.5 or newer")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


def test_the_site_has_each_page(site: Path) -> None:
    """MkDocs itself refuses a page that is not in the navigation."""
    pages = {file.relative_to(ROOT / "docs").with_suffix("") for file in (ROOT / "docs").rglob("*.md")}
    built = {file.relative_to(site).with_suffix("") for file in site.rglob("*.html")}

    assert pages <= built
    assert built - pages == {Path("404")}


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    """No fonts, scripts or pictures of other hosts: the site is read where there is no network."""
    elsewhere = {
        f"{file.relative_to(site)}: {address}"
        for file in site.rglob("*.html")
        for address in _LOADED.findall(file.read_text(encoding="utf-8"))
    }

    assert elsewhere == set()


@pytest.mark.parametrize("file", readable_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_link_leads_nowhere(file: Path) -> None:
    """Also from README and CHANGELOG, which the site has not."""
    broken = [link for link in links_of(file) if not _leads_somewhere(file, link)]

    assert broken == []


def _leads_somewhere(file: Path, link: str) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if not target.exists():
        return False
    return not parts.fragment or parts.fragment in anchors_of(target)


def test_pictures_are_small_and_used() -> None:
    """A page opens quickly, and the tree keeps nothing that nobody sees."""
    pictures = {file for file in (ROOT / "docs" / "images").iterdir() if file.is_file()}
    used = {(file.parent / link).resolve() for file in readable_files() for link in links_of(file)}

    assert {file.name: file.stat().st_size for file in pictures if file.stat().st_size > _BIGGEST_PICTURE} == {}
    assert {file.name for file in pictures - used} == set()
