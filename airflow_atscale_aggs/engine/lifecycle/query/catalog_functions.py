"""Answer the catalog's functions that are asked about models, and tell when a statement must be run as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp, parse_one

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.sql.model_relations import (
    CATALOG_FUNCTIONS,
    HARMLESS,
    PRIVILEGES,
    SYSTEM_COLUMNS,
    TO_RELATION,
    VISIBLE,
    Shown,
)
from airflow_atscale_aggs.engine.sql.view_catalog import CatalogQueries


@dataclass(frozen=True, slots=True)
class ShownModel:
    """A model as a relation of the catalog.

    Attributes:
        number: its object identifier, the same as long as it is deployed.
        is_visible: a query may name it without its schema.
    """

    snapshot: ModelSnapshot
    number: int
    schema_number: int
    is_visible: bool

    @property
    def schema(self) -> str:
        """The name of its catalog."""
        return self.snapshot.record.catalog

    @property
    def name(self) -> str:
        """Its own name."""
        return self.snapshot.record.name


class CatalogFunctions:
    """What the catalog's functions say of some models."""

    def __init__(self, models: Sequence[ShownModel]) -> None:
        self._models = models
        self._spelled = {text: model for model in models for text in _spellings(model)}

    @staticmethod
    def names_relations(root: exp.Query) -> bool:
        """Whether a query may name relations in texts: ``'retail'::regclass``."""
        names = {_name(function) for function in root.find_all(exp.Func)}
        return bool(names & {TO_RELATION, *PRIVILEGES}) or any(map(_is_regclass, root.find_all(exp.Cast)))

    def is_answerable(self, root: exp.Query) -> bool:
        """Whether every function of the query can be answered for a model, which is no relation of the warehouse."""
        if any(column.name.casefold() in SYSTEM_COLUMNS for column in root.find_all(exp.Column)):
            return False
        if any(_is_regclass(cast) and not cast.this.is_string for cast in root.find_all(exp.Cast)):
            return False
        casts_of_names = [function for function in root.find_all(exp.Func) if _name(function) == TO_RELATION]
        if any(len(function.expressions) != 1 or not function.expressions[0].is_string for function in casts_of_names):
            return False
        names = [_name(function) for function in root.find_all(exp.Func)]
        looks_up = [name for name in names if name.startswith(CATALOG_FUNCTIONS)]
        return all(name in HARMLESS or name in PRIVILEGES or name in {VISIBLE, TO_RELATION} for name in looks_up)

    def replace_names(self, root: exp.Query) -> bool:
        """Change the query so that its functions know the models.

        Returns False when no function names a model by itself.
        """
        has_named = False
        for cast in [cast for cast in root.find_all(exp.Cast) if _is_regclass(cast)]:
            model = self._spelled.get(cast.this.name)
            if model is not None:
                cast.replace(_relation(cast, model))
                has_named = True
        for function in list(root.find_all(exp.Func)):
            name = _name(function)
            whole = function.parent if isinstance(function.parent, exp.Dot) else function
            if name == VISIBLE:
                numbers = [str(model.number) for model in self._models if model.is_visible]
                (number,) = function.expressions
                is_ours = _is_in(number, numbers)
                whole.replace(exp.Paren(this=exp.Or(this=whole.copy(), expression=is_ours)))
            elif name in PRIVILEGES:
                has_named |= self._privilege(function, whole, name)
            elif name == TO_RELATION:
                model = self._spelled.get(function.expressions[0].name)
                if model is not None:
                    whole.replace(_relation(whole, model))
                    has_named = True
        return has_named

    def _privilege(self, function: exp.Expr, whole: exp.Expr, name: str) -> bool:
        """Answer a function that asks for privileges: models may be read, and nothing else.

        Returns True when it names a model.
        """
        place, kind, right = PRIVILEGES[name]
        arguments = function.expressions
        if len(arguments) < -place:
            return False
        spellings = self._spelled if kind is Shown.RELATION else _schemas(self._models)
        right_asked_for = exp.Lower(this=arguments[-1].copy())
        has_right = exp.And(
            this=exp.Like(this=right_asked_for, expression=exp.Literal.string(f"%{right}%")),
            expression=exp.Not(this=exp.Like(this=right_asked_for.copy(), expression=exp.Literal.string("%option%"))),
        )
        case = exp.Case(ifs=[exp.If(this=_is_in(arguments[place], spellings), true=has_right)], default=whole.copy())
        whole.replace(case)
        return arguments[place].is_string and arguments[place].name in spellings


def replace_missing(root: exp.Query, lacks: CatalogQueries, dialect: str) -> None:
    """Replace casts to REGCLASS and functions that a warehouse lacks; the query is changed.

    Args:
        dialect: of the warehouse, by sqlglot's name.
    """
    if lacks.relation_texts is not None:
        for cast in [cast for cast in root.find_all(exp.Cast) if _is_regclass(cast) and cast.this.is_string]:
            name = cast.this.name.casefold().removeprefix("pg_catalog.")
            if name.startswith("pg_"):
                cast.replace(parse_one(lacks.relation_texts.get(name, "0"), read=dialect))
        for operator in list(root.find_all(exp.Operator)):
            name = operator.text("operator").rpartition(".")[2]
            if name in {"~", "!~"}:
                match = exp.RegexpLike(this=operator.this, expression=operator.expression)
                operator.replace(exp.Not(this=match) if name == "!~" else match)
        for collate in list(root.find_all(exp.Collate)):
            if collate.expression.name.casefold() == "default":
                collate.replace(collate.this)
    for function in list(root.find_all(exp.Func)):
        text = lacks.missing_functions.get(_name(function))
        if text is not None:
            whole = function.parent if isinstance(function.parent, exp.Dot) else function
            whole.replace(parse_one(text, read=dialect))


def _schemas(models: Iterable[ShownModel]) -> list[str]:
    return [text for model in models for text in (model.schema, str(model.schema_number))]


def _spellings(model: ShownModel) -> list[str]:
    """All texts that name a model."""
    quoted = exp.to_identifier(model.name, quoted=True).sql(), exp.to_identifier(model.schema, quoted=True).sql()
    names = [f"{schema}.{name}" for schema in (model.schema, quoted[1]) for name in (model.name, quoted[0])]
    bare = [model.name, quoted[0]] if model.is_visible else []
    return [*names, *bare, str(model.number)]


def _relation(named: exp.Expr, model: ShownModel) -> exp.Expr:
    """The literal that stands for a model: its name where people read it, else its number."""
    parent = named.parent
    is_shown = isinstance(parent, exp.Select) or (
        isinstance(parent, exp.Alias) and isinstance(parent.parent, exp.Select)
    )
    if is_shown or (isinstance(parent, exp.Cast) and parent.is_type("text", "varchar")):
        return exp.Literal.string(model.name if model.is_visible else f"{model.schema}.{model.name}")
    number = exp.Literal.number(model.number)
    return exp.Cast(this=number, to=exp.DataType(this=exp.DType.USERDEFINED, kind="oid"))


def _is_in(value: exp.Expr, texts: Iterable[str]) -> exp.Expr:
    every = [exp.Literal.string(text) for text in texts]
    return exp.In(this=exp.cast(value.copy(), "text"), expressions=every) if every else exp.false()


def _is_regclass(cast: exp.Cast) -> bool:
    return cast.to.sql().replace('"', "").casefold().removeprefix("pg_catalog.") == "regclass"


def _name(function: exp.Func) -> str:
    name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
    return str(name).casefold()
