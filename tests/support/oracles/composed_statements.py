"""One star with everything in it, and every kind of statement that the engine composes over it."""

from __future__ import annotations

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.build_step import SOURCE_ATTEMPT, TARGET_ATTEMPT
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import derivation
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, SqlVariant
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.comparison_queries import VerificationComposer
from airflow_atscale_aggs.engine.sql.derivations import select_from_instance
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.physical_names import instance_table
from airflow_atscale_aggs.engine.sql.probes import Claim, find_wanted_dependencies, keys_to_prove, proof_statement
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import (
    count_rows,
    create_table_as,
    drop_table,
    table,
    view_statements,
)

_TYPES = {
    "sales": {"day_id": "integer", "Shop Key": "integer", "reason_id": "integer", "QTY": "integer", "price": "decimal"},
    "day": {
        "day_id": "integer",
        "d_date": "date",
        "month_id": "integer",
        "month_name": "varchar",
        "is_open": "boolean",
    },
    "shop": {"shop_id": "integer", "shop_name": "varchar", "city_id": "integer"},
    "city": {"city_id": "integer", "city_name": "varchar"},
    "sale_reasons": {"reason_id": "integer", "member": "varchar"},
}
_CALCULATED = {"quarter": "QUARTER(d_date)", "kind": "CASE WHEN is_open THEN 'open' ELSE 'closed' END"}

DAY = JoinStep(JoinKind.UNIQUE_KEY, "sales", ("day_id",), "day", ("day_id",))
SHOP = JoinStep(JoinKind.UNIQUE_KEY, "sales", ("Shop Key",), "shop", ("shop_id",))
CITY = JoinStep(JoinKind.UNIQUE_KEY, "shop", ("city_id",), "city", ("city_id",))
REASON = JoinStep(JoinKind.BRIDGE, "sales", ("reason_id",), "sale_reasons", ("reason_id",))


def datasets() -> dict[str, Dataset]:
    """The star's datasets; the city is a query, the day has calculated columns."""
    by_name = {
        name: Dataset(
            name=name, schema="retail", table=name, columns={c: Column(name=c, data_type=t) for c, t in types.items()}
        )
        for name, types in _TYPES.items()
    }
    calculated = {
        name: Column(name=name, data_type="string", variants=(SqlVariant(dialect=None, sql=sql),))
        for name, sql in _CALCULATED.items()
    }
    by_name["day"] = Dataset(name="day", schema="retail", table="day", columns={**by_name["day"].columns, **calculated})
    query = SqlVariant(dialect=None, sql="SELECT c.city_id, UPPER(c.city_name) AS city_name FROM retail.city AS c")
    by_name["city"] = Dataset(name="city", variants=(query,), columns=by_name["city"].columns)
    return by_name


def physical() -> dict[tuple[str | None, str | None, str], dict[str, str]]:
    """The star's tables as the warehouse tells them."""
    return {(None, "retail", name): dict(types) for name, types in _TYPES.items()}


def bound_attribute(
    name: str, dataset: str, keys: tuple[str, ...], name_column: str, steps: tuple[JoinStep, ...], *determines: str
) -> BoundAttribute:
    """An attribute in the role named like its first join's target."""
    role = Role(steps[0].to_dataset) if steps else Role("sales")
    return BoundAttribute(
        attribute=GrainAttribute(role, name),
        label=name,
        dataset=dataset,
        key_columns=keys,
        name_column=name_column,
        steps=steps,
        determines=frozenset(determines),
    )


DAY_LEVEL = bound_attribute("Day", "day", ("day_id",), "d_date", (DAY,), "Month", "Quarter", "Open", "Kind")
MONTH = bound_attribute("Month", "day", ("month_id",), "month_name", (DAY,), "Quarter")
QUARTER = bound_attribute("Quarter", "day", ("quarter",), "quarter", (DAY,))
OPEN = bound_attribute("Open", "day", ("is_open",), "is_open", (DAY,))
KIND = bound_attribute("Kind", "day", ("kind",), "kind", (DAY,))
SHOP_LEVEL = bound_attribute("Shop", "shop", ("shop_id",), "shop_name", (SHOP,), "City")
CITY_LEVEL = bound_attribute("City", "city", ("city_id",), "city_name", (SHOP, CITY))
REASON_LEVEL = bound_attribute("Reason", "sale_reasons", ("member",), "member", (REASON,))

ROLLING = (
    StoredMeasure(StoredFunction.SUM, "sales", "QTY"),
    StoredMeasure(StoredFunction.SUM, "sales", "price"),
    StoredMeasure(StoredFunction.COUNT, "sales", "price"),
    StoredMeasure(StoredFunction.MINIMUM, "sales", "price"),
    StoredMeasure(StoredFunction.MAXIMUM, "sales", "price"),
    StoredMeasure(StoredFunction.CENTERED_SQUARES, "sales", "price"),
)
EXACT = (
    StoredMeasure(StoredFunction.COUNT_DISTINCT, "sales", "price"),
    StoredMeasure(StoredFunction.SUM_DISTINCT, "sales", "QTY"),
)


def part(*attributes: BoundAttribute, measures: tuple[StoredMeasure, ...] = ROLLING) -> FactPart:
    """An aggregate of the sales."""
    return FactPart(fact="sales", attributes=attributes, measures=tuple(sorted({*measures, row_count("sales")})))


FINE = part(DAY_LEVEL, SHOP_LEVEL, REASON_LEVEL, measures=(*ROLLING, *EXACT))
COARSE = part(MONTH, OPEN, KIND, QUARTER, CITY_LEVEL, REASON_LEVEL)
TOTAL = part()


def sources(dialect: Dialect) -> Sources:
    """The star on a warehouse."""
    return Sources(datasets(), physical(), dialect)


def all_constraints() -> ProvenConstraints:
    """Everything that the model claims, proven; the day's key is not unique, so that one row per key is made."""
    unique = frozenset({("shop", ("shop_id",)), ("city", ("city_id",))})
    unique_only = ProvenConstraints(unique_keys=unique)
    return ProvenConstraints(
        unique_keys=unique, functional=find_wanted_dependencies((FINE, COARSE, TOTAL), unique_only)
    )


def target_and_source(dialect: Dialect) -> tuple[exp.Table, exp.Table]:
    """The table that every statement makes, and the one that derived ones read."""
    target = instance_table("e0bc4492-1111", "Größe UDA", dialect, TARGET_ATTEMPT)
    return table(target, "aggs"), table(instance_table("0a1b2c3d-2222", "Fine", dialect, SOURCE_ATTEMPT), "aggs")


def statements(dialect: Dialect) -> dict[str, exp.Expr]:
    """Every kind of statement by a name for people."""
    star_sources, constraints = sources(dialect), all_constraints()
    target, source = target_and_source(dialect)
    composed = {
        f"from facts: {name}": create_table_as(target, select_from_fact(fact_part, star_sources, constraints), dialect)
        for name, fact_part in {"fine": FINE, "coarse": COARSE, "total": TOTAL}.items()
    }
    for name, child in {"coarse": COARSE, "same grain": part(*FINE.attributes), "total": TOTAL}.items():
        parent = part(DAY_LEVEL, SHOP_LEVEL) if child is TOTAL else FINE
        way = derivation(child, parent, constraints.functional)
        assert way is not None, name
        select = select_from_instance(child, parent, way, source, star_sources, constraints)
        composed[f"derived: {name}"] = create_table_as(target, select, dialect)
    for number, statement in enumerate(view_statements(table("agg_sales_fine", "aggs"), target, FINE, dialect)):
        composed[f"view {number}"] = statement
    claims: list[Claim] = [*keys_to_prove((FINE, COARSE)), *sorted(constraints.functional)]
    claims_asked, proof = proof_statement(claims, star_sources, constraints)
    assert proof is not None
    assert claims_asked == tuple(claims)
    return composed | {"proof": proof, "drop": drop_table(target), "count": count_rows(target)}


def comparisons(dialect: Dialect) -> dict[str, str]:
    """The text of every query that compares a table with its facts; those of the fine one have a total and floats."""
    target, _ = target_and_source(dialect)
    composer = VerificationComposer((FINE, COARSE, TOTAL), sources(dialect), all_constraints())
    texts: dict[str, str] = {}
    for name, fact_part in {"fine": FINE, "coarse": COARSE, "total": TOTAL}.items():
        verification = composer.verification(fact_part, target)
        texts |= {f"{name}: facts": verification.facts.sql, f"{name}: table": verification.table.sql}
        for is_sample in (True, False):
            groups = composer.groups_query(fact_part, target, is_sample=is_sample)
            texts[f"{name}: {'sample' if is_sample else 'full'}"] = groups.sql
    return texts
