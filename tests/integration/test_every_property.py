"""Every property of SML is honoured, refused by name, or harmless for a stated reason.

Of each honoured one a change is made to a model that has nearly everything. What comes of the model is compared: the
SQL of some queries, messages, names, definitions, and what later stages are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.lifecycle.deploy.check_support import check_support
from airflow_atscale_aggs.engine.lifecycle.deploy.product_settings import check_settings, settings_of
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.sml import SHAPES
from airflow_atscale_aggs.engine.rewriting.compose.compose import compose
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from airflow_atscale_aggs.engine.rewriting.split.empty_member_parts import empty_member_queries
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import split_by_fact
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.rows import FactRows
from airflow_atscale_aggs.engine.sql.sources import Sources
from tests.support.property_treatments import PROPERTY_TREATMENTS, Treatment
from tests.support.stars.everything_model import FILES, QUERIES


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What comes of the model as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("plain"))
        return set(_outcome(FILES))


def _outcome(files: Mapping[str, str]) -> list[str]:
    """Everything that a model leads to, as texts."""
    folder = Path("model")
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.yml").write_text(content)
    model_folder = read_model_folder(folder)
    resolver = ModelResolver(model_folder)
    texts: list[str] = []
    models: list[SemanticModel] = []
    for name in model_names(model_folder):
        model = resolver.resolve(name)
        texts += _model_description(model)
        texts.append(repr(define_user_aggregates(model, JoinPaths(model), model_folder.issues)))
        texts.append(repr(settings_of(name, model_folder)))
        texts += [sql for query in QUERIES if f"FROM {name}" in query for sql in _answer(model, query)]
        models.append(model)
    checked = CheckInput(
        folder=model_folder,
        names=model_names(model_folder),
        models=models,
        physical={},
        dialect=find_dialect("postgres"),
    )
    model_folder.issues.add((*check_support(checked), *check_settings(checked)))
    return [*texts, *map(str, model_folder.issues.all())]


def _model_description(model: SemanticModel) -> list[str]:
    """What later stages read: how each dataset is built, what is kept out of which aggregates, and the names."""
    texts = [f"{model.catalog} {model.name} {model.connection} {model.build_speculative_aggs} {model.listed}"]
    for dataset in model.datasets.values():
        texts.append(
            f"{dataset.name} {dataset.connection} {dataset.incremental} {dataset.immutable} {dataset.allow_aggregates}"
        )
        texts.append(f"{dataset.name} {[(column.name, column.data_type) for column in dataset.columns.values()]}")
    for dimension in model.dimensions.values():
        texts += [
            f"{attribute.name} {attribute.exclude_from_dim_agg} {attribute.exclude_from_fact_agg}"
            for attribute in dimension.attributes.values()
        ]
    texts += [f"{link.dataset} {link.column} {link.row_security}" for link in model.security_links]
    for security in model.row_securities.values():
        key = f"{security.dataset} {security.filter_key_column} {security.ids_column} {security.id_type}"
        texts.append(f"{security.name} {key} {security.scope} {security.secure_totals}")
    paths = JoinPaths(model)
    texts.append(repr([name for name, _ in SurfaceNames(model, paths).unique()]))
    for perspective in model.perspectives.values():
        names = [name for name, _ in SurfaceNames(model, paths, perspective).unique()]
        texts.append(f"{perspective.name} {names}")
    return texts


def _answer(model: SemanticModel, sql: str) -> list[str]:
    paths = JoinPaths(model)
    physical = {
        (dataset.database, dataset.schema, dataset.table): {
            c.name: c.data_type or "" for c in dataset.columns.values() if not c.variants
        }
        for dataset in model.datasets.values()
        if dataset.table
    }
    dialect = find_dialect("postgres")
    sources, constraints = Sources(model.datasets, physical, dialect), _Everything()
    try:
        select = sqlglot.parse_one(sql, dialect="postgres")
        assert isinstance(select, exp.Select)
        names = SurfaceNames(model, paths)
        query = read_select(select, names, CalculatedMetrics(model), dialect="postgres")
        parts = split_by_fact(query, model, paths)
        rows = [(part, FactRows(part.needed, sources, constraints)) for part in parts]
        members = empty_member_queries(query, parts, model, paths)
        composed = compose(query, rows, lambda part: FactRows(part, sources, constraints), members)
        return [composed.sql(dialect="postgres")]
    except AtScaleAggsError as error:
        return [str(error)]


class _Any(frozenset[Any]):
    def __contains__(self, item: object) -> bool:
        return True


class _Everything(ProvenConstraints):
    """All keys are unique, and all hierarchies functional."""

    def __init__(self) -> None:
        super().__init__(unique_keys=_Any(), functional=_Any())


def test_every_property_has_a_treatment() -> None:
    """The two tables name the same properties."""
    assert {shape: set(table) for shape, table in SHAPES.items()} == {
        shape: set(treatments) for shape, treatments in PROPERTY_TREATMENTS.items()
    }
    unexplained = [
        (shape, name)
        for shape, treatments in PROPERTY_TREATMENTS.items()
        for name, entry in treatments.items()
        if not entry.reason and entry.treatment is not Treatment.HONOURED
    ]
    assert unexplained == []


def test_the_model_that_has_nearly_everything_is_sound() -> None:
    """Nothing is said of it, and its queries are answered."""
    texts = _outcome(FILES)

    refused = [text for text in texts if "is not answered" in text or "has no attribute" in text]
    assert len(refused) == 2, refused
    assert not [text for text in texts if text.startswith(tuple(f"{file}.yml:" for file in FILES))]


_CHANGES = Path(__file__).parents[1] / "cases" / "honoured_properties.txt"
"""A row for each honoured property: its name, a file of the model, and a text of the file that another one replaces."""

_ELSEWHERE = {
    ("package_file", "packages"),
    *(("package", name) for name in ("name", "url", "branch", "version")),
}
"""The tests of packages show these."""


def _changes() -> list[tuple[str, str, str, str, str]]:
    changes = []
    for line in _CHANGES.read_text().strip().splitlines():
        place, file, change = line.split(None, 2)
        old, _, new = change.replace(r"\n", "\n").partition(" > ")
        shape, _, name = place.partition(".")
        changes.append((shape, name, file, old, new))
    return changes


@pytest.mark.parametrize(
    ("shape", "name", "file", "old", "new"), _changes(), ids=lambda value: value if value.isidentifier() else ""
)
def test_what_is_honoured_makes_a_difference(
    plain: set[str], shape: str, name: str, file: str, old: str, new: str
) -> None:
    """With another value something is said, asked or built differently."""
    assert old in FILES[file], f"{shape}.{name}: {file} has no {old!r}"
    changed = {**FILES, file: FILES[file].replace(old, new, 1)}

    assert set(_outcome(changed)) != plain, f"{shape}.{name}"


def test_every_honoured_property_is_changed() -> None:
    """None is only said to be honoured."""
    honoured = {
        (shape, name)
        for shape, treatments in PROPERTY_TREATMENTS.items()
        for name, entry in treatments.items()
        if entry.treatment is Treatment.HONOURED
    }

    assert honoured == {(shape, name) for shape, name, *_ in _changes()} | _ELSEWHERE
