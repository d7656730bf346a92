"""Finds and opens files behind an fsspec URL, and files that rotation left beside them.

A ``Place`` is one path or glob.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, BinaryIO

from airflow_atscale_aggs.signals.errors import NotAFileError, PathDeniedError
from airflow_atscale_aggs.signals.local_files import LocalFolder, is_local
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
    """The properties of a file that a file system tells.

    Attributes:
        modified: microseconds since 1970 by the clock of the storage, 0 when unknown; compared, never measured against
            ours.
        etag: empty where the storage has none.
        inode: 0 where there is none. Only a hint for logs; no part of the identity.
        changed: microseconds since 1970 of the last change of the file or of what is said about it, 0 where there is no
            such time. Nobody can set it, so it tells a new file with an old modification time.
        access: owner, rights and number of names of a local file; their change alone is not a change of the file.
        target: the URL of the file itself where ``url`` leads over a link; otherwise the same as ``url``.
    """

    url: str
    size: int
    modified: int
    etag: str
    inode: int = 0
    changed: int = 0
    access: str = ""
    target: str = ""

    @property
    def identity(self) -> str:
        """Changes when the file is overwritten or grows."""
        return digest(self.size, self.modified, self.etag)

    @property
    def version(self) -> str:
        """The identity, and which file it is."""
        return f"{self.identity}:{self.inode}"

    @property
    def without_link(self) -> FileStat:
        """The same file under its own URL."""
        return replace(self, url=self.target) if self.target else self

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

    Attributes:
        refused: URL to the reason, of what `find` saw last and does not read: pipes, devices, links out of the folder.
    """

    def __init__(self, entry: str, filesystem: Any, path: str) -> None:
        self.entry, self.filesystem, self.path = entry, filesystem, path
        self.refused: dict[str, NotAFileError] = {}
        self._local = LocalFolder(self._folder()) if is_local(filesystem) else None
        # What stands before a path in this entry's URLs: scheme, connection, host.
        self._prefix = entry[: -len(path)] if path and entry.endswith(path) else ""

    def find(self) -> list[FileStat]:
        """The file, or what the glob matches; empty when there is none. Folders do not count.

        Only regular files are given. What else is there is written into `refused`.

        Raises:
            PathDeniedError: it may not be looked at.
            NotAFileError: the path is no glob, and what is there is not read.
        """
        self.refused.clear()
        with self._denials():
            self.filesystem.invalidate_cache()
            if has_magic(self.path):
                matches = self.filesystem.glob(self.path, detail=True)
                if not matches:
                    self._list(self._folder())
                return self._stats(matches.values())
            try:
                stats = self._stats([self.filesystem.info(self.path)])
            except (FileNotFoundError, NotADirectoryError):
                return []
            for refusal in self.refused.values():
                raise refusal
            return stats

    def follow(self, urls: Iterable[str]) -> None:
        """Go on reading these files wherever they lie now. They lay in the watched folder when they were read first."""
        if self._local:
            self._local.followed.clear()
            self._local.followed.update(self._path_of(url) for url in urls)

    def stat(self, url: str) -> FileStat | None:
        """One file; None when it is gone."""
        with self._denials():
            try:
                stats = self._stats([self.filesystem.info(self._path_of(url))])
            except (FileNotFoundError, NotADirectoryError):
                return None
        return stats[0] if stats else None

    def siblings(self, urls: Iterable[str]) -> list[FileStat]:
        """Files that rotation may have left beside the given ones.

        ``etl.log.1``, ``etl-20260101.log``; oldest first.
        """
        paths = {self._path_of(url) for url in urls}
        if not has_magic(self.path):
            # Rotation goes by the name that writers use, which may be a link to the log.
            paths.add(self.path)
        siblings = []
        for folder in {posixpath.dirname(path) for path in paths}:
            names = [posixpath.basename(path) for path in paths if posixpath.dirname(path) == folder]
            patterns = [_rotated_name(name) for name in names]
            for info in self._list(folder):
                name = posixpath.basename(info["name"])
                if info["name"] not in paths and any(pattern.fullmatch(name) for pattern in patterns):
                    siblings.append(info)
        return sorted(self._stats(siblings), key=lambda stat: (stat.modified, stat.url))

    @contextlib.contextmanager
    def open(self, url: str) -> Iterator[BinaryIO]:
        """The file for reading from any byte on; the whole block sees one file, also when it is renamed meanwhile.

        Raises:
            PathDeniedError: it may not be read.
            FileNotFoundError: it is gone, or something that is not read has taken its place.
        """
        path = self._path_of(url)
        with self._denials():
            if self._local:
                with self._local.open(path) as stream:
                    yield stream
            else:
                with self.filesystem.open(path, "rb", block_size=CHUNK_BYTES) as stream:
                    yield stream

    def explain_missing(self) -> str:
        """Why nothing is there: the file is missing, or its folder as well."""
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
        local = self._local
        stats = (self._local_stat(local, info["name"]) if local else self._stat(info) for info in infos)
        return sorted((stat for stat in stats if stat), key=lambda stat: stat.url)

    def _stat(self, info: Mapping[str, Any]) -> FileStat | None:
        if info.get("type") == "directory":
            return None
        etag = next((str(info[key]) for key in _ETAG if info.get(key)), "")
        url = self._url_of(info["name"])
        return FileStat(url, int(info.get("size") or 0), _microseconds(info), etag, info.get("ino") or 0)

    def _local_stat(self, local: LocalFolder, name: str) -> FileStat | None:
        url = self._url_of(name)
        try:
            file = local.look_at(name)
        except NotAFileError as error:
            self.refused[url] = error
            return None
        if file is None:
            return None
        modified, changed = round(file.modified_ns / 1e3), round(file.changed_ns / 1e3)
        target = url if file.path == name else self._prefix + file.path
        return FileStat(url, file.size, modified, "", file.inode, changed, file.access, target)

    def _url_of(self, name: str) -> str:
        return self.entry if name == self.path else self._prefix + name

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
    """A pattern of the names that rotation gives to a file: a number or date after the name, or before its ending."""
    stem, ending = posixpath.splitext(name)
    return re.compile(f"{re.escape(name)}{_ROTATED}|{re.escape(stem)}{_ROTATED}{re.escape(ending)}")
