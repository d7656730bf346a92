"""Where a model stands among others: the folder of its file in the SML repository."""

from __future__ import annotations

from pathlib import PurePosixPath

_PLAIN = frozenset({".", "..", "models"})
"""Repositories of SML keep models in a folder of that name, which says nothing about them."""


def folder_of(file: str) -> str:
    """The folder of a model, by the path of its file; empty: it has none.

    SML itself has no folders of models: people group their files.

    >>> folder_of("models/sales/europe/orders.yml"), folder_of("finance/models/ledger.yml")
    ('sales/europe', 'finance')
    >>> folder_of("models/orders.yml")
    ''
    """
    parts = PurePosixPath(file.replace("\\", "/")).parent.parts
    return "/".join(part for part in parts if part.casefold() not in _PLAIN and part != "/")


def schema_of(folder: str) -> str:
    """The schema in which SQL finds the models of a folder.

    PostgreSQL keeps some names for itself, and so do we: folders of these names have no schema of their own.

    >>> schema_of("sales/europe"), schema_of(""), schema_of("pg_sales")
    ('sales/europe', 'public', 'public')
    """
    name = folder.encode()[:_LONGEST].decode(errors="ignore")
    is_kept = name.casefold().startswith(("pg_", "atscale_aggs")) or name.casefold() == "information_schema"
    return NO_FOLDER if is_kept or not name else name


NO_FOLDER = "public"
"""The schema of models without a folder."""

_LONGEST = 63
"""Bytes of a name in PostgreSQL."""
