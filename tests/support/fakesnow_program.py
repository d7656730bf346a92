"""Runs in the emulator's own environment: serves it on two ports of 127.0.0.1, one of them over TLS.

Airflow's hook of Snowflake knows no other protocol than HTTPS.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import sys
from pathlib import Path

import fakesnow.server
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for 127.0.0.1 that signs itself, valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_file, certificate_file = folder / "key.pem", folder / "certificate.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return key_file, certificate_file


async def serve(plain_port: int, tls_port: int, folder: Path) -> None:
    """Serve one emulator on both ports until the process is ended."""
    key_file, certificate_file = write_certificate(folder)
    app = fakesnow.server.app
    plain = uvicorn.Config(app, port=plain_port, log_level="warning")
    tls = uvicorn.Config(
        app, port=tls_port, log_level="warning", ssl_keyfile=key_file, ssl_certfile=str(certificate_file)
    )
    await asyncio.gather(uvicorn.Server(plain).serve(), uvicorn.Server(tls).serve())


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
