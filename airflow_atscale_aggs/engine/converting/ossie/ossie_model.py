"""What a file of Apache Ossie says: datasets, relationships and metrics as values, references still by name.

Source: Apache Ossie, core specification 0.2.0.
"""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.source_values import SourceValue, read_source
from airflow_atscale_aggs.engine.errors import ModelFileError, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_DIALECTS = ("OSSIE_SQL_2026", "ANSI_SQL")
"""Dialects that are read, the better one first."""

_DATA_TYPES = {
    "String": "string",
    "Integer": "long",
    "Float": "double",
    "Boolean": "boolean",
    "Date": "date",
    "DateTime": "datetime",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a dataset.

    Attributes:
        sql: empty: it is said in no dialect that is read.
        is_attribute: it is marked as a dimension.
        data_type: SML's name; empty: not told, or SML has none.
    """

    name: str
    sql: str
    is_attribute: bool
    where: str
    data_type: str = ""
    label: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OssieDataset:
    """A dataset.

    Attributes:
        source: a table with or without schema and database, or a query.
        keys: column lists that are declared to be unique.
    """

    name: str
    source: str
    keys: tuple[tuple[str, ...], ...]
    fields: tuple[Field, ...]
    where: str
    description: str = ""

    def field(self, name: str) -> Field | None:
        """A field by name; unquoted names do not depend on case."""
        folded = name.casefold()
        return next((field for field in self.fields if field.name.casefold() == folded), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OssieRelationship:
    """A join of many rows of one dataset to one row of another."""

    name: str
    origin: str
    target: str
    from_columns: tuple[str, ...]
    to_columns: tuple[str, ...]
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OssieMetric:
    """A metric; ``sql`` is empty when it is said in no dialect that is read."""

    name: str
    sql: str
    where: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OssieModel:
    """One semantic model of a file. Names of datasets, and of metrics, are all different."""

    name: str
    datasets: tuple[OssieDataset, ...]
    relationships: tuple[OssieRelationship, ...]
    metrics: tuple[OssieMetric, ...]
    description: str = ""

    def dataset(self, name: str) -> OssieDataset | None:
        """A dataset by name; unquoted names do not depend on case."""
        folded = name.casefold()
        return next((dataset for dataset in self.datasets if dataset.name.casefold() == folded), None)


def read_ossie(data: bytes, file: str, wanted: str = "") -> OssieModel:
    """One semantic model of a file.

    Args:
        wanted: its name; empty: the file has one.

    Raises:
        ModelFileError: broken YAML, no semantic model, several of which none is named, or something in it that has not
            the shape it must have.
    """
    document = read_source(data, file)
    if document is None or not document.has("semantic_model"):
        ontology = (
            " It is an ontology, which has no tables." if document is not None and document.has("ontology") else ""
        )
        raise ModelFileError(file, 0, f"this is no semantic model of Ossie: it has no `semantic_model`.{ontology}")
    models = list(document.each("semantic_model"))
    names = [model.name() for model in models]
    if wanted and wanted not in names:
        near = near_names(wanted, names)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise ModelFileError(file, 0, f"there is no semantic model `{wanted}` in it.{hint}")
    if not wanted and len(models) != 1:
        listed = ", ".join(f"`{name}`" for name in names)
        raise ModelFileError(
            file, 0, f"it has {len(models)} semantic models ({listed}); name one with --semantic-model"
        )
    return _model(models[names.index(wanted) if wanted else 0])


def _model(value: SourceValue) -> OssieModel:
    datasets = tuple(_dataset(item) for item in value.each("datasets"))
    metrics = tuple(
        OssieMetric(name=item.name(), sql=_sql(item), where=item.where, description=item.text("description"))
        for item in value.each("metrics")
    )
    _check_names(value, "dataset", [(dataset.name, dataset.where) for dataset in datasets])
    _check_names(value, "metric", [(metric.name, metric.where) for metric in metrics])
    return OssieModel(
        name=value.name(),
        datasets=datasets,
        relationships=tuple(_relationship(item) for item in value.each("relationships")),
        metrics=metrics,
        description=value.text("description"),
    )


def _check_names(value: SourceValue, kind: str, names: list[tuple[str, str]]) -> None:
    first: dict[str, str] = {}
    for name, where in names:
        if name.casefold() in first:
            raise value.error(f"{kind} `{name}` is defined twice: {first[name.casefold()]} and {where}")
        first[name.casefold()] = where


def _dataset(value: SourceValue) -> OssieDataset:
    if not value.text("source"):
        raise value.error(f"dataset `{value.name()}` has no `source`")
    primary = value.texts("primary_key")
    more = [tuple(str(column) for column in key) for key in value.items("unique_keys") if isinstance(key, list)]
    fields = tuple(_field(item) for item in value.each("fields"))
    _check_names(value, "field", [(field.name, field.where) for field in fields])
    return OssieDataset(
        name=value.name(),
        source=value.text("source"),
        keys=tuple(dict.fromkeys(key for key in (primary, *more) if key)),
        fields=fields,
        where=value.where,
        description=value.text("description"),
    )


def _field(value: SourceValue) -> Field:
    return Field(
        name=value.name(),
        sql=_sql(value),
        is_attribute=value.has("dimension"),
        where=value.where,
        data_type=_DATA_TYPES.get(value.text("datatype"), ""),
        label=value.text("label"),
        description=value.text("description"),
    )


def _relationship(value: SourceValue) -> OssieRelationship:
    from_columns, to_columns = value.texts("from_columns"), value.texts("to_columns")
    if not from_columns or len(from_columns) != len(to_columns):
        raise value.error(f"relationship `{value.name()}` needs as many `from_columns` as `to_columns`, at least one")
    return OssieRelationship(
        name=value.name(),
        origin=value.name("from"),
        target=value.name("to"),
        from_columns=from_columns,
        to_columns=to_columns,
        where=value.where,
    )


def _sql(value: SourceValue) -> str:
    """The expression in the best dialect that is read; empty when there is none."""
    expression = value.within("expression")
    if expression is None:
        raise value.error(f"`{value.text('name')}` has no `expression`")
    for item in expression.each("dialects"):
        unknown = [key for key in item.value if key not in {"dialect", "expression"}]
        if unknown:
            raise item.error(f"unknown key `{unknown[0]}` beside `dialect`; an expression with a comma needs quotes")
    by_dialect = {item.text("dialect"): item.text("expression") for item in expression.each("dialects")}
    return next((by_dialect[dialect] for dialect in _DIALECTS if by_dialect.get(dialect)), "")
