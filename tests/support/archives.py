"""Unpack archives with any Python that the project works with."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpack an archive of our own into a folder.

    The Python of Debian 12 knows no filters yet, and later ones want one.
    """
    with tarfile.open(archive) as opened:
        if hasattr(tarfile, "data_filter"):
            opened.extractall(folder, filter="data")
        else:
            opened.extractall(folder)
