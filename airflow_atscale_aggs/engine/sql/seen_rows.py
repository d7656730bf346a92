"""The rows that somebody may see, as SQL: a relation in place of the table, and a fence around it.

    SELECT f.*, TRUE AS "row is seen" FROM "sales" AS f
    WHERE f."shop_id" IN (SELECT s."shop_id" FROM "shop" AS s WHERE s."city" IN (
      SELECT r."city" FROM "rights" AS r WHERE CAST(r."person" AS TEXT) = 'ann')) OFFSET 0

Rows are looked for by IN, so that no row of a security dataset multiplies facts, and NULL is never seen.

An expression that fails for a row tells that there is one. So what somebody asks is computed of rows that are seen, and
of no others: every value that he names is ``CASE WHEN "row is seen" THEN value END``, and the warehouse cannot know
"row is seen" before it knows the row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import JoinKind, JoinStep
from airflow_atscale_aggs.engine.model.row_security import Reader, RowRule, RowRules
from airflow_atscale_aggs.engine.model.semantic_model import RowSecurity, SecurityLink
from airflow_atscale_aggs.engine.sql.capabilities import RowFence
from airflow_atscale_aggs.engine.sql.fact_joins import all_of, groupable
from airflow_atscale_aggs.engine.sql.physical_names import StoredColumns
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier
from airflow_atscale_aggs.engine.sql.sources import Sources

MARKER = "row is seen"


@dataclass(frozen=True, slots=True)
class SeenRows:
    """Conditions for the rows that a reader sees.

    Attributes:
        unique_keys: (dataset, columns) that the data proved to hold no value twice.
    """

    rules: RowRules
    securities: Mapping[str, RowSecurity]
    sources: Sources
    reader: Reader
    unique_keys: Collection[tuple[str, tuple[str, ...]]]

    def of_dataset(self, dataset: str, rule: RowRule, alias: str) -> exp.Expr:
        """The condition for rows of a dataset that stands under an alias."""
        conditions = [self._along(guard.steps, guard.link, dataset, alias) for guard in rule.guards]
        if rule.met_by:
            met = [self._met(dataset, fact, steps, alias) for fact, steps in rule.met_by if self._is_told(fact)]
            conditions.append(exp.Paren(this=exp.or_(*met, copy=False)) if met else exp.false())
        return all_of(conditions)

    def of_aggregate(self, rule: RowRule, layout: StoredColumns, alias: str) -> exp.Expr:
        """The condition for rows of an aggregate's table that stores a carrier of each guard."""
        conditions: list[exp.Expr] = []
        for guard in rule.guards:
            carrier = next(bound for bound in guard.carriers if bound.attribute in layout.attributes)
            stored = layout.attributes[carrier.attribute].columns[carrier.columns.index(guard.link.column)]
            conditions.append(self._is_key(column_of(stored, alias), guard.link))
        return all_of(conditions)

    def restrict(self, relation: exp.Expr, alias: str, condition: exp.Expr) -> exp.Expr:
        """What stands in place of a relation, under the same alias: its rows that meet a condition, and the marker."""
        everything = exp.Column(this=exp.Star(), table=identifier(alias))
        fence = self.sources.dialect.fence
        is_opaque = fence is RowFence.OFFSET
        marker: exp.Expr = exp.true() if is_opaque else exp.LT(this=exp.Rand(), expression=exp.Literal.number(2))
        select = exp.Select(expressions=[everything, alias_as(marker, MARKER)])
        select = select.from_(relation, copy=False).where(condition, copy=False)
        if is_opaque:
            select = select.offset(0, copy=False)
        return exp.Subquery(this=select, alias=exp.TableAlias(this=identifier(alias)))

    def is_unique(self, step: JoinStep) -> bool:
        """Whether a join meets one row at the most."""
        return step.kind is not JoinKind.BRIDGE and (step.to_dataset, step.to_columns) in self.unique_keys

    def _is_told(self, fact: str) -> bool:
        return not self.rules.of(fact).refusal

    def _along(self, steps: tuple[JoinStep, ...], link: SecurityLink, dataset: str, alias: str) -> exp.Expr:
        """A row leads to rows that are seen, and to no others; NULL and what leads nowhere does not."""
        source = self.sources[dataset]
        if not steps:
            return self._is_key(source.column(link.column, alias), link)
        step, target = steps[0], self.sources[steps[0].to_dataset]
        inner = f"seen_{len(steps)}"
        keys = [target.column(column, inner) for column in step.to_columns]
        condition = self._along(steps[1:], link, step.to_dataset, inner)
        select = exp.Select(expressions=[key.copy() for key in keys]).from_(target.relation(inner), copy=False)
        if self.is_unique(step):
            select.where(condition, copy=False)
        else:
            # Of several rows of one key, all must be seen.
            one = exp.Case(ifs=[exp.If(this=condition, true=exp.Literal.number(1))])
            every = exp.EQ(this=exp.Count(this=exp.Star()), expression=exp.Count(this=one))
            select.set("group", exp.Group(expressions=groupable(keys)))
            select.having(every, copy=False)
        return _is_in([source.column(column, alias) for column in step.from_columns], select)

    def _met(self, dataset: str, fact: str, steps: tuple[JoinStep, ...], alias: str) -> exp.Expr:
        """A row is met by rows of a fact that are seen."""
        source, last = self.sources[dataset], steps[-1]
        return _is_in([source.column(column, alias) for column in last.to_columns], self._keys_met(fact, steps))

    def _keys_met(self, fact: str, steps: tuple[JoinStep, ...]) -> exp.Select:
        """The keys that the last of some joins looks for, from rows of a fact that are seen."""
        last, inner = steps[-1], f"met_{len(steps)}"
        source = self.sources[last.from_dataset]
        select = exp.Select(expressions=[source.column(column, inner) for column in last.from_columns])
        select = select.from_(source.relation(inner), copy=False)
        if len(steps) > 1:
            keys = [source.column(column, inner) for column in steps[-2].to_columns]
            return select.where(_is_in(keys, self._keys_met(fact, steps[:-1])), copy=False)
        rule = self.rules.of(fact)
        return select if rule.is_open else select.where(self.of_dataset(fact, rule, inner), copy=False)

    def _is_key(self, value: exp.Expr, link: SecurityLink) -> exp.Expr:
        """A value is among the filter keys of the reader."""
        security = self.securities[link.row_security]
        source, alias = self.sources[security.dataset], "rights"
        owner = exp.cast(source.column(security.ids_column, alias), "text")
        select = exp.Select(expressions=[source.column(security.filter_key_column, alias)])
        select = select.from_(source.relation(alias), copy=False)
        names = (self.reader.user,) if security.id_type == "user" else self.reader.groups or ()
        select.where(_is_one_of(owner, names), copy=False)
        return _is_in([value], select)


def guarded(value: exp.Expr, alias: str) -> exp.Expr:
    """A value of a row that stands under an alias, if the row is seen."""
    return exp.Case(ifs=[exp.If(this=column_of(MARKER, alias), true=value)])


def _is_in(values: list[exp.Expr], select: exp.Select) -> exp.Expr:
    value = values[0] if len(values) == 1 else exp.Tuple(expressions=values)
    return exp.In(this=value, query=exp.Subquery(this=select))


def _is_one_of(owner: exp.Expr, names: Iterable[str]) -> exp.Expr:
    texts: list[exp.Expr] = [exp.Literal.string(name) for name in names]
    if not texts:
        return exp.false()
    return exp.EQ(this=owner, expression=texts[0]) if len(texts) == 1 else exp.In(this=owner, expressions=texts)
