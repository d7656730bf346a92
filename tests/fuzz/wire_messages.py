"""Messages of clients that are right, nearly right, or no messages at all."""

from __future__ import annotations

import struct

from tests.fuzz.mutations import SQL_WORDS, STRANGE_TEXTS, Choices, choose, mutate_text
from tests.fuzz.readers import SQL_SEEDS

STATEMENTS = (
    *SQL_SEEDS,
    'SELECT "City", SUM("Amount") FROM tiny_sales WHERE "Month" = $1 GROUP BY 1',
    'SELECT "City" FROM tiny_sales WHERE "Quantity" > $1 LIMIT $2',
    "SELECT * FROM tiny_sales LIMIT 0",
    'DECLARE c CURSOR FOR SELECT "Day", "Shop", "Amount" FROM tiny_sales',
    'DECLARE h NO SCROLL CURSOR WITH HOLD FOR SELECT "City" FROM tiny_sales WHERE "City" = $1',
    "FETCH 2 FROM c", "FETCH ALL FROM h", "MOVE 1 IN c", "CLOSE c", "CLOSE ALL", "FETCH 1 FROM nowhere",
    "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", "PREPARE TRANSACTION 'x'", "DISCARD ALL",
    "SET atscale_aggs.use_aggregates = off", "SET atscale_aggs.notices = on", "SET atscale_aggs.max_staleness = 'x'",
    "SET client_encoding = 'LATIN1'", "SET TimeZone = 'Asia/Kathmandu'", "SET statement_timeout = '5s'", "RESET ALL",
    'EXPLAIN SELECT "City" FROM tiny_sales', 'EXPLAIN ANALYZE SELECT "City" FROM tiny_sales',
    "CREATE TEMP TABLE t (a text)", "COPY t FROM STDIN", "COPY (SELECT 1) TO STDOUT", "COPY t TO STDOUT",
    "PREPARE p AS SELECT $1::int", "EXECUTE p(1)", "DEALLOCATE ALL", "LISTEN x", "NOTIFY x, 'y'",
    "SELECT pg_sleep(0.01)", 'SELECT 1; SELECT "City" FROM tiny_sales; SELECT 2', ";", ";;",
    'BEGIN; SELECT "Cit" FROM tiny_sales; COMMIT',
    "SELECT relname FROM pg_class LIMIT 3", "SHOW ALL", "SELECT generate_series(1, 3000)", "SELECT repeat('x', 100000)",
    "DO $$ BEGIN RAISE NOTICE 'n'; END $$", "SELECT pg_cancel_backend(pg_backend_pid())",
)  # fmt: skip
_NAMES = (b"", b"", b"", b"s1", b"s2", b"c", b"h", b"p", b"x" * 300, "é".encode(), b"\xff")
_OIDS = (0, 0, 23, 25, 20, 1700, 1082, 1114, 16, 17, 705, 2950, 1 << 31, 999_999)
_KINDS = b"QPBDECSHXdcfFp\0\x01AZz1234\xff"
_STARTUP_NAMES = (
    b"user", b"database", b"application_name", b"client_encoding", b"options", b"replication", b"DateStyle",
    b"TimeZone", b"extra_float_digits", b"_pq_.command_tag", b"search_path", b"session_authorization", b"role", b"",
    b"\xff",
)  # fmt: skip
_STARTUP_VALUES = (
    b"ann", b"tiny", b"UTF8", b"LATIN1", b"nonsense", b"true", b"database", b"-c statement_timeout=5000",
    b"-c role=postgres", b"postgres", b"UTC", b"", b"\xff\xfe", b"x" * 400, b"3",
)  # fmt: skip


def message(kind: bytes, payload: bytes) -> bytes:
    """A message with its right length."""
    return kind + struct.pack("!I", len(payload) + 4) + payload


def session_bytes(choices: Choices) -> bytes:
    """Some messages behind the sign-in, perhaps damaged."""
    parts = [_session_message(choices) for _ in range(1 + choices.randrange(8))]
    if choices.randrange(3):
        parts.append(message(b"S", b""))
    if not choices.randrange(3):
        number = choices.randrange(len(parts))
        parts[number] = damage(choices, parts[number])
    data = b"".join(parts)
    return data[: choices.randrange(len(data) + 1)] if not choices.randrange(6) else data


def startup_bytes(choices: Choices) -> bytes:
    """What a client may send first, perhaps damaged."""
    codes = (196608, 196608, 196608, 196610, 131072, 80877103, 80877104, 80877102, 0, 0xFFFFFFFF)
    parts = []
    for _ in range(1 + choices.randrange(3)):
        code = choose(choices, codes)
        payload = _startup_payload(choices, code)
        parts.append(struct.pack("!II", len(payload) + 8, code) + payload)
    if choices.randrange(2):
        parts.append(message(b"p", choose(choices, (b"SCRAM-SHA-256\0", b"MD5\0", b"")) + _some_bytes(choices, 60)))
    data = b"".join(parts)
    return damage(choices, data) if choices.randrange(2) else data


def damage(choices: Choices, data: bytes) -> bytes:
    """The bytes with a few changed, left out, doubled or added; or a length that is none."""
    if not data:
        return _some_bytes(choices, 40)
    place = choices.randrange(len(data))
    match choices.randrange(7):
        case 0:
            return data[:place]
        case 1:
            return data[:place] + bytes([choices.randrange(256)]) + data[place + 1 :]
        case 2:
            return data[:place] + _some_bytes(choices, 30) + data[place:]
        case 3:
            length = choose(choices, (0, 1, 3, 4, 5, 64, 10_001, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1))
            return data[:1] + struct.pack("!I", length) + data[5:]
        case 4:
            return data + data[place:]
        case 5:
            return bytes([choose(choices, tuple(_KINDS))]) + data[1:]
        case _:
            return _some_bytes(choices, 200)


def _session_message(choices: Choices) -> bytes:
    kind = choose(choices, ("Q", "Q", "P", "P", "B", "B", "D", "E", "E", "C", "S", "H", "copy", "other"))
    match kind:
        case "Q":
            return message(b"Q", _text(choices) + b"\0")
        case "P":
            oids = [choose(choices, _OIDS) for _ in range(choices.randrange(3))]
            listed = struct.pack("!H", len(oids)) + b"".join(struct.pack("!I", oid) for oid in oids)
            return message(b"P", _name(choices) + _text(choices) + b"\0" + listed)
        case "B":
            return message(
                b"B", _name(choices) + _name(choices) + _formats(choices) + _values(choices) + _formats(choices)
            )
        case "D" | "C":
            return message(kind.encode(), choose(choices, (b"S", b"P", b"P", b"x")) + _name(choices))
        case "E":
            return message(b"E", _name(choices) + struct.pack("!i", choose(choices, (0, 0, 1, 3, -1, 1 << 30))))
        case "S" | "H":
            return message(kind.encode(), b"")
        case "copy":
            return message(choose(choices, (b"d", b"c", b"f")), choose(choices, (b"", b"x\n", b"a\tb\n", b"gone\0")))
    return message(bytes([choose(choices, tuple(_KINDS))]), _some_bytes(choices, 40))


def _text(choices: Choices) -> bytes:
    match choices.randrange(8):
        case 0:
            return mutate_text(choices, STATEMENTS, SQL_WORDS).encode("utf-8", "surrogatepass")[:20_000]
        case 1:
            return choose(choices, STRANGE_TEXTS).encode("utf-8", "surrogatepass")
        case _:
            return choose(choices, STATEMENTS).encode()


def _name(choices: Choices) -> bytes:
    return bytes(choose(choices, _NAMES)) + b"\0"


def _formats(choices: Choices) -> bytes:
    formats = [choose(choices, (0, 0, 1, 1, 2, -1)) for _ in range(choices.randrange(4))]
    return struct.pack("!H", len(formats)) + b"".join(struct.pack("!h", each) for each in formats)


def _values(choices: Choices) -> bytes:
    texts = (b"month 1", b"1", b"North", b"\0\0\0\1", b"\0" * 8, b"", b"\xff\xfe", b"1.5", b"2024-01-01", b"x" * 1000)
    parts = []
    for _ in range(choices.randrange(3)):
        value = choose(choices, texts)
        parts.append(struct.pack("!i", -1) if not choices.randrange(5) else struct.pack("!i", len(value)) + value)
    return struct.pack("!H", len(parts)) + b"".join(parts)


def _startup_payload(choices: Choices, code: int) -> bytes:
    if code == 80877102:
        return _some_bytes(choices, 12)
    if code in {80877103, 80877104}:
        return b""
    pairs = [b"user\0ann\0database\0tiny\0"] if choices.randrange(3) else []
    pairs += [
        choose(choices, _STARTUP_NAMES) + b"\0" + choose(choices, _STARTUP_VALUES) + b"\0"
        for _ in range(choices.randrange(4))
    ]
    return b"".join(pairs) + (b"\0" if choices.randrange(6) else b"")


def _some_bytes(choices: Choices, most: int) -> bytes:
    return bytes(choices.randrange(256) for _ in range(choices.randrange(most)))
