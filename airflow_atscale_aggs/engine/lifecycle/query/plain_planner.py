"""Plan plain SQL on the tables of a star: it is answered from an aggregate where that is proven to be the same.

Plain SQL is the warehouse's own dialect. Each of its SELECTs is planned by itself; the SQL around a rewritten SELECT
stays. What is not rewritten is run as it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import field
from datetime import datetime

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, UnreadableQueryError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_planner import PartSource, SelectPlanner
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.lifecycle.query.query_bounds import UNBOUND, QueryBounds
from airflow_atscale_aggs.engine.lifecycle.query.table_cache import WarehouseTables, key_of
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.paths import JoinKind, JoinStep
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import (
    Statement,
    only_reads,
    parse_query,
    parse_with_tables,
)
from airflow_atscale_aggs.engine.rewriting.plain.plain_reader import PlainContext, PlainQuery, read_plain
from airflow_atscale_aggs.engine.rewriting.plain.star_joins import PlainTable, SelectTables, find_stars
from airflow_atscale_aggs.engine.sql.capabilities import Folding, Wording
from airflow_atscale_aggs.engine.sql.statements import render


@dataclass(slots=True)
class PlainPlan:
    """How a plain query will be run.

    Attributes:
        statement: with the SELECTs that are rewritten.
        composed: what takes their place.
        untouched: why the others are run as they stand, one sentence each.
        planners: of the SELECTs that were understood, rewritten or not.
        snapshots: of the models that may answer it.
    """

    statement: Statement
    composed: list[exp.Query] = field(default_factory=list)
    untouched: list[str] = field(default_factory=list)
    planners: list[SelectPlanner] = field(default_factory=list)
    sources: list[PartSource] = field(default_factory=list)
    snapshots: tuple[ModelSnapshot, ...] = ()

    @property
    def queries(self) -> list[ModelQuery]:
        """What was understood."""
        return [planner.query for planner in self.planners if planner.query is not None]

    def candidates(self, *, estimate: bool) -> list[tuple[Candidate, ...]]:
        """For each source, the aggregates that do not answer it, with the reason."""
        candidates = [candidate for planner in self.planners for candidate in planner.candidates(estimate=estimate)]
        return candidates + [()] * (len(self.sources) - len(candidates))


@dataclass(frozen=True, slots=True)
class PlainText:
    """A query in the warehouse's own SQL.

    Attributes:
        root: None where the parser cannot read it, or where it is no SELECT. Then it is run as it stands.
        unread: why there is no root.
    """

    root: exp.Query | None
    unread: UnreadableQueryError | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    """How a query was asked; see `PlainPlanner.plan`. ``written`` is empty for a SELECT inside another."""

    since: datetime | None
    written: str
    use_aggregates: bool


class PlainPlanner:
    """Plans plain queries of one workspace."""

    def __init__(self, workspace: Workspace, tables: WarehouseTables, bounds: QueryBounds = UNBOUND) -> None:
        self._workspace, self._tables, self._bounds = workspace, tables, bounds

    def read(self, sql: str) -> PlainText | None:
        """The query as the warehouse's own SQL; None when it names tables and the warehouse has none of them.

        Raises:
            QueryError: the bounds forbid it.
        """
        dialect = self._workspace.warehouse.dialect
        ignores_case = dialect.folding is Folding.KEEP
        try:
            root, tables = parse_with_tables(sql, dialect=dialect.sqlglot_name, keeps_aliases=ignores_case)
        except UnreadableQueryError as error:
            is_taken = not self._bounds.is_guarded and only_reads(sql, dialect.sqlglot_name)
            return PlainText(None, error) if is_taken else None
        except UnsupportedQueryError:
            return None
        self._bounds.check(sql, root, dialect.sqlglot_name)
        named = [key_of(table) for table in tables]
        is_there = not named or any(columns is not None for columns in self._tables.find(named))
        return PlainText(root) if is_there or any(self._tables.are_there(named)) else None

    def plan(
        self,
        sql: str,
        root: exp.Query,
        snapshots: Sequence[ModelSnapshot],
        *,
        since: datetime | None,
        written: str,
        use_aggregates: bool = True,
    ) -> PlainPlan:
        """What each SELECT of the query is answered from.

        Args:
            root: from `read`.
            snapshots: of the models that may answer it.
            since: only aggregates that know the facts of this moment; None: all.
            written: the query with the values that it really has.
            use_aggregates: False: it is understood, for the log, and run as it stands.
        """
        dialect = self._workspace.warehouse.dialect
        rewritten: list[exp.Select] = []
        plan = PlainPlan(Statement(sql, dialect.sqlglot_name, root, (), ()), snapshots=tuple(snapshots))
        for select in root.find_all(exp.Select, bfs=False):
            if select.args.get("from_") is None:
                continue
            try:
                request = _Request(since, written if select is root else "", use_aggregates)
                composed = self._plan_select(select, plan, request)
            except UnsupportedQueryError as error:
                plan.untouched.append(f"`{error.clause}`: {error.reason}.")
                continue
            if composed is not None:
                rewritten.append(select)
                plan.composed.append(composed)
        plan.statement = Statement(sql, dialect.sqlglot_name, root, tuple(rewritten), ())
        return plan

    def _plan_select(self, select: exp.Select, plan: PlainPlan, request: _Request) -> exp.Query | None:
        """The SELECT on an aggregate; None when it is understood and no aggregate serves, or when it is on no star."""
        relations = _relations(select)
        own = {cte.alias for cte in select.root().find_all(exp.CTE)}
        if all(
            not isinstance(relation, exp.Table) or (not relation.db and relation.name in own) for relation in relations
        ):
            return None
        dialect = self._workspace.warehouse.dialect
        if dialect.wording is not Wording.STANDARD:
            reason = f"on {dialect.name} the same words mean something else than in a model; ask the model instead"
            raise UnsupportedQueryError(_text(select), reason)
        scope = self._scope(select, relations, own)
        first: UnsupportedQueryError | None = None
        understood: SelectPlanner | None = None
        for snapshot in plan.snapshots:
            if not any(snapshot.physical.datasets_at(table.place) for table in scope.tables.values()):
                continue
            try:
                planner, composed = self._plan_by_model(select, scope, snapshot, request)
            except UnsupportedQueryError as error:
                first = first or error
                continue
            understood = understood or planner
            if composed is not None:
                understood = planner
                break
        else:
            composed = None
        if understood is None:
            raise first or UnsupportedQueryError(_text(select), "no deployed model has its tables joined in this way")
        plan.planners.append(understood)
        plan.sources += understood.sources
        return composed

    def _plan_by_model(
        self, select: exp.Select, scope: SelectTables, snapshot: ModelSnapshot, request: _Request
    ) -> tuple[SelectPlanner, exp.Query | None]:
        """Plan the SELECT on one model."""
        if snapshot.model.is_secured:
            raise UnsupportedQueryError(
                snapshot.record.name, "the model has row security, which aggregates do not know"
            )
        understood: SelectPlanner | None = None
        for joins in find_stars(select, scope, snapshot.physical):
            names = self._names(select, request.written)
            plain = read_plain(select, joins, names, self._context(scope, snapshot))
            self._prove(plain, snapshot)
            planner = SelectPlanner(self._workspace, snapshot, request.since)
            composed = planner.plan_on_aggregate(plain.query, plain.fact_query, use_aggregates=request.use_aggregates)
            understood = understood or planner
            if composed is not None:
                return planner, composed
        if understood is None:
            reason = f"its joins are not those of model `{snapshot.record.name}`"
            raise UnsupportedQueryError(_text(select), reason)
        return understood, None

    def _context(self, scope: SelectTables, snapshot: ModelSnapshot) -> PlainContext:
        return PlainContext(
            select_tables=scope,
            model=snapshot.physical,
            calculations=snapshot.calculations,
            dialect=self._workspace.warehouse.dialect,
            popularity=snapshot.index.popularity,
        )

    def _prove(self, plain: PlainQuery, snapshot: ModelSnapshot) -> None:
        """Refuse joins that may meet several rows: they multiply rows, and no aggregate says how often."""
        steps = plain.joins.steps
        with self._workspace.warehouse.session() as session:
            snapshot.proofs.add_keys(session, steps)
        for step in steps:
            key = (step.to_dataset, step.to_columns)
            if step.kind is JoinKind.BRIDGE or key not in snapshot.proofs.proven.unique_keys:
                raise UnsupportedQueryError(
                    _describe_step(step), "the data does not prove that it meets one row at the most"
                )

    def _names(self, select: exp.Select, written: str) -> list[str]:
        """Names of the columns. The warehouse is asked for those that it makes up itself for the outermost SELECT."""
        own = [column.alias or (column.name if isinstance(column, exp.Column) else "") for column in select.expressions]
        if all(own) or not written:
            return own
        dialect = self._workspace.warehouse.dialect
        query = parse_query(written, dialect=dialect.sqlglot_name)
        probe = exp.select("*").from_(query.subquery("asked")).limit(0)
        try:
            with self._workspace.warehouse.session() as session:
                names, _ = session.fetch_with_names(render(probe, dialect))
        except PermanentWarehouseError as error:
            raise UnsupportedQueryError(_text(select), f"the warehouse refuses it: {error.reason}") from error
        return (
            [own_name or given_name for own_name, given_name in zip(own, names, strict=False)]
            if len(names) == len(own)
            else own
        )

    def _scope(self, select: exp.Select, relations: Sequence[exp.Expr], own: Collection[str]) -> SelectTables:
        tables: list[PlainTable] = []
        keys = []
        for relation in relations:
            strange = {name for name, value in relation.args.items() if value} - {"this", "db", "catalog", "alias"}
            columns = relation.args.get("alias") and relation.args["alias"].args.get("columns")
            if not isinstance(relation, exp.Table) or strange or columns:
                raise UnsupportedQueryError(_text(relation), "it is no plain table")
            keys.append(key_of(relation))
        for relation, columns in zip(relations, self._tables.find(keys), strict=True):
            if columns is None or (not relation.args.get("db") and relation.name in own):
                raise UnsupportedQueryError(_text(relation), "it is no table of the warehouse")
            tables.append(PlainTable(relation.alias_or_name, columns.spelled, columns))
        if len({table.alias for table in tables}) < len(tables):
            raise UnsupportedQueryError(_text(select), "two of its tables have one name")
        return SelectTables(tables, ignores_case=self._workspace.warehouse.dialect.folding is Folding.KEEP)


def _relations(select: exp.Select) -> list[exp.Expr]:
    """The relations in FROM."""
    source = select.args.get("from_")
    return [] if source is None else [source.this, *(join.this for join in select.args.get("joins") or ())]


def _describe_step(step: JoinStep) -> str:
    return f"{step.from_dataset} → {step.to_dataset} ({', '.join(step.to_columns)})"


def _text(node: exp.Expr) -> str:
    text = node.sql()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


_LONGEST = 100
