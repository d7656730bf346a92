"""Imports the client of Spark Connect, which does not take every process for one that may use it.

When the main module has no file, as in the workers of pytest-xdist and in programs that embed Python, the client
believes that its own doctests are run. Without Spark beside it, it then ends the process.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _no_doctests() -> Iterator[None]:
    """The client asks for the prompt of an interactive session, in which nobody runs its doctests."""
    if hasattr(sys, "ps1"):
        yield
        return
    sys.ps1 = ">>> "
    try:
        yield
    finally:
        del sys.ps1


with _no_doctests():
    import grpc
    from pyspark.errors import PySparkException, UnsupportedOperationException
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.plan import SQL, CachedRelation, DataSource, Limit, LogicalPlan, Read
    from pyspark.sql.connect.proto import ConfigRequest
    from pyspark.sql.connect.session import SparkSession

__all__ = [
    "SQL",
    "CachedRelation",
    "ConfigRequest",
    "DataFrame",
    "DataSource",
    "DefaultPolicy",
    "Limit",
    "LogicalPlan",
    "PySparkException",
    "Read",
    "SparkSession",
    "UnsupportedOperationException",
    "grpc",
]
