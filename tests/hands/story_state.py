"""What has happened to a warehouse in a story, and what must be true of it: batches, checks and the log."""

from __future__ import annotations

import contextlib
import math
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.registry.batches import VIEW_NOTE
from tests.hands.place import SCHEMA, Place
from tests.support.stars import incremental_star
from tests.support.stars.incremental_star import MODEL, START, Sale

GRACE_SECONDS = 10
VIEWS = ("by_city", "by_day_and_shop", "by_month")
QUERIES = (
    'SELECT "City", "Amount", "Quantity", "Average Amount" FROM tiny_sales',
    'SELECT "Month", "Greatest" FROM tiny_sales',
    'SELECT "Day", "Shop", "Quantity", "Least" FROM tiny_sales',
    'SELECT "Amount" FROM tiny_sales',
)

Rows = Counter[tuple[Any, ...]]


@dataclass
class StoryState:
    """What has happened so far, and what must be true now.

    Attributes:
        place: where it happens.
        random: decides.
        log: each step in words; a failed story prints it.
        rights: what was granted, by (view, role): it must be there after every batch.
        comments: by view.
        reports: views that others made on ours, with what they show.
        notes: of the last batch.
        served: answers to the queries as the last batch left them.
        is_damaged: somebody has changed an aggregate's own table since the last batch.
    """

    place: Place
    random: random.Random
    log: list[str] = field(default_factory=list)
    rights: set[tuple[str, str]] = field(default_factory=set)
    comments: dict[str, str] = field(default_factory=dict)
    reports: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    served: list[Rows] = field(default_factory=list)
    is_damaged: bool = False
    moment: int = START
    number: int = 0

    def begin(self) -> None:
        """Make the tables of the ETL, a model and a first batch."""
        etl = self._etl()
        self.place.run(*incremental_star.SETUP_SQL, role=etl)
        self._insert(*incremental_star.HISTORY)
        self._write_model(incremental_star.AGGREGATES)
        with self.place.workspace() as workspace:
            deploy(workspace, self.place.folder / "model", now=utc_now())
        if self.place.is_postgres:
            self.place.run(*(f'GRANT USAGE ON SCHEMA public TO "{role}"' for role in self.place.roles))
        self.build()
        if self.place.is_postgres:
            self.place.run(*(f'GRANT USAGE ON SCHEMA {SCHEMA} TO "{role}"' for role in self.place.roles))

    def build(self) -> str:
        """Run a batch that nobody disturbs; afterwards all is as the facts are."""
        kind = self._run_batch()
        self._drop_what_holds_a_view()
        self.check()
        return kind

    def _drop_what_holds_a_view(self) -> None:
        """Drop the views of others that keep ours from changing the type of a column, as the notes say, and build."""
        held = [note for note in self.notes if note.startswith(VIEW_NOTE)]
        if not held:
            return
        assert self.place.is_postgres, self.with_log(f"views stay: {held}")
        assert self.reports, self.with_log(f"views stay: {held}")
        for note in held:
            assert " depends on it. Drop that, build" in note, self.with_log(note)
            assert " now, it was " in note, self.with_log(note)
        for report in self.reports:
            self.place.run(f"DROP VIEW IF EXISTS {report} CASCADE")
        self.reports.clear()
        self._run_batch()
        assert not [note for note in self.notes if note.startswith(VIEW_NOTE)], self.with_log(
            f"views stay: {self.notes}"
        )

    def _run_batch(self) -> str:
        kind = self._build_type()
        with self.place.workspace() as workspace:
            report = run_batch(
                workspace, MODEL, build_type=kind, owner=f"story:{self.number}:{len(self.log)}:{self.random.random()}"
            )
            assert report.batch.status is BatchStatus.DONE
            self.notes = report.batch.notes
            if self.random.random() < 0.3:
                sweep(workspace, dry_run=False, now=utc_now())
        return f"{kind}"

    def look(self) -> None:
        """Check that every answer is that of the facts now or that of the last batch; there is no error."""
        if self.is_damaged:
            return
        for sql, served, (answered, from_facts) in zip(QUERIES, self.served, self._ask_all(), strict=True):
            assert is_same(answered, served) or (from_facts is not None and is_same(answered, from_facts)), (
                self.with_log(f"{sql}\n  answered: {answered}\n  the last batch: {served}\n  facts: {from_facts}")
            )

    def check(self) -> None:
        """Check after an undisturbed batch that answers, views and what others made of them equal the facts."""
        self.is_damaged = False
        self._check_answers()
        with self.place.workspace() as workspace:
            try:
                incremental_star.check_views(workspace, self._views())
            except AssertionError as error:
                raise AssertionError(self.with_log(str(error))) from error
        self._check_rights()
        self._check_reports()

    def _check_rights(self) -> None:
        if not self.place.is_postgres:
            return
        for view, role in self.rights:
            sql = f"SELECT has_table_privilege('{role}', '{SCHEMA}.{view}', 'SELECT')"
            assert self.place.fetch(sql) == [(True,)], self.with_log(f"{role} lost its right to {view}")
        for view, comment in self.comments.items():
            sql = f"SELECT obj_description('{SCHEMA}.{view}'::regclass)"
            assert self.place.fetch(sql) == [(comment,)], self.with_log(f"{view} lost its comment")

    def _check_reports(self) -> None:
        for report, truth in self.reports.items():
            shown = Counter(map(_round_row, self.place.fetch(f"SELECT * FROM {report}")))
            from_facts = Counter(map(_round_row, self.place.fetch(truth)))
            assert shown == from_facts, self.with_log(f"{report} shows {shown}, the facts say {from_facts}")

    def _check_answers(self) -> None:
        served = []
        for sql, (answered, from_facts) in zip(QUERIES, self._ask_all(), strict=True):
            assert from_facts is not None, self.with_log(f"{sql}: the facts cannot be asked")
            assert is_same(answered, from_facts), self.with_log(
                f"{sql}\n  answered: {answered}\n  facts:    {from_facts}"
            )
            served.append(from_facts)
        self.served, self.is_damaged = served, False

    def _check_served(self) -> None:
        """What can be answered now is as the last batch left it."""
        for sql, served in zip(QUERIES, self.served, strict=True):
            with contextlib.suppress(AtScaleAggsError):
                answered = self._answer(sql)
                assert self.is_damaged or is_same(answered, served), self.with_log(f"{sql}: {answered} is not {served}")

    def _answer(self, sql: str) -> Rows:
        with self.place.workspace() as workspace:
            return Counter(map(_round_row, answer(workspace, sql).rows))

    def _ask_all(self) -> list[tuple[Rows, Rows | None]]:
        """The answer to each query, and that of the facts; None where the facts cannot be asked."""
        answers: list[tuple[Rows, Rows | None]] = []
        with self.place.workspace() as workspace, QueryRouter(workspace) as router:
            for sql in QUERIES:
                answered, from_facts = Counter(map(_round_row, router.answer(sql).rows)), None
                with contextlib.suppress(AtScaleAggsError):
                    from_facts = Counter(map(_round_row, router.answer(sql, use_aggregates=False).rows))
                answers.append((answered, from_facts))
        return answers

    def _etl(self) -> str:
        return self.place.roles[-1] if self.place.is_postgres else ""

    def _insert(self, *sales: Sale) -> None:
        columns = "day_id, shop_id, quantity, amount, seq, epoch_ms, loaded_at, loaded_tz"
        self.place.run(
            f"INSERT INTO sales ({columns}) VALUES {', '.join(sale.sql() for sale in sales)}", role=self._etl()
        )
        self.moment = max(self.moment, *(sale.at for sale in sales if sale.at is not None))

    def _write_model(self, aggregates: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
        shutil.rmtree(self.place.folder / "model", ignore_errors=True)
        incremental_star.write_model(
            self.place.folder / "model", grace=f"{GRACE_SECONDS}s", immutable=("day",), aggregates=aggregates
        )

    def _build_type(self) -> BuildType:
        return self.random.choice((BuildType.FULL, BuildType.INCREMENTAL, BuildType.INCREMENTAL))

    def _views(self) -> list[str]:
        with self.place.workspace() as workspace:
            active = workspace.read.instances.serving(workspace.read.models.get(MODEL).id)
        return sorted({instance.step.aggregate for instance in active} & set(VIEWS))

    def with_log(self, problem: str) -> str:
        """A problem with all that led to it."""
        return "\n".join([*self.log, problem])


def is_same(rows: Rows, other_rows: Rows) -> bool:
    """Whether rows are equal as multisets; their values were rounded before."""
    return rows == other_rows


def _round_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row with numbers to nine digits, whatever type carries them."""
    return tuple(
        _number(value) if isinstance(value, (int, float)) or hasattr(value, "as_tuple") else value for value in row
    )


def _number(value: Any) -> float | str:
    number = float(value)
    return f"{number:.9g}" if math.isfinite(number) and number else "0"


@contextlib.contextmanager
def log_failures(story: StoryState) -> Iterator[None]:
    """Tell whatever goes wrong with all that led to it."""
    try:
        yield
    except AssertionError:
        raise
    except BaseException as error:
        raise AssertionError(story.with_log(f"{type(error).__name__}: {error}")) from error
