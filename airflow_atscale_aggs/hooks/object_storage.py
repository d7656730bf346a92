"""Opens the file system of a URL, with or without an Airflow connection in it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow_atscale_aggs.signals.errors import NoFilesystemError
from airflow_atscale_aggs.signals.signal import without_password

_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs"})


def open_filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    ``s3://aws_default@bucket/key`` names an Airflow connection, as ``ObjectStoragePath`` reads it. Kinds of storage
    that no installed Airflow provider serves go to fsspec itself, which takes credentials from the environment.

    Blocks (it may ask Airflow for the connection): not for an event loop.

    Raises:
        NoFilesystemError: nothing is installed for this kind of URL.
    """
    import fsspec
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import has_fs

    scheme = urlsplit(url).scheme if "://" in url else "file"
    try:
        if has_fs(scheme):
            path = ObjectStoragePath(url if "://" in url else f"file://{url}")
            return path.fs, path.fs._strip_protocol(path.path)  # noqa: SLF001 - how fsspec names its own paths
        if scheme in _BUCKETS and "@" in urlsplit(url).netloc:
            # fsspec would take the connection for a part of the bucket's name and wait for ever.
            raise NoFilesystemError(without_password(url), "no installed Airflow provider reads the connection in it")
        filesystem, path_in_it = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise NoFilesystemError(without_password(url), str(error)) from error
    return filesystem, str(path_in_it)
