"""Passwords are kept as verifiers: whoever reads one cannot sign in with it.

Source: RFC 5802 and RFC 7677 (SCRAM-SHA-256); the form is that of PostgreSQL's pg_authid.rolpassword.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from scramp import ScramMechanism

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

MECHANISM = "SCRAM-SHA-256"
_ROUNDS = 4096
_ABSENT = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Verifier:
    """What proves a password."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    rounds: int

    def encode(self) -> str:
        """As it is kept."""
        salt, stored, server = (
            base64.b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key)
        )
        return f"{MECHANISM}${self.rounds}:{salt}${stored}:{server}"

    @classmethod
    def decode(cls, text: str) -> Verifier:
        """From its text. Raises ValueError."""
        _, head, keys = text.split("$")
        rounds, salt = head.split(":")
        stored, server = keys.split(":")
        return cls(base64.b64decode(salt), base64.b64decode(stored), base64.b64decode(server), int(rounds))


def make_verifier(password: str) -> Verifier:
    """A verifier with a salt of its own."""
    salt, stored_key, server_key, rounds = ScramMechanism(MECHANISM).make_auth_info(password, iteration_count=_ROUNDS)
    return Verifier(salt, stored_key, server_key, rounds)


def verifier_of_nobody(name: str) -> Verifier:
    """Proves no password. It looks like that of a user, and is the same each time, so that nobody learns who exists."""
    salt = hmac.digest(_ABSENT, name.encode(), hashlib.sha256)[:16]
    return Verifier(salt, secrets.token_bytes(32), secrets.token_bytes(32), _ROUNDS)
