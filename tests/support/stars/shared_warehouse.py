"""A tiny star in a warehouse that other people and other roles use too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import SweepReport, sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars import tiny_star

CITY = "aggs.agg_tiny_sales_by_city"
MONTH = "aggs.agg_tiny_sales_by_month"
AGGREGATES = dict(tiny_star.AGGREGATES)
LONG_AFTER = timedelta(days=30)


@dataclass
class Star:
    """A tiny star, its model, and another person at the same warehouse."""

    workspace: Workspace
    folder: Path
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))

    def deploy(self, aggregates: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] | None = None) -> None:
        """Deploy the model with these aggregates, or with all."""
        deploy(self.workspace, tiny_star.write_model(self.folder, aggregates), now=utc_now())

    def build(self, owner: str = "") -> BatchReport:
        """Add one more sale, and run a batch."""
        self.sql("INSERT INTO sales VALUES (1, 1, 1, 10.00)")
        return run_batch(self.workspace, "tiny_sales", owner=owner or f"builder {next(self.numbers)}")

    def sql(self, *statements: str) -> None:
        """Run what the other person does."""
        tiny_star.run_sql(self.workspace, *statements)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """What the other person sees."""
        with self.workspace.warehouse.session() as session:
            return session.fetch_all(sql)

    def total(self, view: str, column: str = "sum_amount") -> Any:
        """A measure of a view."""
        return self.fetch(f"SELECT SUM({column}) FROM {view}")[0][0]

    def truth(self) -> Any:
        """The same total from the facts."""
        return self.fetch("SELECT SUM(amount) FROM sales")[0][0]

    def sweep(self) -> SweepReport:
        """Sweep when all delays are over."""
        return sweep(self.workspace, dry_run=False, now=utc_now() + LONG_AFTER)


def build_star(workspace: Workspace, tmp_path: Path) -> Star:
    """Make the star, deploy its model and build its aggregates."""
    star = Star(workspace, tmp_path / "model")
    star.sql(*tiny_star.SETUP_SQL)
    star.deploy()
    star.build()
    return star


@dataclass
class Roles:
    """Roles of one test: they belong to the server, so they have names of their own and go with the test."""

    url: str
    names: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> str:
        """Make a role that may log in."""
        role = f"{name}_{os.getpid()}"
        with psycopg.connect(plain_url(self.url), autocommit=True) as server:
            server.execute(f'CREATE ROLE "{role}" LOGIN')
        self.names.append(role)
        return role

    def url_of(self, role: str) -> str:
        """The database as a role sees it."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()

    def drop(self) -> None:
        """Drop all of them, with what they own here."""
        with psycopg.connect(plain_url(self.url), autocommit=True) as server:
            for role in self.names:
                server.execute(f'DROP OWNED BY "{role}" CASCADE')
            for role in self.names:
                server.execute(f'DROP ROLE "{role}"')


def plain_url(url: str) -> str:
    """A URL as psycopg takes it, from one of SQLAlchemy."""
    return urlsplit(url)._replace(scheme="postgresql").geturl()


def fetch_as(roles: Roles, role: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows that a role gets."""
    with psycopg.connect(plain_url(roles.url_of(role)), autocommit=True) as connection:
        return connection.execute(sql).fetchall()


def widen_city(star: Star) -> None:
    """Give an attribute another type, so that a view has to be made anew."""
    star.sql("ALTER TABLE shop ALTER COLUMN city TYPE VARCHAR(40)")


def dsn_of(star: Star) -> str:
    """What psycopg needs to connect to the star's database as its owner."""
    (row,) = star.fetch(
        "SELECT current_database(), current_setting('unix_socket_directories'), current_setting('port')"
    )
    return f"dbname={row[0]} host={row[1]} port={row[2]} user=postgres"
