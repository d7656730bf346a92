"""Write the files of a first model: all of them or none, and never over somebody's own file."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from airflow_atscale_aggs.engine.discovery.sml_documents import MARK
from airflow_atscale_aggs.engine.errors import ModelFileError


def check_target(folder: Path, *, force: bool) -> None:
    """Refuse a folder that holds something or cannot be written, before anything is asked of the warehouse.

    Raises:
        ModelFileError: it is no folder, not empty and not forced, or one that may not be written.
    """
    if folder.exists() and not folder.is_dir():
        raise ModelFileError(str(folder), 0, "is a file; name a folder that is new or empty")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        reason = "is not empty; name another folder, or write into it with --force, which replaces only files of init"
        raise ModelFileError(str(folder), 0, reason)
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(nearest, os.W_OK | os.X_OK, effective_ids=True):
        raise ModelFileError(str(folder), 0, f"cannot be written: you have no right to write in `{nearest}`")


def write_files(folder: Path, texts: Mapping[str, str], *, force: bool) -> tuple[str, ...]:
    """Write all files, or leave everything as it was. Where the folder is new or empty it appears as a whole.

    With ``force``, files that an earlier run has written and that are no longer wanted are taken away; others stay.
    Whatever ends it on the way, also Ctrl-C, what was there before is there again.

    Returns:
        What was taken away.

    Raises:
        ModelFileError: the folder is not empty and not forced, or a file that somebody wrote is in the way.
        OSError: the folder cannot be written.
    """
    check_target(folder, force=force)
    with _new_folders([folder.parent]):
        # Its name is known before it is there, so that nothing can come between it and its end.
        scratch = folder.parent / f".{folder.name}.{secrets.token_hex(6)}"
        try:
            try:
                return _write_at_once(folder, scratch, texts)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        finally:
            # Ctrl-C may have come there.
            shutil.rmtree(scratch, ignore_errors=True)


def _write_at_once(folder: Path, scratch: Path, texts: Mapping[str, str]) -> tuple[str, ...]:
    new = scratch / "new"
    for path, text in texts.items():
        file = new / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    if folder.is_dir() and any(folder.iterdir()):
        return _replace_files(folder, scratch, texts)
    # One step, also where an empty folder is there.
    new.replace(folder)
    return ()


def is_written(folder: Path, texts: Mapping[str, str]) -> bool:
    """Whether a folder has all the files with these texts. False where there are none."""
    try:
        return bool(texts) and all((folder / path).read_text(encoding="utf-8") == text for path, text in texts.items())
    except OSError:
        return False


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
    old = scratch / "old"
    for path in (*gone, *(path for path in texts if (folder / path).exists())):
        (old / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / path, old / path)
    with _new_folders(sorted({(folder / path).parent for path in texts})):
        try:
            for path in texts:
                (scratch / "new" / path).replace(folder / path)
            for path in gone:
                (folder / path).unlink()
        except BaseException:
            _put_back(folder, old, (*texts, *gone))
            raise
    return gone


def _put_back(folder: Path, old: Path, paths: Sequence[str]) -> None:
    """Give each file the text that it had, or take it away. A second Ctrl-C does not stop it half-way."""
    waiting = [*paths]
    while waiting:
        with contextlib.suppress(KeyboardInterrupt):
            path = waiting[-1]
            if (old / path).exists():
                shutil.copy2(old / path, folder / path)
            else:
                (folder / path).unlink(missing_ok=True)
            waiting.pop()


@contextlib.contextmanager
def _new_folders(wanted: Iterable[Path]) -> Iterator[None]:
    """Folders that are there in the block, and are gone again if the block fails and nobody has put anything in."""
    made = [folder for one in wanted for folder in reversed((one, *one.parents)) if not folder.exists()]
    try:
        for folder in made:
            folder.mkdir(exist_ok=True)
        yield
    except BaseException:
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _is_ours(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return file.is_file() and lines.readline().startswith(MARK)
    except OSError:
        return False
