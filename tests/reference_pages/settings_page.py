"""The page of settings, from the settings themselves."""

from __future__ import annotations

from dataclasses import Field, fields
from enum import StrEnum
from typing import Any

from airflow_atscale_aggs.engine.settings import WITHOUT_EFFECT, Settings
from airflow_atscale_aggs.get_provider_info import get_provider_info
from tests.reference_pages.markdown import code, page, sentence, table

_MOST = 1_000_000_000
_UNITS = {
    "seconds": "seconds",
    "days": "days",
    "hours": "hours",
    "percent": "percent",
    "bytes": "bytes",
    "life": "days",
}
"""The unit by the last word of a setting's name in Python."""

_WHERE = """
Keys are matched without regard to case. A value is looked for in this order, and the first one counts:

1. set by hand for the model: `atscale-aggs settings set KEY VALUE --model MODEL`, the page *Settings* in Airflow, or
   `PUT …/models/{model}/settings/{key}` over REST;
2. in the model's SML folder: an object of type `aggregate_settings`, `model_settings` or `global_settings`
   ([SML by example](../sml-by-example/settings.md));
3. set by hand for all models of the registry: `atscale-aggs settings set KEY VALUE`;
4. in Airflow's configuration, section `[atscale_aggs]`, or the environment as `AIRFLOW__ATSCALE_AGGS__OPTION`. The
   option has the short name that stands below the key. The command line does not read it;
5. the default.

Every setting can be set in each of these places. `atscale-aggs settings list --model MODEL` shows what is in force.

```yaml
unique_name: settings of retail
object_type: aggregate_settings
model: retail
settings:
  aggregates.batch.max.failures: 2
  aggregates.batch.verify: sample
```
"""


def settings_page() -> str:
    """Every setting with its default, range, unit and meaning, and the keys without effect."""
    groups: dict[str, list[Field[Any]]] = {}
    for spec in fields(Settings):
        groups.setdefault(_group(spec.metadata["key"]), []).append(spec)
    parts = [_WHERE]
    for heading, specs in groups.items():
        parts += [f"## {heading}", table(("setting", "default", "values", "meaning"), [_row(spec) for spec in specs])]
    parts += ["## Keys that change nothing here", _without_effect()]
    parts += ["## Bounds of the REST API", _api_bounds()]
    return page("Settings", "`airflow_atscale_aggs/engine/settings.py`", *parts)


def _group(key: str) -> str:
    for prefix, heading in (
        ("aggregates.batch", "Batches"),
        ("aggregate.batch", "Batches"),
        ("aggregate.queue", "Batches"),
        ("aggregates.drop", "Batches"),
        ("aggregate.incrementalUpdate", "Incremental builds"),
        ("aggregate.create.joins.allowPrevent", "Incremental builds"),
        ("query.", "Queries"),
        ("aggregates.retention", "What stays"),
        ("aggregates.attention", "What the page points at"),
        ("aggregates.maintenance", "Maintenance"),
        ("aggregates.predictionDefined", "Aggregates by prediction"),
        ("aggregates.create", "What the advisor may define"),
        ("aggregates.demandDefined", "Aggregates by demand"),
    ):
        if key.startswith(prefix):
            return heading
    raise AssertionError(f"The page of settings has no heading for {key}.")


def _row(spec: Field[Any]) -> tuple[str, str, str, str]:
    key, default = spec.metadata["key"], spec.default
    return f"`{key}` `{spec.name}`", code(_value(default)), _values(spec), sentence(spec.metadata["meaning"])


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values(spec: Field[Any]) -> str:
    kind: type[Any] = type(spec.default)
    least, most = spec.metadata["least"], spec.metadata["most"]
    if kind is bool:
        return "`true`, `false`"
    if issubclass(kind, StrEnum):
        return ", ".join(code(value) for value in kind)
    if spec.name == "max_segment_length":
        return "nothing, a whole number with one of `s`, `m`, `h`, `d`, `w`, or without"
    if kind is str:
        return "a name of the time zone database"
    unit = _UNITS.get(spec.name.rsplit("_", 1)[-1], "")
    upper = "or more" if most == _MOST else f"to {most:,}"
    return f"{least} {upper}{' ' + unit if unit else ''}"


def _without_effect() -> str:
    text = "These keys of the product are understood, and nothing depends on them. `deploy` says so in a warning."
    return f"{text}\n\n" + table(("key", "why"), [(code(key), sentence(why)) for key, why in WITHOUT_EFFECT.items()])


def _api_bounds() -> str:
    text = (
        "They stand in the section `[atscale_aggs_api]` of Airflow's configuration, for each process of the API server."
    )
    options = get_provider_info()["config"]["atscale_aggs_api"]["options"]
    rows = [(code(name), code(option["default"]), option["description"]) for name, option in options.items()]
    return f"{text}\n\n" + table(("option", "default", "meaning"), rows)
