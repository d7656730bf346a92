"""Handle one stable view: read what stands in its place, make it show another instance, drop it.

What other people gave to a view stays: grants, comments, owner, options, and everything that reads the view.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.errors import ViewStaysError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.physical_names import is_instance_table
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.schema_catalog import Belonging, Catalog, Dependent, Relation, catalog_of

if TYPE_CHECKING:
    from sqlglot import exp

    from airflow_atscale_aggs.engine.sql.view_layout import Columns, ViewLayout

_MOST_NAMED = 3
"""Number of dependents that a message names."""


FindServing = Callable[[Collection[str]], Mapping[str, str]]
"""Of some tables, those of aggregates that serve, and whose they are in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewPlaces:
    """What is in the places of some stable views, by name in lower case.

    Attributes:
        catalog: tells what belongs to a view and who reads it. None: the warehouse tells what stands in a place, and
            nothing more; then views are switched by the statements of the step.
        role: of the session; empty where there are no roles.
        others: tables of other models' aggregates that serve and that the views read, and whose they are.
    """

    catalog: Catalog | None
    schema: str
    role: str
    relations: Mapping[str, Relation]
    reads: Mapping[str, frozenset[str]]
    dependents: Mapping[str, tuple[Dependent, ...]]
    columns: Mapping[str, tuple[tuple[str, str], ...]]
    belongings: Mapping[str, tuple[Belonging, ...]]
    others: Mapping[str, str]

    def obstacle(self, view: str) -> str:
        """Why a stable view cannot be put in its place, with what to do; empty where nothing is in the way."""
        key = view.casefold()
        return obstacle(self.relations.get(key), self.reads.get(key, frozenset()), self.role, self.others)

    def readers(self, view: str) -> tuple[Dependent, ...]:
        """What depends on a view."""
        return self.dependents.get(view.casefold(), ())


def find_nothing(tables: Collection[str]) -> Mapping[str, str]:  # noqa: ARG001 - a `FindServing`
    """For callers who do not ask whose the tables are."""
    return {}


def read_view_places(
    session: WarehouseSession,
    schema: str,
    views: Collection[str],
    others: FindServing,
    tables: Collection[str] | None = (),
) -> ViewPlaces | None:
    """What is in the places of some stable views; None where the warehouse is not known well enough to ask.

    Args:
        others: asked once, about the tables that the views read.
        tables: those that the views are to show, whose columns are read with the others. None: no view is switched, so
            that nothing is read that only a switch needs. A catalog with many tables answers slowly.
    """
    catalog = catalog_of(session, schema)
    if catalog is None:
        return _look_at_places(session, schema, views, others)
    reads, dependents = catalog.reads(views), catalog.dependents(views)
    read_views = [view for view in views if view.casefold() in dependents]
    return ViewPlaces(
        catalog=catalog,
        schema=schema,
        role=catalog.rights().role,
        relations=catalog.relations(views),
        reads=reads,
        dependents=dependents,
        columns=catalog.columns(read_views if tables is None else [*views, *tables]),
        belongings={} if tables is None else catalog.belongings(views),
        others=others(_tables_in(reads)),
    )


def _tables_in(reads: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset(table for tables in reads.values() for table in tables)


def _look_at_places(
    session: WarehouseSession, schema: str, views: Collection[str], others: FindServing
) -> ViewPlaces | None:
    seen = session.look_at(schema, views)
    if seen is None:
        return None
    # An SQL library, which others need not wait for.
    from airflow_atscale_aggs.engine.sql.statements import find_source_names  # noqa: PLC0415

    texts = {name: f"CREATE VIEW v AS {found.text}" for name, found in seen.items() if found.text}
    dialect = session.dialect.sqlglot_name
    reads = {
        name: frozenset(relation for _, relation in find_source_names(text, dialect)[0]) for name, text in texts.items()
    }
    return ViewPlaces(
        catalog=None,
        schema=schema,
        role="",
        relations={name: Relation(name, found.kind, found.owner, True, True) for name, found in seen.items()},
        reads=reads,
        dependents={},
        columns={},
        belongings={},
        others=others(_tables_in(reads)),
    )


def obstacle(relation: Relation | None, reads: frozenset[str], role: str, others: Mapping[str, str]) -> str:
    """Why a stable view cannot be put in its place, with what to do; empty where nothing is in the way.

    Args:
        relation: what is in its place.
        reads: relations that it reads, if it is a view.
        others: tables of aggregates of other models that serve, and whose they are.
    """
    if relation is None:
        return ""
    if relation.kind != "view":
        owner = f" of role `{relation.owner}`" if relation.owner else ""
        return f"a {relation.kind}{owner} has its name; rename the {relation.kind}, or drop it"
    if not any(is_instance_table(table) for table in reads):
        return "a view has its name that shows no aggregate and is not ours; rename that view, or drop it"
    for table in sorted(reads & others.keys()):
        return (
            f"it shows {others[table]}, which has the same name; rename one of the two, or use another schema for one"
        )
    if not relation.may_replace:
        return (
            f"it belongs to role `{relation.owner}`, which role `{role}` may not act for; make `{role}` a member of "
            f"`{relation.owner}`, or its owner"
        )
    return ""


def show_instance(session: WarehouseSession, step: BuildStep, places: ViewPlaces, shown: Mapping[str, Columns]) -> None:
    """Make a stable view show an instance, in the caller's transaction.

    Args:
        step: of the winning attempt, see `BuildStep.of_attempt`.
        shown: columns that the instances have, by helper view; see `make_helper` and `columns_of_tables`.

    Raises:
        ViewStaysError: something of somebody else is in the way; names it.
        WarehouseError: the warehouse refused.
    """
    # An SQL library, which others need not wait for.
    from airflow_atscale_aggs.engine.sql.view_layout import create_statement  # noqa: PLC0415

    why = places.obstacle(step.view)
    if why:
        raise ViewStaysError(step.view, why)
    catalog, relation = places.catalog, places.relations.get(step.view.casefold())
    if catalog is None:
        # The last one lets a view that is there show the instance.
        for sql in step.view_statements if relation is None else step.view_statements[-1:]:
            session.execute(sql)
        return
    dialect, schema = session.dialect, catalog.schema
    if relation is None:
        session.execute(create_statement(step.view, schema, _query_of(session, step), dialect))
        return
    if not relation.is_own:
        for sql in catalog.grants_to_owner(step.view, target=step.target_sql):
            session.execute(sql)
    columns = shown[helper_name(step)]
    layout = _layout(step, columns, places, catalog)
    if _shows_as_planned(step, columns, layout):
        _replace(session, step.view, step.view_statements[-1], places, catalog)
        return
    query = _query_of(session, step)
    if layout.is_alike or catalog.queries.replaces_any_columns:
        replace_sql = create_statement(step.view, schema, query, dialect, layout=layout, replace=True)
        _replace(session, step.view, replace_sql, places, catalog)
    else:
        _make_anew(session, step.view, create_statement(step.view, schema, query, dialect, layout=layout), catalog)


def columns_of_tables(steps: Collection[BuildStep], places: ViewPlaces) -> dict[str, Columns]:
    """Columns of the instances that are shown as they are, by helper view, which these do not need.

    A view that shows all columns of one table, in their order, has the names and types of the table.
    """
    shown = ((step, places.columns.get(step.table.casefold(), ())) for step in steps if step.increment is None)
    return {
        helper_name(step): columns
        for step, columns in shown
        if columns and _is_replaced(step, places) and _names_all(step, columns)
    }


def _names_all(step: BuildStep, columns: Columns) -> bool:
    """Whether the planned view shows these columns, in this order, and nothing else."""
    names = ", ".join('"' + name.replace('"', '""') + '"' for name, _ in columns)
    return f" AS SELECT {names} FROM " in step.view_statements[-1]


def _shows_as_planned(step: BuildStep, columns: Columns, layout: ViewLayout) -> bool:
    """Whether the planned statement gives the view the layout, and replaces what is there."""
    is_plain = layout.is_alike and not (layout.casts or layout.empty)
    is_in_order = layout.order == tuple(name for name, _ in columns) and _names_all(step, columns)
    return is_plain and is_in_order and step.view_statements[-1].startswith("CREATE OR REPLACE VIEW ")


def _is_replaced(step: BuildStep, places: ViewPlaces) -> bool:
    """Whether the stable view is there, and can be switched."""
    return step.view.casefold() in places.relations and not places.obstacle(step.view)


def make_helper(session: WarehouseSession, step: BuildStep, places: ViewPlaces) -> str:
    """Make a view that is there for a moment, so that the catalog tells names and types of what an instance shows.

    Returns:
        Its name; empty where nobody needs it, since the stable view is not there yet or cannot be switched.
    """
    from airflow_atscale_aggs.engine.sql.view_layout import create_statement  # noqa: PLC0415

    if places.catalog is None or not _is_replaced(step, places):
        return ""
    name = helper_name(step)
    query = _query_of(session, step)
    session.execute(create_statement(name, places.schema, query, session.dialect))
    return name


def drop_helpers(session: WarehouseSession, names: Collection[str], catalog: Catalog) -> dict[str, Columns]:
    """Drop helper views; their columns, by name."""
    from airflow_atscale_aggs.engine.sql.view_layout import drop_statement  # noqa: PLC0415

    columns = catalog.columns(names)
    for view in names:
        session.execute(drop_statement(view, catalog.schema, session.dialect))
    return {view: columns[view.casefold()] for view in names}


def helper_name(step: BuildStep) -> str:
    """The helper view that tells the columns of an instance."""
    return f"{step.table}_v"


def _query_of(session: WarehouseSession, step: BuildStep) -> exp.Query:
    """What a stable view selects to show an instance."""
    from airflow_atscale_aggs.engine.sql.view_layout import view_query  # noqa: PLC0415

    return view_query(step.view_statements[-1], session.dialect)


def drop_stable_view(session: WarehouseSession, view: str, places: ViewPlaces) -> None:
    """Drop the stable view of an aggregate that is gone; what is in its place and not ours stays.

    Raises:
        ViewStaysError: something depends on it, or it belongs to somebody else.
        WarehouseError: the warehouse refused.
    """
    from airflow_atscale_aggs.engine.sql.view_layout import drop_statement  # noqa: PLC0415

    relation, reads = places.relations.get(view.casefold()), places.reads.get(view.casefold(), frozenset())
    is_ours = any(is_instance_table(table) for table in reads) and not reads & places.others.keys()
    if relation is None or relation.kind != "view" or not is_ours:
        return
    readers = places.readers(view)
    if readers:
        raise ViewStaysError(
            view, f"its aggregate is gone, but {describe_readers(readers)} reads it, and sees its last rows"
        )
    why = places.obstacle(view)
    if why:
        raise ViewStaysError(view, why)
    session.execute(drop_statement(relation.name, places.schema, session.dialect))


def describe_readers(readers: Collection[Dependent]) -> str:
    """``view public.report``, or the first few of many."""
    names = [str(reader) for reader in readers]
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _layout(step: BuildStep, new: Columns, places: ViewPlaces, catalog: Catalog) -> ViewLayout:
    """The columns that the view is to have, so that what reads it keeps working."""
    from airflow_atscale_aggs.engine.sql.view_layout import compatible_layout, natural_layout  # noqa: PLC0415

    old = places.columns.get(step.view.casefold(), ())
    natural, readers = natural_layout(old, new), places.readers(step.view)
    if natural.is_alike or not readers:
        return natural
    read = {column.casefold() for reader in readers for column in _columns_of_reader(reader, [name for name, _ in old])}
    if catalog.queries.replaces_any_columns:
        gone = [name for name, _ in old if name not in natural.order and name.casefold() in read]
        layout, why = natural, tuple(f"column `{column}` is not stored any more" for column in gone)
    else:
        compatible, why = compatible_layout(old, new, read, catalog.queries)
        layout = compatible or natural
    if why:
        raise ViewStaysError(
            step.view,
            f"{'; '.join(why)}; {describe_readers(readers)} depends on it. Drop that, build, and make it anew. Until "
            "then the view "
            "shows the rows of before",
        )
    return layout


def _columns_of_reader(reader: Dependent, columns: Collection[str]) -> Collection[str]:
    """The columns that a dependent reads.

    A view without columns only counts rows; other dependents without columns read all.
    """
    return reader.columns if reader.columns or reader.kind.endswith("view") else columns


def _replace(session: WarehouseSession, view: str, create_sql: str, places: ViewPlaces, catalog: Catalog) -> None:
    """Replace the view, and give back the belongings that CREATE OR REPLACE VIEW loses."""
    belongings = places.belongings.get(view.casefold(), ())
    lost = [belonging for belonging in belongings if belonging.kind in catalog.queries.lost_by_replace]
    session.execute(create_sql)
    _give_back(session, view, lost, catalog)


def _make_anew(session: WarehouseSession, view: str, create_sql: str, catalog: Catalog) -> None:
    """Drop the view, create it again, and give back all its belongings. Only for views that nothing depends on."""
    from airflow_atscale_aggs.engine.sql.view_layout import drop_statement, render_name  # noqa: PLC0415

    # Read again: somebody may have granted a right meanwhile, which the new view must have.
    belongings = catalog.belongings([view]).get(view.casefold(), ())
    session.execute(drop_statement(view, catalog.schema, session.dialect))
    session.execute(create_sql)
    # The schema's default privileges may grant more than the old view granted.
    for sql in catalog.revocations(view, target=render_name(view, catalog.schema, session.dialect)):
        session.execute(sql)
    _give_back(session, view, belongings, catalog)


def _give_back(session: WarehouseSession, view: str, belongings: Collection[Belonging], catalog: Catalog) -> None:
    from airflow_atscale_aggs.engine.sql.view_layout import render_name  # noqa: PLC0415

    if not belongings:
        return
    columns = {name for name, _ in catalog.columns([view])[view.casefold()]}
    target = render_name(view, catalog.schema, session.dialect)
    for belonging in belongings:
        if not belonging.column or belonging.column in columns:
            session.execute(belonging.statement(target, "VIEW"))
