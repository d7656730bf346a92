"""Writes and reads the file that carries definitions to another system. Nothing in a file is trusted when it is read.

One JSON document, one definition per line. It holds names and figures: no user-defined definitions (they are part of
the model), no join paths, no tables, no queries, no secrets.

Source: AtScale, "Exporting And Importing System-Defined Aggregate Definitions".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from packaging.version import InvalidVersion, Version

from airflow_atscale_aggs.engine.errors import ImportRefusedError

FORMAT = "atscale-aggs definitions"
FORMAT_VERSION = 1
"""This number grows when the version before could not read the file."""

MOST_BYTES = 256 * 1024 * 1024
"""Larger files are not read: 100,000 definitions need less than a quarter of it."""

PLAIN_ROLE = "{0}"
"""The role-play template of a dimension in its plain use."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
_Text = Annotated[str, msgspec.Meta(max_length=20_000)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Figure = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters: terminals obey them, and databases may refuse them."""


class ExportedAttribute(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, gc=False):
    """An attribute of the grain; ``role`` is the role-play template."""

    dimension: _Name
    attribute: _Name
    role: _Name = PLAIN_ROLE


class ExportedStatistics(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """How the aggregate was used in the system that exported it.

    Attributes:
        uses, query_seconds, last_used_at: of the queries it answered.
        rows: of the newest instances, all facts together.
        build_seconds: of the newest instances, together.
        size_bytes: of their tables when it was evaluated last; None where the warehouse does not tell.
        score: of the newest evaluation.
    """

    uses: _Count = 0
    query_seconds: _Figure = 0.0
    last_used_at: _Moment | None = None
    rows: _Count | None = None
    build_seconds: _Figure | None = None
    size_bytes: _Count | None = None
    score: _Figure | None = None


class ExportedDefinition(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """One definition, by names. ``fingerprint`` is for people; an import computes it again."""

    name: _Name
    label: _Text = ""
    origin: Literal["demand_defined", "prediction_defined"]
    fingerprint: _Text = ""
    facts: Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1, max_length=100)]
    attributes: Annotated[tuple[ExportedAttribute, ...], msgspec.Meta(max_length=1000)] = ()
    metrics: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=2000)] = ()
    defined_at: _Moment | None = None
    reason: _Text = ""
    evidence: Annotated[dict[_Name, _Figure], msgspec.Meta(max_length=200)] = {}
    statistics: ExportedStatistics = msgspec.field(default_factory=ExportedStatistics)


class ExportHeader(msgspec.Struct, kw_only=True):
    """The header, which is read first from a file of any version.

    Attributes:
        model_hash: hash of the SML that was deployed where the file was made.
    """

    format: _Text
    format_version: _Count
    product_version: _Text
    model_id: _Text
    catalog: _Text = ""
    model: _Text = ""
    model_version: _Count = 0
    model_hash: _Text = ""
    exported_at: _Moment | None = None


class ExportFile(ExportHeader, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    definitions: Annotated[list[ExportedDefinition], msgspec.Meta(max_length=1_000_000)]


_encode = msgspec.json.Encoder(order="deterministic").encode


def write_export(header: ExportHeader, definitions: Iterable[ExportedDefinition]) -> bytes:
    """The file: the header, then one definition per line."""
    lines = b",\n".join(map(_encode, definitions))
    return _encode(header).removesuffix(b"}") + b',"definitions":[\n' + lines + b"\n]}\n"


def read_export(data: bytes, *, where: str, product_version: str) -> tuple[ExportFile, tuple[str, ...]]:
    """The file and warnings about it. Only the form of the file is checked here.

    Args:
        where: its name, for messages.
        product_version: of this program.

    Raises:
        ImportRefusedError: it is too large, no export file, damaged, or from a newer version.
    """
    if len(data) > MOST_BYTES:
        raise ImportRefusedError(where, f"it is larger than {MOST_BYTES // 2**20} MiB", "Export fewer definitions.")
    damaged = "Export it again; if it was changed by hand, put that right."
    try:
        header = msgspec.json.decode(data, type=ExportHeader)
        if header.format != FORMAT:
            raise ImportRefusedError(where, f"its `format` is not `{FORMAT}`", "Name a file that `export` has made.")
        warnings = _check_version(header, where, product_version)
        file = msgspec.json.decode(data, type=ExportFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ImportRefusedError(where, f"it is damaged, or no export file: {error}", damaged) from error
    except RecursionError as error:
        raise ImportRefusedError(where, "it is nested too deeply", damaged) from error
    for number, definition in enumerate(file.definitions):
        if _CONTROL.search(f"{definition.name}{definition.label}{definition.reason}"):
            raise ImportRefusedError(where, f"definition {number + 1} holds control characters in its text", damaged)
    return file, warnings


def _check_version(header: ExportHeader, where: str, product_version: str) -> tuple[str, ...]:
    """Warnings about an older version; the versions are compared before anything that they may have changed is read."""
    try:
        made_by, ours = Version(header.product_version), Version(product_version)
    except InvalidVersion:
        reason = f"its `product_version` `{header.product_version[:50]}` is no version"
        raise ImportRefusedError(where, reason, "Export it again.") from None
    if made_by > ours or header.format_version > FORMAT_VERSION:
        reason = (
            f"it was made by the newer version {made_by} (format {header.format_version}), and this is {ours} (format "
            f"{FORMAT_VERSION})"
        )
        raise ImportRefusedError(where, reason, "Upgrade here first, or export where the version is not newer.")
    if made_by < ours:
        return (f"The file was made by the older version {made_by}, this is {ours}: what it means may have changed.",)
    return ()
