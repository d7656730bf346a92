"""Apache Spark itself, where Java and the engine are: `make spark` puts it into ``.cache/spark``."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from airflow_processes import free_port

HOME = Path(__file__).parents[2] / ".cache" / "spark" / "pyspark"

_START_SECONDS = 180.0
_CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"
_THRIFT = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.catalogImplementation": "hive",
}


def reason_without_spark() -> str:
    """Why Apache Spark cannot be started here; empty where it can."""
    if shutil.which("java") is None:
        return "Apache Spark is not started: there is no Java here"
    if not (HOME / "bin" / "spark-submit").exists():
        return f"Apache Spark is not started: it is not at {HOME}; `make spark` puts it there"
    return ""


@contextlib.contextmanager
def spark_connect_server() -> Iterator[str]:
    """The address of a server of Spark Connect, ``sc://127.0.0.1:port``."""
    port = free_port()
    address = {"spark.connect.grpc.binding.port": str(port), "spark.connect.grpc.binding.address": "127.0.0.1"}
    with _started(_CONNECT, port, address):
        yield f"sc://127.0.0.1:{port}"


@contextlib.contextmanager
def spark_thrift_server() -> Iterator[str]:
    """The URL of a thrift server, ``hive://tester@127.0.0.1:port/default``."""
    port = free_port()
    address = {
        "spark.hadoop.hive.server2.thrift.port": str(port),
        "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
    }
    with _started(_THRIFT, port, address):
        yield f"hive://tester@127.0.0.1:{port}/default"


@contextlib.contextmanager
def _started(service: str, port: int, settings: dict[str, str]) -> Iterator[None]:
    """A service of Spark in a process of its own, with its tables and metastore in a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="spark", ignore_cleanup_errors=True) as folder:
        own = {**_SETTINGS, **settings, "spark.sql.warehouse.dir": f"{folder}/warehouse"}
        options = [word for name, value in own.items() for word in ("--conf", f"{name}={value}")]
        # The kernel ends it with us, however we end.
        with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        submit = [*with_us, str(HOME / "bin" / "spark-submit"), "--master", "local[2]", "--driver-memory", "1500m"]
        environment = {**os.environ, "SPARK_HOME": str(HOME), "PYTHONPATH": ""}
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*submit, *options, "--class", service, "spark-internal"],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            _wait_for(port, process, log)
            yield
        finally:
            # The script is the parent of the Java process.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    message = f"Apache Spark did not start: {log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(message)
