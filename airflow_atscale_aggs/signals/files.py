"""Files behind an fsspec URL: find, list what rotation left beside them, open. One ``Place`` is one watched path or glob."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

from airflow_atscale_aggs.signals.errors import PathDeniedError
from airflow_atscale_aggs.signals.signal import digest, without_password

OpenFilesystem = Callable[[str], tuple[Any, str]]
"""From a URL to an fsspec file system and the path in it. Raises NoFilesystemError."""

CHUNK_BYTES = 1 << 20

# The names under which file systems tell the modification time; `created` is all that some in memory have.
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "modified", "modificationTime", "created")
_ETAG = ("ETag", "etag", "generation", "md5Hash", "VersionId", "version_aware_id")
_MILLISECONDS = 1e11
_MAGIC = re.compile(r"[*?\[]")
_ROTATED = r"(?:[._-]?\d[\dT:._-]*|\.old)"


@dataclass(frozen=True, slots=True)
class FileStat:
    """What a file system says of a file.

    Attributes:
        modified: microseconds since 1970 by the clock of the storage, 0 when unknown; compared, never measured against ours.
        etag: empty where the storage has none.
        inode: 0 where there is none. Only a hint for logs; no part of the identity.
    """

    url: str
    size: int
    modified: int
    etag: str
    inode: int = 0

    @property
    def identity(self) -> str:
        """Changes when the file is overwritten or grows."""
        return digest(self.size, self.modified, self.etag)

    @property
    def version(self) -> str:
        """The identity, and which file it is."""
        return f"{self.identity}:{self.inode}"

    @property
    def text(self) -> str:
        """Size and time for people."""
        time = datetime.fromtimestamp(self.modified / 1e6, UTC).isoformat() if self.modified else "an unknown time"
        return f"{self.size} bytes, modified {time}"


def has_magic(path: str) -> bool:
    """Whether the path is a glob."""
    return _MAGIC.search(path) is not None


class Place:
    """Where the files of one path or glob are.

    Args:
        entry: path, URL or glob.
        filesystem: of fsspec.
        path: of the entry in this file system.
    """

    def __init__(self, entry: str, filesystem: Any, path: str) -> None:
        self.entry, self.filesystem, self.path = entry, filesystem, path
        # What stands before a path in this entry's URLs: scheme, connection, host.
        self._prefix = entry[: -len(path)] if path and entry.endswith(path) else ""

    def find(self) -> list[FileStat]:
        """The file, or what the glob matches; empty when there is none. Folders do not count.

        Raises:
            PathDeniedError: it may not be looked at.
        """
        with self._denials():
            self.filesystem.invalidate_cache()
            if has_magic(self.path):
                found = self.filesystem.glob(self.path, detail=True)
                if not found:
                    self._list(self._folder())
                return self._stats(found.values())
            try:
                return self._stats([self.filesystem.info(self.path)])
            except (FileNotFoundError, NotADirectoryError):
                return []

    def stat(self, url: str) -> FileStat | None:
        """One file; None when it is gone."""
        with self._denials():
            try:
                found = self._stats([self.filesystem.info(self._path_of(url))])
            except (FileNotFoundError, NotADirectoryError):
                return None
        return found[0] if found else None

    def siblings(self, urls: Iterable[str]) -> list[FileStat]:
        """Files that rotation may have left beside the given ones: ``etl.log.1``, ``etl-20260101.log``; oldest first."""
        paths = {self._path_of(url) for url in urls} or ({self.path} if not has_magic(self.path) else set())
        found = []
        for folder in {posixpath.dirname(path) for path in paths}:
            names = [posixpath.basename(path) for path in paths if posixpath.dirname(path) == folder]
            patterns = [_rotated_name(name) for name in names]
            for info in self._list(folder):
                name = posixpath.basename(info["name"])
                if info["name"] not in paths and any(pattern.fullmatch(name) for pattern in patterns):
                    found.append(info)
        return sorted(self._stats(found), key=lambda stat: (stat.modified, stat.url))

    @contextlib.contextmanager
    def open(self, url: str) -> Iterator[BinaryIO]:
        """The file for reading from any byte on; the whole block sees one file, also when it is renamed meanwhile.

        Raises:
            PathDeniedError: it may not be read.
            FileNotFoundError: it is gone.
        """
        with self._denials(), self.filesystem.open(self._path_of(url), "rb", block_size=CHUNK_BYTES) as stream:
            yield stream

    def explain_missing(self) -> str:
        """Why nothing is found: no such file, or no such folder either."""
        folder = self._folder()
        with contextlib.suppress(Exception):
            if folder and not self.filesystem.exists(folder):
                return f"there is not even the folder `{folder}`"
        return "no file matches" if has_magic(self.path) else "there is no such file"

    def _folder(self) -> str:
        """The deepest folder of the entry that has a fixed name."""
        fixed = _MAGIC.split(self.path, maxsplit=1)[0]
        return posixpath.dirname(fixed)

    def _list(self, folder: str) -> list[Mapping[str, Any]]:
        with self._denials():
            try:
                return list(self.filesystem.ls(folder, detail=True))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def _path_of(self, url: str) -> str:
        return self.path if url == self.entry else url[len(self._prefix) :]

    def _stats(self, infos: Iterable[Mapping[str, Any]]) -> list[FileStat]:
        stats = []
        for given in infos:
            info = given
            if info.get("islink"):
                # The local file system tells a link's own time; what is written is its target.
                with contextlib.suppress(FileNotFoundError):
                    info = {**self.filesystem.info(os.path.realpath(given["name"])), "name": given["name"]}
            if info.get("type") != "directory":
                url = self.entry if info["name"] == self.path else self._prefix + info["name"]
                etag = next((str(info[key]) for key in _ETAG if info.get(key)), "")
                stats.append(FileStat(url, int(info.get("size") or 0), _microseconds(info), etag, info.get("ino") or 0))
        return sorted(stats, key=lambda stat: stat.url)

    @contextlib.contextmanager
    def _denials(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise PathDeniedError(without_password(self.entry), str(error)) from error


def _microseconds(info: Mapping[str, Any]) -> int:
    value = next((info[key] for key in _MODIFIED if info.get(key)), None)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return 0
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if not isinstance(value, (int, float)):
        return 0
    return round(value * 1e6) if value < _MILLISECONDS else round(value * 1e3)


def _rotated_name(name: str) -> re.Pattern[str]:
    """What rotation calls a file: a number or date after the name, or before its ending."""
    stem, ending = posixpath.splitext(name)
    return re.compile(f"{re.escape(name)}{_ROTATED}|{re.escape(stem)}{_ROTATED}{re.escape(ending)}")
