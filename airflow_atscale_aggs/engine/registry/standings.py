"""Where each definition stands: what lists show, filter and sort by, from all that the registry keeps of it.

Every transaction that changes something of it writes the standings of those definitions as its last step. First it
locks them, in the order of their ids, so that no two transactions wait for each other. Then it computes them from what
is committed by then: of two that change the same definition, the second one sees what the first one has changed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Float,
    Select,
    String,
    Subquery,
    and_,
    any_,
    bindparam,
    case,
    cast,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    update,
)

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import BY_URGENCY, SHOWN, ShownStatus
from airflow_atscale_aggs.engine.registry.bulk import PreparedStatement, upsert
from airflow_atscale_aggs.engine.registry.tables import (
    batches,
    definitions,
    evaluations,
    instances,
    models,
    standings,
    usages,
)

Only = Callable[[ColumnElement[str]], ColumnElement[bool]]
"""Which definitions are meant: a condition on a column that holds their ids."""

LONGEST_KEY = 400
"""Characters of names that lists sort and search by; an index has no room for more."""

LONGEST_MODEL_KEY = 100
"""Characters of a model's name, before that of the aggregate."""

_refresh_few: dict[tuple[str, str, int], PreparedStatement] = {}
"""Made once for all builds, because making one costs more than running it. By database, driver and number of ids."""

_CHUNK, _ARRAY = 500, 5000
"""Ids that a statement has as a list, and as an array."""


def name_key(name: str, label: str = "") -> str:
    """What names are sorted and searched by: without regard to case, the label in the line below the name.

    >>> print(name_key("Q1", "Größe"))
    q1
    grösse
    """
    text = name if label in {"", name} else f"{name}\n{label}"
    return text.casefold()[:LONGEST_KEY]


def refresh_standings_of_attempts(connection: Connection, *definition_ids: str) -> None:
    """Write where the one or two definitions stand whose attempts end or begin in the transaction that is open.

    As `refresh_standings`, by a statement that is prepared once for all attempts.
    """
    ids = sorted(set(definition_ids))
    _lock(connection, functools.partial(_is_one_of, ids))
    key = connection.dialect.name, connection.dialect.driver, len(ids)
    if key not in _refresh_few:
        names = [bindparam(f"definition_{place}", type_=String) for place in range(len(ids))]
        statement = _refresh_statement(connection.dialect.name, lambda column: column.in_(names))
        _refresh_few[key] = PreparedStatement(statement, connection.dialect)
    _refresh_few[key].execute(connection, {f"definition_{place}": identity for place, identity in enumerate(ids)})


def refresh_standings(connection: Connection, definition_ids: Collection[str]) -> None:
    """Write where some definitions stand, in the transaction that is open."""
    for only in _each_of(connection, sorted(set(definition_ids))):
        _refresh(connection, only)


def add_standings(connection: Connection, model_id: str) -> None:
    """Write where the definitions of a model stand that were inserted in the transaction that is open.

    Nothing was built from them, asked of them or judged, since all of this refers to their rows. So only their own
    rows are read, and many are written in a third of the time that `refresh_standings` takes.
    """
    columns = {
        **_columns_of_definitions(),
        "shown_status": _shown_status(false(), cast(null(), BigInteger)),
        "uses": literal(0, BigInteger),
    }
    has_standing = select(standings.c.definition_id).where(standings.c.definition_id == definitions.c.id).exists()
    query = (
        select(*(column.label(name) for name, column in columns.items()))
        .join(models, models.c.id == definitions.c.model_id)
        .where(definitions.c.model_id == model_id, ~has_standing)
        .order_by(definitions.c.id)
    )
    connection.execute(insert(standings).from_select(list(columns), query))


def refresh_standings_of_batches(connection: Connection, *batch_ids: str) -> None:
    """Write where the definitions stand that batches have instances of, in the transaction that is open."""
    of_batches = select(instances.c.definition_id).where(instances.c.batch_id.in_(batch_ids))
    _refresh(connection, lambda column: column.in_(of_batches))


def refresh_standings_of_model(connection: Connection, model_id: str) -> None:
    """Write where all definitions of a model stand, in the transaction that is open."""
    of_model = select(definitions.c.id).where(definitions.c.model_id == model_id)
    _lock(connection, lambda column: column.in_(of_model))
    connection.execute(_refresh_model(connection.dialect.name), {"model": model_id})


def refresh_uses(connection: Connection, definition_ids: Iterable[str]) -> None:
    """Write how often some definitions were used, in the transaction that is open."""
    _refresh_columns(connection, _REFRESH_USES, definition_ids)


def refresh_judgements(connection: Connection, definition_ids: Iterable[str]) -> None:
    """Write how some definitions were judged last, in the transaction that is open."""
    _refresh_columns(connection, _REFRESH_JUDGEMENTS, definition_ids)


def select_standings(only: Only = lambda column: true()) -> Select[Any]:  # noqa: ARG005 - all of them
    """What the table of standings holds, computed from the tables that say it: one row for each definition."""
    used, judged, built = _uses_by_definition(only), _newest_judgements(only), _instances_by_definition(only)
    is_active = func.coalesce(built.c.active, 0) > 0
    columns: dict[str, ColumnElement[Any]] = {
        **_columns_of_definitions(),
        "shown_status": _shown_status(is_active, built.c.urgency),
        "newest_status": _newest_status(built.c.urgency),
        "newest_batch_id": built.c.newest_batch_id,
        "rows": cast(case((is_active, built.c.active_rows), else_=built.c.newest_rows), BigInteger),
        "seconds": cast(case((is_active, built.c.active_seconds), else_=built.c.newest_seconds), Float),
        "built_at": case((is_active, built.c.active_built_at), else_=built.c.newest_built_at),
        "uses": cast(func.coalesce(used.c.uses, 0), BigInteger),
        "last_used_at": used.c.last_used_at,
        "score": evaluations.c.score,
        "size_bytes": evaluations.c.size_bytes,
        "seconds_saved": evaluations.c.seconds_saved,
    }
    is_newest = and_(evaluations.c.definition_id == definitions.c.id, evaluations.c.evaluated_at == judged.c.at)
    return (
        select(*(column.label(name) for name, column in columns.items()))
        .join(models, models.c.id == definitions.c.model_id)
        .outerjoin(used, used.c.definition_id == definitions.c.id)
        .outerjoin(built, built.c.definition_id == definitions.c.id)
        .outerjoin(judged, judged.c.definition_id == definitions.c.id)
        .outerjoin(evaluations, is_newest)
        .where(only(definitions.c.id))
    )


def _columns_of_definitions() -> dict[str, ColumnElement[Any]]:
    """The columns that are told by the rows of a definition and its model."""
    return {
        "definition_id": definitions.c.id,
        "model_id": definitions.c.model_id,
        "name_key": definitions.c.name_key,
        "model_key": models.c.name_key + "\n" + definitions.c.name_key,
        "origin": definitions.c.origin,
        "status": definitions.c.status,
        "created_at": definitions.c.created_at,
    }


def _uses_by_definition(only: Only) -> Subquery:
    """How often each definition was used, over all facts."""
    uses, last = func.sum(usages.c.uses), func.max(usages.c.last_used_at)
    query = select(usages.c.definition_id, uses.label("uses"), last.label("last_used_at"))
    return query.where(only(usages.c.definition_id)).group_by(usages.c.definition_id).subquery("used")


def _newest_judgements(only: Only) -> Subquery:
    """When each definition was judged last."""
    query = select(evaluations.c.definition_id, func.max(evaluations.c.evaluated_at).label("at"))
    return query.where(only(evaluations.c.definition_id)).group_by(evaluations.c.definition_id).subquery("judged")


def _instances_by_definition(only: Only) -> Subquery:
    """Of each definition, what its active instances and those of its newest batch say."""
    place = func.dense_rank().over(
        partition_by=instances.c.definition_id, order_by=(batches.c.created_at.desc(), batches.c.id.desc())
    )
    shown = ("definition_id", "batch_id", "status", "rows", "seconds", "finished_at")
    placed = (
        select(*(instances.c[name] for name in shown), place.label("place"))
        .join(batches, batches.c.id == instances.c.batch_id)
        .where(only(instances.c.definition_id))
        .subquery("placed")
    )
    is_active, is_newest = placed.c.status == InstanceStatus.ACTIVE, placed.c.place == 1
    is_built = and_(is_newest, placed.c.rows.is_not(None))
    urgency = case({str(status): number for number, status in enumerate(BY_URGENCY)}, value=placed.c.status)
    return (
        select(
            placed.c.definition_id,
            func.count().filter(is_active).label("active"),
            func.min(urgency).filter(is_newest).label("urgency"),
            func.max(placed.c.batch_id).filter(is_newest).label("newest_batch_id"),
            func.sum(placed.c.rows).filter(is_active).label("active_rows"),
            func.sum(placed.c.seconds).filter(is_active).label("active_seconds"),
            func.min(placed.c.finished_at).filter(is_active).label("active_built_at"),
            func.sum(placed.c.rows).filter(is_built).label("newest_rows"),
            func.sum(placed.c.seconds).filter(is_built).label("newest_seconds"),
            func.min(placed.c.finished_at).filter(is_built).label("newest_built_at"),
        )
        .where(or_(is_active, is_newest))
        .group_by(placed.c.definition_id)
        .subquery("built")
    )


def _newest_status(urgency: ColumnElement[Any]) -> ColumnElement[str]:
    shown = {number: str(SHOWN[status]) for number, status in enumerate(BY_URGENCY)}
    return cast(case(shown, value=urgency), String)


def _shown_status(is_active: ColumnElement[bool], urgency: ColumnElement[Any]) -> ColumnElement[str]:
    return case(
        (definitions.c.status == DefinitionStatus.BLOCKED, str(ShownStatus.UNAVAILABLE)),
        (is_active, str(ShownStatus.ACTIVE)),
        (urgency.is_not(None), _newest_status(urgency)),
        (definitions.c.status == DefinitionStatus.DEFINED, str(ShownStatus.PENDING)),
        else_=str(ShownStatus.INACTIVE),
    )


def _refresh(connection: Connection, only: Only) -> None:
    _lock(connection, only)
    connection.execute(_refresh_statement(connection.dialect.name, only))


def _refresh_columns(connection: Connection, statement: Any, definition_ids: Iterable[str]) -> None:
    wanted = sorted(set(definition_ids))
    for only in _each_of(connection, wanted):
        _lock(connection, only)
    if wanted:
        connection.execute(statement, [{"definition": identity} for identity in wanted])


def _lock(connection: Connection, only: Only) -> None:
    """Lock standings. In SQLite whoever writes is alone anyway."""
    if connection.dialect.name != "sqlite":
        column = standings.c.definition_id
        connection.execute(select(column).where(only(column)).order_by(column).with_for_update())


def _each_of(connection: Connection, ids: Sequence[str]) -> Iterator[Only]:
    """Conditions that restrict a column to some ids, not too many at a time.

    PostgreSQL takes them as one array: SQLAlchemy and the driver prepare each value of a list by itself.
    """
    has_arrays = connection.dialect.name != "sqlite"
    size = _ARRAY if has_arrays else _CHUNK
    for start in range(0, len(ids), size):
        chunk = ids[start : start + size]
        if has_arrays:
            yield functools.partial(_is_in_array, bindparam("ids", chunk, type_=ARRAY(String)))
        else:
            yield functools.partial(_is_one_of, chunk)


def _is_in_array(array: BindParameter[Any], column: ColumnElement[str]) -> ColumnElement[bool]:
    return column == any_(array)


def _is_one_of(ids: Sequence[str], column: ColumnElement[str]) -> ColumnElement[bool]:
    return column.in_(ids)


@functools.cache
def _refresh_model(dialect: str) -> Any:
    of_model = select(definitions.c.id).where(definitions.c.model_id == bindparam("model", type_=String))
    return _refresh_statement(dialect, lambda column: column.in_(of_model))


def _refresh_statement(dialect: str, only: Only) -> Any:
    insert_standings = upsert(dialect, standings)
    names = [column.name for column in standings.c]
    inserted = insert_standings.from_select(names, select_standings(only).order_by(definitions.c.id))
    changed = {name: inserted.excluded[name] for name in names if name != "definition_id"}
    return inserted.on_conflict_do_update(index_elements=["definition_id"], set_=changed)


_REFRESH_USES = (
    update(standings)
    .where(standings.c.definition_id == bindparam("definition"))
    .values(
        uses=select(func.coalesce(func.sum(usages.c.uses), 0))
        .where(usages.c.definition_id == standings.c.definition_id)
        .scalar_subquery(),
        last_used_at=select(func.max(usages.c.last_used_at))
        .where(usages.c.definition_id == standings.c.definition_id)
        .scalar_subquery(),
    )
)


def _as_judged_last(column: ColumnElement[Any]) -> Any:
    newest = select(column).where(evaluations.c.definition_id == standings.c.definition_id)
    return newest.order_by(evaluations.c.evaluated_at.desc()).limit(1).scalar_subquery()


_REFRESH_JUDGEMENTS = (
    update(standings)
    .where(standings.c.definition_id == bindparam("definition"))
    .values({name: _as_judged_last(evaluations.c[name]) for name in ("score", "size_bytes", "seconds_saved")})
)
