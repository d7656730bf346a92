"""Turns an Airflow connection to PostgreSQL into a URL that libpq can read.

An Airflow connection carries extras that are not options of libpq: of Airflow's PostgreSQL hook (``cursor``, ``iam``),
of other tools, or nested JSON. libpq refuses a URL with an option that it does not know, so only its own options go
into the URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Connection

POSTGRES_TYPES = frozenset({"postgres", "postgresql"})

_PARTS = ("user", "password", "host", "port", "dbname")
_TOKEN_EXTRAS = ("iam", "azure_conn_id")
"""Extras that make Airflow's own hook fetch a short-lived password from a cloud."""


def libpq_url(connection: Connection) -> str:
    """The ``postgresql+psycopg://`` URL of a connection, with a password.

    Extras that libpq knows are kept, in the spelling that it wants; others are left out, as Airflow's own hook does
    with its own.

    Raises:
        AirflowFailException: an option of libpq has no plain value, or the connection asks for a token of a cloud and
            the provider that fetches it is not installed.
    """
    extra = extras_of(connection)
    options = {key: _plain(connection.conn_id, key, value) for key, value in extra.items() if key in _libpq_options()}
    options = {key: value for key, value in options.items() if value != ""}
    parts = {
        "user": connection.login,
        "password": connection.password,
        "host": connection.host,
        "port": connection.port,
        "dbname": connection.schema,
    }
    if any(_is_on(extra.get(key)) for key in _TOKEN_EXTRAS):
        parts["user"], parts["password"], parts["port"] = _token_of(connection)
    given = {key: str(value) for key, value in parts.items() if value not in {None, ""}}
    return _url({**given, **{key: value for key, value in options.items() if key not in given}})


def extras_of(connection: Connection) -> Mapping[str, Any]:
    """The extras of a connection. Raises AirflowFailException when they are JSON and no object."""
    extra = connection.extra_dejson
    if isinstance(extra, Mapping):
        return extra
    message = (
        f"Connection `{connection.conn_id}`: its extras must be a JSON object, such as {{}}, "
        f"not {type(extra).__name__}."
    )
    raise AirflowFailException(message)


def _url(options: Mapping[str, str]) -> str:
    """The text with percent encoding.

    A plus sign is encoded as well: libpq reads it as a plus sign, SQLAlchemy as a space.
    """
    text = {key: quote(value, safe="") for key, value in options.items()}
    user, password = text.get("user", ""), text.get("password")
    account = f"{user}{'' if password is None else f':{password}'}@" if user or password else ""
    host = options.get("host", "")
    is_plain_host = bool(host) and "/" not in host and "," not in host and not host.startswith("@")
    place = ""
    if is_plain_host:
        place = f"[{host}]" if ":" in host and not host.startswith("[") else host
        place += f":{text['port']}" if text.get("port") else ""
    in_query = [key for key in text if key not in _PARTS or (key in {"host", "port"} and not is_plain_host)]
    query = "&".join(f"{key}={text[key]}" for key in in_query)
    return f"postgresql+psycopg://{account}{place}/{text.get('dbname', '')}{'?' + query if query else ''}"


def _plain(conn_id: str, key: str, value: Any) -> str:
    """An option as libpq spells it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if value is None:
        return ""
    if isinstance(value, (str, int, float)):
        return str(value)
    message = (
        f"Connection `{conn_id}`: the extra `{key}` is an option of PostgreSQL's client and must be a text or a "
        "number, not "
        f"{type(value).__name__}."
    )
    raise AirflowFailException(message)


def _libpq_options() -> frozenset[str]:
    """The options that the installed client library knows."""
    try:
        from psycopg.pq import Conninfo
    except ImportError as error:
        message = "PostgreSQL needs a driver: install it with `pip install airflow-atscale-aggs[postgres]`."
        raise AirflowFailException(message) from error
    return frozenset(option.keyword.decode() for option in Conninfo.get_defaults())


def _is_on(value: Any) -> bool:
    return str(value).strip().lower() not in {"", "none", "false", "0"}


def _token_of(connection: Connection) -> tuple[str, str, int]:
    """User, short-lived password and port from Airflow's own PostgreSQL hook, which can ask cloud services for them."""
    try:
        from airflow.providers.postgres.hooks.postgres import PostgresHook
    except ImportError as error:
        message = (
            f"Connection `{connection.conn_id}` signs in with a token of a cloud (`iam` or `azure_conn_id` in its "
            "extras). Install "
            "`apache-airflow-providers-postgres` and the provider of the cloud, or give the connection a password."
        )
        raise AirflowFailException(message) from error
    user, token, port = PostgresHook(connection=connection).get_iam_token(connection)
    return str(user), str(token), int(port)
