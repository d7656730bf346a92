"""Settings under the product's keys: defaults, ranges, where they may be set.

A model's value wins over the environment's and Airflow's, which win over the default. Keys are matched without case,
as the product's own pages print them both ways. Source: AtScale, "Aggregate Settings" (engine level and model level).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_atscale_aggs.engine.errors import SettingError, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


class VerificationLevel(StrEnum):
    """How far an aggregate is compared with its facts; each level includes the ones before."""

    OFF = "off"
    TOTALS = "totals"
    """Row count, totals, least and greatest values."""

    SAMPLE = "sample"
    """And some of its groups."""

    FULL = "full"
    """And every group."""


class Autonomy(StrEnum):
    """How much the maintenance of a model may do on its own."""

    SUGGEST = "suggest"
    """Tell what could be defined and superseded."""

    DEFINE = "define"
    """Define it; the next batch builds it."""

    BUILD = "define and build"
    """And begin a batch of just that."""


class IndicatorUnitSetting(StrEnum):
    """What one step of a numeric incremental indicator stands for."""

    INFER = "infer"
    """Epoch time by the magnitude of its values; a plain number when the grace period is a bare one."""

    PLAIN = "plain"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    MICROSECONDS = "microseconds"


_MOST = 1_000_000_000
_MOST_DAYS = 100_000
"""So many days before or after today there is still a calendar."""

_MOST_BYTES = 10**18
_LENGTH = re.compile(r"([1-9][0-9]{0,8}[smhdw]?)?")


def _setting(
    key: str,
    default: Any,
    meaning: str,
    *,
    least: int | None = None,
    most: int = _MOST,
    check: Callable[[str], bool] | None = None,
) -> Any:
    metadata = {"key": key, "meaning": meaning, "least": least, "most": most, "check": check}
    return field(default=default, metadata=metadata)


def _zone(name: str) -> ZoneInfo | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - for those who name a zone

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


_NEXT_BATCH = "what is new is built by the next batch, and an import begins one, or not, by its own option"
_ONE_STORE = "all aggregates live in the one warehouse of their facts"

WITHOUT_EFFECT: Mapping[str, str] = {
    "aggregates.create.joins.nonInner.enabled": (
        "joins of aggregates lose no rows of a fact and tell those that met no member, so any join of a model gives "
        "the same "
        "answer as on the facts, in every role"
    ),
    "aggregates.create.joins.prime.compression": f"there is no preferred storage; {_ONE_STORE}",
    "aggregates.dimensional.allowJoinsToSecondaries.enabled": (
        "dimension-only aggregates are tables, not kept in memory"
    ),
    "aggregates.tableCache.enabled": "dimension-only aggregates are tables, not kept in memory",
    "aggregates.new.build.scheduled": _NEXT_BATCH,
    "aggregates.uda.build.scheduled": _NEXT_BATCH,
    "aggregates.predictionDefined.build.scheduled": _NEXT_BATCH,
    "aggregates.create.buildFromExisting": (
        "first instances are derived as all are: `aggregates.batch.buildFromExisting.enabled`"
    ),
    "aggregates.batch.reuseOrderingGraph.enabled": "the order of a batch is made anew each time, which is quick",
    "aggregates.batch.cubeDataRequests.parallelism": (
        "a batch asks for nothing but builds: `aggregates.batch.maxConcurrentBuilds`"
    ),
    "aggregate.maintenance.enabled": "maintenance is a DAG of Airflow: pause that",
    "aggregate.maintenance.byorganization.pausescheduledjobs": "maintenance is a DAG of Airflow: pause that",
}
"""Keys of the product that are understood and change nothing here, each with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, as one value. `with_values` takes product keys."""

    max_failures: int = _setting(
        "aggregates.batch.max.failures", 0, "failed aggregates tolerated before a batch is failed", least=0
    )
    max_attempts_per_aggregate: int = _setting(
        "aggregates.batch.retry.maxAttemptsPerAggregate", 3, "attempts of one aggregate within one batch", least=1
    )
    max_attempts_per_batch: int = _setting(
        "aggregates.batch.retry.maxAttemptsPerBatch", 5, "failed attempts of a batch before it retries no more", least=1
    )
    build_from_existing: bool = _setting(
        "aggregates.batch.buildFromExisting.enabled", True, "derive aggregates from others of the same batch"
    )
    build_from_existing_threshold: int = _setting(
        "aggregates.batch.buildFromExisting.threshold",
        100,
        "order by derivability only when a batch has fewer aggregates than this",
        least=0,
    )
    group_by_codes: bool = _setting(
        "aggregates.batch.groupByCodes.enabled", True, "group facts by codes of members and attach names afterwards"
    )
    attributes_threshold: int = _setting(
        "aggregates.batch.cube.attributes.threshold",
        250,
        "order by derivability only when the batch's aggregates use fewer attributes than this",
        least=0,
    )
    queue_priority_mode: int = _setting(
        "aggregate.queue.priority.mode",
        1,
        "0: definitions without an instance first; 1: rebuilds first; 2: by age of the definition",
        least=0,
    )
    user_defined_first: bool = _setting(
        "aggregate.queue.priority.userDefined.enabled", False, "user-defined aggregates before system-defined ones"
    )
    max_concurrent_builds: int = _setting(
        "aggregates.batch.maxConcurrentBuilds", 1, "aggregates built at the same time", least=1
    )
    verify: VerificationLevel = _setting(
        "aggregates.batch.verify",
        VerificationLevel.TOTALS,
        "how each new aggregate is compared with its facts before it may serve: off, totals, sample, full",
    )
    grace_overrides: bool = _setting(
        "aggregate.batch.gracePeriodOverrides.enabled",
        False,
        "a batch may be given grace periods; needs the next one too",
    )
    grace_overrides_of_model: bool = _setting(
        "aggregate.batch.cube.gracePeriodOverrides.enabled", False, "batches of this model may be given grace periods"
    )
    incremental: bool = _setting(
        "aggregate.incrementalUpdate.enabled",
        True,
        "aggregates of fact datasets with an incremental indicator are made of segments, so that they can grow by "
        "increments",
    )
    max_static_segments: int = _setting(
        "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions",
        10,
        "settled segments of an aggregate before some of them are merged",
        least=2,
    )
    max_segment_length: str = _setting(
        "aggregate.incrementalUpdate.maxSegmentLength",
        "",
        "settled segments are at most so long, such as 7d, so that a named range is made anew at little cost; empty: "
        "of any length",
        check=lambda length: bool(_LENGTH.fullmatch(length)),
    )
    small_segments_rows: int = _setting(
        "aggregate.incrementalUpdate.mergeSmallSegments.rows",
        10_000,
        "the newest settled segments are merged by each increment while they have no more rows than this together; 0: "
        "only when there are too many",
        least=0,
    )
    count_late_rows: bool = _setting(
        "aggregate.incrementalUpdate.countLateRows.enabled",
        True,
        "count the fact rows that increments do not read: late ones are reported, missing ones mean a full rebuild",
    )
    check_older_rows: bool = _setting(
        "aggregate.incrementalUpdate.checkOlderRows.enabled",
        True,
        "compare checksums of the fact rows that increments do not read: a reload with as many rows means a full "
        "rebuild",
    )
    full_rebuild_after_days: int = _setting(
        "aggregate.incrementalUpdate.fullRebuildAfterDays",
        0,
        "an incremental batch rebuilds in full what was not for so many days; 0: never",
        least=0,
        most=_MOST_DAYS,
    )
    indicator_unit: IndicatorUnitSetting = _setting(
        "aggregate.incrementalUpdate.indicatorUnit",
        IndicatorUnitSetting.INFER,
        "of numeric indicators: infer, plain, seconds, milliseconds, microseconds (since 1970)",
    )
    indicator_time_zone: str = _setting(
        "aggregate.incrementalUpdate.indicatorTimeZone",
        "UTC",
        "time zone of indicators that are timestamps without one, such as Europe/Berlin",
        check=lambda name: bool(_zone(name)),
    )
    derive_increments: bool = _setting(
        "aggregate.incrementalUpdate.buildFromExisting.enabled",
        False,
        "derive segments from those of other aggregates of the same batch, rebuilds and increments too",
    )
    joins_may_prevent_incremental: bool = _setting(
        "aggregate.create.joins.allowPreventIncremental.enabled",
        True,
        "aggregates of incremental facts may join datasets that are not immutable, and are then built in full",
    )
    drop_delay_seconds: int = _setting(
        "aggregates.drop.delaySeconds",
        3600,
        "how long a superseded table is kept; longer than the longest query",
        least=0,
    )
    lease_seconds: int = _setting(
        "aggregates.batch.leaseSeconds", 60, "how long a silent owner of a batch is taken to be alive", least=1
    )
    proof_seconds: int = _setting(
        "query.proofs.maxAgeSeconds",
        300,
        "how long queries rely on keys and hierarchies that the data has proven; activation and deployment end it at "
        "once",
        least=0,
    )
    history: bool = _setting("query.history.enabled", True, "keep a log of the queries that are answered")
    history_days: int = _setting(
        "query.history.retentionDays", 90, "how long queries stay in the log", least=1, most=_MOST_DAYS
    )
    history_literals: bool = _setting(
        "query.history.literals", False, "keep the values of conditions in the log; they may be personal data"
    )

    retention_desired: int = _setting(
        "aggregates.retention.desiredInstances",
        100,
        "instances of system-defined aggregates of a model that are kept, active and inactive",
        least=0,
    )
    retention_excess: int = _setting(
        "aggregates.retention.excessInstances", 10, "how many more there may be before the least used go", least=0
    )
    retention_unused_days: int = _setting(
        "aggregates.retention.removeUnusedDays",
        45,
        "while there are fewer than desired: days after which an unused definition is disabled",
        least=0,
        most=_MOST_DAYS,
    )
    attention_stale_hours: int = _setting(
        "aggregates.attention.staleAfterHours",
        36,
        "hours after which the Aggregates page calls what serves stale, if no batch has built it again",
        least=1,
        most=_MOST_DAYS * 24,
    )
    attention_unused_days: int = _setting(
        "aggregates.attention.unusedAfterDays",
        30,
        "days after which the Aggregates page names what serves and has answered no query",
        least=1,
        most=_MOST_DAYS,
    )
    autonomy: Autonomy = _setting(
        "aggregates.maintenance.autonomy",
        Autonomy.DEFINE,
        "what maintenance may do on its own: suggest, define, define and build",
    )
    predict_all_members: bool = _setting(
        "aggregates.predictionDefined.allMember.enabled",
        True,
        "with `build_speculative_aggs`: one aggregate per fact with all metrics and no attributes",
    )
    predict_dimensions: bool = _setting(
        "aggregates.predictionDefined.dimensionOnly.enabled",
        True,
        "with `build_speculative_aggs`: aggregates of dimensions alone, for lists of filter values",
    )
    predict_dimension_compression: int = _setting(
        "aggregates.predictionDefined.dimensionOnly.compression",
        10,
        "least rows of a dimension per row of its dimension-only aggregate",
        least=1,
    )
    predict_structure: bool = _setting(
        "aggregates.predictionDefined.structure.enabled",
        True,
        "with `build_speculative_aggs`: a few aggregates per fact that the model's structure makes likely",
    )
    predict_structure_number: int = _setting(
        "aggregates.predictionDefined.structure.maximumNumber", 5, "how many of those per fact at the most", least=0
    )
    predict_structure_percent: int = _setting(
        "aggregates.predictionDefined.structure.budgetPercent",
        5,
        "rows of those together, in percent of the facts' rows",
        least=0,
    )
    create_threshold: bool = _setting(
        "aggregates.create.threshold.enabled", True, "hold system-defined aggregates to the compression threshold"
    )
    create_compression: int = _setting(
        "aggregates.create.compression.threshold",
        10,
        "least fact rows per estimated row of a system-defined aggregate",
        least=1,
    )
    narrowing: bool = _setting(
        "aggregates.create.narrowing.enabled",
        True,
        "define aggregates with fewer dimensions than one that is defined",
    )
    widening: bool = _setting(
        "aggregates.create.widening.enabled", True, "define aggregates with more measures than one query asked for"
    )
    widening_measures: int = _setting(
        "aggregates.create.widening.measure.limit", 20, "most measures that widening may add", least=0
    )
    allow_distinct_counts: bool = _setting(
        "aggregates.create.allowExactDistinctCountMeasures.enabled",
        False,
        "define aggregates with exact distinct counts, which serve their own grain only",
    )
    allow_distinct_sums: bool = _setting(
        "aggregates.create.allowDistinctSumMeasures.enabled",
        False,
        "define aggregates with distinct sums, which serve their own grain only",
    )
    secure_dimensions: bool = _setting(
        "aggregates.create.securityDimensions.enabled",
        False,
        "define aggregates in models with row security",
    )
    joins: bool = _setting(
        "aggregates.create.joins.enabled", True, "system-defined aggregates may hold joined attributes"
    )
    join_compression: int = _setting(
        "aggregates.create.joins.compression",
        100,
        "least fact rows per value of a joined attribute; with fewer it is not joined",
        least=1,
    )
    join_depth: int = _setting(
        "aggregates.create.joins.maximumDepth", 3, "most joins between a fact and an attribute", least=0
    )
    join_key_cardinality: int = _setting(
        "aggregates.create.joins.maximumKeyCardinality", 10_000_000, "most values of a key that is joined on", least=1
    )
    demand_number: int = _setting(
        "aggregates.demandDefined.maximumNumber", 20, "most aggregates that one recommendation proposes", least=0
    )
    demand_percent: int = _setting(
        "aggregates.demandDefined.budgetPercent",
        25,
        "rows of the aggregates that the engine defines by demand, in percent of the facts' rows",
        least=0,
    )
    demand_bytes: int = _setting(
        "aggregates.demandDefined.budgetBytes",
        0,
        "estimated bytes of the aggregates that the engine defines by demand; 0: the budget is in rows",
        least=0,
        most=_MOST_BYTES,
    )
    demand_half_life: int = _setting(
        "aggregates.demandDefined.halfLifeDays",
        14,
        "a query this old counts half as much as one of today",
        least=1,
        most=_MOST_DAYS,
    )

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """These settings with product keys overridden; text such as ``"true"`` or ``"5"`` is understood.

        >>> Settings().with_values({"AGGREGATES.BATCH.MAX.FAILURES": "2"}).max_failures
        2

        Keys `WITHOUT_EFFECT` are passed over, whatever their value; callers that have somebody to tell do so.

        Raises:
            SettingError: unknown key (with near ones), a value that is not of the kind, or outside its bounds.
        """
        changes: dict[str, Any] = {}
        specs = {spec.metadata["key"].casefold(): spec for spec in fields(self)}
        for key, value in values.items():
            if why_without_effect(key):
                continue
            spec = specs.get(key.casefold())
            if spec is None:
                keys = [spec.metadata["key"] for spec in fields(self)]
                raise SettingError(key, "there is no such setting", near_names(key, keys))
            check = spec.metadata["check"]
            if check is not None:
                if not check(str(value)):
                    raise SettingError(spec.metadata["key"], f"`{value}` is none that is known here")
                changes[spec.name] = str(value)
                continue
            changes[spec.name] = _parse(value, spec)
        return replace(self, **changes)


def describe_settings(settings: Settings) -> list[tuple[str, Any, Any, str]]:
    """(key, value, default, meaning) of every setting, for people."""
    return [
        (spec.metadata["key"], getattr(settings, spec.name), spec.default, spec.metadata["meaning"])
        for spec in fields(settings)
    ]


def why_without_effect(key: str) -> str:
    """Why a key of the product changes nothing here; empty for any other.

    >>> why_without_effect("AGGREGATES.UDA.BUILD.SCHEDULED")[:34]
    'what is new is built by the next b'
    """
    return next(
        (why for key_without_effect, why in WITHOUT_EFFECT.items() if key_without_effect.casefold() == key.casefold()),
        "",
    )


def find_setting_key(given: str) -> str:
    """The key in the spelling of the product.

    >>> find_setting_key("AGGREGATES.BATCH.MAX.FAILURES")
    'aggregates.batch.max.failures'

    Raises:
        SettingError: nobody knows it; carries near keys.
    """
    keys = {spec.metadata["key"].casefold(): spec.metadata["key"] for spec in fields(Settings)}
    if given.casefold() not in keys:
        raise SettingError(given, "there is no such setting", near_names(given, list(keys.values())))
    return str(keys[given.casefold()])


def _parse(value: Any, spec: Field[Any]) -> Any:
    """A value of the setting's kind, within its bounds."""
    key, kind, least, most = spec.metadata["key"], type(spec.default), spec.metadata["least"], spec.metadata["most"]
    text = str(value).strip().casefold()
    if kind is bool:
        if text in {"true", "1", "yes", "on"}:
            return True
        if text in {"false", "0", "no", "off"}:
            return False
        raise SettingError(key, f"`{value}` is neither true nor false")
    if issubclass(kind, StrEnum):
        if text in list(kind):
            return kind(text)
        raise SettingError(key, f"`{value}` is none of {', '.join(kind)}", near_names(text, kind))
    try:
        number = int(text)
    except ValueError:
        raise SettingError(key, f"`{value}` is not a whole number") from None
    if least is not None and number < least:
        raise SettingError(key, f"{number} is below its least value {least}")
    if number > most:
        raise SettingError(key, f"it is above its greatest value {most}")
    return number
