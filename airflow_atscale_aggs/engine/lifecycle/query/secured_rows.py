"""Row security of one query: who asks, which rows of each dataset he sees, and what he is not told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.row_security import Guard, Reader, RowRule, why_not_applied
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery
from airflow_atscale_aggs.engine.sql.rows import AnswerRows
from airflow_atscale_aggs.engine.sql.seen_rows import SeenRows

WITHHELD = (
    "its own words are withheld, because they may tell of rows that the user may not see; ask as somebody who sees "
    "all rows to read them"
)

_WHO = (
    "Say who asks: `--as-user NAME` on the command line, `as_user` of the operator and the hook; sign in to serve by a "
    "password, since `--no-password` takes any name."
)


class SecuredRows:
    """Which rows of a secured model one reader sees.

    Raises:
        UnsupportedQueryError: nobody may ask it in this way; says why, and what to do.
    """

    def __init__(self, workspace: Workspace, snapshot: ModelSnapshot, reader: Reader | None) -> None:
        self._workspace, self._snapshot = workspace, snapshot
        name, model = snapshot.record.name, snapshot.model
        for security, reason in why_not_applied(model):
            remedy = f"Change row security `{security.name}` at {security.where}, and deploy the model again."
            raise UnsupportedQueryError(name, f"row security `{security.name}` is not applied: {reason}", remedy)
        names = ", ".join(f"`{security}`" for security in model.row_securities)
        if snapshot.sources.dialect.fence is None:
            reason = f"the model has row security ({names}), which is not applied on {snapshot.sources.dialect.name}"
            raise UnsupportedQueryError(name, reason, "Ask the warehouse itself, as somebody it knows.")
        if reader is None:
            reason = f"which rows it has depends on who asks (row security {names}), and that is not known"
            raise UnsupportedQueryError(name, reason, _WHO)
        self._check_reader(reader, model, name)
        self._reader = reader
        self._rules = snapshot.row_rules

    @staticmethod
    def _check_reader(reader: Reader, model: SemanticModel, name: str) -> None:
        for text in (reader.user, *(reader.groups or ())):
            if not text or not text.isprintable():
                reason = "the name of the user, or of a group, is empty or holds characters that no name has"
                raise UnsupportedQueryError(name, reason, _WHO)
        by_group = [security.name for security in model.row_securities.values() if security.id_type == "group"]
        if by_group and reader.groups is None:
            reason = f"row security `{by_group[0]}` is by group, and the groups of `{reader.user}` are not known"
            remedy = "Say them: `--as-group NAME` on the command line, `as_groups` of the operator and the hook."
            raise UnsupportedQueryError(name, reason, remedy)

    def guard(self, part: FactQuery) -> FactQuery:
        """The part with what an aggregate must store to answer it for a reader.

        Raises:
            UnsupportedQueryError: nobody can tell whose rows they are, or it looks at members that are not seen.
        """
        rule = self._rule(part.fact)
        self._check_shift(part)
        if rule.is_open:
            return part
        seen = self._seen(rule)
        carriers = tuple(guard.carriers if _is_stored_as_joined(guard, seen) else () for guard in rule.guards)
        return replace(part, guards=(*carriers, *(((),) if rule.met_by else ())))

    def _check_shift(self, part: FactQuery) -> None:
        """Refuse to look for the member before, among members of which some are not seen."""
        calendar = part.shift.calendar if part.shift is not None else None
        if calendar is None or self._rule(calendar.part.fact).is_open:
            return
        reason = "it is measured at other members of a dimension of which the user may not see all"
        raise UnsupportedQueryError(calendar.metric, reason, "Leave it out.")

    def restrict_facts(self, dataset: str, rows: AnswerRows) -> None:
        """Leave out rows of a dataset that the reader may not see."""
        rule = self._rule(dataset)
        if not rule.is_open:
            seen = self._seen(rule)
            rows.see_only(lambda relation, alias: seen.restrict(relation, alias, seen.of_dataset(dataset, rule, alias)))

    def restrict_aggregate(self, instance: ServingInstance, rows: AnswerRows) -> None:
        """Leave out rows of an aggregate that the reader may not see."""
        rule = self._rule(instance.part.fact)
        if not rule.is_open:
            seen, layout = self._seen(rule), instance.layout
            rows.see_only(
                lambda relation, alias: seen.restrict(relation, alias, seen.of_aggregate(rule, layout, alias))
            )

    def _rule(self, dataset: str) -> RowRule:
        rule = self._rules.of(dataset)
        if rule.refusal:
            reason = f"{rule.refusal}, so that its rows belong to nobody"
            remedy = "Ask for metrics of other facts, or secure the dataset by a relationship of the model."
            raise UnsupportedQueryError(self._snapshot.record.name, reason, remedy)
        return rule

    def _seen(self, rule: RowRule) -> SeenRows:
        snapshot = self._snapshot
        steps = {step for guard in rule.guards for step in guard.steps}
        for fact, _ in rule.met_by:
            steps |= {step for guard in self._rules.of(fact).guards for step in guard.steps}
        with self._workspace.warehouse.session() as session:
            snapshot.proofs.add_keys(session, steps)
        unique_keys = snapshot.proofs.proven.unique_keys
        return SeenRows(self._rules, snapshot.model.row_securities, snapshot.sources, self._reader, unique_keys)

    def withhold(self, reason: str) -> str:
        """A reason without the warehouse's own words about the model's data."""
        for said in self._snapshot.proofs.proven.unreadable.values():
            reason = reason.replace(said, WITHHELD)
        return reason


def _is_stored_as_joined(guard: Guard, seen: SeenRows) -> bool:
    """Whether the column that an aggregate stores is that of every row which the joins meet."""
    *first, last = guard.steps or (None,)
    is_key = last is not None and guard.link.column in last.to_columns
    return all(step is None or seen.is_unique(step) for step in (*first, None if is_key else last))


@contextlib.contextmanager
def withheld_errors(*, is_secured: bool) -> Iterator[None]:
    """Errors of the warehouse without its own words, where these may quote rows that somebody may not see."""
    try:
        yield
    except WarehouseError as error:
        if not is_secured or error.reason == WITHHELD:
            raise
        raise type(error)(error.dialect, error.sql, WITHHELD) from None
