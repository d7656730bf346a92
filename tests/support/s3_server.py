"""An S3 server on this machine, which fsspec finds by itself."""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Iterator

import pytest
import s3fs
from moto.server import ThreadedMotoServer


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """The URL of an empty server; the environment names it for the length of the block."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "unused",
            "AWS_SECRET_ACCESS_KEY": "unused",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        # What one server kept, the next one of the process has as well.
        urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"), timeout=10)
        yield url
        allow_actions(url, "inf")
    server.stop()


def allow_actions(url: str, number: str) -> None:
    """This many without a look at the credentials."""
    plain = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{url}/moto-api/reset-auth", number.encode(), plain, method="POST")
    urllib.request.urlopen(request, timeout=10)
