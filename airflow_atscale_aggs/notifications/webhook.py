"""Sends a text to the address of an Airflow connection, as the webhooks of chats take it."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from airflow.sdk import Connection

_SECONDS = 30
_ALLOWED = ("http", "https")


def post_text(conn_id: str, text: str) -> None:
    """POST ``{"text": text}`` to a connection of type ``http``. Its login and password, if any, sign the request in.

    Raises:
        AirflowException: the address does not take it; says why, and not the address, which may hold a secret.
    """
    connection = BaseHook.get_connection(conn_id)
    request = urllib.request.Request(  # noqa: S310 - `_address` lets no other schemes pass
        _address(connection), data=json.dumps({"text": text}).encode(), headers=_headers(connection), method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - the same
            return
    except urllib.error.HTTPError as error:
        reason = f"it answered {error.code}"
    except (OSError, ValueError) as error:
        reason = f"{getattr(error, 'reason', '') or type(error).__name__}"
    message = f"The message was not sent to the address of connection `{conn_id}`: {reason}. It is in this log."
    raise AirflowException(message)


def _address(connection: Connection) -> str:
    """The URL of a connection: its host may be a whole one, as Airflow's own HTTP hook takes it."""
    host = connection.host or ""
    scheme = connection.schema or ("https" if connection.port in {None, 443} else "http")
    url = host if "://" in host else f"{scheme}://{host}{f':{connection.port}' if connection.port else ''}"
    if urlsplit(url).scheme not in _ALLOWED or not urlsplit(url).hostname:
        message = f"Connection `{connection.conn_id}` names no address that starts with http:// or https://."
        raise AirflowException(message)
    return url


def _headers(connection: Connection) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if connection.login:
        signed = base64.b64encode(f"{connection.login}:{connection.password or ''}".encode()).decode()
        headers["Authorization"] = f"Basic {signed}"
    return headers
