"""The pages of SML by example: an object type each, with its properties, examples, and what the engine makes of them."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path

from airflow_atscale_aggs.engine.model.row_security import ID_TYPES, SCOPES
from airflow_atscale_aggs.engine.model.sml import CALCULATION_METHODS, OBJECT_TYPES, SHAPES, Property
from tests.reference_pages import small_model
from tests.reference_pages.markdown import code, page, sentence, table
from tests.reference_pages.property_examples import REFUSALS, Effect, EffectKind, Examples, difference, fragment
from tests.reference_pages.sml_shapes import PAGES, SHAPE_SENTENCES
from tests.support.honoured_properties import PropertyChange, property_changes
from tests.support.property_treatments import PROPERTY_TREATMENTS, Treatment

_MOST_SQL_LINES = 30
_SOURCE = "the table of properties and the engine's own answers"
_MEANINGS = tomllib.loads((Path(__file__).parent / "property_meanings.toml").read_text(encoding="utf-8"))
_VALUES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("metric", "calculation_method"): tuple(sorted(CALCULATION_METHODS)),
    ("metrical_attribute", "calculation_method"): tuple(sorted(CALCULATION_METHODS - {"sum distinct"})),
    ("metric", "unrelated_dimensions_handling"): ("error", "empty", "repeat"),
    ("metrical_attribute", "unrelated_dimensions_handling"): ("error", "empty", "repeat"),
    ("metric", "named_quantiles"): ("median", "quartiles", "deciles"),
    ("semi_additive", "position"): ("first", "last"),
    ("hierarchy", "filter_empty"): ("yes", "no", "always"),
    ("row_security", "scope"): tuple(SCOPES),
    ("row_security", "id_type"): tuple(ID_TYPES),
    ("dimension_relationship", "type"): ("snowflake", "embedded"),
}
"""The words that a property takes, where they are few."""

_KINDS = {"text": "text", "bool": "`true` or `false`", "number": "number", "any": "any", "column": "column"}
_TREATED = {Treatment.HONOURED: "honoured", Treatment.REFUSED: "refused", Treatment.HARMLESS: "harmless"}

_INTRODUCTION = """
SML is a language for semantic models. A semantic model says what the tables of a warehouse mean: which one holds facts,
which ones describe them, how they are joined, what can be measured. It is written once, as YAML files in a folder. Then
people ask for "Revenue by City", and nobody writes a join. This program reads SML, builds the aggregates that a model
has, and answers queries on it.
"""

_HOW = """
A query names attributes and metrics as if the model were one flat table. The first query is answered from the
aggregate, the second one needs days and shops, which only the facts have. Both answers are those of the facts.
"""

_READING = """
Each file holds one object. `object_type` says what it is, `unique_name` is how others refer to it. Names of files and
folders mean nothing.

Each property is treated in one of three ways:

* **honoured**: an answer, an aggregate or a message depends on it. An example follows the table. Most examples are pieces
  of one model that has nearly everything; below each stands what changes when the value does. SQL is that of the engine,
  for PostgreSQL. Lines with `-` belong to the model as it is, lines with `+` to the changed one.
* **refused**: `deploy` says so in a warning with file and line, and a query that needs it is refused in the same words.
* **harmless**: it is read, and no answer depends on it. The reason stands beside it.

A property that is *needed* is an error where it is missing. One that is *expected* is a warning.
"""


@functools.cache
def _examples() -> Examples:
    return Examples()


@functools.cache
def _changes() -> Mapping[tuple[str, str], PropertyChange]:
    return {(change.shape, change.name): change for change in property_changes()}


def index_page() -> str:
    """What SML is, a small complete model that one can copy, and where to read on."""
    parts = [
        _INTRODUCTION,
        "## A small complete model",
        f"Two tables, made by this file `data.sql`:\n\n{_block('sql', small_model.DATA)}",
    ]
    parts.append("The model is eight files in a folder `model`.")
    for name, text in small_model.FILES.items():
        parts += [f"`{name}`: {small_model.WHAT[name]}", _block("yaml", text)]
    parts.append("## Deploy it, build it, ask it")
    load = "import duckdb; duckdb.connect('warehouse.duckdb').execute(open('data.sql').read())"
    parts.append(_block("bash", f'python -c "{load}"\natscale-aggs deploy model\natscale-aggs build shop_sales'))
    for query, (rows, source) in small_model.ASKED.items():
        parts.append(_block("bash", f"atscale-aggs query '{_quoted(query)}'"))
        parts.append(_block("text", f"{rows}{source}"))
    parts += [
        _HOW,
        "`atscale-aggs plan shop_sales --sql` shows what the aggregate is made of:",
        _block("sql", small_model.BUILD_SQL),
    ]
    parts += ["## The whole language", _READING, table(("page", "about"), _contents())]
    parts.append(f"Types of objects are {', '.join(code(name) for name in sorted(OBJECT_TYPES))}.")
    effect = _examples().effect_of(_changes()["metric", "object_type"])
    parts.append(f"Another one is an error:\n\n> {effect.after}")
    parts.append("[What is made of a model](sml.md) tells how folders, packages and bounds are handled.")
    return page("SML by example", _SOURCE, *parts)


def shape_page(name: str) -> str:
    """The page of some shapes."""
    title, what, shapes = PAGES[name]
    parts = [f"{what} [SML by example](../sml-by-example.md) tells how to read this page."]
    shown: set[str] = set()
    for shape in shapes:
        parts += [f"## {shape}", SHAPE_SENTENCES[shape], _properties(shape)]
        parts += _examples_of(shape, shown)
        parts += _refusals_of(shape)
    return page(title, _SOURCE, *parts)


def _contents() -> list[tuple[str, str]]:
    return [
        (f"[{title}](sml-by-example/{name}.md)", ", ".join(code(shape) for shape in shapes))
        for name, (title, _, shapes) in PAGES.items()
    ]


def _properties(shape: str) -> str:
    rows = []
    for name, spec in SHAPES[shape].items():
        treated = PROPERTY_TREATMENTS[shape][name]
        text = _meaning(shape, name) if treated.treatment is Treatment.HONOURED else sentence(treated.reason)
        needed = "needed" if spec.is_needed else "expected" if spec.is_expected else ""
        rows.append((code(name), _kind(shape, name, spec), needed, _TREATED[treated.treatment], text))
    return table(("property", "type", "", "treated", "meaning, or why not"), rows)


def _meaning(shape: str, name: str) -> str:
    text = _MEANINGS.get(shape, {}).get(name) or _MEANINGS["any"].get(name)
    assert text, f"property_meanings.toml has no sentence for {shape}.{name}"
    return str(text).replace("`METHODS`.", "").strip()


def _kind(shape: str, name: str, spec: Property) -> str:
    if (shape, name) in _VALUES:
        return ", ".join(code(value) for value in _VALUES[shape, name])
    if name == "object_type":
        return code(shape)
    kind = spec.kind
    if kind.startswith("["):
        return f"list of {_noun(kind[1:-1])}"
    if kind.startswith("{"):
        return f"mapping of names to {_noun(kind[1:-1])}"
    return _noun(kind)


def _noun(kind: str) -> str:
    if kind in _KINDS:
        return _KINDS[kind]
    there = next(name for name, (_, _, shapes) in PAGES.items() if kind in shapes)
    return f"[{kind}]({there}.md#{kind})"


def _examples_of(shape: str, shown: set[str]) -> list[str]:
    parts = []
    for name in SHAPES[shape]:
        change = _changes().get((shape, name))
        if change is not None and name != "object_type":
            parts.append(f"### {shape}.{name}")
            parts.append(
                f"{_meaning(shape, name)}\n\n{_block('yaml', f'# {change.file}.yml{chr(10)}{fragment(change)}')}"
            )
            parts += _effect(change, _examples().effect_of(change), shown)
    return parts


def _effect(change: PropertyChange, effect: Effect, shown: set[str]) -> list[str]:
    """What the property means in SQL, or what is said of another value."""
    old, new = " ".join(change.old.split()), " ".join(change.new.split())
    instead = f"With {_quote(new)} in place of {_quote(old)}"
    if not new or "other:" in new:
        # The key gets another name, so that the property is not there.
        instead = f"Without {_quote(old.removesuffix(':'))}"
    match effect.kind:
        case EffectKind.SAID:
            return [f"{instead}, `deploy` says:\n\n> {_place(effect.after)}"]
        case EffectKind.REFUSED:
            return [f"{instead}, the query {_quote(effect.query)} is refused:\n\n> {effect.after}"]
        case EffectKind.LIFTED:
            now = f"The query {_quote(effect.query)} is refused:\n\n> {effect.before}"
            return [now, f"{instead}, it is answered by:", _block("sql", effect.after)]
        case EffectKind.SQL:
            parts = []
            if effect.query not in shown and len(effect.before.splitlines()) <= _MOST_SQL_LINES:
                shown.add(effect.query)
                parts = [f"The query {_quote(effect.query)} is answered by:", _block("sql", effect.before)]
                instead += ", the SQL is"
            else:
                instead += f", the SQL of {_quote(effect.query)} is"
            return [*parts, f"{instead}:", _block("diff", difference(effect.before, effect.after))]
    return []


def _refusals_of(shape: str) -> list[str]:
    parts = []
    for change in REFUSALS:
        if change.shape == shape:
            effect = _examples().effect_of(change)
            assert effect.kind in {EffectKind.SAID, EffectKind.REFUSED}, change
            who = "`deploy` says" if effect.kind is EffectKind.SAID else f"The query {_quote(effect.query)} is refused"
            parts += [
                f"### {shape}: what is refused",
                _block("yaml", fragment(change)),
                f"{who}:\n\n> {_place(effect.after)}",
            ]
    return parts


def _place(issue: str) -> str:
    """An issue, whose place is code and no link."""
    where, _, text = issue.partition(": ")
    return f"`{where}`: {text}"


def _quote(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text.strip(chr(10))}\n```"
