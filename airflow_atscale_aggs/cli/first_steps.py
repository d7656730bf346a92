"""What is told when no verb is given: what is here, and what comes next."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airflow_atscale_aggs.cli.connection_options import (
    DEFAULT_WAREHOUSE,
    has_registry,
    registry_alone,
    registry_name,
    warehouse_name,
)
from airflow_atscale_aggs.cli.output import counted, show, when

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.registry.records import ModelRecord
    from airflow_atscale_aggs.engine.registry.registry import RegistryReader

_MOST_MODELS = 10
_MOST_STEPS = 4
_MOST_FILES = 500
_MOST_BYTES = 20_000
_MOST_LEVELS = 5


def tell_first_steps(ctx: click.Context, verbs: Collection[str]) -> None:
    """Tell what is here and what comes next.

    Args:
        verbs: that there are; no other one is named.
    """
    if has_registry(ctx):
        with registry_alone(ctx, {}) as registry:
            _tell_what_is_here(ctx, registry.read)
    else:
        _tell_beginnings(ctx, verbs)
    show("\n`atscale-aggs --help` lists all verbs; `atscale-aggs VERB --help` has an example of each.")


def _tell_beginnings(ctx: click.Context, verbs: Collection[str]) -> None:
    show("Aggregate tables for star schemas: define, plan, build, activate, use.")
    show(f"There is no registry yet ({registry_name(ctx)}). Begin with what you have:\n")
    folder = find_model_folder(Path())
    warehouse = warehouse_name(ctx)
    elsewhere = "" if warehouse != DEFAULT_WAREHOUSE or Path("warehouse.duckdb").exists() else " --warehouse URL"
    ways = {
        "demo": ("nothing", "atscale-aggs demo"),
        "init": ("tables in a warehouse", f"atscale-aggs init{elsewhere}"),
        "deploy": ("a model in SML", f"atscale-aggs deploy {folder or 'DIR'}{elsewhere}"),
        "check-warehouse": ("a warehouse to try", "atscale-aggs check-warehouse URL"),
    }
    shown = [way for verb, way in ways.items() if verb in verbs]
    width = max(len(what) for what, _ in shown)
    for what, command in shown:
        show(f"  {what:{width}}  {command}")


def find_model_folder(root: Path) -> str:
    """A folder below this one that holds a model in SML; empty: none is seen among the first files."""
    for file in itertools.islice(_yaml_files(root), _MOST_FILES):
        try:
            with file.open(encoding="utf-8", errors="replace") as text:
                begun = text.read(_MOST_BYTES)
        except OSError:
            continue
        if "object_type: model\n" in begun:
            # SML keeps models in a folder of their own, as often as not.
            folder = file.parent.parent if file.parent.name == "models" and file.parent != root else file.parent
            return str(folder)
    return ""


def _yaml_files(root: Path) -> Iterator[Path]:
    """YAML files, the nearest folders first; not in hidden folders, environments, or packages of Python or Node."""
    folders = [root]
    for _ in range(_MOST_LEVELS):
        below: list[Path] = []
        for folder in folders:
            try:
                entries = sorted(folder.iterdir())
            except OSError:
                continue
            yield from (entry for entry in entries if entry.suffix in {".yml", ".yaml"} and entry.is_file())
            below += [entry for entry in entries if entry.is_dir() and not _is_passed_over(entry)]
        folders = below


def _is_passed_over(folder: Path) -> bool:
    is_code = any((folder / name).exists() for name in ("pyvenv.cfg", "__init__.py"))
    return folder.name.startswith(".") or folder.name in {"node_modules", "site-packages"} or is_code


def _tell_what_is_here(ctx: click.Context, read: RegistryReader) -> None:
    models = read.models.current()
    show(f"Registry {registry_name(ctx)}: {counted(len(models), 'model')}. Warehouse: {warehouse_name(ctx)}.")
    if not models:
        show(f"\nNext: atscale-aggs deploy {find_model_folder(Path()) or 'DIR'}")
        return
    steps: list[str] = []
    for record in models[:_MOST_MODELS]:
        state, step = _state_of(read, record)
        show(f"  {record.name}: {state}")
        if step not in steps:
            steps.append(step)
    if len(models) > _MOST_MODELS:
        show(f"  and {len(models) - _MOST_MODELS} more: atscale-aggs models")
    show("\nNext:")
    for step in steps[:_MOST_STEPS]:
        show(f"  {step}")


def _state_of(read: RegistryReader, record: ModelRecord) -> tuple[str, str]:
    """How it stands with a model, and the command that comes next."""
    from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus

    defined = len(read.definitions.of_model(record.id))
    active = len(read.instances.find(model_id=record.id, status=InstanceStatus.ACTIVE))
    batches = read.batches.find(record.id, 1)
    text = f"{counted(defined, 'aggregate')} defined, {counted(active, 'table')} active"
    if not defined:
        return f"{text}", f"atscale-aggs recommend {record.name} --from-structure"
    if not batches:
        return f"{text}, never built", f"atscale-aggs build {record.name}"
    last = batches[0]
    text = f"{text}, last batch {last.status} ({when(last.created_at)})"
    if last.status is BatchStatus.FAILED:
        return text, f"atscale-aggs build {record.name} --resume {last.id}"
    if last.status is BatchStatus.IN_PROGRESS:
        return text, f"atscale-aggs batches --model {record.name}"
    if not active:
        return text, f"atscale-aggs build {record.name}"
    return text, "atscale-aggs shell"
