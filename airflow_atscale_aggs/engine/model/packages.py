"""Finds packages on this machine: folders of other repositories whose objects a model uses. It fetches nothing.

    url is a folder     that folder
    url is a git URL    a checkout below the model's folder or beside it: packages/NAME, NAME, ../NAME, ../REPOSITORY

Source: SML reference, ``package``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.files import SUFFIXES
from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping
from airflow_atscale_aggs.engine.model.validation import MISSING_PACKAGE, IssueList

_USER = re.compile(r"(?<=://)[^/@]*@")


@dataclass(frozen=True, slots=True)
class Package:
    """A repository as ``package.yml`` names it.

    Attributes:
        version: ``latest``, ``commit:…`` or ``tag:…``.
        where: ``file:line``.
    """

    name: str
    url: str
    branch: str
    version: str
    where: str

    @classmethod
    def of(cls, value: SmlMapping, file: str) -> Package:
        """An item of ``packages``."""
        texts = {key: str(value.get(key) or "") for key in ("name", "url", "branch", "version")}
        return cls(**texts, where=f"{file}:{value.line}")

    @property
    def shown_url(self) -> str:
        """The URL without user and password."""
        return _USER.sub("", self.url)

    @property
    def local(self) -> str:
        """The path that the URL is; empty for a remote one."""
        path = self.url.removeprefix("file://")
        is_remote = "://" in path or re.match(r"[\w.-]+@[\w.-]+:", path)
        return "" if is_remote else path


def is_package_file(value: SmlMapping) -> bool:
    """Whether a mapping without ``object_type`` lists SML's packages, and not those of another tool."""
    items = value.get("packages")
    return (
        isinstance(items, list)
        and bool(items)
        and all(isinstance(item, SmlMapping) and "name" in item for item in items)
    )


def package_folder(package: Package, root: Path, issues: IssueList) -> Path | None:
    """The folder of a package. None: there is none, and an error is noted.

    Args:
        root: the model's folder.
    """
    places = list(_places(package, root))
    for place, is_named in places:
        if place.is_dir() and (is_named or _is_checkout(place)):
            _check_version(package, place, issues)
            return place
    shown = ", ".join(f"`{os.path.relpath(place, root)}`" for place, _ in places)
    remedy = f"Check it out there: git clone {package.shown_url}" if not package.local else "Correct its `url`"
    message = (
        f"package `{package.name}` ({package.shown_url or 'without `url`'}) is not on this machine; it was looked for "
        "at "
        f"{shown or 'no place'}, seen from the model's folder. {remedy}. Nothing is fetched, and references to its "
        "objects "
        "are not told as long as it is not there"
    )
    issues.error(package.where, MISSING_PACKAGE, message)
    return None


def _places(package: Package, root: Path) -> Iterator[tuple[Path, bool]]:
    """The folders in which a package may be, each with whether the model names that folder."""
    if package.url and package.local:
        yield root / package.local, True
        return
    repository = package.url.rstrip("/").removesuffix(".git").rpartition("/")[2].rpartition(":")[2]
    names = [
        name for name in dict.fromkeys((package.name, repository)) if name not in {"", ".", ".."} and "/" not in name
    ]
    for above in ("packages", ".", ".."):
        for name in names:
            yield root / above / name, above == "packages"


def _is_checkout(place: Path) -> bool:
    """Whether a folder is a checkout of the package: it has a ``.git`` folder or SML files."""
    if (place / ".git").exists():
        return True
    files = [path for pattern in ("*", "*/*") for path in place.glob(pattern) if path.suffix in SUFFIXES]
    return any(path.is_file() and b"object_type:" in path.read_bytes()[:65536] for path in files[:1000])


def _check_version(package: Package, place: Path, issues: IssueList) -> None:
    """A warning where the checkout is another one than ``package.yml`` wants, as far as its files tell."""
    head = _text(place / ".git" / "HEAD")
    if not head:
        return
    ref = head.removeprefix("ref: ") if head.startswith("ref: ") else ""
    commit = _commit(place, ref) if ref else head
    kind, _, wanted = package.version.partition(":")
    if kind == "commit":
        is_other = bool(commit) and not commit.startswith(wanted)
    elif kind == "tag":
        tagged = _commit(place, f"refs/tags/{wanted}")
        is_other = bool(commit and tagged) and tagged != commit
    else:
        is_other = bool(package.branch and ref) and ref != f"refs/heads/{package.branch}"
    if is_other:
        said = f"`{package.version}`" if kind in {"commit", "tag"} else f"branch `{package.branch}`"
        there = ref.removeprefix("refs/heads/") or commit[:12]
        message = f"package `{package.name}` is checked out at `{there}` and not at {said}; what is there is read"
        issues.warning(package.where, "package-version", message)


def _commit(place: Path, ref: str) -> str:
    """The commit of a reference; empty when the files do not tell."""
    own = _text(place / ".git" / ref)
    if own:
        return own
    lines = _text(place / ".git" / "packed-refs").splitlines()
    for number, line in enumerate(lines):
        if line.endswith(f" {ref}"):
            below = lines[number + 1] if number + 1 < len(lines) else ""
            return below[1:] if below.startswith("^") else line.split()[0]
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""
    except OSError:
        return ""
