"""Finds the files that a model needs, so that an error in another model's file does not stop it."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_atscale_aggs.engine.model.calculations import referenced_measures
from airflow_atscale_aggs.engine.model.folder_reader import Document, ModelFolder

_ENTRIES = ("model", "composite_model")
_ALWAYS = ("catalog", "model_settings", "global_settings")


def files_behind(model: str, folder: ModelFolder) -> frozenset[str]:
    """Files of the model, of all that it names, and of all that these name; files that could not be used among them.

    Every text that is the name of an object counts as a reference, so the result may hold too many files, but never too
    few.
    """
    named = {
        name: document
        for kind, documents in folder.documents.items()
        if kind not in _ENTRIES
        for name, document in documents.items()
    }
    broken = folder.issues.broken
    files = {document.file for kind in _ALWAYS for document in folder.of_type(kind).values()}
    files |= {
        settings_document.file
        for settings_document in folder.of_type("aggregate_settings").values()
        if settings_document.value["model"] == model
    }
    models = folder.of_type("model")
    pending = [document for kind in _ENTRIES for name, document in folder.of_type(kind).items() if name == model]
    seen: set[str] = set()
    while pending:
        document = pending.pop()
        files.add(document.file)
        is_composite = document.value["object_type"] == "composite_model"
        for text in _names_in(document):
            if text in seen:
                continue
            seen.add(text)
            named_documents = [named.get(text), models.get(text) if is_composite else None]
            pending += [named_document for named_document in named_documents if named_document is not None]
            files |= {broken[text]} if text in broken else set()
    return frozenset(files)


def _names_in(document: Document) -> Iterator[str]:
    """Every text of a document, and what its MDX measures."""
    pending: list[object] = [document.value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
            yield from value
        elif isinstance(value, list):
            pending += value
        elif value is not None:
            text = str(value)
            yield text
            if "[" in text:
                yield from referenced_measures(text)
