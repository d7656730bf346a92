"""Checks the conf of a run before anything is planned.

Airflow checks the parameters that a DAG declares when a run is started through its API. It does not check what other
DAGs pass on, keys that are not declared, and DAGs that hold a `BatchBuildTaskGroup` without declaring parameters.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from airflow.sdk.exceptions import AirflowFailException

_KEYS = ("build_type", "aggregates", "grace_periods", "changed", "max_concurrent_builds", "signals")
_BUILD_TYPES = ("full", "incremental")
_CHANGED_FORM = 'an object of ranges by dataset, such as {"sales": "2026-01-03..2026-01-05"}'
_NEAR = 0.8
_MOST_DIGITS = 9


def check_keys(conf: Any, declared: Iterable[str]) -> Mapping[str, Any]:
    """The conf of a run, unless a key in it is a misspelt one of ours.

    Args:
        conf: of the run; None: nothing was asked for.
        declared: names of the DAG's own parameters, which are nobody's spelling mistakes.

    Raises:
        AirflowFailException: it is no object, or a key is nearly one of ours.
    """
    if conf is None:
        return {}
    if not isinstance(conf, Mapping):
        _refuse("conf", conf, "an object, such as {}")
    for key in sorted(set(map(str, conf)) - set(_KEYS) - set(declared)):
        near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=_NEAR)
        if near:
            message = f"The conf of this run has `{key}`, which nobody reads. Did you mean `{near[0]}`?{_REMEDY}"
            raise AirflowFailException(message)
    return conf


def check_values(conf: Mapping[str, Any]) -> None:
    """Refuse wrong values, since a template could turn them into texts that look right. Raises AirflowFailException."""
    for key, read in (
        ("build_type", read_build_type),
        ("aggregates", read_aggregates),
        ("grace_periods", read_grace_periods),
        ("changed", read_changed),
        ("max_concurrent_builds", read_max_concurrent_builds),
        ("signals", signal_ids_of_conf),
    ):
        if conf.get(key) is not None:
            read(conf[key])


def read_build_type(value: Any) -> str:
    """``full`` or ``incremental``. Raises AirflowFailException for anything else."""
    if value not in _BUILD_TYPES:
        _refuse("build_type", value, "`full` or `incremental`")
    return str(value)


def read_aggregates(value: Any) -> tuple[str, ...]:
    r"""Names of aggregates from a list, from JSON, or from a text with one name per line; empty: all.

    >>> read_aggregates('["a", "b"]') == read_aggregates("a\nb\n") == read_aggregates(["a", "b"]) == ("a", "b")
    True

    Raises:
        AirflowFailException: it is something else, or a name is no text.
    """
    names = value
    if isinstance(value, str):
        names = _from_json("aggregates", value) if value.lstrip()[:1] in {"[", "{"} else value.splitlines()
        if value.strip() in {"null", "None"}:
            names = None
    if names is None:
        return ()
    if isinstance(names, (str, bytes, Mapping)) or not isinstance(names, Iterable):
        _refuse("aggregates", value, 'a list of names, such as ["sales_by_month"]')
    names = list(names)
    if not all(isinstance(name, str) for name in names):
        _refuse("aggregates", value, 'a list of names, such as ["sales_by_month"]')
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def read_grace_periods(value: Any) -> Mapping[str, str]:
    """Durations by dataset, from an object or from JSON; empty: those of the model.

    Raises:
        AirflowFailException: it is something else.
    """
    periods = _from_json("grace_periods", value or "{}") if isinstance(value, str) else value
    if periods is None:
        return {}
    if not isinstance(periods, Mapping):
        _refuse("grace_periods", value, 'an object of durations by dataset, such as {"store_sales": "2d"}')
    for duration in periods.values():
        if isinstance(duration, bool) or not isinstance(duration, (str, int)):
            _refuse("grace_periods", value, 'an object of durations by dataset, such as {"store_sales": "2d"}')
    return {str(dataset): str(duration) for dataset, duration in periods.items()}


def read_changed(value: Any) -> tuple[tuple[str, str], ...]:
    """Ranges that have changed, as pairs of a dataset and a range.

    An object has one range or a list of ranges for each dataset, also as JSON; empty: none is named.

    >>> read_changed({"sales": ["2026-01-03..2026-01-05", "2026-02"], "returns": 7})
    (('sales', '2026-01-03..2026-01-05'), ('sales', '2026-02'), ('returns', '7'))

    Raises:
        AirflowFailException: it is something else.
    """
    ranges = _from_json("changed", value or "{}") if isinstance(value, str) else value
    if ranges is None:
        return ()
    if not isinstance(ranges, Mapping):
        _refuse("changed", value, _CHANGED_FORM)
    pairs: list[tuple[str, str]] = []
    for dataset, given in ranges.items():
        texts = given if isinstance(given, (list, tuple)) else [given]
        if not texts or any(isinstance(text, bool) or not isinstance(text, (str, int)) for text in texts):
            _refuse("changed", value, _CHANGED_FORM)
        pairs += [(str(dataset), str(text)) for text in texts]
    return tuple(dict.fromkeys(pairs))


def read_max_concurrent_builds(value: Any) -> int | None:
    """How many aggregates may be built at the same time; None: what the DAG says.

    Raises:
        AirflowFailException: it is no whole number of at least 1.
    """
    if value is None or value in ("", "None"):
        return None
    # Python refuses to convert whole numbers of thousands of digits from or to text.
    is_long = isinstance(value, int) and value >= 10**_MOST_DIGITS
    text = "" if is_long else str(value).strip()
    is_whole = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    if isinstance(value, (bool, float)) or not is_whole or int(text) < 1:
        _refuse("max_concurrent_builds", value, "a whole number of at least 1")
    return int(text)


def signal_ids_of_conf(value: Any) -> tuple[str, ...]:
    """Identities of completion signals from the ``signals`` of a conf.

    A list of identities, or of objects with an ``id``.

    >>> signal_ids_of_conf([{"id": "a", "kind": "line"}, "b"])
    ('a', 'b')

    Raises:
        AirflowFailException: it is something else.
    """
    if value is None:
        return ()
    ids = _signal_ids(value)
    if ids is None:
        _refuse("signals", value, 'a list of signals, such as [{"id": "…"}], or of their ids')
    return ids


def signal_ids_of_event(extra: Any) -> tuple[str, ...]:
    """The same from the extra of an asset event, which somebody else may have written: what is no signal is none."""
    payload = extra.get("payload") if isinstance(extra, Mapping) else None
    return (_signal_ids(payload.get("signals")) if isinstance(payload, Mapping) else None) or ()


def _signal_ids(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, (list, tuple)):
        return None
    ids = [signal.get("id") if isinstance(signal, Mapping) else signal for signal in value]
    is_well_formed = all(
        isinstance(identity, (str, int)) and not isinstance(identity, bool) and identity != "" for identity in ids
    )
    return tuple(dict.fromkeys(str(identity) for identity in ids)) if is_well_formed else None


def _from_json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        _refuse(name, text, "JSON")


_REMEDY = " Nothing was begun. Start another run with a corrected conf."


def _refuse(name: str, value: Any, wanted: str) -> NoReturn:
    try:
        shown = repr(value)
    except ValueError:
        shown = "a number of thousands of digits"
    shown = shown if len(shown) <= 100 else shown[:99] + "…"  # noqa: PLR2004 - a sentence stays readable
    message = f"Run parameter `{name}` is {shown}; it must be {wanted}.{_REMEDY}"
    raise AirflowFailException(message)
