"""The PostgreSQL server that keeps the databases of catalogs."""

from __future__ import annotations

from dataclasses import field

from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import make_url

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogServer:
    """A PostgreSQL server that keeps empty tables, one for each model, and answers what tools ask about tables."""

    host: str
    port: int
    user: str
    password: str = field(default="", repr=False)
    database: str = "postgres"

    def conninfo(self, database: str = "") -> str:
        """For psycopg. Without a name it leads to the server's own database."""
        return make_conninfo(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password or None,
            dbname=database or self.database,
        )


def catalog_server_of(url: str) -> CatalogServer:
    """The server behind a URL of PostgreSQL."""
    parsed = make_url(url)
    host = parsed.host or str(parsed.query.get("host", "127.0.0.1"))
    return CatalogServer(
        host=host,
        port=parsed.port or 5432,
        user=parsed.username or "postgres",
        password=parsed.password or "",
        database=parsed.database or "postgres",
    )
