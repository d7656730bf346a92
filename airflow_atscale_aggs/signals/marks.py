"""Decides whether a file is the one that was signalled, or a new one that only looks the same.

A storage tells size, modification time and perhaps an etag. A writer can make a new file with the same values. A local
file also has an inode and the time of its last change, which no writer can set.
"""

from __future__ import annotations

from airflow_atscale_aggs.signals.files import FileStat


def mark_of(stat: FileStat) -> str:
    """The mark of a file that was signalled, by which it is known again.

    >>> mark_of(FileStat("s3://b/k", 1, 2, "e")) == FileStat("s3://b/k", 1, 2, "e").identity
    True
    """
    if not stat.changed:
        return stat.identity
    return "|".join((stat.identity, str(stat.inode), str(stat.changed), stat.access))


def is_marked(stat: FileStat, mark: str, *, has_vanished: bool) -> bool:
    """Whether a mark is of this very file.

    Args:
        mark: as `mark_of` writes it, or an identity alone, as versions before 0.2 wrote it.
        has_vanished: whether the file was not there at the last look.
    """
    identity, *local = mark.split("|")
    if identity != stat.identity:
        return False
    if not local or not stat.changed:
        return not has_vanished
    inode, changed, access = local
    if int(inode) == stat.inode and int(changed) == stat.changed:
        # The same file: its folder was away for a while, not the file.
        return True
    # Rights, owner and names of the same file may change without anybody writing it.
    return not has_vanished and int(inode) == stat.inode and access != stat.access


def is_of_equal_file(stat: FileStat, mark: str | None) -> bool:
    """Whether size, time and etag alone would not tell the file from the one that was signalled."""
    return mark is not None and mark.partition("|")[0] == stat.identity
