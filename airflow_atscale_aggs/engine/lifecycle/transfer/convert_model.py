"""Convert another tool's semantic model to a folder of SML, and tell what became of each construct."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from airflow_atscale_aggs.engine.converting.converted import Converted
from airflow_atscale_aggs.engine.converting.dbt.convert_dbt import convert_dbt
from airflow_atscale_aggs.engine.converting.dbt.project_reader import read_manifest, read_project
from airflow_atscale_aggs.engine.converting.dbt.semantic_project import SemanticProject
from airflow_atscale_aggs.engine.converting.ossie.convert_ossie import convert_ossie
from airflow_atscale_aggs.engine.converting.ossie.ossie_model import read_ossie
from airflow_atscale_aggs.engine.converting.source_values import LARGEST, read_source
from airflow_atscale_aggs.engine.converting.written_files import write_files
from airflow_atscale_aggs.engine.errors import ModelFileError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_MOST_FILES = 20_000
_NOT_SOURCES = frozenset({"target", "dbt_packages", "dbt_modules", "logs", "node_modules", "venv"})
"""Folders of a dbt project that hold what dbt makes or fetches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionWish:
    """What a person may say about a conversion.

    Attributes:
        model: name of the SML model; empty: as the source is called.
        connection: name of the warehouse connection.
        database, schema: of tables of which the source does not tell; empty: the warehouse's defaults.
    """

    model: str = ""
    connection: str = "warehouse"
    database: str = ""
    schema: str = ""


def convert_dbt_project(path: Path, out: Path, wish: ConversionWish) -> Converted:
    """Convert a dbt project, or the `semantic_manifest.json` that dbt makes of it, to a folder of SML.

    Args:
        path: a manifest's file, or the folder of a project, whose YAML is read.
        out: where the SML is written to.

    Raises:
        ModelFileError: something cannot be read, or a file in ``out`` is not ours; nothing was written.
        OSError: the folder cannot be written to.
    """
    project = _manifest(path) if path.is_file() else _project(path)
    project.tables = [
        replace(table, database=table.database or wish.database, schema=table.schema or wish.schema)
        for table in project.tables
    ]
    project.spines = [
        replace(spine, database=spine.database or wish.database, schema=spine.schema or wish.schema)
        for spine in project.spines
    ]
    converted = convert_dbt(project, model=wish.model or project.name, connection=wish.connection)
    write_files(out, converted.texts)
    return converted


def convert_ossie_file(file: Path, out: Path, wish: ConversionWish, semantic_model: str = "") -> Converted:
    """Convert a semantic model of an Ossie file to a folder of SML.

    Args:
        semantic_model: its name, where the file has several.

    Raises:
        ModelFileError: something cannot be read, or a file in ``out`` is not ours; nothing was written.
        OSError: the folder cannot be written to.
    """
    model = read_ossie(_read(file), str(file), semantic_model)
    converted = convert_ossie(model, name=wish.model or model.name, connection=wish.connection)
    write_files(out, converted.texts)
    return converted


def _manifest(file: Path) -> SemanticProject:
    data = _read(file)
    if file.suffix != ".json":
        raise ModelFileError(str(file), 0, "name dbt's target/semantic_manifest.json, or the folder of the project")
    folder = file.resolve().parent
    return read_manifest(data, str(file), _project_name(folder.parent if folder.name == "target" else folder))


def _project(folder: Path) -> SemanticProject:
    if not folder.is_dir():
        raise ModelFileError(str(folder), 0, "there is no such file or folder")
    texts = {file.relative_to(folder).as_posix(): _read(file) for file in _yaml_files(folder)}
    return read_project(texts, _project_name(folder.resolve()), str(folder))


def _yaml_files(folder: Path) -> Iterator[Path]:
    """The YAML files of a project; links are not followed."""
    number = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_SOURCES and not name.startswith("."))
        for name in sorted(files):
            file = Path(place) / name
            if file.suffix not in {".yml", ".yaml"} or not file.is_file() or file.is_symlink():
                continue
            number += 1
            if number > _MOST_FILES:
                raise ModelFileError(str(folder), 0, f"it has more than {_MOST_FILES:,} YAML files")
            yield file


def _project_name(folder: Path) -> str:
    """What `dbt_project.yml` calls the project, else the folder's name."""
    file = folder / "dbt_project.yml"
    document = read_source(_read(file), str(file)) if file.is_file() else None
    return (document.text("name") if document is not None else "") or folder.name or "dbt"


def _read(file: Path) -> bytes:
    """A file's bytes, one more than is allowed at the most."""
    if not file.is_file():
        raise ModelFileError(str(file), 0, "there is no such file")
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        raise ModelFileError(str(file), 0, f"it cannot be read: {error.strerror or error}") from error
