"""One story: what DBAs, ETL jobs and BI tools do between and during batches, in an order that a seed decides."""

from __future__ import annotations

import contextlib
import random
import socket
import sqlite3
import threading
import time
from collections.abc import Callable

from airflow_atscale_aggs.engine.errors import AtScaleAggsError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.build.batch import begin_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from tests.hands.place import SCHEMA
from tests.hands.story_state import GRACE_SECONDS, QUERIES, VIEWS, StoryState
from tests.support.stars import incremental_star
from tests.support.stars.incremental_star import MODEL, START, Sale

_NO_PROCESS = 4_194_305  # one more than Linux gives

Step = Callable[[], str]


class Story(StoryState):
    """Steps of others and of ourselves, each a method that says in words what it did."""

    def go_on(self, steps: int) -> None:
        """Take steps by chance and look at the answers after each; a batch at the end, after which all must be well."""
        for _ in range(steps):
            step = self.random.choice(self._steps())
            self.log.append(step.__name__)
            self.log[-1] += f": {step()}"
            self.look()
        self.log.append("the last batch")
        self.build()

    def _steps(self) -> list[Step]:
        steps: list[Step] = [
            self.etl_inserts,
            self.etl_inserts,
            self.etl_corrects_within_grace,
            self.etl_reloads,
            self.etl_swaps_the_table,
            self.etl_widens_a_column,
            self.etl_adds_a_column,
            self.etl_renames_members,
            self.etl_is_at_work,
            self.dba_comments,
            self.dba_views_a_view,
            self.dba_damages_a_segment,
            self.dba_drops_a_table_of_ours,
            self.dba_drops_a_view_of_ours,
            self.bi_asks_while_the_registry_is_locked,
            self.model_changes,
            self.batch,
            self.batch,
            self.batch_is_interrupted,
            self.batch_while_etl_works,
            self.sweeps,
        ]
        if self.place.is_postgres:
            steps += [
                self.dba_grants,
                self.dba_grants,
                self.dba_changes_settings,
                self.dba_takes_a_view,
                self.dba_puts_a_table_in_a_views_place,
                self.dba_revokes_the_facts,
                self.bi_holds_a_view,
            ]
        return steps

    # ETL.

    def etl_inserts(self) -> str:
        rows = [self._sale(self.random.randint(0, GRACE_SECONDS - 2)) for _ in range(self.random.randint(1, 4))]
        self._insert(*rows)
        return f"{len(rows)} rows until {self.moment - START}"

    def etl_corrects_within_grace(self) -> str:
        since = f"loaded_at > (SELECT MAX(loaded_at) FROM sales) - INTERVAL '{GRACE_SECONDS - 4}' SECOND"
        if self.random.random() < 0.3:
            self.place.run(f"DELETE FROM sales WHERE {since} AND quantity = 1", role=self._etl())
            return "deletes"
        self.place.run(f"UPDATE sales SET amount = amount + 1, shop_id = 2 WHERE {since}", role=self._etl())
        return "updates"

    def etl_reloads(self) -> str:
        """The same rows come with other amounts; as many, or fewer."""
        fewer = "" if self.random.random() < 0.6 else " WHERE quantity IS NOT NULL AND day_id <> 3"
        self.place.run(
            f"CREATE TABLE again AS SELECT * FROM sales{fewer}",
            "UPDATE again SET amount = amount * 2",
            "DROP TABLE sales",
            "ALTER TABLE again RENAME TO sales",
            role=self._etl(),
        )
        return "as a table anew"

    def etl_swaps_the_table(self) -> str:
        """The table is renamed, as loaders do that want no gap."""
        self.place.run(
            "CREATE TABLE next AS SELECT * FROM sales",
            "UPDATE next SET quantity = quantity + 1 WHERE quantity IS NOT NULL",
            "ALTER TABLE sales RENAME TO previous",
            "ALTER TABLE next RENAME TO sales",
            "DROP TABLE previous",
            role=self._etl(),
        )
        return "with a quantity more"

    def etl_widens_a_column(self) -> str:
        column, kind = self.random.choice(
            (("amount", "DECIMAL(14,4)"), ("quantity", "BIGINT"), ("amount", "DECIMAL(11,3)"))
        )
        self.place.run(f"ALTER TABLE sales ALTER COLUMN {column} TYPE {kind}", role=self._etl())
        self.place.run(
            "UPDATE sales SET amount = amount + 0.001 WHERE loaded_at = (SELECT MAX(loaded_at) FROM sales)",
            role=self._etl(),
        )
        return f"{column} to {kind}"

    def etl_adds_a_column(self) -> str:
        self.number += 1
        self.place.run(f"ALTER TABLE sales ADD COLUMN note_{self.number} VARCHAR(10)", role=self._etl())
        return f"note_{self.number}"

    def etl_renames_members(self) -> str:
        """The model says that this dimension may change, so increments must not keep old names."""
        self.number += 1
        self.place.run(
            f"UPDATE shop SET city = 'City {self.number}' WHERE shop_id = {self.random.randint(1, 3)}", role=self._etl()
        )
        return f"City {self.number}"

    def etl_is_at_work(self) -> str:
        """The fact table is away for a while.

        What aggregates hold is answered, and whatever else is refused in a sentence.
        """
        self.place.run("ALTER TABLE sales RENAME TO away", role=self._etl())
        try:
            self._check_served()
            with contextlib.suppress(AtScaleAggsError):
                self._run_batch()
                raise AssertionError(self.with_log("a batch without facts ended well"))
        finally:
            self.place.run("ALTER TABLE away RENAME TO sales", role=self._etl())
        return "the table was away"

    # DBAs.

    def dba_grants(self) -> str:
        view, role = self._view(), self.random.choice(self.place.roles)
        if not self._is_there(view):
            return "no view"
        columns = "(row_count)" if self.random.random() < 0.1 else ""
        self.place.run(f'GRANT SELECT {columns} ON {SCHEMA}.{view} TO "{role}"')
        if not columns:
            self.rights.add((view, role))
        return f"{view} to {role}"

    def dba_comments(self) -> str:
        view = self._view()
        if not self._is_there(view):
            return "no view"
        self.number += 1
        self.place.run(f"COMMENT ON VIEW {SCHEMA}.{view} IS 'comment {self.number}'")
        if self.place.is_postgres:
            self.comments[view] = f"comment {self.number}"
        return view

    def dba_views_a_view(self) -> str:
        view = f"agg_{MODEL}_by_city"
        if not self._is_there(view):
            return "no view"
        self.number += 1
        report = f"report_{self.number}"
        base = self.random.choice([*self.reports, f"{SCHEMA}.{view}"])
        try:
            self.place.fetch(f"SELECT city, sum_amount FROM {base} LIMIT 0")
        except WarehouseError:
            # DuckDB keeps a view whose table somebody dropped; nobody can make another view on it.
            return "the view's table is gone"
        self.place.run(f"CREATE VIEW {report} AS SELECT city, sum_amount FROM {base}")
        self.reports[report] = (
            "SELECT s.city, SUM(f.amount) FROM sales f LEFT JOIN shop s ON s.shop_id = f.shop_id "
            "GROUP BY s.city, CASE WHEN s.shop_id IS NULL THEN 0 ELSE 1 END"
        )
        return f"{report} on {base}"

    def dba_damages_a_segment(self) -> str:
        tables = self._own_tables()
        if not tables:
            return "no table"
        table = self.random.choice(tables)
        what = self.random.choice(
            (f'DELETE FROM {SCHEMA}."{table}"', f'INSERT INTO {SCHEMA}."{table}" SELECT * FROM {SCHEMA}."{table}"')
        )
        self.place.run(what)
        self.is_damaged = True
        return what

    def dba_drops_a_table_of_ours(self) -> str:
        tables = self._own_tables()
        if not tables or self.reports:
            return "no table, or somebody's view needs it"
        table = self.random.choice(tables)
        self.place.run(f'DROP TABLE {SCHEMA}."{table}"{" CASCADE" if self.place.is_postgres else ""}')
        self._forget_rights()
        return table

    def dba_drops_a_view_of_ours(self) -> str:
        view = self._view()
        if not self._is_there(view) or (self.reports and view.endswith("city")):
            return "no view, or somebody's view needs it"
        self.place.run(f"DROP VIEW {SCHEMA}.{view}")
        self._forget_rights(view)
        return view

    def dba_takes_a_view(self) -> str:
        """A view of ours gets another owner; while we may not replace it, it is somebody's."""
        view, role = self._view(), self.random.choice(self.place.roles)
        if not self._is_there(view):
            return "no view"
        builder = self.place.builder_url.partition("://")[2].partition("@")[0]
        self.place.run(f'ALTER VIEW {SCHEMA}.{view} OWNER TO "{role}"')
        try:
            self._run_batch()
            self._check_answers()
        finally:
            self.place.run(f'ALTER VIEW {SCHEMA}.{view} OWNER TO "{builder}"')
            # PostgreSQL gives the rights of the owner before to the new one, also those that it had before it was the
            # owner.
            self.rights.discard((view, role))
        self.build()
        return f"{view} to {role}, and back after a batch"

    def dba_puts_a_table_in_a_views_place(self) -> str:
        view = self._view()
        if not self._is_there(view) or self.reports:
            return "no view, or somebody's view needs it"
        self.place.run(f"DROP VIEW {SCHEMA}.{view}", f"CREATE TABLE {SCHEMA}.{view} (mine INTEGER)")
        self._forget_rights(view)
        try:
            self._run_batch()
            self._check_answers()
            assert self.place.fetch(f"SELECT * FROM {SCHEMA}.{view}") == [], self.with_log("somebody's table is gone")
        finally:
            self.place.run(f"DROP TABLE {SCHEMA}.{view}")
        self.build()
        return view

    def dba_changes_settings(self) -> str:
        builder = self.place.builder_url.partition("://")[2].partition("@")[0]
        setting = self.random.choice(
            (
                "timezone TO 'Asia/Tokyo'",
                "datestyle TO 'German'",
                "intervalstyle TO 'iso_8601'",
                "extra_float_digits TO -5",
                "timezone TO 'UTC'",
                "search_path TO public, aggs",
                "bytea_output TO 'escape'",
                "statement_timeout TO '50s'",
            )
        )
        self.place.run(f'ALTER ROLE "{builder}" SET {setting}')
        return setting

    def dba_revokes_the_facts(self) -> str:
        builder = self.place.builder_url.partition("://")[2].partition("@")[0]
        self.place.run(f'REVOKE SELECT ON sales FROM "{builder}"')
        try:
            self._check_served()
            try:
                self._run_batch()
            except AtScaleAggsError as error:
                assert "is not in the warehouse" not in str(error), self.with_log(
                    f"a right that is missing is told as: {error}"
                )
            else:
                raise AssertionError(self.with_log("a batch without a right to the facts ended well"))
        finally:
            self.place.run(f'GRANT SELECT ON sales TO "{builder}"')
        return "and granted it again"

    # BI tools.

    def bi_asks_while_the_registry_is_locked(self) -> str:
        with contextlib.closing(sqlite3.connect(self.place.registry, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            self._answer(QUERIES[3])
            assert time.monotonic() - begun < 15, self.with_log("a query waited for the registry")
            connection.execute("ROLLBACK")
        return "answered"

    def bi_holds_a_view(self) -> str:
        """A dashboard reads a view in a transaction while a batch is made live."""
        import psycopg

        view = self._view()
        if not self._is_there(view):
            return "no view"
        connection = psycopg.connect(self.place.admin_url.replace("+psycopg", "", 1))
        connection.execute(f"SELECT COUNT(*) FROM {SCHEMA}.{view}")
        release = threading.Timer(0.5, connection.close)
        release.start()
        try:
            self.build()
        finally:
            release.join()
        return view

    # Ourselves.

    def batch(self) -> str:
        return self.build()

    def batch_is_interrupted(self) -> str:
        """A process begins a batch, builds a part of it, and is gone."""
        with self.place.workspace() as workspace:
            # A process of this machine that runs no more.
            owner = f"{socket.gethostname()}:{_NO_PROCESS}:{self.number}"
            begun = begin_batch(workspace, MODEL, build_type=self._build_type(), owner=owner, now=utc_now())
            for instance in begun.instances[: self.random.randint(0, 2)]:
                build_instance(workspace, instance.id, owner=owner)
        self.number += 1
        return f"{len(begun.instances)} aggregates"

    def batch_while_etl_works(self) -> str:
        """What the batch saw is not known; the next one, which nobody disturbs, sees all."""
        stop = threading.Event()
        failures: list[BaseException] = []

        def load() -> None:
            source = random.Random(self.number)
            try:
                while not stop.is_set():
                    self._insert(
                        Sale(
                            at=self.moment + source.randint(0, 3),
                            day=source.randint(0, 19),
                            shop=source.randint(1, 4),
                            amount=7,
                        )
                    )
                    time.sleep(0.01)
            except BaseException as error:  # noqa: BLE001 - a thread's error is told by the story
                failures.append(error)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            self._run_batch()
        finally:
            stop.set()
            thread.join()
        self.moment += 3
        assert not failures, self.with_log(f"the ETL failed: {failures}")
        return self.build()

    def sweeps(self) -> str:
        with self.place.workspace() as workspace:
            report = sweep(workspace, dry_run=False, now=utc_now())
        return f"{report}"[:80]

    def model_changes(self) -> str:
        aggregates = dict(incremental_star.AGGREGATES)
        if self.random.random() < 0.5:
            del aggregates["by_month"]
        if self.random.random() < 0.5:
            aggregates["by_shop"] = (("Shop",), ("Amount",))
        self._write_model(aggregates)
        with self.place.workspace() as workspace:
            deploy(workspace, self.place.folder / "model", now=utc_now())
        if "by_month" not in aggregates:
            # Its view goes with it.
            self._forget_rights(f"agg_{MODEL}_by_month")
        self.build()
        return ", ".join(aggregates)

    def _sale(self, late: int) -> Sale:
        source = self.random
        at = self.moment + source.randint(1, 20) if source.random() < 0.6 else self.moment - late
        return Sale(
            at=at,
            day=source.randint(0, 21),
            shop=source.choice((1, 2, 3, 4, 99, None)),
            quantity=source.choice((1, 5, None)),
            amount=source.choice((1, 25, None)),
        )

    def _view(self) -> str:
        return f"agg_{MODEL}_{self.random.choice(VIEWS)}"

    def _is_there(self, view: str) -> bool:
        sql = (
            "SELECT 1 FROM information_schema.tables "
            f"WHERE table_schema = '{SCHEMA}' AND table_name = '{view}' AND table_type = 'VIEW'"
        )
        return bool(self.place.fetch(sql))

    def _own_tables(self) -> list[str]:
        sql = (
            "SELECT table_name FROM information_schema.tables "
            f"WHERE table_schema = '{SCHEMA}' AND table_type = 'BASE TABLE' ORDER BY 1"
        )
        return [name for (name,) in self.place.fetch(sql) if name.startswith("as_agg")]

    def _forget_rights(self, view: str = "") -> None:
        self.rights = {(name, role) for name, role in self.rights if view and name != view}
        self.comments = {name: text for name, text in self.comments.items() if view and name != view}
