"""The files of Spark's tables, by their list alone: what tells whether a table of parquet has changed.

No row is read. The server tells the files of a table (`inputFiles`), and its reader of binary files tells of each how
large it is and when it was written. That takes a right to read the paths, which not everybody has.

Sail's reader would read the files themselves, and large ones once in each of its threads. There the names tell: writers
such as Spark and Sail draw the name of each file at random, and never write a file of that name again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.warehouse.spark_catalog import quote
from airflow_atscale_aggs.engine.warehouse.spark_client import DataFrame, DataSource, PySparkException, Read
from airflow_atscale_aggs.engine.warehouse.spark_errors import is_transient

_OPTIONS = {
    # The paths are those of files, whatever characters are in their names.
    "__globPaths__": "false",
    # Their folders say nothing of columns.
    "recursiveFileLookup": "true",
}

_SCHEME = re.compile(r"^(file:)?/+")

_READS_FILES = "DataSourceExec"
"""In the plan of a server that reads a file to tell when it was written: DataFusion's name of a scan."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_DRAWN = re.compile(r"(?P<letters>[0-9A-Za-z]{16})(_\d+)?\.\w+\.parquet")
"""How Sail names a file: sixteen letters and digits that are drawn, its number, and how it is compressed."""

_LEAST_CHANGES = 6
"""Changes between capitals, small letters and digits in what was drawn. There are nine on average, and few in words."""


def list_files(connection: Any, tables: Sequence[TableKey]) -> Mapping[TableKey, str]:
    """For each table whose files can be listed, a text that is another one when a file came, went or was changed.

    A table of which the server names no files is absent, since it may be kept in memory. So is one with a file that may
    be written over under its name, where the server does not tell when a file was written.

    Args:
        connection: holds the client's session as ``spark``. It has not read the tables before.

    Raises:
        PySparkException: the server did not answer.
    """
    spark = connection.spark
    paths = {key: found for key in tables if (found := _paths_of(spark, key))}
    try:
        states = _states(spark, [path for found in paths.values() for path in found]) if paths else {}
    except PySparkException as error:
        if is_transient(error):
            raise
        # These paths may not be read.
        return {}
    complete = {key: found for key, found in paths.items() if all(_same(path) in states for path in found)}
    return {key: _digest((path, *states[_same(path)]) for path in found) for key, found in complete.items()}


def _paths_of(spark: Any, key: TableKey) -> list[str]:
    """The paths of a table's files; none where the server does not tell them."""
    try:
        files = DataFrame(Read(".".join(quote(part) for part in key if part)), spark).inputFiles()
    except PySparkException as error:
        if is_transient(error):
            raise
        return []
    # They come as parts of URLs.
    return [unquote(file) for file in files]


def _states(spark: Any, paths: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Size in bytes and time of the last change of each file, by its path.

    Where the server would have to read the files, nothing of those whose names are never used again, and no others.
    """
    client = spark.client
    if _READS_FILES in client.explain_string(_reader(paths[:1]).to_proto(client), "simple"):
        return {_same(path): () for path in paths if _is_named_once(path)}
    reader = _reader(list(dict.fromkeys(paths)))
    table = DataFrame(reader, spark)[["path", "length", "modificationTime"]].toArrow()
    times = table.column(2).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    files = list(zip(*(column.to_pylist() for column in (table.column(0), table.column(1), times)), strict=True))
    states: dict[str, tuple[int, ...]] = {_same(path): (length, time) for path, length, time in files}
    # Where it leaves out in which store a file is, two of them may look like one.
    return states if len(states) == len(files) else {}


def _reader(paths: Sequence[str]) -> DataSource:
    """The server's reader of binary files, which tells what is known of some files."""
    return DataSource(format="binaryFile", options=_OPTIONS, paths=list(paths))


def _is_named_once(path: str) -> bool:
    """Whether a file's name was drawn at random by its writer, so that another file has another name.

    >>> _is_named_once("file:///t/part-00000-7684059b-f81a-465a-9410-1ddb82acfb24-c000.snappy.parquet")
    True
    >>> _is_named_once("file:///t/YZjDfyKN9751ABXE_0.zst.parquet")
    True
    >>> _is_named_once("file:///t-7684059b-f81a-465a-9410-1ddb82acfb24/SalesFacts202601.parquet")
    False
    """
    name = path.rpartition("/")[2]
    if _UUID.search(name):
        return True
    drawn = _DRAWN.fullmatch(name)
    return drawn is not None and _changes_of_kind(drawn["letters"]) >= _LEAST_CHANGES


def _changes_of_kind(letters: str) -> int:
    kinds = [(letter.isdigit(), letter.isupper()) for letter in letters]
    return sum(one != other for one, other in pairwise(kinds))


def _same(path: str) -> str:
    """A path as a key: servers spell the path of one file in several ways.

    >>> {_same(path) for path in ("file:///data/a.parquet", "file:/data/a.parquet", "data/a.parquet")}
    {'data/a.parquet'}
    >>> _same("s3a://bucket/a.parquet")
    's3a://bucket/a.parquet'
    """
    return _SCHEME.sub("", path)


def _digest(files: Iterable[tuple[str | int, ...]]) -> str:
    """The number of the files, and a hash of all that is known of them, in whatever order they come."""
    known = sorted(files)
    return f"{len(known)}/{hashlib.sha256(repr(known).encode()).hexdigest()[:32]}"
