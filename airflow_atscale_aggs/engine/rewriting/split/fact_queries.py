"""Splits a query into fact queries: for each fact, the attributes that it must reach and the measures that it gives.

    metric's fact reaches all attributes      a fact query with all grouping keys
    it does not, ``repeat``                   a fact query with the keys that it reaches, repeated for the others
    it does not, ``empty``                    no fact query: the metric is NULL
    it does not, ``error`` or nothing said    refused by name

Source: SML reference, ``metric.unrelated_dimensions_handling``; DESIGN "Multi-fact".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure, row_count, stored_measures
from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.quantiles import quantile_name
from airflow_atscale_aggs.engine.model.semantic_model import Metric, SemanticModel
from airflow_atscale_aggs.engine.rewriting.divisions import NumberKind, kind_of_type
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import Frame
from airflow_atscale_aggs.engine.rewriting.model_query import ROW_COUNT, ModelQuery, Ref, attribute_at, references
from airflow_atscale_aggs.engine.rewriting.pinned_attributes import pinned_by
from airflow_atscale_aggs.engine.rewriting.split.context_shifts import Context, ContextShift, shift_of
from airflow_atscale_aggs.engine.rewriting.split.member_moves import member_datasets
from airflow_atscale_aggs.engine.rewriting.split.member_rules import (
    DefaultFilter,
    DefaultMembers,
    check_aggregatable,
)
from airflow_atscale_aggs.engine.rewriting.split.semi_additive import Edge, edges_of
from airflow_atscale_aggs.engine.sql.statements import all_of

ROLLED_UP = {"sum": "sum", "count non-null": "sum", "minimum": "min", "maximum": "max"}
"""The function that makes the value of a set from the values of its members, by calculation method."""


@dataclass(frozen=True, kw_only=True)
class FactQuery:
    """What one fact dataset contributes to a query.

    Attributes:
        fact: the dataset whose rows are aggregated; a dimension's own dataset for a query on members.
        attributes: by place in the query, as this fact reaches them; all that the fact query uses.
        keys: places of the grouping keys that it has.
        metrics: metrics by place in the query; None stands for the number of rows.
        slices: by place of the metric: the condition over A of the rows that it measures.
        sliced: places of attributes that are used by slices only: rows without a member of them stay.
        where: its share of the condition, over A.
        edges: by place of a semi-additive metric: the level whose first or last member it is taken from.
        columns: by place of an attribute: the key column that is meant; its name column elsewhere.
        is_repeated: it lacks some keys and is joined to the other fact queries on those that it has.
        numbers: places of metrics that no fact query has, so that they are empty everywhere, and that are numbers.
        shift: the context shift by which it is measured at other members than those of its rows; None: at those.
        guards: for each condition on the rows that may be seen: attributes of which an aggregate must store one to
            tell them; none where only the facts do.
    """

    fact: str
    attributes: Mapping[int, BoundAttribute]
    keys: tuple[int, ...]
    metrics: Mapping[int, Metric | None]
    where: exp.Expr | None
    is_repeated: bool = False
    slices: Mapping[int, exp.Expr] = field(default_factory=dict)
    sliced: frozenset[int] = frozenset()
    edges: Mapping[int, Edge] = field(default_factory=dict)
    columns: Mapping[int, str] = field(default_factory=dict)
    numbers: frozenset[int] = frozenset()
    shift: ContextShift | None = None
    guards: tuple[tuple[BoundAttribute, ...], ...] = ()

    @property
    def shown(self) -> tuple[int, ...]:
        """Places of the keys that its rows have in the end."""
        return self.shift.shown if self.shift is not None else self.keys

    @cached_property
    def needed(self) -> FactPart:
        """What an aggregate must have to serve: the grain of all that is used, and the stored pieces of the metrics."""
        pieces = {piece for metric in self.metrics.values() for piece in pieces_of(metric, self.fact)}
        own = list(dict.fromkeys(self.attributes[at] for at in sorted(self.attributes)))
        levels = {edge.level.attribute: edge.level for edge in self.edges.values()}
        attributes = (*own, *(levels[attribute] for attribute in levels.keys() - {bound.attribute for bound in own}))
        return FactPart(fact=self.fact, attributes=attributes, measures=tuple(sorted({*pieces, row_count(self.fact)})))


def pieces_of(metric: Metric | None, fact: str) -> tuple[StoredMeasure, ...]:
    """The stored pieces that a metric, or the number of rows, is made of."""
    if metric is None:
        return (row_count(fact),)
    return stored_measures(metric.calculation_method, metric.dataset, metric.column)


def split_by_fact(query: ModelQuery, model: SemanticModel, paths: JoinPaths) -> tuple[FactQuery, ...]:
    """The fact queries of a query, those with all keys first. A query on members is one, on a dimension's dataset.

    Raises:
        UnsupportedQueryError: a metric cannot be answered, or not together with an attribute.
    """
    return _Splitter(query, model, paths).split()


@dataclass(frozen=True, slots=True)
class _MetricGroup:
    """What metrics have in common that one fact query gives.

    Attributes:
        frame: the other members at which they are measured; None: at those of their rows.
        lacks_keys: their fact does not reach all attributes of the query.
        adds_up: values of several members make the value of all of them.
    """

    fact: str
    frame: Frame | None
    lacks_keys: bool
    adds_up: bool


class _Splitter:
    """Splits one query."""

    def __init__(self, query: ModelQuery, model: SemanticModel, paths: JoinPaths) -> None:
        self._query, self._model, self._paths = query, model, paths
        self._defaults = DefaultMembers(query, model)
        self._key_attributes = [frozenset(references(key, Ref.ATTRIBUTE)) for key in query.keys]
        plain = (*query.keys, *query.members, query.where)
        used = {at for expression in plain for at in references(expression, Ref.ATTRIBUTE)}
        self._joined = frozenset(at for join in query.joins for at in references(join.on, Ref.ATTRIBUTE))
        self._used = frozenset(used | set(query.required_joins) | self._joined)
        self._conjuncts = list(query.where.flatten()) if isinstance(query.where, exp.And) else [query.where]

    def split(self) -> tuple[FactQuery, ...]:
        """The fact queries, those with all keys first."""
        self._check_slices()
        if self._query.frames and self._query.members:
            clause = self._query.members[0].key.upper()
            raise UnsupportedQueryError(clause, "beside metrics that are measured at other members it is not answered")
        if not self._query.metrics:
            return (self._member_query(),)
        groups: dict[_MetricGroup, dict[int, Metric | None]] = {}
        for place, metric in enumerate(self._metrics()):
            fact = (
                metric.dataset if metric is not None else self._query.counted_facts.get(place) or self._fact_of_rows()
            )
            missing = self._unreachable_places(fact)
            if missing and not self._is_computed_without(metric, missing):
                continue
            frame = self._query.frames.get(place)
            if frame is not None and missing:
                reason = "it is measured at other members, and repeated for attributes that it is not related to"
                raise UnsupportedQueryError(self._query.metrics[place], reason, "Leave one of them out.")
            adds_up = frame is None or metric is None or metric.calculation_method in ROLLED_UP
            group = _MetricGroup(fact, frame, lacks_keys=bool(missing), adds_up=adds_up)
            groups.setdefault(group, {})[place] = metric
        self._add_rows(groups)
        candidates = [
            self._fact_query_at(group.fact, metrics, group.frame, lacks=group.lacks_keys)
            for group, metrics in groups.items()
        ]
        fact_queries = self._with_empty_numbers([fact_query for fact_query in candidates if fact_query is not None])
        self._check_related(fact_queries)
        return tuple(sorted(fact_queries, key=lambda part: (part.is_repeated, part.shift is not None)))

    def _check_related(self, fact_queries: Sequence[FactQuery]) -> None:
        """Refuse a query whose metrics are all unrelated to its attributes, or whose members have several meanings."""
        if all(fact_query.is_repeated for fact_query in fact_queries):
            names = ", ".join(f"`{self._query.attributes[at].query_name}`" for at in self._unrelated_places())
            reason = f"none of its metrics is related to {names}"
            raise UnsupportedQueryError(self._list_names(self._query.metrics), reason, "Add a metric that is.")
        counted = [member for member in self._query.members if isinstance(member, exp.Count)]
        has_repeated = any(fact_query.is_repeated for fact_query in fact_queries)
        if self._query.members and len(fact_queries) > 1 and (counted or has_repeated):
            shown = (*counted, *self._query.members)[0].key
            raise UnsupportedQueryError(shown.upper(), "with metrics of several facts it has no one meaning")

    def _add_rows(self, groups: dict[_MetricGroup, dict[int, Metric | None]]) -> None:
        """Add the groups of each fact with shifted metrics, which are shown there also where nothing is measured."""
        framed = dict.fromkeys(group.fact for group in groups if group.frame is not None)
        for fact in framed:
            groups.setdefault(_MetricGroup(fact, None, lacks_keys=False, adds_up=True), {})

    def _metrics(self) -> Iterable[Metric | None]:
        for place, name in enumerate(self._query.metrics):
            if name == ROW_COUNT:
                yield None
                continue
            metric = self._metric(name)
            if place in self._query.methods:
                metric = replace(metric, calculation_method=self._query.methods[place])
            if metric.calculation_method == "percentile" and len(metric.quantiles) != 1:
                shown = self._model.query_names.get(name, name)
                names = self._list_names(f"`{quantile_name(shown, quantile)}`" for quantile in metric.quantiles)
                remedy = f"Ask for {names}." if names else f"Add `named_quantiles` to it at {metric.where}."
                reason = f"it is a percentile metric of {len(metric.quantiles)} quantiles, and says none by itself"
                raise UnsupportedQueryError(name, reason, remedy)
            yield metric

    def _metric(self, name: str) -> Metric:
        metric = self._model.metric(name)
        assert metric is not None  # noqa: S101 - names of a query were looked up when it was read
        return metric

    def _fact_of_rows(self) -> str:
        """The fact whose rows COUNT(*) counts: that of the other metrics, else the model's only one."""
        facts = {self._metric(name).dataset for name in self._query.metrics if name != ROW_COUNT}
        if not facts:
            facts = {fact for fact in self._model.fact_datasets if not self._unreachable_places(fact)}
        if len(facts) == 1:
            return facts.pop()
        reason = f"the rows of which fact: {', '.join(f'`{fact}`' for fact in sorted(facts))}" if facts else "no fact"
        raise UnsupportedQueryError("COUNT(*)", reason, "Add a metric of the fact, or use a metric that counts.")

    def _unreachable_places(self, fact: str) -> list[int]:
        reached = self._paths.attributes_of(fact)
        return [at for at in sorted(self._used) if self._query.attributes[at] not in reached]

    def _unrelated_places(self) -> list[int]:
        facts = {self._metric(name).dataset for name in self._query.metrics if name != ROW_COUNT}
        return sorted({at for fact in facts for at in self._unreachable_places(fact)})

    def _is_computed_without(self, metric: Metric | None, missing: Sequence[int]) -> bool:
        """Whether a metric that some attributes are unrelated to is computed without them; False: it is NULL."""
        handling = metric.unrelated_dimensions_handling.casefold() if metric is not None else ""
        if handling in {"empty", "repeat"}:
            return handling == "repeat"
        names = ", ".join(f"`{self._query.attributes[at].query_name}`" for at in missing)
        name = metric.name if metric is not None else "COUNT(*)"
        dataset = metric.dataset if metric is not None else self._fact_of_rows()
        reason = f"no relationship leads from its fact `{dataset}` to {names}"
        raise UnsupportedQueryError(name, reason, "Leave one of them out, or set `unrelated_dimensions_handling`.")

    def _fact_query_at(
        self, fact: str, metrics: Mapping[int, Metric | None], frame: Frame | None, *, lacks: bool
    ) -> FactQuery | None:
        """A fact query, at the members of its rows or at others; None when there are none, so that it is empty."""
        if frame is None:
            return self._fact_query(fact, metrics, lacks=lacks)
        reached = self._paths.attributes_of(fact)
        conjuncts = tuple(condition for condition in self._conjuncts if condition is not None)
        name = self._query.metrics[next(iter(metrics))]
        shift = shift_of(frame, name, reached, Context(self._query, self._model, self._paths, conjuncts))
        if shift is None:
            return None
        for metric in metrics.values():
            self._check_frame(metric, frame)
        is_moved = shift.move is not None and shift.function == "aggregate"
        is_over_rows = is_moved and any(
            metric.calculation_method not in ROLLED_UP for metric in metrics.values() if metric
        )
        return self._fact_query(fact, metrics, lacks=False, shift=replace(shift, is_over_rows=is_over_rows))

    @staticmethod
    def _check_frame(metric: Metric | None, frame: Frame) -> None:
        """Refuse a metric whose value at a set of members its rows do not give."""
        assert metric is not None  # noqa: S101 - calculated metrics know no number of rows
        if getattr(frame.form, "function", "") == "aggregate" and metric.semi_additive is not None:
            reason = "`Aggregate` of a semi-additive metric is not answered"
            raise UnsupportedQueryError(metric.name, reason, "Leave it out.")

    def _fact_query(
        self, fact: str, metrics: Mapping[int, Metric | None], *, lacks: bool, shift: ContextShift | None = None
    ) -> FactQuery:
        reached = self._paths.attributes_of(fact)
        here = {at for at in self._used if self._query.attributes[at] in reached}
        keys = self._keys_here(here, fact) if shift is None else shift.keys
        conjuncts = self._conjuncts if shift is None else shift.conditions
        each = {shift.each} if shift is not None and shift.each is not None else set()
        if shift is not None:
            here |= {at for condition in conjuncts for at in references(condition, Ref.ATTRIBUTE)}
        conditions = [term for term in conjuncts if term is not None and self._concerns(term, here, fact)]
        used = {at for key in keys for at in self._key_attributes[key]} | each
        used |= {at for node in (*conditions, *self._query.members) for at in references(node, Ref.ATTRIBUTE)}
        used |= self._joined
        self._check_joins(fact, here, shift)
        used |= self._required_attributes(used, reached) if shift is None else set()
        slices, sliced = self._slices(metrics, reached, fact)
        edges = edges_of(metrics, reached, self._model.relationships)
        for place in edges.keys() & slices.keys():
            reason = "a semi-additive metric under a condition of its own is not answered"
            raise UnsupportedQueryError(self._query.metrics[place], reason, "Filter by the condition in WHERE instead.")
        shown = keys if shift is None else shift.shown
        attributes = {place: reached[self._query.attributes[place]] for place in sorted(used | sliced)}
        defaults = [default for default in self._defaults.filters(reached) if default.attribute in reached]
        columns = self._add_defaults(defaults, attributes, conditions, reached)
        if self._model.not_added_up:
            check_aggregatable(
                self._query, metrics, reached, self._model, self._fixed_attributes(keys, defaults, reached)
            )
        return FactQuery(
            fact=fact,
            attributes=attributes,
            columns=columns,
            slices=slices,
            sliced=frozenset(sliced - used),
            edges=edges,
            keys=keys,
            metrics=metrics,
            where=all_of(condition.copy() for condition in conditions) if conditions else None,
            is_repeated=(lacks or shift is not None) and len(shown) < len(self._query.keys),
            shift=shift,
        )

    def _check_joins(self, fact: str, here: Collection[int], shift: ContextShift | None) -> None:
        """Refuse joined relations beside a shifted metric, or where the fact does not reach an attribute of a join."""
        if self._query.joins and shift is not None:
            reason = "a metric that is measured at other members is not answered beside a joined relation"
            raise UnsupportedQueryError("JOIN", reason, "Put `SELECT … FROM model` into a subquery and join that.")
        for at in self._joined - set(here):
            name = self._query.attributes[at].query_name
            reason = f"a relation is joined by it, and no relationship leads to it from `{fact}`"
            raise UnsupportedQueryError(name, reason, "Ask for the metrics of each fact by themselves.")

    def _required_attributes(self, used: set[int], reached: Mapping[GrainAttribute, BoundAttribute]) -> set[int]:
        """One attribute for each join that drops rows although the query uses none of its attributes otherwise."""
        bounds = {at: reached.get(self._query.attributes[at]) for at in (*used, *self._query.required_joins)}
        ways = {bound.steps for place, bound in bounds.items() if place in used and bound is not None}
        required: set[int] = set()
        for place in self._query.required_joins:
            bound = bounds[place]
            if bound is not None and bound.steps and not bound.keeps_rows and bound.steps not in ways:
                ways.add(bound.steps)
                required.add(place)
        return required

    def _slices(
        self, metrics: Iterable[int], reached: Mapping[GrainAttribute, BoundAttribute], fact: str
    ) -> tuple[dict[int, exp.Expr], set[int]]:
        """By place of the metric: the condition of a tuple, or of the query, and the attributes that they use."""
        tuples = {
            metric_place: self._query.slices[metric_place]
            for metric_place in metrics
            if metric_place in self._query.slices
        }
        self._check_members(
            {at for condition in tuples.values() for at in references(condition, Ref.ATTRIBUTE)}, reached, fact
        )
        filters = {
            metric_place: self._query.filters[metric_place]
            for metric_place in metrics
            if metric_place in self._query.filters
        }
        for at in {at for condition in filters.values() for at in references(condition, Ref.ATTRIBUTE)}:
            self._check_filter(self._query.attributes[at], reached, fact)
        slices = dict(tuples)
        for place, condition in filters.items():
            slices[place] = all_of([slices[place].copy(), condition.copy()]) if place in slices else condition
        return slices, {at for condition in slices.values() for at in references(condition, Ref.ATTRIBUTE)}

    @staticmethod
    def _check_filter(attribute: GrainAttribute, reached: Mapping[GrainAttribute, BoundAttribute], fact: str) -> None:
        if attribute not in reached:
            reason = f"a metric of `{fact}` is measured under a condition on it, and no relationship leads there"
            raise UnsupportedQueryError(attribute.query_name, reason, "Leave the condition or the metric out.")

    def _add_defaults(
        self,
        defaults: Iterable[DefaultFilter],
        attributes: dict[int, BoundAttribute],
        conditions: list[exp.Expr],
        reached: Mapping[GrainAttribute, BoundAttribute],
    ) -> dict[int, str]:
        """Add the conditions of default members and their attributes; returns the key columns to compare, by place."""
        columns: dict[int, str] = {}
        for default in defaults:
            for column, text in default.tests:
                place = len(self._query.attributes) + len(attributes)
                attributes[place] = reached[default.attribute]
                if column is not None:
                    columns[place] = column
                member = exp.Placeholder(this=f"{Ref.ATTRIBUTE}{place}")
                conditions.append(exp.EQ(this=member, expression=exp.Literal.string(text)))
        return columns

    def _fixed_attributes(
        self,
        keys: Iterable[int],
        defaults: Iterable[DefaultFilter],
        reached: Mapping[GrainAttribute, BoundAttribute],
    ) -> set[GrainAttribute]:
        """Attributes of which a group has one member: by a key, a condition or a default, or determined by these."""
        fixed = {self._query.attributes[at] for at in pinned_by(self._query.where)}
        fixed |= {default.attribute for default in defaults}
        for key_place in keys:
            key = attribute_at(self._query.keys[key_place])
            fixed |= {self._query.attributes[key]} if key is not None else set()
        determined = {
            GrainAttribute(attribute.role, name)
            for attribute in fixed
            for name in (reached[attribute].determines if attribute in reached else ())
        }
        return fixed | determined

    def _with_empty_numbers(self, fact_queries: list[FactQuery]) -> list[FactQuery]:
        """The fact queries, each with the places of number metrics that no fact query has."""
        nowhere = set(range(len(self._query.metrics))) - {
            metric_place for fact_query in fact_queries for metric_place in fact_query.metrics
        }
        if not nowhere:
            return fact_queries
        numbers = frozenset(metric_place for metric_place in nowhere if self._is_number(metric_place))
        return [replace(fact_query, numbers=numbers) for fact_query in fact_queries]

    def _is_number(self, place: int) -> bool:
        metric = self._model.metrics.get(self._query.metrics[place])
        if metric is None or not metric.calculation_method.startswith(("min", "max")):
            return True
        dataset = self._model.datasets.get(metric.dataset)
        column = dataset.columns.get(metric.column) if dataset is not None else None
        kind = kind_of_type((column.data_type or "").casefold() if column is not None else "")
        return kind is not NumberKind.UNKNOWN

    def _keys_here(self, here: set[int], fact: str) -> tuple[int, ...]:
        for place, behind in enumerate(self._key_attributes):
            if behind & here and not behind <= here:
                raise UnsupportedQueryError(self._query.name_of_key(place), f"only a part of it is related to `{fact}`")
        return tuple(place for place, used in enumerate(self._key_attributes) if used <= here)

    def _check_slices(self) -> None:
        """Refuse a tuple whose dimension the query uses as well: the tuple's member replaces that of the row."""
        roles = {self._query.attributes[at].role for at in self._used}
        for place, condition in self._query.slices.items():
            name = self._query.metrics[place]
            for at in references(condition, Ref.ATTRIBUTE):
                attribute = self._query.attributes[at]
                if attribute.role in roles:
                    reason = f"a tuple fixes `{attribute.query_name}`, whose dimension the query uses as well"
                    raise UnsupportedQueryError(name, reason, "Leave that dimension out of the query.")
            if self._metric(name).calculation_method.startswith(("stddev", "var")):
                reason = "deviations of a tuple's members are not answered"
                raise UnsupportedQueryError(name, reason, "Filter by the member instead.")

    def _check_members(
        self, sliced: Iterable[int], reached: Mapping[GrainAttribute, BoundAttribute], fact: str
    ) -> None:
        for place in sliced:
            attribute = self._query.attributes[place]
            bound = reached.get(attribute)
            if bound is None:
                raise UnsupportedQueryError(attribute.query_name, f"a tuple names it, but `{fact}` does not reach it")
            if bound.is_many_to_many:
                reason = "a tuple names it, and rows have several members of it, which would count the others twice"
                raise UnsupportedQueryError(attribute.query_name, reason, "Filter by it instead.")
            if bound.key_columns != (bound.name_column,):
                reason = "a tuple names its member by a key that queries do not see"
                raise UnsupportedQueryError(attribute.query_name, reason, "Filter by its name instead.")

    def _concerns(self, condition: exp.Expr, here: set[int], fact: str) -> bool:
        """Whether a condition holds for a fact's rows; one on unrelated attributes alone does not."""
        used = set(references(condition, Ref.ATTRIBUTE))
        if used and not used & here:
            return False
        if not used <= here:
            name = self._query.attributes[min(used - here)].query_name
            reason = f"the condition on `{name}` is bound to others that are related to `{fact}`, and it is not"
            raise UnsupportedQueryError("WHERE", reason, "Ask for the metrics of each fact by themselves.")
        return True

    def _member_query(self) -> FactQuery:
        """Members of one dimension, read from its own datasets; the role does not matter to them."""
        roles = sorted({attribute.role for attribute in self._query.attributes})
        shown = self._list_names(attribute.query_name for attribute in self._query.attributes)
        if len(roles) != 1:
            reason = f"attributes of {len(roles)} dimensions are linked by facts, and it names no metric"
            raise UnsupportedQueryError(shown, reason, "Add a metric of the fact that links them.")
        wanted = [GrainAttribute(Role(roles[0].dimension), attribute.name) for attribute in self._query.attributes]
        for dataset in member_datasets(self._model.dimensions[roles[0].dimension]):
            reached = self._paths.attributes_of(dataset)
            if all(attribute in reached for attribute in wanted):
                return FactQuery(
                    fact=dataset,
                    attributes={place: reached[attribute] for place, attribute in enumerate(wanted)},
                    keys=tuple(range(len(self._query.keys))),
                    metrics={},
                    where=self._query.where,
                )
        reason = f"no dataset of dimension `{roles[0].dimension}` has them all"
        raise UnsupportedQueryError(shown, reason, "Add a metric of the fact that links them.")

    @staticmethod
    def _list_names(names: Iterable[str]) -> str:
        return ", ".join(names)
