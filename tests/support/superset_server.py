"""Apache Superset in a process of its own: `make superset` puts it into ``.cache/superset``.

It has an environment of its own, because it needs another SQLAlchemy than we do.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from airflow_processes import free_port

_ROOT = Path(__file__).parents[2]
HOME = _ROOT / ".cache" / "superset"
USER, PASSWORD = "admin", "admin"
_START_SECONDS = 180.0

_CONFIG = """
SECRET_KEY = {secret!r}
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.db"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False
"""


def reason_without_superset() -> str:
    """Why Superset cannot be started here; empty where it can."""
    if not (HOME / ".installed").exists():
        return f"Superset is not started: it is not at {HOME}; `make superset` puts it there"
    return ""


@contextlib.contextmanager
def superset_server(folder: Path) -> Iterator[str]:
    """A server with an empty database of its own and one administrator; its address."""
    config = folder / "superset_config.py"
    config.write_text(_CONFIG.format(secret=secrets.token_hex(32), folder=folder))
    env = {**os.environ, "PYTHONPATH": "", "SUPERSET_CONFIG_PATH": str(config), "FLASK_APP": "superset"}
    log = folder / "superset.log"
    port = free_port()
    with log.open("ab") as output:

        def command(*arguments: str) -> list[str]:
            return [str(HOME / "bin" / "superset"), *arguments]

        identity = ("--firstname", "A", "--lastname", "B", "--email", "a@example.com")
        for arguments in (
            ("db", "upgrade"),
            ("fab", "create-admin", "--username", USER, "--password", PASSWORD, *identity),
            ("init",),
        ):
            subprocess.run(command(*arguments), cwd=folder, env=env, stdout=output, stderr=output, check=True)
        process = subprocess.Popen(
            command("run", "--port", str(port), "--with-threads"), cwd=folder, env=env, stdout=output, stderr=output
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    message = f"Superset did not start: {log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(message)
