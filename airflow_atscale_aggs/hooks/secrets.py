"""Finds passwords in URLs, puts them in, and hides them where Airflow shows connections."""

from __future__ import annotations

import contextlib
import importlib
from urllib.parse import parse_qsl, quote, unquote, urlsplit

SECRET_URLS = ("registry_url", "warehouse_url")
"""Extras of our connections that may hold a password, which their names do not tell Airflow."""

_MASKERS = ("airflow._shared.secrets_masker", "airflow.sdk._shared.secrets_masker")
"""Airflow has one masker for its servers and one for tasks (Airflow 3.3). Neither can be told further names by a
provider.
"""

_SECRET_OPTIONS = ("password", "passwd", "token", "secret", "sslpassword", "motherduck_token", "oauth")


def hide_urls() -> None:
    """Have Airflow hide our URLs in the REST API and the UI, as it hides extras that are called ``password``."""
    for name in _MASKERS:
        with contextlib.suppress(ImportError, AttributeError):
            fields = importlib.import_module(name)._secrets_masker().sensitive_variables_fields  # noqa: SLF001 - see above
            fields.extend(field for field in SECRET_URLS if field not in fields)


def secrets_of_url(url: str) -> tuple[str, ...]:
    """Passwords and tokens in a URL, as they are written and as they are meant.

    >>> secrets_of_url("postgresql://me:s%40cret@host/db")
    ('s%40cret', 's@cret')
    """
    try:
        parts = urlsplit(url)
        written = [parts.password or ""]
    except ValueError:
        return ()
    written += [value for key, value in parse_qsl(parts.query) if any(name in key.lower() for name in _SECRET_OPTIONS)]
    return tuple(dict.fromkeys(text for secret in written for text in (secret, unquote(secret)) if text))


def with_password(url: str, password: str) -> str:
    """The URL with a password, unless it has one already, or names no host that could ask for it.

    >>> with_password("postgresql://me@host/db", "s@cret")
    'postgresql://me:s%40cret@host/db'
    """
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    if not password or not separator or not at or ":" in user:
        return url
    return f"{scheme}://{user}:{quote(password, safe='')}@{host}{slash}{path}"
