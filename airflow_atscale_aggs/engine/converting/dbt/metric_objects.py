"""Metrics of dbt as metrics and calculations of SML. Filters travel down to the measures that a metric stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Any

from airflow_atscale_aggs.engine.converting.dbt import time_sets
from airflow_atscale_aggs.engine.converting.dbt.fact_columns import Fact, FactColumns
from airflow_atscale_aggs.engine.converting.dbt.measure_columns import MeasureError, measure_column
from airflow_atscale_aggs.engine.converting.dbt.project_index import ProjectIndex
from airflow_atscale_aggs.engine.converting.dbt.semantic_project import DbtMetric, Input, Measure, NonAdditive
from airflow_atscale_aggs.engine.converting.dbt.where_filters import FilteredTable, FilterError, as_condition
from airflow_atscale_aggs.engine.converting.expression_mdx import (
    ExpressionError,
    as_mdx,
    has_division,
    names_in,
    parse_expression,
)
from airflow_atscale_aggs.engine.converting.expression_mdx import (
    measure as measure_mdx,
)
from airflow_atscale_aggs.engine.converting.findings import FindingList
from airflow_atscale_aggs.engine.converting.sml_objects import SmlObject
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_DEEPEST = 40
_FILTERED = "where no row of a group meets its filter the group is shown, with an empty metric; dbt leaves it out"
_JOINED = "its filter joins {tables} to the rows, as dbt does: a key that is there twice counts them twice"
_DISTINCT = "where no row of a group meets its filter, 0 is shown instead of nothing"
_DIVIDED = "`/` keeps fractions and is empty for a divisor of 0; what a warehouse does with those differs"
_BY_DAY = "it is answered by metric_time__day, with other attributes beside it; by coarser times it is empty"
_BY_WHOLE_PERIODS = "it is answered by metric_time__day, and for whole periods by {grains}; else it is empty"
_BY_PERIOD = "it is answered by metric_time__{grain} and what is finer but weeks; by other times it is empty"
_BY_PERIOD_ALONE = "it is answered by metric_time__{grain}, of whole periods; by other times it is empty"
_BY_OPENING = "it is answered by metric_time__day, and by metric_time__{grain} for whole periods; else it is empty"
_ONE_NAME = "MetricFlow takes numerator and denominator for each other where both are one metric and none has an alias"
_BETWEEN = "a value between two is a floating number; some warehouses round it to the digits of the column"
_ITS_TIMES = (
    "by metric_time alone all times of the spine are shown, empty ones too; beside other attributes only groups with "
    "facts are"
)


class _CannotCarryError(Exception):
    """A metric that is not carried over. Arguments: the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class MetricObjects:
    """Makes the metrics of a project.

    Attributes:
        on_spine: the time spine is needed.
        offsets: periods by one of which a metric is taken earlier.
    """

    index: ProjectIndex
    columns: FactColumns
    findings: FindingList
    objects: list[SmlObject] = field(default_factory=list)
    on_spine: bool = False
    offsets: set[str] = field(default_factory=set)
    _made: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    _differences: dict[str, list[str]] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _refused: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)

    def make(self) -> None:
        """All metrics; each has a finding."""
        self._taken |= set(self.index.metrics)
        for metric in self.index.metrics.values():
            try:
                self._metric(metric, (), ())
            except (_CannotCarryError, MeasureError, FilterError, ExpressionError) as error:
                self.findings.left_out("metric", metric.name, metric.where, error.reason)
                continue
            differences = dict.fromkeys(self._differences.get(metric.name, ()))
            for difference in differences:
                self.findings.partly("metric", metric.name, metric.where, difference)
            if not differences:
                self.findings.carried("metric", metric.name, metric.where)
        if self.on_spine:
            self._count_days()
        self._drop_unused()

    def _metric(self, metric: DbtMetric, filters: tuple[str, ...], above: tuple[str, ...]) -> str:
        """The SML name of a metric under further filters; made when it is first asked for."""
        key = (metric.name, filters)
        if key in self._refused:
            raise _CannotCarryError(self._refused[key])
        if key in self._made:
            return self._made[key]
        if metric.name in above or len(above) > _DEEPEST:
            raise _CannotCarryError(
                "it stands on itself" if metric.name in above else "too many metrics stand on each other"
            )
        makers = {
            "simple": self._simple,
            "ratio": self._ratio,
            "derived": self._derived,
            "cumulative": self._cumulative,
        }
        if metric.type not in makers:
            reason = "conversion metrics have no counterpart in SML" if metric.type == "conversion" else ""
            raise _CannotCarryError(reason or f"its type is `{metric.type}`, none of {', '.join(makers)}")
        name = metric.name if not filters else self._free_name(f"{metric.name}__filtered")
        try:
            makers[metric.type](metric, name, (*metric.filters, *filters), (*above, metric.name))
        except (_CannotCarryError, MeasureError, FilterError, ExpressionError) as error:
            if metric.name not in above:
                self._refused[key] = error.reason
            raise
        self._made[key] = name
        return name

    def _simple(self, metric: DbtMetric, name: str, filters: tuple[str, ...], above: tuple[str, ...]) -> None:  # noqa: ARG002
        source = metric.measure or Input(name=metric.name)
        if not source.fill:
            self._base(metric, name, filters)
        else:
            base = self._free_name(f"{name}__values")
            self._base(metric, base, filters)
            self._calculation(metric, name, f"COALESCE({measure_mdx(base)}, {_number(source.fill)})")
        if source.joins_spine:
            self._differ(name, "days without facts are not shown; dbt shows them by the time spine")

    def _base(self, metric: DbtMetric, name: str, filters: tuple[str, ...]) -> None:
        """The SML metric of the measure of a simple or cumulative metric."""
        found = self.index.table_of_metric(metric)
        if found is None:
            wanted = metric.measure.name if metric.measure is not None else ""
            raise _CannotCarryError(f"it stands on the measure `{wanted}`, which does not exist")
        table, measure = found
        source = metric.measure or Input(name=metric.name)
        place = FilteredTable(table, measure.time, self.index.targets)
        condition = as_condition((*source.filters, *filters), place)
        column = measure_column(measure, condition.sql)
        joined = tuple(condition.joined[name] for name in sorted(condition.joined))
        dataset = self.columns.fact(Fact(table, measure.time, joined))
        value = {
            "dataset": dataset,
            "column": self.columns.column(dataset, column.sql, name),
            **column.properties,
            **self._semi_additive(measure, dataset),
        }
        self._add(metric, "metric", name, value)
        self._tell_measure(name, measure, condition.sql, column.suffix)
        if joined:
            tables = ", ".join(dict.fromkeys(f"`{hop.table.name}`" for each in joined for hop in each.hops))
            self._differ(name, _JOINED.format(tables=tables))

    def _tell_measure(self, name: str, measure: Measure, condition: str, suffix: str) -> None:
        if condition:
            self._differ(name, _DISTINCT if measure.agg == "count_distinct" else _FILTERED)
        if measure.is_approximate:
            self._differ(name, "its percentile is approximate in dbt, and exact here")
        if measure.agg in {"median", "percentile"}:
            self._differ(name, _BETWEEN)
        if suffix:
            self._differ(name, f"it is asked for as `{name}{suffix}`")
        if measure.non_additive is not None:
            word = "last" if measure.non_additive.choice == "max" else "first"
            self._differ(
                name,
                f"each group shows its own {word} day with a value; dbt takes the {word} moment of all rows, and "
                "leaves out groups that have none then",
            )

    def _semi_additive(self, measure: Measure, dataset: str) -> dict[str, Any]:
        rule = measure.non_additive
        if rule is None:
            return {}
        self._check_non_additive(rule, measure)
        self.on_spine = True
        position = "last" if rule.choice == "max" else "first"
        return {"semi_additive": {"position": position, "relationships": [f"{dataset} to metric_time"]}}

    def _check_non_additive(self, rule: NonAdditive, measure: Measure) -> None:
        if rule.groupings:
            raise _CannotCarryError(
                f"its {'last' if rule.choice == 'max' else 'first'} moment is found for each of "
                f"{', '.join(rule.groupings)}, and SML finds it for each group of a query"
            )
        if rule.name != measure.time:
            raise _CannotCarryError(f"it is not added up over `{rule.name}`, which is not its metric_time")
        self._need_spine()

    def _ratio(self, metric: DbtMetric, name: str, filters: tuple[str, ...], above: tuple[str, ...]) -> None:
        if len(metric.inputs) != 2:  # noqa: PLR2004 - numerator and denominator
            raise _CannotCarryError("a ratio needs a numerator and a denominator")
        first, second = metric.inputs
        if first.name == second.name and not (first.alias or second.alias) and first.filters != second.filters:
            self._differ(name, _ONE_NAME)
        ends = [self._input(end, filters, above, name) for end in metric.inputs]
        self._calculation(metric, name, " / ".join(ends))

    def _derived(self, metric: DbtMetric, name: str, filters: tuple[str, ...], above: tuple[str, ...]) -> None:
        inputs = metric.inputs
        by_name = {entry.alias or entry.name: entry for entry in inputs}
        if len(by_name) < len(inputs):
            raise _CannotCarryError("two of its metrics have one name; give one of them an alias")
        if not metric.expression:
            raise _CannotCarryError("it has no expression")
        used = {wanted: by_name[wanted] for wanted in names_in(metric.expression) if wanted in by_name}
        measures = {wanted: self._input(entry, filters, above, name) for wanted, entry in used.items()}
        self._calculation(metric, name, as_mdx(metric.expression, measures))
        if has_division(parse_expression(metric.expression)):
            self._differ(name, _DIVIDED)

    def _input(self, entry: Input, filters: tuple[str, ...], above: tuple[str, ...], name: str) -> str:
        """MDX of a metric that another one stands on."""
        metric = self.index.metrics.get(entry.name)
        if metric is None:
            raise _CannotCarryError(f"it stands on the metric `{entry.name}`, which does not exist")
        try:
            made = self._metric(metric, (*entry.filters, *filters), above)
        except (_CannotCarryError, MeasureError, FilterError, ExpressionError) as error:
            raise _CannotCarryError(f"it stands on `{entry.name}`, which is left out: {error.reason}") from error
        for difference in self._differences.get(made, ()):
            self._differ(name, f"it stands on `{entry.name}`: {difference}")
        mdx = measure_mdx(made)
        if not (entry.offset_window or entry.offset_to_grain):
            return mdx
        self._need_spine()
        self.on_spine = True
        self._differ(name, _ITS_TIMES)
        if entry.offset_to_grain:
            return self._at_opening(entry, (metric, (*entry.filters, *filters)), above, name)
        return self._earlier(entry, mdx, name)

    def _earlier(self, entry: Input, mdx: str, name: str) -> str:
        """A metric some days or periods earlier."""
        window = time_sets.window_of(entry.offset_window)
        if window is None:
            raise _CannotCarryError(f"it takes `{entry.name}` {entry.offset_window} earlier, which is no window")
        number, grain = window
        days = time_sets.window_days(entry.offset_window)
        if days is not None:
            self._differ(name, _BY_DAY)
            return time_sets.earlier(mdx, days)
        if number == 1:
            self.offsets.add(grain)
        self._differ(name, (_BY_PERIOD if number == 1 else _BY_PERIOD_ALONE).format(grain=grain))
        return time_sets.periods_earlier(mdx, number, grain)

    def _at_opening(
        self, entry: Input, wanted: tuple[DbtMetric, tuple[str, ...]], above: tuple[str, ...], name: str
    ) -> str:
        """A metric at the first day of the period."""
        metric, filters = wanted
        grain = entry.offset_to_grain
        if not time_sets.is_period(grain):
            raise _CannotCarryError(f"it takes `{entry.name}` at the beginning of each {grain}")
        if metric.type != "simple" or (metric.measure is not None and metric.measure.fill):
            raise _CannotCarryError(f"it takes `{entry.name}`, which is itself calculated, at an earlier time")
        whole = self._metric(metric, filters, above)
        opening = self._metric(metric, (*filters, time_sets.opening_filter(grain)), above)
        self._differ(name, _BY_OPENING.format(grain=grain))
        return time_sets.at_opening(measure_mdx(whole), measure_mdx(opening), grain)

    def _cumulative(self, metric: DbtMetric, name: str, filters: tuple[str, ...], above: tuple[str, ...]) -> None:
        base = self._cumulated_base(metric, name, filters, above)
        days = time_sets.window_days(metric.window) if metric.window else None
        if metric.window and not days:
            raise _CannotCarryError(f"its window is `{metric.window}`, whose number of days is not fixed")
        if metric.grain_to_date and not time_sets.is_period(metric.grain_to_date):
            raise _CannotCarryError(f"it is cumulated within each {metric.grain_to_date}")
        self._need_spine()
        self.on_spine = True
        by_day = time_sets.cumulated(measure_mdx(base), days=days, grain=metric.grain_to_date)
        grains, by_period = self._by_periods(metric, (name, base), filters, above) if days is None else ((), "")
        self._calculation(metric, name, f"COALESCE({by_day}, {by_period})" if grains else by_day)
        told = ", ".join(f"metric_time__{grain}" for grain in grains)
        self._differ(name, _BY_WHOLE_PERIODS.format(grains=told) if grains else _BY_DAY)
        self._differ(name, _ITS_TIMES)

    def _by_periods(
        self, metric: DbtMetric, names: tuple[str, str], filters: tuple[str, ...], above: tuple[str, ...]
    ) -> tuple[tuple[str, ...], str]:
        """What the first or last day of a period has cumulated, as far as a set says it: (grains, MDX)."""
        name, base = names
        grain = metric.grain_to_date
        if metric.period == "last":
            return time_sets.periods_to_end(measure_mdx(base), grain)
        if metric.period != "first" or grain not in time_sets.PERIODS:
            return (), ""
        openings = {
            period: measure_mdx(self._cumulated_base(metric, name, (*filters, time_sets.opening_filter(period)), above))
            for period in time_sets.PERIODS[time_sets.PERIODS.index(grain) :]
        }
        return tuple(openings), time_sets.periods_from_first_days(openings)

    def _cumulated_base(self, metric: DbtMetric, name: str, filters: tuple[str, ...], above: tuple[str, ...]) -> str:
        """What is cumulated: a measure, or in the newer way a simple metric."""
        source = metric.measure
        if source is not None and source.name in self.index.metrics and source.name not in self.index.measures:
            inner = self.index.metrics[source.name]
            if inner.type != "simple" or (inner.measure is not None and inner.measure.fill):
                raise _CannotCarryError(f"it cumulates `{source.name}`, which is itself calculated")
            return self._metric(inner, (*source.filters, *filters), above)
        found = self.index.table_of_metric(metric)
        if found is not None and found[1].non_additive is not None:
            raise _CannotCarryError("it cumulates a measure that is not added up over time")
        base = self._free_name(f"{name}__measure")
        self._base(metric, base, filters)
        for difference in self._differences.get(base, ()):
            self._differ(name, difference)
        return base

    def _need_spine(self) -> None:
        if self.index.day_spine is None:
            raise _CannotCarryError("it needs a time spine of days, and the project has none")

    def _calculation(self, metric: DbtMetric, name: str, expression: str) -> None:
        self._add(metric, "metric_calc", name, {"expression": expression})

    def _add(self, metric: DbtMetric, kind: str, name: str, value: dict[str, Any]) -> None:
        is_own = name == metric.name
        shown = {
            "unique_name": name,
            "object_type": kind,
            "label": (metric.label or name) if is_own else name,
            **value,
            **({"description": metric.description} if metric.description and is_own else {}),
            **({} if is_own and not metric.is_hidden else {"is_hidden": True}),
        }
        purpose = "From" if is_own else "Serves"
        self.objects.append(
            SmlObject(shown, (f"{purpose} the {metric.type} metric `{metric.name}` at {metric.where}.",))
        )

    def _count_days(self) -> None:
        spine = self.index.day_spine
        assert spine is not None  # noqa: S101 - `on_spine` is set behind `_need_spine`
        dataset = self.columns.spine(spine)
        value = {
            "unique_name": time_sets.DAYS_METRIC,
            "object_type": "metric",
            "label": time_sets.DAYS_METRIC,
            "calculation_method": "sum",
            "dataset": dataset,
            "column": self.columns.column(dataset, "1", "one"),
            "unrelated_dimensions_handling": "repeat",
            "is_hidden": True,
        }
        self.objects.append(SmlObject(value, ("Tells whether one day is meant; cumulative metrics need it.",)))

    def _differ(self, name: str, difference: str) -> None:
        self._differences.setdefault(name, []).append(difference)

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name

    def _drop_unused(self) -> None:
        """Leave out what was made for a metric that was left out in the end."""
        kept = set(self.index.metrics) | {time_sets.DAYS_METRIC}
        needed = {made.name for made in self.objects if made.name in kept}
        while True:
            texts = [str(made.value.get("expression", "")) for made in self.objects if made.name in needed]
            more = {
                made.name
                for made in self.objects
                if made.name not in needed and any(measure_mdx(made.name) in text for text in texts)
            }
            if not more:
                break
            needed |= more
        self.objects = [made for made in self.objects if made.name in needed]

    def listed(self) -> Iterator[str]:
        """Names of all metrics and calculations that were made, sorted."""
        yield from sorted(made.name for made in self.objects)


def _number(text: str) -> str:
    try:
        return f"{int(text)}" if int(text) >= 0 else f"(-{-int(text)})"
    except ValueError as error:
        raise _CannotCarryError(f"`fill_nulls_with` is `{text}`, which is no whole number") from error
