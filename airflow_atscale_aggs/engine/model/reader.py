"""A folder of SML files to documents with file and line, duplicates and packages sorted out."""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_atscale_aggs.engine.errors import ModelFileError, near_names
from airflow_atscale_aggs.engine.model.sml import OBJECT_TYPES, check_document
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.model.yaml_reader import SmlMapping, YamlError, read_yaml

_SUFFIXES = (".yml", ".yaml")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SKIPPED_FOLDERS = frozenset({".git", ".github", "node_modules", "__pycache__"})
_LARGEST_FILE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """One SML object: its mapping and the file it stands in, relative to the folder."""

    value: SmlMapping
    file: str

    @property
    def name(self) -> str:
        """``unique_name``."""
        return str(self.value["unique_name"])

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.value.line}"


@dataclass(slots=True)
class ModelFolder:
    """What a folder holds: documents by object type and name, and every issue found while reading.

    Attributes:
        folder: as given, for messages.
        texts: file texts by relative path; what a registry keeps.
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
        content = {kind: {name: d.value for name, d in found.items()} for kind, found in self.documents.items()}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_bytes(self) -> bytes:
        """The files, compressed; `folder_from_bytes` reads them again without the folder."""
        content = {"texts": dict(self.texts), "variables": dict(self.variables)}
        return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), level=1)


def read_model_folder(folder: Path) -> ModelFolder:
    """Read all SML files below a folder. Issues are collected, not raised.

    Local packages (a ``url`` that is a folder) are read as well; remote ones are named in a warning.

    Raises:
        ModelFileError: the folder is not there, is a file, or holds no YAML file.
    """
    if not folder.exists():
        raise ModelFileError(str(folder), 0, "there is no such folder")
    if not folder.is_dir():
        raise ModelFileError(str(folder), 0, "this is a file; give the folder that holds the SML files")
    issues = IssueList()
    texts = dict(_texts(folder, folder, issues))
    if not texts:
        raise ModelFileError(str(folder), 0, "the folder holds no .yml file")
    return _folder_of(str(folder), texts, _env(folder), issues, folder)


def folder_from_bytes(content: bytes, name: str) -> ModelFolder:
    """The folder that `ModelFolder.to_bytes` kept."""
    kept = json.loads(zlib.decompress(content))
    return _folder_of(name, kept["texts"], kept["variables"], IssueList(), None)


def _folder_of(
    name: str, texts: dict[str, str], env: Mapping[str, str], issues: IssueList, on_disk: Path | None
) -> ModelFolder:
    found = ModelFolder(name, texts, {}, issues=issues)
    used: dict[str, str] = {}
    pending = list(texts.items())
    packages_seen = {str(on_disk.resolve())} if on_disk else set()
    for file, text in pending:
        document = _read_document(file, _substituted(text, env, used, file, issues), issues)
        if document is None:
            continue
        if "object_type" not in document.value and "packages" in document.value:
            if check_document(document.value, "package_file", file, issues) and on_disk is not None:
                pending.extend(_packages(document, on_disk, packages_seen, issues))
            continue
        _keep(document, found)
    found.texts, found.variables = dict(pending), used
    return found


def _texts(folder: Path, root: Path, issues: IssueList) -> Iterator[tuple[str, str]]:
    """File texts by path, in a stable order; a folder behind a link is read once."""
    seen: set[str] = set()
    for current, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        for file in sorted(files):
            if file.endswith(_SUFFIXES) and not file.startswith("."):
                path = Path(current, file)
                relative = os.path.relpath(path, root)
                try:
                    if path.stat().st_size > _LARGEST_FILE_BYTES:
                        issues.error(relative, "unreadable-file", "the file is larger than 16 MiB")
                        continue
                    yield relative, path.read_text(encoding="utf-8-sig")
                except UnicodeDecodeError:
                    issues.error(relative, "unreadable-file", "the file is not UTF-8 text")
                except OSError as error:
                    issues.error(relative, "unreadable-file", f"the file cannot be read: {error.strerror}")


def _env(folder: Path) -> dict[str, str]:
    """Values of a ``.env`` file: ``name=value`` lines, quotes and comments as shells have them."""
    path = folder / ".env"
    if not path.is_file():
        return {}
    values: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.lstrip().startswith("#"):
            values[name.strip().removeprefix("export ")] = value.strip().strip("'\"")
    return values


def _substituted(text: str, env: Mapping[str, str], used: dict[str, str], file: str, issues: IssueList) -> str:
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
    try:
        value = read_yaml(text)
    except YamlError as error:
        issues.error(f"{file}:{error.line}" if error.line else file, "broken-yaml", error.reason)
        return None
    if value is None:
        issues.warning(file, "empty-file", "the file is empty")
        return None
    if not isinstance(value, SmlMapping):
        issues.error(file, "no-mapping", "the file must hold one mapping with `object_type` and `unique_name`")
        return None
    return Document(value, file)


def _keep(document: Document, found: ModelFolder) -> None:
    """File a document under its type and name."""
    object_type = document.value.get("object_type")
    if object_type not in OBJECT_TYPES:
        near = near_names(str(object_type), OBJECT_TYPES)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        what = f"`object_type: {object_type}` is unknown" if object_type else "the file has no `object_type`"
        found.issues.error(document.where, "unknown-object-type", f"{what}.{hint}")
        return
    if not check_document(document.value, str(object_type), document.file, found.issues):
        return
    documents = found.documents.setdefault(str(object_type), {})
    first = documents.get(document.name)
    if first is not None:
        message = f"{object_type} `{document.name}` is defined twice, first at {first.where}"
        found.issues.error(document.where, "duplicate-name", message)
        return
    documents[document.name] = document


def _packages(document: Document, root: Path, seen: set[str], issues: IssueList) -> list[tuple[str, str]]:
    """Texts of the packages that are folders on this machine."""
    texts: list[tuple[str, str]] = []
    for package in document.value["packages"]:
        url, name = str(package.get("url") or ""), package.get("name")
        folder = Path(url.removeprefix("file://")) if url else None
        if folder is not None and not folder.is_absolute():
            folder = root / folder
        if folder is None or "://" in url.removeprefix("file://") or not folder.is_dir():
            message = f"package `{name}` is not a folder on this machine and is not read"
            issues.warning(f"{document.file}:{package.line}", "remote-package", message)
            continue
        real = str(folder.resolve())
        if real in seen:
            message = f"package `{name}` is part of a cycle or named twice; it is read once"
            issues.error(f"{document.file}:{package.line}", "package-cycle", message)
            continue
        seen.add(real)
        texts += _texts(folder, root, issues)
    return texts
