"""Reads local files, among links, pipes and devices.

It never waits for a writer, and never leaves the watched folder.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from airflow_atscale_aggs.signals.errors import NotAFileError

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A regular file, behind whatever links lead to it.

    Attributes:
        path: without any link in it.
        modified_ns: nanoseconds since 1970; writers can set it.
        changed_ns: nanoseconds since 1970 of the last change of the file, its name or its rights; nobody can set it.
        access: rights, owner, group and number of names.
    """

    path: str
    size: int
    inode: int
    modified_ns: int
    changed_ns: int
    access: str


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """The part of a watched path before its first wildcard or its last name. Only what lies in it is read.

    Attributes:
        followed: paths of files that lay in it when they were read first. They are read on when the folder itself is a
            link that leads to another folder now.
    """

    path: str
    followed: set[str] = field(default_factory=set)

    def look_at(self, path: str) -> LocalFile | None:
        """The file that a path leads to; None where there is none, or a folder.

        Raises:
            NotAFileError: a pipe, a socket, a device, or a link whose target lies outside of the folder.
            OSError: the operating system does not tell, for example because links go round in a circle.
        """
        target = self._resolve(path)
        try:
            status = os.lstat(target)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            raise NotAFileError(path, _kind_of(status.st_mode))
        access = f"{status.st_mode:o}.{status.st_uid}.{status.st_gid}.{status.st_nlink}"
        return LocalFile(target, status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, access)

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """Open the file for reading. A link or a pipe that replaces it in the meantime is refused.

        Raises:
            FileNotFoundError: it is gone, or something that is not read has taken its place.
        """
        try:
            target = self._resolve(path)
            # Opening a pipe would wait for a writer; a link that appears now would lead anywhere.
            descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (NotAFileError, NotADirectoryError) as error:
            raise FileNotFoundError(path) from error
        except OSError as error:
            if isinstance(error, (PermissionError, FileNotFoundError)):
                raise
            raise FileNotFoundError(path) from error
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise FileNotFoundError(path)
            yield stream

    def _resolve(self, path: str) -> str:
        """The path without links, if it stays in the folder."""
        target, folder = os.path.realpath(path), os.path.realpath(self.path or "/")
        is_followed = target == path and path in self.followed
        if not is_followed and os.path.commonpath([target, folder]) != folder:
            raise NotAFileError(path, f"a link that leaves the folder `{self.path}`: it leads to `{target}`")
        return target


def is_local(filesystem: Any) -> bool:
    """Whether an fsspec file system is the machine's own."""
    protocol = getattr(filesystem, "protocol", ())
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


def _kind_of(mode: int) -> str:
    return next((name for is_kind, name in _KINDS if is_kind(mode)), "no regular file")
