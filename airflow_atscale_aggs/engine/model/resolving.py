"""Turns documents into a semantic model. It resolves references and notes every problem with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from airflow_atscale_aggs.engine.errors import did_you_mean, near_names
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.dimensions import (
    calculation_groups,
    column_names,
    dataset_of,
    dimension_of,
    metric_of,
    metrical_attributes,
    template_of,
    text_of,
)
from airflow_atscale_aggs.engine.model.folder_reader import (
    Document,
    ModelFolder,
    folder_from_bytes,
    unreadable_deployment,
)
from airflow_atscale_aggs.engine.model.model_folders import folder_of
from airflow_atscale_aggs.engine.model.perspectives import perspectives_of
from airflow_atscale_aggs.engine.model.quantiles import check_quantiles, quantile_metrics
from airflow_atscale_aggs.engine.model.row_security import (
    linked_names,
    links_of_dimensions,
    links_of_models,
    row_securities_of,
)
from airflow_atscale_aggs.engine.model.semantic_model import (
    Calculation,
    DeclaredAggregate,
    DeclaredAttribute,
    Dimension,
    Metric,
    Relationship,
    RowSecurity,
    SecurityLink,
    SemanticModel,
)
from airflow_atscale_aggs.engine.model.sml import CALCULATION_METHODS
from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping


def model_names(folder: ModelFolder) -> tuple[str, ...]:
    """Models and composite models to deploy, sorted; ``hidden_models`` of the catalog are left out."""
    hidden = {
        str(name) for catalog in folder.of_type("catalog").values() for name in catalog.value.get("hidden_models") or ()
    }
    return tuple(sorted(({*folder.of_type("model"), *folder.of_type("composite_model")}) - hidden))


def resolve_stored_model(content: bytes, name: str) -> SemanticModel:
    """A model of the folder that `ModelFolder.to_bytes` has turned into bytes.

    Raises:
        ModelFileError: the bytes are none of these, or the model is not among the files.
    """
    folder = folder_from_bytes(content, name)
    if not ({name} & {*folder.of_type("model"), *folder.of_type("composite_model")}):
        raise unreadable_deployment(name, "the file of the model is not among them")
    return ModelResolver(folder).resolve(name)


class ModelResolver:
    """Resolves the models of one folder. Values that models share are made once. Issues go to the folder's list."""

    def __init__(self, folder: ModelFolder) -> None:
        self._folder, self._issues = folder, folder.issues
        self._catalog = self._only_catalog()
        self._dimensions = {name: dimension_of(document) for name, document in folder.of_type("dimension").items()}
        self._metrics = self._sound_metrics(
            metric_of(document.value, document.file) for document in folder.of_type("metric").values()
        )
        for document in folder.of_type("metric").values():
            check_quantiles(document.value, document.where, self._issues)
        self._metrical: dict[str, Metric] = {}
        for document in folder.of_type("dimension").values():
            self._metrical |= self._sound_metrics(metrical_attributes(document))
        self._calculation_groups = [
            group for document in folder.of_type("dimension").values() for group in calculation_groups(document)
        ]
        self._calculations = {
            name: Calculation(
                name=name,
                label=str(document.value.get("label") or name),
                expression=str(document.value["expression"]),
                aggregate_function=_aggregate_function(document.value),
                is_hidden=document.value.get("is_hidden") is True or document.value.get("visible") is False,
                description=text_of(document.value, "description"),
                folder=text_of(document.value, "folder"),
                where=document.where,
            )
            for name, document in folder.of_type("metric_calc").items()
        }
        self._securities = row_securities_of(folder)
        self._check_dimensions()

    def resolve(self, name: str) -> SemanticModel:
        """The model or composite model of that name; unresolved references are issues of the folder."""
        composite = self._folder.of_type("composite_model").get(name)
        document = composite or self._folder.of_type("model")[name]
        members = [document] if composite is None else self._members(composite)
        datasets = self._datasets(members)
        relationships = self._relationships(members, datasets)
        degenerate = self._degenerate(members)
        metrics, calculations = self._listed_metrics([*members, document] if composite else members)
        reachable = self._reachable({each.dimension for each in relationships if each.dimension} | set(degenerate))
        own = {metric.name: metric for metric in self._metrical.values() if metric.dimension in reachable}
        metrics |= {name: metric for name, metric in own.items() if name not in metrics}
        value, links = document.value, self._security_links(members, reachable)
        query_names = _query_names(value)
        self._check_paths(document, {relationship.name for relationship in relationships})
        return SemanticModel(
            catalog=self._catalog.name if self._catalog else name,
            name=name,
            label=str(value.get("label") or name),
            connection=_main_connection(metrics.values(), datasets),
            datasets=datasets,
            dimensions=reachable,
            metrics=metrics,
            calculations=calculations,
            relationships=tuple(relationships),
            degenerate_dimensions=degenerate,
            aggregates=tuple(_aggregate(declared, document.file) for declared in value.get("aggregates") or ()),
            row_securities=self._securities_behind(links),
            security_links=links,
            query_names=query_names,
            quantiles=quantile_metrics(metrics.values(), query_names),
            is_composite=composite is not None,
            build_speculative_aggs=self._builds_speculative_aggs,
            listed=_names_in_lists([*members, document]),
            calculation_groups=tuple(group for group in self._calculation_groups if group.dimension in reachable),
            defaulted=_dimensions_with_default(reachable.values()),
            not_added_up=_attributes_without_total(reachable.values()),
            perspectives=perspectives_of(document, reachable, {*metrics, *calculations}, relationships, self._issues),
            description=text_of(value, "description"),
            folder=folder_of(document.file),
            where=document.where,
        )

    @property
    def _builds_speculative_aggs(self) -> bool:
        return self._catalog is not None and self._catalog.value.get("build_speculative_aggs") is True

    def _check_paths(self, document: Document, relationships: set[str]) -> None:
        """Warn of unknown relationships in the paths of partitions. No build needs these paths."""
        names = relationships | {
            edge.name for dimension in self._dimensions.values() for edge in dimension.relationships if edge.name
        }
        for partition in document.value.get("partitions") or ():
            for step in partition.get("relationships_path") or ():
                if str(step) not in names:
                    where = f"{document.file}:{partition.line}"
                    who = f"partition `{partition['unique_name']}`"
                    self._issues.add_unresolved_reference(
                        where, "relationship", str(step), names, is_needed=False, wanted_by=who
                    )

    def _security_links(self, members: Iterable[Document], reachable: Iterable[str]) -> tuple[SecurityLink, ...]:
        return (
            *links_of_models(members, self._securities, self._folder),
            *links_of_dimensions(reachable, self._securities, self._folder),
        )

    def _securities_behind(self, links: Iterable[SecurityLink]) -> dict[str, RowSecurity]:
        """The row security that links lead to, and whatever no link of the folder leads to.

        Somebody who wrote the latter wants something to be secured, and forgot to say what.
        """
        wanted = {link.row_security for link in links}
        linked = linked_names(self._folder)
        return {name: security for name, security in self._securities.items() if name in wanted or name not in linked}

    def _only_catalog(self) -> Document | None:
        catalogs = list(self._folder.of_type("catalog").values())
        if not catalogs:
            self._issues.warning(
                self._folder.folder, "no-catalog", "there is no catalog; the model's name stands for it"
            )
            return None
        for other in catalogs[1:]:
            message = f"a second catalog `{other.name}`; `{catalogs[0].name}` at {catalogs[0].where} is used"
            self._issues.warning(other.where, "second-catalog", message)
        return catalogs[0]

    def _members(self, composite: Document) -> list[Document]:
        models = self._folder.of_type("model")
        members = []
        for name in composite.value["models"]:
            if name in models:
                members.append(models[name])
            else:
                self._issues.add_unresolved_reference(
                    composite.where, "model", str(name), models, wanted_by=f"composite model `{composite.name}`"
                )
        return members

    def _datasets(self, members: Iterable[Document]) -> dict[str, Dataset]:
        properties: dict[str, Any] = {}
        for document in (self._catalog, *members):
            properties |= (document.value.get("dataset_properties") or {}) if document else {}
        allowed = {name: _allows_aggregates(values or {}) for name, values in properties.items()}
        connections = self._folder.of_type("connection")
        datasets = self._folder.of_type("dataset")
        for name in allowed:
            if name not in datasets:
                where = self._catalog.where if self._catalog else self._folder.folder
                self._issues.add_unresolved_reference(
                    where, "dataset", name, datasets, is_needed=False, wanted_by="`dataset_properties`"
                )
        return {
            name: dataset_of(document, connections, self._issues, allowed=allowed.get(name, True))
            for name, document in datasets.items()
        }

    def _relationships(self, members: Iterable[Document], datasets: Mapping[str, Dataset]) -> list[Relationship]:
        by_name: dict[str, Relationship] = {}
        for document in members:
            for value in document.value.get("relationships") or ():
                if value["to"].get("row_security"):
                    continue
                relationship = _relationship(value, document.file)
                if self._is_sound(relationship, datasets):
                    by_name.setdefault(relationship.name, relationship)
        return list(by_name.values())

    def _is_sound(self, relationship: Relationship, datasets: Mapping[str, Dataset]) -> bool:
        """Dataset, dimension and level exist and the columns pair up."""
        who, where = f"relationship `{relationship.name}`", relationship.where
        if relationship.from_dataset not in datasets:
            self._issues.add_unresolved_reference(where, "dataset", relationship.from_dataset, datasets, wanted_by=who)
            return False
        dimension = self._dimensions.get(relationship.dimension)
        if dimension is None:
            self._issues.add_unresolved_reference(
                where, "dimension", relationship.dimension, self._dimensions, wanted_by=who
            )
            return False
        return self._is_sound_level(who, where, dimension, relationship.level, relationship.from_columns)

    def _is_sound_level(self, who: str, where: str, dimension: Dimension, level: str, columns: tuple[str, ...]) -> bool:
        attribute = dimension.attributes.get(level)
        if attribute is None or attribute.kind != "level":
            levels = [name for name, candidate in dimension.attributes.items() if candidate.kind == "level"]
            self._issues.add_unresolved_reference(
                where, f"level of dimension `{dimension.name}`", level, levels, wanted_by=who
            )
            return False
        if attribute.key_columns and len(columns) != len(attribute.key_columns):
            message = (
                f"{who} joins {len(columns)} column(s) to level `{level}`, whose key has {len(attribute.key_columns)}: "
                f"({', '.join(attribute.key_columns)})"
            )
            self._issues.error(where, "key-mismatch", message)
            return False
        return True

    def _degenerate(self, members: Iterable[Document]) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for document in members:
            for name in document.value.get("dimensions") or ():
                if name in self._dimensions:
                    names[str(name)] = None
                else:
                    self._issues.add_unresolved_reference(
                        document.where, "dimension", str(name), self._dimensions, wanted_by=f"model `{document.name}`"
                    )
        return tuple(names)

    def _listed_metrics(self, documents: Iterable[Document]) -> tuple[dict[str, Metric], dict[str, Calculation]]:
        metrics: dict[str, Metric] = {}
        calculations: dict[str, Calculation] = {}
        selectable = {**self._metrics, **self._calculations, **self._metrical}
        for document in documents:
            for reference in document.value.get("metrics") or ():
                name = str(reference["unique_name"])
                folder = text_of(reference, "folder")
                if name in self._metrics:
                    metrics[name] = _in_folder(self._metrics[name], folder)
                elif name in self._calculations:
                    calculations[name] = _in_folder(self._calculations[name], folder)
                elif name not in self._metrical:
                    where = f"{document.file}:{reference.line}"
                    self._issues.add_unresolved_reference(
                        where, "metric", name, selectable, wanted_by=f"model `{document.name}`"
                    )
        # Calculations may stand on metrics that the model does not list.
        for name, metric in self._metrics.items():
            metrics.setdefault(name, metric)
        for name, calculation in self._calculations.items():
            calculations.setdefault(name, calculation)
        return metrics, calculations

    def _reachable(self, names: set[str]) -> dict[str, Dimension]:
        """The dimensions and what they embed, however deep."""
        dimensions: dict[str, Dimension] = {}
        pending = sorted(names)
        while pending:
            name = pending.pop()
            dimension = self._dimensions.get(name)
            if dimension is None or name in dimensions:
                continue
            dimensions[name] = dimension
            pending += [edge.dimension for edge in dimension.relationships if edge.kind == "embedded"]
        return dimensions

    def _sound_metrics(self, metrics: Iterable[Metric]) -> dict[str, Metric]:
        """The metrics whose dataset and method exist. The errors of the others are noted."""
        datasets = self._folder.of_type("dataset")
        sound: dict[str, Metric] = {}
        for metric in metrics:
            is_known = metric.calculation_method in CALCULATION_METHODS
            if metric.dataset not in datasets:
                who = f"metric `{metric.name}`"
                self._issues.add_unresolved_reference(metric.where, "dataset", metric.dataset, datasets, wanted_by=who)
            if not is_known:
                near = near_names(metric.calculation_method, CALCULATION_METHODS)
                hint = f".{did_you_mean(near)}" if near else ""
                hint = hint or f"; the methods are {', '.join(f'`{method}`' for method in sorted(CALCULATION_METHODS))}"
                message = (
                    f"metric `{metric.name}` has the unknown calculation method `{metric.calculation_method}`{hint}"
                )
                self._issues.error(metric.where, "unknown-method", message)
            if is_known and metric.dataset in datasets:
                sound[metric.name] = metric
            else:
                self._issues.broken[metric.name] = metric.where.rpartition(":")[0]
        return sound

    def _check_dimensions(self) -> None:
        for dimension in self._dimensions.values():
            for hierarchy in dimension.hierarchies:
                for level in hierarchy.levels:
                    attribute = dimension.attributes.get(level)
                    if attribute is None or attribute.kind != "level":
                        who = f"hierarchy `{hierarchy.name}`"
                        self._issues.add_unresolved_reference(
                            dimension.where, "level attribute", level, dimension.attributes, wanted_by=who
                        )
            for attribute in dimension.attributes.values():
                if attribute.dataset and attribute.dataset not in self._folder.of_type("dataset"):
                    datasets = self._folder.of_type("dataset")
                    who = f"attribute `{attribute.name}`"
                    self._issues.add_unresolved_reference(
                        attribute.where, "dataset", attribute.dataset, datasets, wanted_by=who
                    )
            self._check_edges(dimension)
        self._check_cycles()

    def _check_edges(self, dimension: Dimension) -> None:
        for edge in dimension.relationships:
            who = f"relationship `{edge.name}`" if edge.name else f"a relationship of dimension `{dimension.name}`"
            if edge.kind not in {"embedded", "snowflake"}:
                kinds = "which is neither `embedded` nor `snowflake`"
                message = f"{who} has the unknown type `{edge.kind}`, {kinds}; it is ignored"
                self._issues.warning(edge.where, "unknown-relationship-type", message)
                continue
            target = self._dimensions.get(edge.dimension)
            if target is None:
                self._issues.add_unresolved_reference(
                    edge.where, "dimension", edge.dimension, self._dimensions, wanted_by=who
                )
                continue
            self._is_sound_level(who, edge.where, target, edge.level, edge.from_columns)

    def _check_cycles(self) -> None:
        """Note dimensions that embed each other in a cycle: their roles would never end."""
        state: dict[str, int] = {}

        def visit(name: str, above: tuple[str, ...]) -> None:
            if name in above:
                cycle = " → ".join((*above[above.index(name) :], name))
                where = self._dimensions[name].where
                self._issues.error(where, "embedding-cycle", f"dimensions embed each other in a cycle: {cycle}")
                return
            if state.get(name) or name not in self._dimensions:
                return
            for edge in self._dimensions[name].relationships:
                if edge.kind == "embedded":
                    visit(edge.dimension, (*above, name))
            state[name] = 1

        for name in sorted(self._dimensions):
            visit(name, ())


_Measure = TypeVar("_Measure", Metric, Calculation)


def _in_folder(measure: _Measure, folder: str) -> _Measure:
    """A metric in the folder that a model puts it into; empty: it has its own."""
    return replace(measure, folder=folder) if folder else measure


def _query_names(model: SmlMapping) -> dict[str, str]:
    """The names of ``overrides`` on the query surface, by unique name."""
    overrides = model.get("overrides") or {}
    return {name: str(override["query_name"]) for name, override in overrides.items() if override}


def _names_in_lists(documents: Iterable[Document]) -> tuple[str, ...]:
    """Names of metrics and calculations in the models' own lists, each once."""
    return tuple(
        dict.fromkeys(
            str(reference["unique_name"]) for document in documents for reference in document.value.get("metrics") or ()
        )
    )


def _dimensions_with_default(dimensions: Iterable[Dimension]) -> frozenset[str]:
    return frozenset(
        dimension.name
        for dimension in dimensions
        if any(hierarchy.default_member for hierarchy in dimension.hierarchies)
    )


def _attributes_without_total(dimensions: Iterable[Dimension]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (dimension.name, name)
        for dimension in dimensions
        for name, attribute in dimension.attributes.items()
        if not attribute.is_aggregatable
    )


def _allows_aggregates(properties: Mapping[str, Any]) -> bool:
    """Aggregates of this engine are what SML calls local ones: they stand in the warehouse of their facts."""
    return properties.get("allow_aggregates") is not False and properties.get("allow_local_aggs") is not False


def _aggregate_function(value: SmlMapping) -> str:
    """The aggregate function. The SML reference has two names for this property."""
    return str(value.get("mdx_aggregate_function") or value.get("mdx_aggregation_function") or "").strip().casefold()


def _relationship(value: SmlMapping, file: str) -> Relationship:
    origin, target = value["from"], value["to"]
    return Relationship(
        name=str(value["unique_name"]),
        from_dataset=str(origin["dataset"]),
        from_columns=column_names(origin, "join_columns") or column_names(origin, "columns"),
        dimension=str(target.get("dimension") or ""),
        level=str(target.get("level") or ""),
        template=template_of(value.get("role_play")),
        where=f"{file}:{value.line}",
    )


def _aggregate(value: SmlMapping, file: str) -> DeclaredAggregate:
    return DeclaredAggregate(
        name=str(value["unique_name"]),
        label=str(value.get("label") or value["unique_name"]),
        metrics=tuple(str(name) for name in value.get("metrics") or ()),
        attributes=tuple(
            DeclaredAttribute(
                name=str(attribute["name"]),
                dimension=str(attribute.get("dimension") or ""),
                path=tuple(str(step) for step in attribute.get("relationships_path") or ()),
                partition=str(attribute.get("partition") or ""),
                row_security=str(attribute.get("row_security") or ""),
            )
            for attribute in value.get("attributes") or ()
        ),
        where=f"{file}:{value.line}",
    )


def _main_connection(metrics: Iterable[Metric], datasets: Mapping[str, Dataset]) -> str | None:
    """The connection that most metrics' datasets name."""
    votes: dict[str, int] = {}
    for metric in metrics:
        dataset = datasets.get(metric.dataset)
        if dataset is not None and dataset.connection:
            votes[dataset.connection] = votes.get(dataset.connection, 0) + 1
    return max(sorted(votes), key=lambda name: votes[name], default=None)
