"""Writes a folder of files that a person may edit afterwards: nothing that somebody else wrote or changed is lost.

The first line of each file holds a checksum of the rest. A file is replaced, or removed when it is not needed any
more, only while that is true; else nothing at all is written.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from airflow_atscale_aggs.engine.errors import ModelFileError

_MARK = re.compile(
    r"(?:#|--) Written by atscale-aggs; edit it freely, a changed file is not replaced\. \[([0-9a-f]{16})\]"
)
_LARGEST = 16 * 1024 * 1024


def marked(body: str, sign: str = "#") -> str:
    """A text with the line that tells whether somebody changed it, behind the sign of a comment."""
    return (
        f"{sign} Written by atscale-aggs; edit it freely, a changed file is not replaced. [{_checksum(body)}]\n{body}"
    )


def is_unchanged(text: str) -> bool:
    r"""Whether a text is as `marked` made it.

    >>> is_unchanged(marked("a: 1\n")), is_unchanged(marked("a: 1\n") + "b: 2\n"), is_unchanged("a: 1\n")
    (True, False, False)
    """
    first, _, body = text.partition("\n")
    match = _MARK.fullmatch(first)
    return match is not None and match[1] == _checksum(body)


def write_files(folder: Path, bodies: Mapping[str, str]) -> tuple[str, ...]:
    """Write texts to the files of a folder, all of them or none; the paths, sorted.

    Args:
        bodies: by path below the folder, with ``/``.

    Raises:
        ModelFileError: a file of that path is not ours, or somebody changed it; nothing was written.
        OSError: the folder cannot be written to.
    """
    stale = sorted(_ours(folder, bodies))
    for path in sorted(bodies):
        _check_replaceable(folder / path)
    for path, body in sorted(bodies.items()):
        _write(folder / path, marked(body, "--" if path.endswith(".sql") else "#"))
    for path in stale:
        (folder / path).unlink(missing_ok=True)
    return tuple(sorted(bodies))


def safe_file_names(names: Iterable[str]) -> dict[str, str]:
    """A file name for each name: lower case, ASCII, all different, the same for the same names in the same order.

    >>> safe_file_names(["Net Revenue", "net revenue", "../x", "CON"])
    {'Net Revenue': 'net_revenue', 'net revenue': 'net_revenue_2', '../x': 'x', 'CON': 'con_'}
    """
    taken: set[str] = set()
    names_of: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")[:80] or "unnamed"
        plain = f"{plain}_" if plain in _RESERVED else plain
        candidate, number = plain, 1
        while candidate in taken:
            number += 1
            candidate = f"{plain}_{number}"
        taken.add(candidate)
        names_of[name] = candidate
    return names_of


_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{name}{place}" for name in ("com", "lpt") for place in range(10))}
)
"""Names that Windows keeps for devices."""


def _ours(folder: Path, bodies: Mapping[str, str]) -> Iterator[str]:
    """Files of an earlier time that are not written any more and that nobody changed."""
    for file in folder.rglob("*") if folder.is_dir() else ():
        path = file.relative_to(folder).as_posix()
        if path not in bodies and file.is_file() and not file.is_symlink() and is_unchanged(_text(file)):
            yield path


def _check_replaceable(file: Path) -> None:
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise ModelFileError(str(file), 0, "this is no plain file; nothing was written. Choose another folder")
    if file.exists() and not is_unchanged(_text(file)):
        reason = (
            "somebody else wrote or changed this file, so nothing was written. Choose another folder, or move the "
            "file away"
        )
        raise ModelFileError(str(file), 0, reason)


def _text(file: Path) -> str:
    """The text of a file; nothing for one that cannot be ours."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
    except OSError:
        return ""
    return "" if len(data) > _LARGEST else data.decode("utf-8", errors="replace")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        part.write_bytes(text.encode("utf-8"))
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8")).hexdigest()[:16]
