"""Write the files of a first model: all of them or none, and never over somebody's own file."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from airflow_atscale_aggs.engine.discovery.sml_documents import MARK
from airflow_atscale_aggs.engine.errors import ModelFileError


def check_target(folder: Path, *, force: bool) -> None:
    """Refuse a folder that holds something, before anything is asked of the warehouse.

    Raises:
        ModelFileError: it is no folder, or not empty and not forced.
    """
    if folder.exists() and not folder.is_dir():
        raise ModelFileError(str(folder), 0, "is a file; name a folder that is new or empty")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        reason = "is not empty; name another folder, or write into it with --force, which replaces only files of init"
        raise ModelFileError(str(folder), 0, reason)


def write_files(folder: Path, texts: Mapping[str, str], *, force: bool) -> tuple[str, ...]:
    """Write all files. Where the folder is new or empty it appears as a whole.

    With ``force``, files that an earlier run has written and that are no longer wanted are taken away; others stay.

    Returns:
        What was taken away.

    Raises:
        ModelFileError: the folder is not empty and not forced, or a file that somebody wrote is in the way.
        OSError: the folder cannot be written.
    """
    check_target(folder, force=force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for path, text in texts.items():
            file = scratch / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if folder.is_dir() and any(folder.iterdir()):
            return _replace_files(folder, scratch, texts)
        # A folder made by mkdtemp is its owner's alone; a model is shared.
        scratch.chmod(0o777 & ~_umask())
        if folder.is_dir():
            folder.rmdir()
        scratch.rename(folder)
        return ()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace_files(folder: Path, scratch: Path, texts: Mapping[str, str]) -> tuple[str, ...]:
    for path in texts:
        if (folder / path).exists() and not _is_ours(folder / path):
            reason = (
                "was not written by init, and a file of that name is to be written; move it away or name another folder"
            )
            raise ModelFileError(str(folder / path), 0, reason)
    gone = tuple(
        str(file.relative_to(folder))
        for file in sorted(folder.rglob("*.yml"))
        if file.relative_to(folder).as_posix() not in texts and _is_ours(file)
    )
    for path in texts:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).replace(folder / path)
    for path in gone:
        (folder / path).unlink()
    return gone


def _is_ours(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return file.is_file() and lines.readline().startswith(MARK)
    except OSError:
        return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
