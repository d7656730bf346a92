"""The verb ``convert``: a semantic model of dbt or Ossie becomes a folder of SML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airflow_atscale_aggs.cli.output import print_json, say, show
from airflow_atscale_aggs.cli.verb import Verb, VerbGroup

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_atscale_aggs.engine.converting.converted import Converted
    from airflow_atscale_aggs.engine.lifecycle.transfer.convert_model import ConversionWish

_OPTIONS = (
    click.option("--model", default="", help="Name of the SML model.  [default: as the source is called]"),
    click.option("--connection", default="warehouse", show_default=True, help="Name of the warehouse connection."),
    click.option("--strict", is_flag=True, help="Fail when a construct is left out."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document, with every construct."),
)


def _conversion_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group(cls=VerbGroup, example="atscale-aggs convert dbt target/semantic_manifest.json models/shop")
def convert() -> None:
    """Make a folder of SML out of a semantic model of another tool.

    What cannot be carried over, or has another meaning, is listed by name with the reason. The exit code is 0 when the
    folder was written, 1 when it was not, or when something was left out and --strict was given.
    """


@convert.command(cls=Verb, example="atscale-aggs convert dbt target/semantic_manifest.json models/shop")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--database", default="", help="Database of tables of which PATH does not tell.")
@click.option("--schema", default="", help="Schema of tables of which PATH does not tell.")
@_conversion_options
def dbt(path: Path, out: Path, *, strict: bool, as_json: bool, **wished: str) -> int:
    """Convert dbt's semantic models and metrics.

    PATH is the target/semantic_manifest.json that `dbt parse` writes, which knows the schemas of tables; or the folder
    of a project, whose YAML is read. OUT is written anew; a file in it that somebody changed is never replaced.
    """
    from airflow_atscale_aggs.engine.lifecycle.transfer.convert_model import ConversionWish, convert_dbt_project

    return _report(convert_dbt_project(path, out, ConversionWish(**wished)), out, strict=strict, as_json=as_json)


@convert.command(cls=Verb, example="atscale-aggs convert ossie sales.yaml models/sales")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--semantic-model", default="", help="Which one, when the file has several.")
@_conversion_options
def ossie(file: Path, out: Path, *, semantic_model: str, strict: bool, as_json: bool, **wished: str) -> int:
    """Convert a semantic model of Apache Ossie, formerly Open Semantic Interchange.

    OUT is written anew; a file in it that somebody changed is never replaced.
    """
    from airflow_atscale_aggs.engine.lifecycle.transfer.convert_model import ConversionWish, convert_ossie_file

    wish: ConversionWish = ConversionWish(**wished)
    return _report(convert_ossie_file(file, out, wish, semantic_model), out, strict=strict, as_json=as_json)


def _report(converted: Converted, out: Path, *, strict: bool, as_json: bool) -> int:
    """Tell what became of each construct; the exit code."""
    from airflow_atscale_aggs.engine.converting.findings import Outcome, sentences, summary

    left_out = any(finding.outcome is Outcome.LEFT_OUT for finding in converted.findings)
    if as_json:
        print_json(_document(converted, out))
    else:
        for sentence in sentences(converted.findings):
            show(sentence)
        say(f"{summary(converted.findings)}.")
        say(f"Wrote {len(converted.texts):,} files to {out}. Next: atscale-aggs deploy {out}")
    return 1 if strict and left_out else 0


def _document(converted: Converted, out: Path) -> dict[str, Any]:
    return {
        "model": converted.model,
        "folder": str(out),
        "files": sorted(converted.texts),
        "constructs": [
            {
                "kind": finding.kind,
                "name": finding.name,
                "outcome": finding.outcome.value,
                "why": finding.why or None,
                "where": finding.where,
            }
            for finding in converted.findings
        ],
    }
