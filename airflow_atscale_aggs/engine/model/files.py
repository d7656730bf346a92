"""Reads the texts of a model's folder, and decides which files are model files.

Only regular files inside the folder are read. Reading a FIFO would wait for a writer for ever. Reading a device may
never end. A link that leaves the folder leads to files that are not the model's.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from airflow_atscale_aggs.engine.model.validation import IssueList

SUFFIXES = (".yml", ".yaml")
_SKIPPED_FOLDERS = frozenset({".git", ".github", "node_modules", "__pycache__"})
_LARGEST_FILE_BYTES = 16 * 1024 * 1024
_PIECE_BYTES = 1 << 16
_ELSEWHERE = "leaves the model's folder and is not followed. Put a copy into the folder, or name it in `package.yml`"


class NotReadError(Exception):
    """A file that is not read. Argument: reason."""

    def __init__(self, reason: str, *, is_harmless: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.is_harmless = reason, is_harmless


def file_texts(folder: Path, root: Path, seen: set[str], issues: IssueList) -> Iterator[tuple[str, str]]:
    """File texts by path, in a stable order; a file or folder behind a link is read once.

    Args:
        folder: where to look; links that leave it are not followed.
        root: what paths are told relative to.
        seen: real paths that were read already; is added to.
    """
    top = os.path.realpath(folder)
    for current, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        # Told once for all files of a folder: it costs more than reading one.
        told = os.path.relpath(current, root)
        folders[:] = [name for name in sorted(folders) if _is_entered(Path(current, name), top, root, issues)]
        for name in sorted(files):
            if not name.endswith(SUFFIXES) or name.startswith("."):
                continue
            # Texts for paths: objects for them take longer than reading the files.
            path = os.path.join(current, name)  # noqa: PTH118
            # To find the real path of a file asks the system for each folder above it.
            is_link = os.path.islink(path)  # noqa: PTH114
            real_path = os.path.realpath(path) if is_link else os.path.join(real, name)  # noqa: PTH118
            if real_path in seen:
                continue
            seen.add(real_path)
            relative = name if told == os.curdir else os.path.join(told, name)  # noqa: PTH118
            try:
                yield relative, read_text(path, top, real_path)
            except NotReadError as error:
                (issues.warning if error.is_harmless else issues.error)(relative, "unreadable-file", error.reason)


def read_text(path: str | Path, top: str, real_path: str | None = None) -> str:
    """The text of a regular file below ``top``, without a byte order mark.

    Args:
        real_path: of the file, where it is known.

    Raises:
        NotReadError: it is no regular file, too large, no text, outside, or may not be read.
    """
    if not _is_below(real_path or os.path.realpath(path), top):
        raise NotReadError(f"the link {_ELSEWHERE}", is_harmless=True)
    content = b""
    try:
        content = _read_regular_file(path)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # In UTF-16 each letter has a NUL beside it.
        is_foreign = b"object_type" not in content.replace(b"\0", b"")
        raise NotReadError("the file is not UTF-8 text", is_harmless=is_foreign) from error
    except OSError as error:
        if error.errno == errno.ENXIO and Path(path).is_socket():
            raise _no_regular_file() from error
        raise NotReadError(f"the file cannot be read: {error.strerror}") from error


def _read_regular_file(path: str | Path) -> bytes:
    # Without O_NONBLOCK, opening a FIFO waits for somebody who writes.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _no_regular_file()
        if status.st_size > _LARGEST_FILE_BYTES:
            raise NotReadError("the file is larger than 16 MiB")
        # Room for what was written since is asked for when there is more: room for the largest file takes longer to
        # get than most files take to read.
        content = os.read(descriptor, status.st_size + 1)
        while len(content) < _LARGEST_FILE_BYTES and (more := os.read(descriptor, _PIECE_BYTES)):
            content += more
        return content[:_LARGEST_FILE_BYTES]
    finally:
        os.close(descriptor)


def _no_regular_file() -> NotReadError:
    return NotReadError("this is no regular file and is not read", is_harmless=True)


def env_values(folder: Path) -> dict[str, str]:
    """Values of a folder's ``.env`` file: ``name=value`` lines, quotes and comments as shells have them."""
    path = folder / ".env"
    if not path.is_file():
        return {}
    try:
        text = read_text(path, os.path.realpath(folder))
    except NotReadError:
        return {}
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.lstrip().startswith("#"):
            values[name.strip().removeprefix("export ")] = value.strip().strip("'\"")
    return values


def _is_entered(path: Path, top: str, root: Path, issues: IssueList) -> bool:
    if path.name in _SKIPPED_FOLDERS:
        return False
    if _is_below(os.path.realpath(path), top):
        return True
    issues.warning(os.path.relpath(path, root), "unreadable-file", f"the link {_ELSEWHERE}")
    return False


def _is_below(real: str, top: str) -> bool:
    return real == top or real.startswith(top.rstrip(os.sep) + os.sep)
