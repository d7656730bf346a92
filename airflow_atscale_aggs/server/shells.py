"""A PostgreSQL database for each catalog, with an empty table for each model: what tools ask about tables.

Who does not see all models of a catalog has a database of his own with the models that he sees: what stands in a
database can be read by everybody who is connected to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import field

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_tables import ModelTable
from airflow_atscale_aggs.engine.lifecycle.query.star_tables import StarTable
from airflow_atscale_aggs.server.model_shells import Connection, make_model_tables, make_star_tables, schemas_of
from airflow_atscale_aggs.server.overview_tables import SCHEMA, VERSION, make_overview_tables

PREFIX = "atscale_aggs_shells_"
"""How a database is called while it is made, and where the catalog's own name is somebody else's."""

ROLE = "atscale_aggs_client_"
"""Roles of clients begin with it. Each database has its own, and each user who has signed in has one in it."""

_VERSION = 7
"""Of how tables are made; with another one all are made anew."""

_LOCK = 0x61676773
_WAIT_FOR_OTHERS = "SET lock_timeout = '60s'"
_WAIT_FOR_CLIENTS = "SET lock_timeout = '2s'"
"""Clients that connect meanwhile wait as long."""

_LONGEST = 63
"""Bytes of a name in PostgreSQL."""

_FORBIDDEN = ("pg_cancel_backend", "pg_terminate_backend", "lo_creat", "lo_create", "lo_from_bytea")

_MARK = re.compile(r"\[atscale-aggs ([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16})\]\Z")
"""At the end of a database's comment: digests of the registry, of what it stands for, and of what is in it."""

_DATABASES = """
SELECT datname, coalesce(shobj_description(oid, 'pg_database'), ''),
    EXISTS (SELECT FROM pg_stat_activity AS session WHERE session.datid = pg_database.oid)
FROM pg_database
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShellsKey:
    """What a database stands for.

    Attributes:
        registry: the id of the registry: others may have catalogs of the same name.
        model_ids: the models that are in it; None: all of the catalog, also later ones.
    """

    registry: str
    catalog: str
    model_ids: frozenset[str] | None

    @property
    def digest(self) -> str:
        """Other keys have other ones."""
        ids = None if self.model_ids is None else sorted(self.model_ids)
        return _digest(f"{self.registry} {self.catalog} {ids}")

    @property
    def role(self) -> str:
        """The role of clients."""
        return ROLE + self.digest

    @property
    def wanted_name(self) -> str:
        """The name that the database has where nobody else has taken it."""
        return self.catalog if self.model_ids is None else f"{self.catalog}_{self.digest[:6]}"


@dataclass(frozen=True, slots=True)
class Shells:
    """The database of a catalog, and the role that clients have in it.

    Attributes:
        password: of the role. Whoever may make the database knows it, so that several processes share the role.
    """

    database: str
    role: str
    password: str = field(repr=False)

    def of_user(self, name: str) -> Shells:
        """The same with a role of one user's own, which `make_own_role` makes."""
        role = f"{self.role}_{_digest(name)}"
        return Shells(self.database, role, hashlib.sha256(f"{role} {self.password}".encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class _Found:
    """A database of the server. ``mark``: digests as in `_MARK`; empty: it is none of ours."""

    name: str
    mark: tuple[str, ...]
    is_in_use: bool


def make_shells(conninfo: str, key: ShellsKey, tables: Sequence[ModelTable], stars: Sequence[StarTable] = ()) -> Shells:
    """Make the database of a key what its models are now.

    Several processes may do it at the same time: they wait for each other, and whoever comes later finds it done.
    The role that clients have may read there and make temporary tables, and nothing else.

    Args:
        conninfo: leads to a server, with the right to create databases and roles.
        stars: tables of the warehouse that are shown beside the models.

    Raises:
        psycopg.errors.LockNotAvailable: a client holds a lock on the tables as they are, in a transaction that is open.
        psycopg.Error: the server refuses.
    """
    own_password = conninfo_to_dict(conninfo).get("password")
    password = hashlib.sha256(f"{key.role} {key.registry} {own_password}".encode()).hexdigest()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(_WAIT_FOR_OTHERS)
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        _make_role(connection, key.role, password)
        found = _find(connection, key) or _create(connection, key)
        name, role = sql.Identifier(found.name), sql.Identifier(key.role)
        connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, role))
        content = _digest(f"{_VERSION} {VERSION} {tables!r} {stars!r}")
        if found.mark[2] != content:
            with psycopg.connect(conninfo, dbname=found.name) as own:
                own.execute(_WAIT_FOR_CLIENTS)
                _forbid(own)
                make_model_tables(own, tables, role=key.role, kept=SCHEMA)
                make_star_tables(own, stars, role=key.role)
                make_overview_tables(own, role=key.role)
                path = sql.SQL(", ").join(map(sql.Identifier, schemas_of(tables)))
                own.execute(sql.SQL("ALTER DATABASE {} SET search_path = {}").format(name, path))
                _write_mark(own, found.name, key, content)
    return Shells(found.name, key.role, password)


def make_own_role(conninfo: str, shells: Shells, user: str) -> Shells:
    """Make the role of one user in a database; returns it.

    Users who share a role read each other's statements, and the values that ANALYZE finds in their temporary tables.

    Raises:
        psycopg.Error: the server refuses.
    """
    own = shells.of_user(user)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(_WAIT_FOR_OTHERS)
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        _make_role(connection, own.role, own.password)
        is_member = connection.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", [own.role, shells.role]).fetchone()
        if is_member != (True,):
            grant = sql.SQL("GRANT {} TO {}").format(sql.Identifier(shells.role), sql.Identifier(own.role))
            connection.execute(grant)
    return own


def drop_unneeded_shells(conninfo: str, registry: str, needed: Collection[str]) -> list[str]:
    """Drop the databases of a registry that nobody needs and nobody is connected to. Returns their names.

    Args:
        needed: digests of the keys whose databases stay.
    """
    dropped = []
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(_WAIT_FOR_OTHERS)
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        for found in _databases(connection):
            is_ours = bool(found.mark) and found.mark[0] == _digest(registry)
            if not is_ours or found.mark[1] in needed or found.is_in_use:
                continue
            try:
                connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(found.name)))
            except psycopg.errors.ObjectInUse:
                continue
            _drop_roles(connection, ROLE + found.mark[1])
            dropped.append(found.name)
            _log.info("Dropped the database `%s`: no user sees just these models any more.", found.name)
    return dropped


def _databases(connection: Connection) -> list[_Found]:
    rows = connection.execute(_DATABASES).fetchall()
    marks = [_MARK.search(str(comment)) for _, comment, _ in rows]
    return [
        _Found(str(name), () if mark is None else mark.groups(), bool(is_in_use))
        for (name, _, is_in_use), mark in zip(rows, marks, strict=True)
    ]


def _find(connection: Connection, key: ShellsKey) -> _Found | None:
    return next((found for found in _databases(connection) if found.mark[1:2] == (key.digest,)), None)


def _create(connection: Connection, key: ShellsKey) -> _Found:
    """Make a database with its mark. It gets the name that is wanted once the mark tells whose it is."""
    name = PREFIX + key.digest
    names = {found.name for found in _databases(connection)}
    if name not in names:
        # The other template may have tables of somebody, and somebody may be connected to it.
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    mark = _write_mark(connection, name, key, "0" * 16)
    wanted = key.wanted_name
    if wanted not in names and 0 < len(wanted.encode()) <= _LONGEST:
        try:
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(wanted))
            )
        except psycopg.errors.DuplicateDatabase:
            return _Found(name, mark, is_in_use=False)
        return _Found(wanted, mark, is_in_use=False)
    return _Found(name, mark, is_in_use=False)


def _write_mark(connection: Connection, name: str, key: ShellsKey, content: str) -> tuple[str, str, str]:
    mark = (_digest(key.registry), key.digest, content)
    which = "The models" if key.model_ids is None else "Some models"
    told = f"{which} of the catalog {key.catalog}, for BI tools. Made by atscale-aggs serve."
    comment = f"{told} [atscale-aggs {' '.join(mark)}]"
    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), comment))
    return mark


def _forbid(own: Connection) -> None:
    """Take from clients what would reach others: their sessions, and what stays on the server. Superusers may do so."""
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege), own.transaction():
        functions = sql.SQL(", ").join(sql.Identifier("pg_catalog", name) for name in _FORBIDDEN)
        own.execute(sql.SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(functions))


def _make_role(connection: Connection, name: str, password: str) -> None:
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    # Of a role that is there, who is no superuser may change the password alone.
    text = "ALTER ROLE {} PASSWORD {}" if found else "CREATE ROLE {} LOGIN NOCREATEDB NOCREATEROLE PASSWORD {}"
    connection.execute(sql.SQL(text).format(sql.Identifier(name), password))


def _drop_roles(connection: Connection, name: str) -> None:
    """Drop the role of a database, and those of its users."""
    roles = connection.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", [f"{name}_"]).fetchall()
    for (role,) in [*roles, (name,)]:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(str(role))))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
