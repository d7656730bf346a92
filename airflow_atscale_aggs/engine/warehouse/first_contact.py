"""What is made sure of before a warehouse is used: that it means by our SQL what we mean.

It is asked once for each version of a warehouse, and what it proved is remembered where somebody gives a memory.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import field
from typing import Protocol
from urllib.parse import urlsplit

from airflow_atscale_aggs.engine.errors import (
    RegistryError,
    UnsupportedOnDialectError,
    WarehouseError,
)
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.capabilities import Dialect, Proven
from airflow_atscale_aggs.engine.sql.self_test_texts import (
    REFUSABLE,
    SelfTestStatements,
    describe_difference,
    read_statements,
)
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

ACCEPT_UNPROVEN = "accept_unproven"
"""A parameter of a warehouse's URL, or an extra of its Airflow connection."""

_YES = frozenset({"true", "1", "yes", "on"})


class ProofMemory(Protocol):
    """Keeps what was proven of warehouses, from process to process."""

    def recall(self, place: str) -> str:
        """What was proven of a warehouse; empty: nothing."""

    def remember(self, place: str, proof: str) -> None:
        """Keep what was proven of a warehouse, instead of what was before."""


@dataclass
class FirstContact:
    """Makes sure of one warehouse, in its first session.

    Attributes:
        place: names the warehouse, without secrets.
        is_unproven_accepted: a warehouse that nobody has ever run the engine on may be used.
        memory: None: each process asks anew.
    """

    place: str = ""
    is_unproven_accepted: bool = False
    memory: ProofMemory | None = None
    _is_made: bool = field(default=False, init=False)

    def make(self, session: WarehouseSession) -> None:
        """Make sure, unless this process has done so, or another one that left it in the memory.

        Raises:
            UnsupportedOnDialectError: the dialect was never run, and nobody has asked for it; or the warehouse means
                something else by our SQL, and its row does not know of it.
            TransientWarehouseError: the warehouse did not answer.
        """
        if self._is_made:
            return
        dialect = session.dialect
        if dialect.proven is Proven.RENDERED and not self.is_unproven_accepted:
            raise UnsupportedOnDialectError(dialect.name, "", _never_run(dialect))
        statements = statements_for(dialect)
        proof = self._proof(session, statements)
        if not proof or self._recall() != proof:
            differences = find_differences(session, statements)
            unknown = {name: reason for name, reason in differences.items() if name not in dialect.differences}
            if unknown:
                raise UnsupportedOnDialectError(dialect.name, "", _refusal(unknown))
            self._remember(proof)
        self._is_made = True

    def _proof(self, session: WarehouseSession, statements: SelfTestStatements) -> str:
        """What is remembered: the version, and which questions were asked. Empty where the version is not told."""
        if self.memory is None or not session.dialect.version:
            return ""
        try:
            rows = session.fetch_all(session.dialect.version)
        except WarehouseError as error:
            _raise_if_lost(session, error)
            return ""
        return f"{statements.digest} {rows[0][0]}" if rows else ""

    def _recall(self) -> str:
        # Without the registry, the warehouse is asked.
        with contextlib.suppress(RegistryError):
            return self.memory.recall(self.place) if self.memory else ""
        return ""

    def _remember(self, proof: str) -> None:
        if proof and self.memory is not None:
            with contextlib.suppress(RegistryError):
                self.memory.remember(self.place, proof)


def place_of(url: str) -> str:
    """A short name for the warehouse behind a URL, in which no secret can be read.

    >>> place_of("postgresql://me:secret@host/db") == place_of("postgresql://me:other@host/db?sslmode=require")
    True
    >>> place_of("postgresql://me@host/db") == place_of("postgresql://me@host/other")
    False
    """
    parts = urlsplit(url)
    user_and_host = parts.netloc.rpartition("@")
    user, path = user_and_host[0].partition(":")[0], parts.path.partition(";")[0]
    return hashlib.sha256("\n".join((parts.scheme, user, user_and_host[2], path)).encode()).hexdigest()[:32]


def is_yes(value: object) -> bool:
    """Whether an option says yes, as a URL or the extra of a connection writes it."""
    return str(value).strip().casefold() in _YES


def split_acceptance(url: str) -> tuple[str, bool]:
    """The URL without our own option, and whether a dialect that was never run is accepted.

    >>> split_acceptance("trino://host/db?accept_unproven=true&http_scheme=https")
    ('trino://host/db?http_scheme=https', True)
    """
    address, mark, query = url.partition("?")
    if ACCEPT_UNPROVEN not in query:
        return url, False
    pairs = [pair.partition("=") for pair in query.split("&")]
    rest = "&".join("".join(pair) for pair in pairs if pair[0] != ACCEPT_UNPROVEN)
    is_accepted = any(pair[0] == ACCEPT_UNPROVEN and is_yes(pair[2]) for pair in pairs)
    return (f"{address}{mark}{rest}" if rest else address), is_accepted


def statements_for(dialect: Dialect) -> SelfTestStatements:
    """The statements of the self-test, from the file that holds them; a dialect without any has them composed."""
    kept = read_statements(dialect.name)
    if kept is not None:
        return kept
    # An SQL library, which others need not wait for.
    from airflow_atscale_aggs.engine.sql.self_test import compose_statements  # noqa: PLC0415

    return compose_statements(dialect)


def find_differences(session: WarehouseSession, statements: SelfTestStatements) -> dict[str, str]:
    """What the warehouse does otherwise, by name of the question; each with what it said where it refused to answer.

    Raises:
        TransientWarehouseError: it did not answer.
    """
    differences: dict[str, str] = {}
    try:
        (row,) = session.fetch_all(statements.together)
    except WarehouseError as error:
        _raise_if_lost(session, error)
        # Some drivers call an overflow an error of operation, which may pass. Whether it does is seen one by one.
        for name in statements.names:
            _ask_alone(session, name, _compose_alone(name, session.dialect), differences)
    else:
        answers = zip(statements.names, row, strict=True)
        differences |= {name: "" for name, answer in answers if not _is_one(answer)}
    for name, statement in statements.alone.items():
        _ask_alone(session, name, statement, differences)
    return differences


def _ask_alone(session: WarehouseSession, name: str, statement: str, differences: dict[str, str]) -> None:
    try:
        ((answer,),) = session.fetch_all(statement)
    except WarehouseError as error:
        _raise_if_lost(session, error)
        if name in REFUSABLE:
            return
        if error.is_transient:
            raise
        differences[name] = error.reason
        return
    if not _is_one(answer):
        differences[name] = ""


def _raise_if_lost(session: WarehouseSession, error: WarehouseError) -> None:
    """Ask nothing more where nobody answers: each question would wait as long as the first one did."""
    if session.has_lost(error):
        raise error


def _compose_alone(name: str, dialect: Dialect) -> str:
    from airflow_atscale_aggs.engine.sql.self_test import alone  # noqa: PLC0415

    return alone(name, dialect)


def _is_one(answer: object) -> bool:
    # Drivers give numbers as int, Decimal or float, and some as texts.
    return str(answer).partition(".")[0] == "1"


def _never_run(dialect: Dialect) -> str:
    return (
        f"nobody has run the engine on {dialect.name} yet: its statements are composed, and not proven. Run "
        "`atscale-aggs check-warehouse URL`, which tells what works; then ask for it by name, with "
        f"`?{ACCEPT_UNPROVEN}=true` at the end of the warehouse's URL, or the extra `{ACCEPT_UNPROVEN}` of its Airflow "
        "connection. Nothing was changed"
    )


def _refusal(differences: Mapping[str, str]) -> str:
    sentences = " ".join(describe_difference(name, reason) for name, reason in differences.items())
    return (
        "this warehouse is not used, because it does otherwise than aggregates rely on, and they would be wrong "
        f"without anybody noticing. {sentences} Nothing was changed; `atscale-aggs check-warehouse URL` tells more"
    )
