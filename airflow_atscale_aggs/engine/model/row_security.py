"""Row security: who may see which rows. It is read, checked, and followed along the joins of a model.

    dataset with a link ── column ──▶ filter key of a security dataset, in rows with the id of the user or of a group

A row of a dataset with a link is seen where the security dataset has its key for whoever asks. Any other row is seen
where all rows that its joins meet on the way to such a dataset are seen, and where they meet one at all.

Source: SML reference, ``row_security``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from airflow_atscale_aggs.engine.errors import did_you_mean, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.dimensions import column_names
from airflow_atscale_aggs.engine.model.folder_reader import Document, ModelFolder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinStep
from airflow_atscale_aggs.engine.model.semantic_model import RowSecurity, SecurityLink, SemanticModel
from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping
from airflow_atscale_aggs.engine.model.validation import IssueList

ID_TYPES = ("user", "group")
SCOPES = ("all", "fact", "related", "fact-only")

_UNRESTRICTED: Mapping[str, str] = {
    "related": "queries with metrics",
    "fact-only": "queries without metrics",
}
"""What a scope leaves open to everybody although rows behind it are secured."""


def row_securities_of(folder: ModelFolder) -> dict[str, RowSecurity]:
    """The row security objects of a folder, by name. What they refer to is checked."""
    securities: dict[str, RowSecurity] = {}
    for name, document in folder.of_type("row_security").items():
        security = _row_security(document)
        _check(security, folder)
        securities[name] = security
    return securities


def _row_security(document: Document) -> RowSecurity:
    value = document.value
    return RowSecurity(
        name=document.name,
        dataset=str(value["dataset"]),
        filter_key_column=str(value["filter_key_column"]),
        ids_column=str(value["ids_column"]),
        id_type=str(value["id_type"]).strip().casefold(),
        scope=str(value["scope"]).strip().casefold(),
        secure_totals=value.get("secure_totals") is not False,
        where=document.where,
    )


def _check(security: RowSecurity, folder: ModelFolder) -> None:
    """Note errors about the dataset and about words that SML does not know."""
    issues, who = folder.issues, f"row security `{security.name}`"
    datasets = folder.of_type("dataset")
    dataset = datasets.get(security.dataset)
    if dataset is None:
        issues.add_unresolved_reference(security.where, "dataset", security.dataset, datasets, wanted_by=who)
    else:
        columns = column_names(dataset.value, "columns")
        for column in (security.filter_key_column, security.ids_column):
            _check_column(column, columns, security.dataset, issues, (who, security.where))
    _check_word("id_type", security.id_type, ID_TYPES, issues, (who, security.where))
    _check_word("scope", security.scope, SCOPES, issues, (who, security.where))


def _check_column(column: str, columns: Iterable[str], dataset: str, issues: IssueList, at: tuple[str, str]) -> None:
    """Note a column that a dataset does not list. A dataset without a list has whatever its table has."""
    who, where = at
    listed = {name.casefold() for name in columns}
    if listed and column.casefold() not in listed:
        issues.add_unresolved_reference(where, f"column of dataset `{dataset}`", column, columns, wanted_by=who)


def _check_word(name: str, word: str, words: tuple[str, ...], issues: IssueList, at: tuple[str, str]) -> None:
    who, where = at
    if word in words:
        return
    near = near_names(word, words)
    ask = did_you_mean(near) or f" It may be {', '.join(f'`{known}`' for known in words)}."
    issues.error(where, "unknown-value", f"{who} has the unknown `{name}` `{word}`.{ask}")


def links_of_models(
    documents: Iterable[Document], securities: Mapping[str, RowSecurity], folder: ModelFolder
) -> list[SecurityLink]:
    """Links of models' own relationships: rows of a fact are secured."""
    return [
        link
        for document in documents
        for value in document.value.get("relationships") or ()
        for link in _links(value, "", document, securities, folder)
    ]


def links_of_dimensions(
    names: Iterable[str], securities: Mapping[str, RowSecurity], folder: ModelFolder
) -> list[SecurityLink]:
    """Links of dimensions: rows of one of their datasets are secured."""
    documents = folder.of_type("dimension")
    return [
        link
        for name in names
        for value in documents[name].value.get("relationships") or ()
        for link in _links(value, name, documents[name], securities, folder)
    ]


def _links(
    value: SmlMapping, dimension: str, document: Document, securities: Mapping[str, RowSecurity], folder: ModelFolder
) -> Iterator[SecurityLink]:
    """The link that a relationship is; none for one to a dimension. What is wrong with it is noted."""
    name = value["to"].get("row_security")
    if not name:
        return
    origin, issues = value["from"], folder.issues
    columns = column_names(origin, "join_columns") or column_names(origin, "columns")
    link = SecurityLink(
        name=str(value.get("unique_name") or ""),
        dataset=str(origin["dataset"]),
        column=columns[0] if columns else "",
        row_security=str(name),
        dimension=dimension,
        where=f"{document.file}:{value.line}",
    )
    who = f"relationship `{link.name}`" if link.name else f"a relationship of dimension `{dimension}`"
    if link.row_security not in securities:
        if link.row_security in issues.broken:
            message = f"{who} refers to row security `{link.row_security}`, whose own error says why it cannot be used"
            issues.error(link.where, "broken-row-security", message)
        issues.add_unresolved_reference(link.where, "row security", link.row_security, securities, wanted_by=who)
    datasets = folder.of_type("dataset")
    dataset = datasets.get(link.dataset)
    if dataset is None:
        issues.add_unresolved_reference(link.where, "dataset", link.dataset, datasets, wanted_by=who)
    elif columns:
        _check_column(columns[0], column_names(dataset.value, "columns"), link.dataset, issues, (who, link.where))
    if len(columns) != 1:
        message = f"{who} joins {len(columns)} columns to row security `{name}`, whose key is one column"
        issues.error(link.where, "key-mismatch", message)
    yield link


def linked_names(folder: ModelFolder) -> frozenset[str]:
    """Names of the row security objects that any relationship of the folder leads to."""
    return frozenset(
        str(value["to"]["row_security"])
        for kind in ("model", "dimension")
        for document in folder.of_type(kind).values()
        for value in document.value.get("relationships") or ()
        if value["to"].get("row_security")
    )


def why_not_applied(model: SemanticModel) -> list[tuple[RowSecurity, str]]:
    """Row security of a model that asks for something that is not done, with the reason. Its queries are refused."""
    refused: list[tuple[RowSecurity, str]] = []
    linked = {link.row_security for link in model.security_links}
    for security in model.row_securities.values():
        if security.name not in linked:
            reason = "no relationship leads to it, so that nothing says whose rows it secures"
        elif security.scope in _UNRESTRICTED:
            reason = f"its scope `{security.scope}` leaves {_UNRESTRICTED[security.scope]} open to everybody"
        elif security.scope not in SCOPES or security.id_type not in ID_TYPES:
            reason = f"its scope `{security.scope}` or its id type `{security.id_type}` is unknown"
        elif not security.secure_totals:
            reason = "`secure_totals: false` leaves totals over rows open that a user may not see"
        else:
            continue
        refused.append((security, reason))
    return refused


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, as somebody has made sure.

    Attributes:
        groups: all that they belong to; None: that is not known, so rows that are secured by group stay unseen.
    """

    user: str
    groups: tuple[str, ...] | None = None

    def holds(self, test: Callable[[str], bool]) -> bool:
        """Whether a name is one of a kind."""
        return any(map(test, (self.user, *(self.groups or ()))))


@dataclass(frozen=True, slots=True)
class Guard:
    """What rows of a dataset must meet to be seen: a dataset with a link, at the end of some joins.

    Attributes:
        steps: the joins; empty for a link of the dataset itself.
        carriers: attributes that hold the column of the link, for rows that make these joins.
    """

    steps: tuple[JoinStep, ...]
    link: SecurityLink
    carriers: tuple[BoundAttribute, ...]


@dataclass(frozen=True, slots=True)
class RowRule:
    """Which rows of a dataset are seen.

    Attributes:
        guards: all of them must hold.
        met_by: rows of these datasets meet it, by the joins from there; a row is seen where a row that is seen meets
            it. Empty: that does not matter.
        refusal: why nobody can tell whose rows they are; empty where it can be told.
    """

    guards: tuple[Guard, ...] = ()
    met_by: tuple[tuple[str, tuple[JoinStep, ...]], ...] = ()
    refusal: str = ""

    @property
    def is_open(self) -> bool:
        """Whether everybody sees all rows."""
        return not (self.guards or self.met_by or self.refusal)


class RowRules:
    """The rules of one model, by dataset."""

    def __init__(self, model: SemanticModel, paths: JoinPaths) -> None:
        self._model, self._paths = model, paths
        self._links: dict[str, list[SecurityLink]] = {}
        for link in model.security_links:
            self._links.setdefault(link.dataset, []).append(link)
        self._rules: dict[str, RowRule] = {}
        self._is_for_all = any(
            model.row_securities[link.row_security].scope == "all"
            for link in model.security_links
            if link.row_security in model.row_securities
        )

    def of(self, dataset: str) -> RowRule:
        """The rule for rows of a dataset that a query starts from: a fact, or a dimension that is asked by itself."""
        if dataset not in self._rules:
            self._rules[dataset] = self._find(dataset)
        return self._rules[dataset]

    def carriers_of(self, fact: str) -> tuple[BoundAttribute, ...]:
        """One attribute for each guard of a fact that has one: what aggregates must store to serve whoever asks."""
        own = {guard.carriers[0].attribute: guard.carriers[0] for guard in self.of(fact).guards if guard.carriers}
        return tuple(own.values())

    def _find(self, dataset: str) -> RowRule:
        guards = tuple(self._guards(dataset))
        refusal = self._refusal(dataset, guards)
        is_member = not guards and not refusal and dataset not in self._model.fact_datasets
        return RowRule(guards, tuple(self._meetings(dataset)) if is_member and self._is_for_all else (), refusal)

    def _guards(self, dataset: str) -> Iterator[Guard]:
        reached = self._paths.attributes_of(dataset)
        ways = dict.fromkeys(bound.steps[:depth] for bound in reached.values() for depth in range(len(bound.steps) + 1))
        for way in dict.fromkeys(((), *ways)):
            for link in self._links.get(way[-1].to_dataset if way else dataset, ()):
                carriers = tuple(
                    bound for bound in reached.values() if bound.steps == way and link.column in bound.columns
                )
                yield Guard(way, link, carriers)

    def _refusal(self, dataset: str, guards: tuple[Guard, ...]) -> str:
        """Why it cannot be told whose rows they are: a dimension is met above the level where its rows are secured."""
        reached = self._paths.attributes_of(dataset)
        for link in self._model.security_links:
            if not link.dimension:
                continue
            guarded = [guard.steps for guard in guards if guard.link is link]
            for role in {attribute.role for attribute in reached if attribute.role.dimension == link.dimension}:
                if not any(self._is_way_of(role, way, reached) for way in guarded):
                    return (
                        f"`{dataset}` meets dimension `{link.dimension}` without `{link.dataset}`, by which row "
                        f"security `{link.row_security}` tells whose rows they are"
                    )
        return ""

    @staticmethod
    def _is_way_of(role: object, way: tuple[JoinStep, ...], reached: Mapping[GrainAttribute, BoundAttribute]) -> bool:
        """Whether joins lead to a dataset of a role, or the dataset that they would start from is one."""
        ours = [bound.steps for attribute, bound in reached.items() if attribute.role == role]
        return any(steps[: len(way)] == way for steps in ours) if way else () in ours

    def _meetings(self, dataset: str) -> Iterator[tuple[str, tuple[JoinStep, ...]]]:
        """The facts whose rows meet rows of a dataset, with the joins."""
        secured = any(self._guards_or_refusal(fact) for fact in self._model.fact_datasets)
        for fact in self._model.fact_datasets if secured else ():
            reached = self._paths.attributes_of(fact).values()
            ways = {bound.steps[:depth] for bound in reached for depth in range(1, len(bound.steps) + 1)}
            for way in sorted(ways):
                if way[-1].to_dataset == dataset:
                    yield fact, way

    def _guards_or_refusal(self, fact: str) -> bool:
        rule = self.of(fact)
        return bool(rule.guards or rule.refusal)
