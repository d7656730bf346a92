"""Read, check and record slices that are named as changed with a request for a batch.

Who loads data knows what it has loaded, however old that is. The batch makes these slices anew. A slice is recorded
before the batch is begun, so that it stays due when that batch is refused, fails or is cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.aggregates.indicator import Indicator, IndicatorKind, IndicatorUnit
from airflow_atscale_aggs.engine.aggregates.named_slice import NamedSlice, bounds_of, is_of_kind, parse_slice
from airflow_atscale_aggs.engine.errors import SliceError, UnknownNameError, near_names
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.planning.requests import is_request
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace

_FORM = "write FROM..THROUGH with values of its indicator, such as 2026-01-03..2026-01-05, or one value for both"
_PLAIN_OR_TIME = ((IndicatorKind.INTEGER, IndicatorUnit.PLAIN), (IndicatorKind.INSTANT, IndicatorUnit.MICROSECONDS))


def read_slices(texts: Iterable[tuple[str, str]]) -> tuple[NamedSlice, ...]:
    """Slices from pairs of a dataset and a range as it is written, each once.

    Raises:
        SliceError: a text is no range.
    """
    slices = []
    for dataset, text in texts:
        named = parse_slice(dataset, text)
        if named is None:
            raise SliceError(dataset, text, f"it cannot be read; {_FORM}")
        slices.append(named)
    return tuple(dict.fromkeys(slices))


def check_slices(read: RegistryReader, model: ModelRecord, slices: Sequence[NamedSlice]) -> None:
    """Refuse slices that cannot be made anew, as far as the registry knows.

    Raises:
        UnknownNameError: the model has no such dataset; carries near names.
        SliceError: the dataset has no indicator, the ends are no values of it, or the slice ends before it begins.
    """
    if not slices:
        return
    datasets, indicators = read.models.datasets(model.deployment_id), _indicators(read, model)
    for named in slices:
        _check_dataset(named, datasets)
        _check_ends(named, indicators.get(named.dataset))


def name_slices(workspace: Workspace, model: ModelRecord, request: BatchRequest, *, owner: str, now: datetime) -> None:
    """Check the slices of a request and record them, so that they are due.

    Slices of signals that some batch has answered already are not recorded again.

    Raises:
        UnknownNameError, SliceError: as `check_slices`; nothing was recorded.
    """
    read = workspace.read
    check_slices(read, model, request.changed)
    if not request.changed or _is_answered(read, model, request):
        return
    workspace.registry.slices.name(model.id, request.changed, named_by=owner, is_new=request.is_new, now=now)


def _is_answered(read: RegistryReader, model: ModelRecord, request: BatchRequest) -> bool:
    if not request.signals or not request.is_signals_only or any(map(is_request, request.signals)):
        return False
    return len(read.batches.of_signals(model.id, request.signals)) == len(set(request.signals))


def _indicators(read: RegistryReader, model: ModelRecord) -> Mapping[str, Indicator]:
    """The indicators of facts as what serves was built with; what has no segments is built in full in any case."""
    return {
        instance.step.fact: instance.step.increment.indicator
        for instance in read.instances.serving(model.id)
        if instance.step.increment is not None
    }


def _check_dataset(named: NamedSlice, datasets: Mapping[str, Dataset]) -> None:
    if named.dataset not in datasets:
        incremental = [name for name, dataset in datasets.items() if dataset.incremental]
        raise UnknownNameError("dataset", named.dataset, near_names(named.dataset, incremental or datasets))
    if datasets[named.dataset].incremental is None:
        reason = "the dataset has no `incremental` in the model, so that each batch reads all of it"
        raise SliceError(named.dataset, str(named), f"{reason}; leave the range out")


def _check_ends(named: NamedSlice, indicator: Indicator | None) -> None:
    kinds = _PLAIN_OR_TIME if indicator is None else ((indicator.kind, indicator.unit),)
    if indicator is not None:
        for end in (named.first, named.last):
            if not is_of_kind(end, indicator.kind, indicator.unit):
                what = f"`{end}` is no value of `{indicator.column}`, {_describe(indicator)}"
                raise SliceError(named.dataset, str(named), what)
    if all(bounds_of(named, kind, unit) is None for kind, unit in kinds):
        raise SliceError(named.dataset, str(named), f"it ends before it begins; {_FORM}")


def _describe(indicator: Indicator) -> str:
    """The indicator's type, with what may be written."""
    if indicator.kind is IndicatorKind.TIMESTAMP:
        return f"a {indicator.data_type} without time zone; write 2026-01-03 or 2026-01-03T07:00, without an offset"
    if indicator.kind is IndicatorKind.INSTANT:
        return f"a {indicator.data_type}; write 2026-01-03 or 2026-01-03T07:00+01:00"
    if indicator.unit is IndicatorUnit.PLAIN:
        return "a plain number; write whole numbers"
    return f"a number of epoch {indicator.unit}; write whole numbers, or 2026-01-03"
