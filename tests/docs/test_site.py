"""The site of the documentation is built strictly, needs nothing from elsewhere, and no link leads nowhere."""

from __future__ import annotations

import html
import itertools
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.docs.pages import ROOT, anchors_of, links_of, readable_files
from tests.support.docs.steps import steps_of

_LOADED = re.compile(r'<(?:link|script|img|iframe|source)\b[^>]*?(?:href|src)="((?:https?:)?//[^"]+)"')
_CODE = re.compile(r'<div class="highlight"><pre>.*?<code>(.*?)</code></pre>', re.DOTALL)
_LEFT_OUT = re.compile(r'<span class="g[op]">.*?</span>')
_TAG = re.compile(r"<[^>]+>")
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


def test_what_is_copied_from_a_console_is_its_commands(site: Path) -> None:
    """The theme marks what it copies, and our style leaves prompts and outputs out of that."""
    scripts = "".join(file.read_text(encoding="utf-8") for file in site.glob("assets/javascripts/bundle.*.js"))
    style = (site / "stylesheets" / "pages.css").read_text(encoding="utf-8")
    assert "data-md-copying" in scripts
    assert "[data-md-copying] .gp, [data-md-copying] .go { display: none; }" in style

    pages = [page for page in readable_files() if page.is_relative_to(ROOT / "docs")]
    assert {page: _copied(site, page) for page in pages} == {page: _commands(page) for page in pages}


def _copied(site: Path, page: Path) -> list[list[str]]:
    """The words that the copy button takes from each console of a page of the site."""
    text = (site / page.relative_to(ROOT / "docs")).with_suffix(".html").read_text(encoding="utf-8")
    consoles = [code for code in _CODE.findall(text) if 'class="gp"' in code]
    return [html.unescape(_TAG.sub("", _LEFT_OUT.sub("", code))).split() for code in consoles]


def _commands(page: Path) -> list[list[str]]:
    """The words of the commands of each console of a page."""
    steps = (step for step in steps_of(page) if step.command)
    consoles = itertools.groupby(steps, lambda step: step.block)
    return [[word for step in within for word in step.command.split()] for _, within in consoles]


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
    if not parts.fragment:
        return True
    pytest.importorskip("markdown", reason="anchors are named by the site's own library: Python 3.11.5 or newer")
    return parts.fragment in anchors_of(target)


def test_pictures_are_small_and_used() -> None:
    """A page opens quickly, and the tree keeps nothing that nobody sees."""
    pictures = {file for file in (ROOT / "docs" / "images").iterdir() if file.is_file()}
    used = {(file.parent / link).resolve() for file in readable_files() for link in links_of(file)}

    assert {file.name: file.stat().st_size for file in pictures if file.stat().st_size > _BIGGEST_PICTURE} == {}
    assert {file.name for file in pictures - used} == set()
