"""Defines every error of the engine. The tree shows them all.

AtScaleAggsError
├─ ModelError                     the SML must be changed; carries file and line
│  ├─ ModelFileError              a file or folder that cannot be read
│  ├─ UnknownNameError            a reference to nothing; carries near names
│  └─ InvalidModelError           carries all issues of the model, not only the first
├─ DefinitionError                the aggregate as asked cannot exist
│  └─ UnsupportedMetricError      this calculation method cannot be stored on this dialect
│     └─ NotMeasurableError       there is no such measure of the column's type
├─ ImportRefusedError             a file of definitions cannot be imported here; carries why and what to do
├─ AggregatesRefusedError         a batch was not begun: no aggregate can be built; carries why
├─ QueryError                     a query on a model cannot be answered as asked
│  ├─ UnreadableQueryError        not parsable, not a query, or not on a deployed model
│  ├─ UnknownColumnError          a column that the model does not have; carries near names
│  ├─ AmbiguousColumnError        a name that means several things; carries their names
│  └─ UnsupportedQueryError       carries the clause, why it is not answered and what to do instead
│     └─ OutOfReachError          reads what whoever asks may not read
├─ SettingError                   an unknown key or a value outside its range
├─ GracePeriodError               a grace period of a batch cannot be used; carries dataset, value and reason
├─ SliceError                     a range that is named as changed cannot be used; carries dataset, range and reason
├─ RegistryError
│  ├─ RegistryUnavailableError    the registry's database cannot be reached; worth retrying
│  ├─ RegistryVersionError        schema older or newer than the code; names both and what to run
│  ├─ IllegalTransitionError      a status may not move that way
│  ├─ StaleStatusError            somebody else moved it first (compare-and-set lost)
│  ├─ BatchHeldError              another batch of the model is under way; carries who holds the lease
│  ├─ BatchDamagedError           tables of an interrupted batch were changed by somebody else; carries which
│  ├─ SchemaOwnedError            another registry writes into the schema; carries what tells so
│  ├─ ModelRetiredError           the model was let go; it is to be deployed again
│  ├─ InstanceNeededError         an instance cannot be deleted by hand; carries why and what to do
│  ├─ CursorError                 what continues a list cannot be read, or continues another one; carries why
│  └─ NotRegisteredError          unknown model, definition, instance or batch; carries near names
├─ WarehouseError                 carries dialect and SQL; the driver's error is its __cause__
│  ├─ TransientWarehouseError     worth retrying: connection, lock, deadlock, timeout
│  ├─ PermanentWarehouseError     the same SQL will fail again
│  └─ UnsupportedOnDialectError   the capability row says no
├─ VerificationError              a table does not agree with its facts; carries measure, expected and found
├─ ViewStaysError                 a stable view cannot be switched now; carries why and what to do
├─ BuildFailedError               one aggregate could not be built; carries attempts used and allowed
├─ BatchEndedError                an aggregate of an ended batch cannot be built; carries how the batch ended
└─ BatchFailedError               the batch ended with failed aggregates; carries their names

Constructors take their arguments by position and pass them to ``super().__init__``; ``__str__`` composes the sentence.
So every raise site gives the same wording, the arguments stay readable, and errors survive pickling between processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from airflow_atscale_aggs.engine.close_names import close_names


class Issue(Protocol):
    """What `InvalidModelError` needs from an issue of a model: its text, and whether it stops a deployment."""

    @property
    def is_error(self) -> bool:
        """True when a deployment must stop."""


def near_names(name: str, candidates: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """The names that a mistyped name may stand for, the most similar first. Case does not matter."""
    return close_names(name.casefold(), {candidate.casefold(): candidate for candidate in candidates}, most)


def did_you_mean(near: Sequence[str]) -> str:
    """`` Did you mean `a` or `b`?``, or nothing."""
    return f" Did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""


class AtScaleAggsError(Exception):
    """Root of every error the engine raises on purpose."""

    is_transient: bool = False


class ModelError(AtScaleAggsError):
    """The SML must be changed."""


class ModelFileError(ModelError):
    """A model folder or file cannot be read. Arguments: path, line (0 when unknown), reason."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path, self.line, self.reason = path, line, reason

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {self.reason}"


class UnknownNameError(ModelError):
    """A reference to nothing. Arguments: kind of thing, its name, near names."""

    def __init__(self, kind: str, name: str, near: Sequence[str] = ()) -> None:
        super().__init__(kind, name, tuple(near))
        self.kind, self.name, self.near = kind, name, tuple(near)

    def __str__(self) -> str:
        return f"There is no {self.kind} `{self.name}`.{did_you_mean(self.near)}"


class InvalidModelError(ModelError):
    """The model has errors. Arguments: folder, every issue found (errors and warnings)."""

    def __init__(self, folder: str, issues: Sequence[Issue]) -> None:
        super().__init__(folder, tuple(issues))
        self.folder, self.issues = folder, tuple(issues)

    def __str__(self) -> str:
        errors = [issue for issue in self.issues if issue.is_error]
        lines = "\n".join(f"  {issue}" for issue in errors)
        return f"{self.folder}: {len(errors)} error{'s' if len(errors) != 1 else ''}; nothing was registered.\n{lines}"


class DefinitionError(AtScaleAggsError):
    """The aggregate as asked cannot exist. Arguments: aggregate, reason, what to do."""

    def __init__(self, aggregate: str, reason: str, remedy: str = "") -> None:
        super().__init__(aggregate, reason, remedy)
        self.aggregate, self.reason, self.remedy = aggregate, reason, remedy

    @property
    def explanation(self) -> str:
        """Reason and remedy, without the name; whoever composes SQL does not know for which aggregate."""
        return f"{self.reason}.{' ' + self.remedy if self.remedy else ''}"

    def __str__(self) -> str:
        return f"Aggregate `{self.aggregate}`: {self.explanation}" if self.aggregate else self.explanation


class UnsupportedMetricError(DefinitionError):
    """This calculation method cannot be stored on this dialect."""


class NotMeasurableError(UnsupportedMetricError):
    """The measure does not exist for a column's type: the model is wrong, or the column was changed."""


class AggregatesRefusedError(AtScaleAggsError):
    """A batch was not begun. Arguments: model, (aggregate, reason) pairs, how many are tolerated."""

    def __init__(self, model: str, refused: Sequence[tuple[str, str]], allowed: int) -> None:
        super().__init__(model, tuple(refused), allowed)
        self.model, self.refused, self.allowed = model, tuple(refused), allowed

    def __str__(self) -> str:
        lines = "\n".join(f"  {aggregate}: {reason}" for aggregate, reason in self.refused)
        what = "none of what was asked for can be built; no batch was begun and the old instances keep serving"
        return f"Model `{self.model}`: {what}.\n{lines}"


class ImportRefusedError(AtScaleAggsError):
    """A file of definitions was not imported; nothing of it was. Arguments: file, reason, what to do."""

    def __init__(self, file: str, reason: str, remedy: str) -> None:
        super().__init__(file, reason, remedy)
        self.file, self.reason, self.remedy = file, reason, remedy

    def __str__(self) -> str:
        return f"{self.file} is not imported: {self.reason}. {self.remedy}"


class QueryError(AtScaleAggsError):
    """A query on a model cannot be answered as asked. "No aggregate matches" is no error."""


class UnreadableQueryError(QueryError):
    """Not parsable, not a query, or not on a deployed model. Arguments: SQL, reason."""

    def __init__(self, sql: str, reason: str) -> None:
        super().__init__(sql, reason)
        self.sql, self.reason = sql, reason

    def __str__(self) -> str:
        return f"The query cannot be read: {self.reason}. [SQL: {self.sql}]"


class UnknownColumnError(QueryError):
    """The model has no such column. Arguments: model, name, clause it stands in, near names."""

    def __init__(self, model: str, name: str, clause: str, near: Sequence[str] = ()) -> None:
        super().__init__(model, name, clause, tuple(near))
        self.model, self.name, self.clause, self.near = model, name, clause, tuple(near)

    def __str__(self) -> str:
        where = f" (in `{self.clause}`)" if self.clause else ""
        return f"Model `{self.model}` has no attribute or metric `{self.name}`{where}.{did_you_mean(self.near)}"


class AmbiguousColumnError(QueryError):
    """A name means several things. Arguments: model, name, what it may mean."""

    def __init__(self, model: str, name: str, meanings: Sequence[str]) -> None:
        super().__init__(model, name, tuple(meanings))
        self.model, self.name, self.meanings = model, name, tuple(meanings)

    def __str__(self) -> str:
        meanings = ", ".join(self.meanings)
        return f"`{self.name}` means several things in model `{self.model}`: {meanings}. Use a unique name."


class UnsupportedQueryError(QueryError):
    """A clause that is not answered. Arguments: clause as written, reason, what to do instead."""

    def __init__(self, clause: str, reason: str, remedy: str = "") -> None:
        super().__init__(clause, reason, remedy)
        self.clause, self.reason, self.remedy = clause, reason, remedy

    def __str__(self) -> str:
        return f"`{self.clause}` is not answered: {self.reason}.{' ' + self.remedy if self.remedy else ''}"


class OutOfReachError(UnsupportedQueryError):
    """A query reads what whoever asks may not read. It says the same whether there is such a thing or not."""


class SettingError(AtScaleAggsError):
    """A setting is unknown or its value is out of range. Arguments: key, reason, near keys."""

    def __init__(self, key: str, reason: str, near: Sequence[str] = ()) -> None:
        super().__init__(key, reason, tuple(near))
        self.key, self.reason, self.near = key, reason, tuple(near)

    def __str__(self) -> str:
        return f"Setting `{self.key}`: {self.reason}.{did_you_mean(self.near)}"


class GracePeriodError(AtScaleAggsError):
    """A grace period was given for a batch that cannot be used. Arguments: dataset, value, reason."""

    def __init__(self, dataset: str, value: str, reason: str) -> None:
        super().__init__(dataset, value, reason)
        self.dataset, self.value, self.reason = dataset, value, reason

    def __str__(self) -> str:
        return (
            f"Grace period `{self.value}` of dataset `{self.dataset}`: {self.reason}. A grace period is a whole number "
            "and s, m, h, d or w, for a fact dataset with `incremental` in the model; overrides need the settings "
            "`aggregate.batch.gracePeriodOverrides.enabled` and `aggregate.batch.cube.gracePeriodOverrides.enabled`."
        )


class SliceError(AtScaleAggsError):
    """A range that was named as changed cannot be used. Arguments: dataset, range, reason with what to do."""

    def __init__(self, dataset: str, value: str, reason: str) -> None:
        super().__init__(dataset, value, reason)
        self.dataset, self.value, self.reason = dataset, value, reason

    def __str__(self) -> str:
        return f"The changed range `{self.value}` of dataset `{self.dataset}` is refused: {self.reason}."


class RegistryError(AtScaleAggsError):
    """An error of the registry."""


class RegistryUnavailableError(RegistryError):
    """The registry's database cannot be reached or is locked. Arguments: registry (no password), reason."""

    is_transient = True

    def __init__(self, registry: str, reason: str) -> None:
        super().__init__(registry, reason)
        self.registry, self.reason = registry, reason

    def __str__(self) -> str:
        return f"Registry {self.registry} cannot be used: {self.reason}."


class RegistryVersionError(RegistryError):
    """The registry's schema is not the code's. Arguments: registry (no password), found, expected, what to do."""

    def __init__(self, registry: str, found: str, expected: str, advice: str) -> None:
        super().__init__(registry, found, expected, advice)
        self.registry, self.found, self.expected, self.advice = registry, found, expected, advice

    def __str__(self) -> str:
        needed = f"this program needs {self.expected}. {self.advice}"
        return f"Registry {self.registry} has schema version {self.found}, {needed}"


class IllegalTransitionError(RegistryError):
    """A status may not move that way. Arguments: kind, id, from, to."""

    def __init__(self, kind: str, id_: str, from_: str, to: str) -> None:
        super().__init__(kind, id_, from_, to)
        self.kind, self.id, self.from_, self.to = kind, id_, from_, to

    def __str__(self) -> str:
        return f"{self.kind} {self.id} is {self.from_} and cannot become {self.to}."


class StaleStatusError(RegistryError):
    """A compare-and-set lost. Arguments: kind, id, expected, found."""

    def __init__(self, kind: str, id_: str, expected: str, found: str) -> None:
        super().__init__(kind, id_, expected, found)
        self.kind, self.id, self.expected, self.found = kind, id_, expected, found

    def __str__(self) -> str:
        what = "somebody else moved it first; what this process did was discarded"
        return f"{self.kind} {self.id} was expected to be {self.expected} but is {self.found}: {what}."


class BatchHeldError(RegistryError):
    """One batch of a model at a time. Arguments: model, batch id, owner, lease end (ISO 8601 UTC)."""

    def __init__(self, model: str, batch_id: str, owner: str, until: str) -> None:
        super().__init__(model, batch_id, owner, until)
        self.model, self.batch_id, self.owner, self.until = model, batch_id, owner, until

    def __str__(self) -> str:
        holder = f"{self.owner} holds the lease until {self.until}"
        remedy = f"Wait for it, or cancel it with `atscale-aggs cancel {self.batch_id}`."
        return f"Batch {self.batch_id} of model `{self.model}` is under way: {holder}. {remedy}"


class BatchDamagedError(RegistryError):
    """What an interrupted batch has built is not what it was. Arguments: model, batch id, what was changed."""

    def __init__(self, model: str, batch_id: str, reason: str) -> None:
        super().__init__(model, batch_id, reason)
        self.model, self.batch_id, self.reason = model, batch_id, reason

    def __str__(self) -> str:
        remedy = f"Begin a new one with `atscale-aggs build {self.model}`."
        return f"Batch {self.batch_id} of model `{self.model}` cannot be gone on with: {self.reason}. {remedy}"


class SchemaOwnedError(RegistryError):
    """Another registry writes into the aggregate schema. Arguments: schema (empty: the default one), what tells so."""

    def __init__(self, schema: str, evidence: str) -> None:
        super().__init__(schema, evidence)
        self.schema, self.evidence = schema, evidence

    def __str__(self) -> str:
        name = f"schema `{self.schema}`" if self.schema else "the default schema"
        what = f"Nothing was changed in {name} of the warehouse: {self.evidence}"
        remedy = "or, if that registry is gone, take the schema over: `atscale-aggs adopt`"
        return f"{what}. Give this registry a schema of its own (`--schema`); {remedy}."


class ModelRetiredError(RegistryError):
    """The model was let go. Arguments: model."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        return f"Model `{self.model}` was retired. Deploy it again to use it: `atscale-aggs deploy DIR`."


class InstanceNeededError(RegistryError):
    """An instance is not deleted by hand. Arguments: instance id, aggregate, why not, what to do."""

    def __init__(self, instance_id: str, aggregate: str, reason: str, remedy: str) -> None:
        super().__init__(instance_id, aggregate, reason, remedy)
        self.instance_id, self.aggregate, self.reason, self.remedy = instance_id, aggregate, reason, remedy

    def __str__(self) -> str:
        return f"Instance {self.instance_id} of `{self.aggregate}` is not deleted: {self.reason}; {self.remedy}."


class CursorError(RegistryError):
    """A cursor does not continue a list. Arguments: what the list is of, why not."""

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(subject, reason)
        self.subject, self.reason = subject, reason

    def __str__(self) -> str:
        return f"The cursor does not continue this list of {self.subject}: {self.reason}. Read the list from its start."


class NotRegisteredError(RegistryError):
    """The registry has no such thing. Arguments: kind, name, near names."""

    def __init__(self, kind: str, name: str, near: Sequence[str] = ()) -> None:
        super().__init__(kind, name, tuple(near))
        self.kind, self.name, self.near = kind, name, tuple(near)

    def __str__(self) -> str:
        return f"The registry has no {self.kind} `{self.name}`.{did_you_mean(self.near)}"


class WarehouseError(AtScaleAggsError):
    """The warehouse refused. Arguments: dialect, SQL (may be empty), reason."""

    def __init__(self, dialect: str, sql: str, reason: str) -> None:
        super().__init__(dialect, sql, reason)
        self.dialect, self.sql, self.reason = dialect, sql, reason

    def __str__(self) -> str:
        return f"{self.dialect}: {self.reason}{f' [SQL: {self.sql}]' if self.sql else ''}"


class TransientWarehouseError(WarehouseError):
    """Worth retrying: connection, lock, deadlock, timeout."""

    is_transient = True


class PermanentWarehouseError(WarehouseError):
    """The same SQL will fail again."""

    def __str__(self) -> str:
        return f"The warehouse refused a statement. {super().__str__()}"


class UnsupportedOnDialectError(WarehouseError):
    """The dialect's capability row says no."""


class VerificationError(AtScaleAggsError):
    """A new table does not agree with its facts. Arguments: aggregate, fact, (measure, group, expected, found) tuples.

    ``measure``, ``group`` (empty for a total), ``expected`` and ``found`` are those of the first difference.
    """

    def __init__(self, aggregate: str, fact: str, differences: Sequence[tuple[str, str, str, str]]) -> None:
        super().__init__(aggregate, fact, tuple(differences))
        self.aggregate, self.fact, self.differences = aggregate, fact, tuple(differences)
        self.measure, self.group, self.expected, self.found = self.differences[0]

    def __str__(self) -> str:
        lines = "; ".join(
            f"`{measure}`{f' of group ({group})' if group else ''} should be {expected} but is {found}"
            for measure, group, expected, found in self.differences
        )
        what = f"The table built for aggregate `{self.aggregate}` does not agree with its facts `{self.fact}`: {lines}."
        remedy = "Look for a dimension whose key is no longer unique, then build again."
        return f"{what} It was dropped, the old one serves on. {remedy}"


class ViewStaysError(AtScaleAggsError):
    """A stable view cannot be switched now. Arguments: the view, and the reason with what to do."""

    def __init__(self, view: str, reason: str) -> None:
        super().__init__(view, reason)
        self.view, self.reason = view, reason

    def __str__(self) -> str:
        return f"Stable view `{self.view}` stays as it is: {self.reason}"


class BuildFailedError(AtScaleAggsError):
    """One aggregate could not be built. Arguments: aggregate, instance id, attempts used, allowed, cause."""

    def __init__(self, aggregate: str, instance_id: str, used: int, allowed: int, cause: str) -> None:
        super().__init__(aggregate, instance_id, used, allowed, cause)
        self.aggregate, self.instance_id = aggregate, instance_id
        self.used, self.allowed, self.cause = used, allowed, cause

    @property
    def may_retry(self) -> bool:
        """True while automatic attempts are left."""
        return self.used < self.allowed

    def __str__(self) -> str:
        return f"Aggregate `{self.aggregate}` failed (attempt {self.used} of {self.allowed}): {self.cause}"


class BatchEndedError(AtScaleAggsError):
    """An aggregate of an ended batch cannot be built any more. Arguments: model, aggregate, batch, how it ended."""

    def __init__(self, model: str, aggregate: str, batch_id: str, status: str) -> None:
        super().__init__(model, aggregate, batch_id, status)
        self.model, self.aggregate, self.batch_id, self.status = model, aggregate, batch_id, status

    def __str__(self) -> str:
        became = "is live" if self.status == "done" else "was cancelled or closed by a newer one"
        return (
            f"`{self.aggregate}` is not built again: its batch {self.batch_id} {became}. To rebuild this aggregate, "
            f"begin a new batch for it: trigger the DAG with `aggregates` = `{self.aggregate}`, or run "
            f"`atscale-aggs build {self.model} --aggregate {self.aggregate}`."
        )


class BatchFailedError(AtScaleAggsError):
    """The batch ended with more failed aggregates than allowed. Arguments: model, batch id, names, failures allowed."""

    def __init__(self, model: str, batch_id: str, failed: Sequence[str], allowed: int) -> None:
        super().__init__(model, batch_id, tuple(failed), allowed)
        self.model, self.batch_id, self.failed, self.allowed = model, batch_id, tuple(failed), allowed

    def __str__(self) -> str:
        return (
            f"Batch {self.batch_id} of model `{self.model}` is not activated: {len(self.failed)} failed "
            f"({', '.join(self.failed)}), `aggregates.batch.max.failures` allows {self.allowed}. The old instances "
            f"keep serving. Repair, then run `atscale-aggs build {self.model} --resume {self.batch_id}` or clear the "
            "failed tasks."
        )
