"""Defines every error about signals in files. The tree shows them all.

SignalError
├─ UnsafePatternError     the pattern is no RE2 expression; carries what RE2 says
├─ WatchError             what to watch makes no sense; carries option, value, reason
├─ PathDeniedError        there is a path, we may not read it
├─ NotAFileError          there is a path, and what is there is not read as a file
└─ NoFilesystemError      nothing is installed for this kind of URL

Constructors take their arguments by position, and ``__str__`` composes the sentence. So errors survive pickling.
"""

from __future__ import annotations


class SignalError(Exception):
    """Root of the errors about signals in files."""


class UnsafePatternError(SignalError):
    """The pattern is refused. Arguments: pattern, RE2's reason."""

    def __init__(self, pattern: str, reason: str) -> None:
        super().__init__(pattern, reason)
        self.pattern, self.reason = pattern, reason

    def __str__(self) -> str:
        return (
            f"Pattern `{self.pattern}` is refused: {self.reason}. Patterns are RE2 expressions, which take time linear "
            "in "
            "the length of the line; look-around and back-references do not exist there."
        )


class WatchError(SignalError):
    """What to watch makes no sense. Arguments: option, its value, reason."""

    def __init__(self, option: str, value: object, reason: str) -> None:
        super().__init__(option, value, reason)
        self.option, self.value, self.reason = option, value, reason

    def __str__(self) -> str:
        return f"`{self.option}` is {self.value!r}, which {self.reason}."


class PathDeniedError(SignalError):
    """We may not read. Arguments: URL, what the file system says."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return (
            f"No permission to read `{self.url}`: {self.reason}. Give the user that runs Airflow's workers and "
            "triggerer "
            "(or the connection in the URL) the right to list its folder and to read it."
        )


class NotAFileError(SignalError):
    """A pipe, a socket, a device, or a link out of the watched folder. Arguments: path, what it is."""

    def __init__(self, path: str, kind: str) -> None:
        super().__init__(path, kind)
        self.path, self.kind = path, kind

    def __str__(self) -> str:
        return (
            f"`{self.path}` is not read: it is {self.kind}. Only regular files in the watched folder are read; "
            "watch the path of the file itself."
        )


class NoFilesystemError(SignalError):
    """Nothing is installed for this kind of URL. Arguments: URL, reason."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return (
            f"`{self.url}` cannot be opened: {self.reason}. Install the fsspec package or the Airflow provider of this "
            "kind "
            "of storage, for example `s3fs` for s3://."
        )
