"""Reads a folder of SML files into documents with file and line. It reports duplicates and follows packages."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from airflow_atscale_aggs.engine.errors import ModelFileError, did_you_mean, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.files import env_values, file_texts
from airflow_atscale_aggs.engine.model.packages import Package, is_package_file, package_folder
from airflow_atscale_aggs.engine.model.sml import OBJECT_TYPES, check_document
from airflow_atscale_aggs.engine.model.sml_mapping import (
    VALUES_VERSION,
    SmlMapping,
    values_from_json,
    values_to_json,
)
from airflow_atscale_aggs.engine.model.validation import IssueList

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_LARGE = 1 << 20
"""A number of characters. Data of other tools can be that large; reading it takes seconds and gives nothing."""


_MOST_TIMES_LONGER = 4
"""Values are kept that are no longer than so many times the texts, which may say a thing once and repeat it by name."""


@dataclass(frozen=True, slots=True)
class Document:
    """One SML object: its mapping and the file it stands in, relative to the folder."""

    value: SmlMapping
    file: str

    @property
    def name(self) -> str:
        """``unique_name``; the file for the object types that have none."""
        return str(self.value.get("unique_name") or self.file)

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.value.line}"


@dataclass(slots=True)
class ModelFolder:
    """What a folder holds: documents by object type and name, and every issue found while reading.

    Attributes:
        folder: as given, for messages.
        texts: texts of the model's files by relative path; what a registry keeps.
        variables: values of the ``${name}`` variables that the files use, from ``.env``.
    """

    folder: str
    texts: Mapping[str, str]
    variables: Mapping[str, str]
    documents: dict[str, dict[str, Document]] = field(default_factory=dict)
    issues: IssueList = field(default_factory=IssueList)

    def of_type(self, object_type: str) -> dict[str, Document]:
        """Documents of a type by unique name."""
        return self.documents.get(object_type, {})

    def content_hash(self) -> str:
        """A hash of what the files mean: comments, formatting, file names and their order do not count."""
        # As one text of everything would have it, without the memory that it takes.
        encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode
        found = hashlib.sha256(b"{")
        for place, (kind, documents) in enumerate(sorted(self.documents.items())):
            found.update(f"{',' if place else ''}{encode(kind)}:{{".encode())
            texts = (f"{encode(name)}:{encode(document.value)}" for name, document in sorted(documents.items()))
            found.update(f"{','.join(texts)}}}".encode())
        found.update(b"}")
        return found.hexdigest()

    def to_bytes(self) -> bytes:
        """The files, compressed; `folder_from_bytes` reads them again without the folder.

        Beside the texts are the values that were read from them, which are read sooner.
        """
        texts = _texts_as_json(self.texts, self.variables)
        documents = [document for documents in self.documents.values() for document in documents.values()]
        values = values_to_json({document.file: document.value for document in documents})
        if len(values) > _MOST_TIMES_LONGER * len(texts):
            values = values_to_json({})
        kept = json.dumps({"version": VALUES_VERSION, "hash": _hash_of(texts, values), "json": values})
        # In pieces: memory for the whole text would take longer to get than to fill.
        compress = zlib.compressobj(level=1)
        pieces = (texts[:-1], ',"values":', kept, "}")
        return b"".join((*(compress.compress(piece.encode()) for piece in pieces), compress.flush()))


def read_model_folder(folder: Path) -> ModelFolder:
    """Read all SML files below a folder. Issues are collected, not raised.

    Packages that are on this machine are read as well, see `packages`. Files of other tools are skipped with a warning.

    Raises:
        ModelFileError: the folder is not there, is a file, or holds no YAML file.
    """
    if not folder.exists():
        raise ModelFileError(str(folder), 0, "there is no such folder")
    if not folder.is_dir():
        raise ModelFileError(str(folder), 0, "this is a file; give the folder that holds the SML files")
    issues = IssueList()
    read: set[str] = set()
    texts = dict(file_texts(folder, folder, read, issues))
    if not texts and not issues.all():
        raise ModelFileError(str(folder), 0, "the folder holds no .yml file")
    return _folder_of(str(folder), texts, env_values(folder), issues, _OnDisk(folder, read))


def folder_from_bytes(content: bytes, name: str) -> ModelFolder:
    """The folder that `ModelFolder.to_bytes` has turned into bytes.

    Raises:
        ModelFileError: the bytes are none of these.
    """
    try:
        stored = json.loads(zlib.decompress(content))
        texts, variables = (_texts_in(stored, name) for name in ("texts", "variables"))
    except (zlib.error, ValueError) as error:
        raise unreadable_deployment(name, str(error)) from None
    return _folder_of(name, texts, variables, IssueList(), _kept_values(stored, texts, variables))


def _kept_values(stored: dict[str, Any], texts: dict[str, str], variables: dict[str, str]) -> dict[str, SmlMapping]:
    """The values by file that are kept beside texts.

    The texts are the truth: nothing where another version has written the values, or where either was changed since.
    """
    kept = stored.get("values")
    if not isinstance(kept, dict) or kept.get("version") != VALUES_VERSION or not isinstance(kept.get("json"), str):
        return {}
    is_of_texts = kept.get("hash") == _hash_of(_texts_as_json(texts, variables), kept["json"])
    return values_from_json(kept["json"]) if is_of_texts else {}


def _texts_as_json(texts: Mapping[str, str], variables: Mapping[str, str]) -> str:
    return json.dumps({"texts": dict(texts), "variables": dict(variables)}, separators=(",", ":"))


def _hash_of(texts: str, values: str) -> str:
    found = hashlib.sha256(texts.encode())
    found.update(b"\n")
    found.update(values.encode())
    return found.hexdigest()


def unreadable_deployment(model: str, why: str) -> ModelFileError:
    """The error of a deployed model whose stored files cannot be read."""
    reason = f"the files that the registry keeps of it cannot be read ({why}). Deploy it once more from its SML"
    return ModelFileError(f"Model `{model}`", 0, f"{reason}, as with `atscale-aggs deploy DIR`.")


def _texts_in(stored: object, key: str) -> dict[str, str]:
    """Texts by name, in what was stored. Raises ValueError where they are something else."""
    found = stored.get(key) if isinstance(stored, dict) else None
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        message = f"it has no {key}"
        raise ValueError(message)
    return found


@dataclass(slots=True)
class _OnDisk:
    """Where packages are looked for.

    Attributes:
        read: real paths of the files and folders that were read.
        packages: real paths of the packages that were met.
    """

    folder: Path
    read: set[str]
    packages: set[str] = field(default_factory=set)

    def texts_of(self, package: Package, env: dict[str, str], issues: IssueList) -> list[tuple[str, str]]:
        """Texts of a package's files that were not read yet; its own variables are added to those of the model."""
        folder = package_folder(package, self.folder, issues)
        if folder is None:
            return []
        real = str(folder.resolve())
        if real in self.packages or real == str(self.folder.resolve()):
            message = f"package `{package.name}` is part of a cycle or named twice; it is read once"
            issues.warning(package.where, "package-cycle", message)
            return []
        self.packages.add(real)
        for name, value in env_values(folder).items():
            if env.setdefault(name, value) != value:
                message = f"the .env file of package `{package.name}` has another value of `{name}`, which is not used"
                issues.warning(package.where, "other-variable", message)
        return list(file_texts(folder, self.folder, self.read, issues))


def _folder_of(
    name: str,
    texts: dict[str, str],
    env: dict[str, str],
    issues: IssueList,
    source: _OnDisk | dict[str, SmlMapping],
) -> ModelFolder:
    """A folder of these texts, which are on disk, or some of which have been read before."""
    on_disk, known = (source, {}) if isinstance(source, _OnDisk) else (None, source)
    folder = ModelFolder(name, texts, {}, issues=issues)
    used: dict[str, str] = {}
    pending = [*texts.items()]
    if on_disk is not None:
        pending.sort(
            key=lambda item: "packages:" not in item[1]
        )  # variables of packages are known before they are used
    texts_of_model: dict[str, str] = {}
    for file, text in pending:
        written = _substitute_variables(text, env, used, file, issues)
        document = Document(known[file], file) if file in known else _read_document(file, written, issues)
        if document is None:
            continue
        texts_of_model[file] = text
        if "object_type" not in document.value:
            if check_document(document.value, "package_file", file, issues) and on_disk is not None:
                for value in document.value["packages"]:
                    pending.extend(on_disk.texts_of(Package.of(value, file), env, issues))
            continue
        _file_document(document, folder)
    folder.texts, folder.variables = texts_of_model, used
    return folder


def _substitute_variables(text: str, env: Mapping[str, str], used: dict[str, str], file: str, issues: IssueList) -> str:
    if "${" not in text:
        return text

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in env:
            issues.warning(file, "unknown-variable", f"`${{{name}}}` has no value in the folder's .env file")
            return match.group(0)
        used[name] = env[name]
        return env[name]

    return _VARIABLE.sub(value_of, text)


def _read_document(file: str, text: str, issues: IssueList) -> Document | None:
    """The document of an SML file or a list of packages. None: another tool's file, or one that cannot be used."""
    is_sml = "object_type" in text
    if not is_sml and len(text) > _LARGE and "unique_name" not in text and "packages" not in text:
        _skip(file, "it has no `object_type`", issues)
        return None
    from airflow_atscale_aggs.engine.model.yaml_reader import YamlError, read_yaml  # noqa: PLC0415 - values are kept

    try:
        value = read_yaml(text)
    except YamlError as error:
        where = f"{file}:{error.line}" if error.line else file
        if is_sml:
            issues.error(where, "broken-yaml", error.reason)
        else:
            _skip(where, f"it has no `object_type` and cannot be read: {error.reason}", issues)
        return None
    if value is None:
        issues.warning(file, "empty-file", "the file is empty")
        return None
    if not isinstance(value, SmlMapping):
        if is_sml:
            issues.error(file, "no-mapping", "the file must hold one mapping with `object_type` and `unique_name`")
        else:
            _skip(file, "it has no `object_type`", issues)
        return None
    document = Document(value, file)
    if "object_type" in value or is_package_file(value):
        return document
    if "unique_name" in value:
        issues.error(document.where, "unknown-object-type", "the file has a `unique_name` and no `object_type`")
        issues.broken[document.name] = file
    else:
        _skip(document.where, "it has no `object_type`", issues)
    return None


def _skip(where: str, why: str, issues: IssueList) -> None:
    issues.warning(where, "foreign-file", f"this is no SML file and is skipped: {why}")


def _file_document(document: Document, folder: ModelFolder) -> None:
    """File a document under its type and name."""
    object_type = document.value["object_type"]
    if not isinstance(object_type, str) or object_type not in OBJECT_TYPES:
        is_text = isinstance(object_type, str)
        hint = did_you_mean(near_names(object_type, OBJECT_TYPES)) if is_text else ""
        what = f"`object_type: {object_type}` is unknown" if is_text else "`object_type` must be a text"
        types = f" The types are {', '.join(f'`{known}`' for known in sorted(OBJECT_TYPES))}."
        folder.issues.error(document.where, "unknown-object-type", f"{what}.{hint or types}")
        folder.issues.broken[document.name] = document.file
        return
    if not check_document(document.value, object_type, document.file, folder.issues):
        if document.value.get("unique_name"):
            folder.issues.broken[document.name] = document.file
        return
    documents = folder.documents.setdefault(object_type, {})
    first = documents.get(document.name)
    if first is not None:
        message = f"{object_type} `{document.name}` is defined twice, first at {first.where}"
        folder.issues.error(document.where, "duplicate-name", message)
        return
    documents[document.name] = document
