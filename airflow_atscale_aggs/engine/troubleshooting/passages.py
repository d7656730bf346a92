"""Looks passages up: by code, and the codes of an error. Texts stand in the TOML files beside.

The passages are read when one is asked for: a command that succeeds need not read them. The code of an error is its
class's name in words, so that no table of classes can be forgotten: `NotRegisteredError` has `not-registered`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_HEADING = re.compile(r"^\[([a-z0-9-]+)\]$", re.MULTILINE)
_FOLDER = Path(__file__).parent

SUBJECTS: Mapping[str, str] = {
    "command_line": "The command line",
    "model_files": "Files of a model",
    "model_meaning": "What a model means in the warehouse",
    "building": "Aggregates and batches",
    "querying": "Queries, and why an aggregate does not answer one",
    "registry_and_warehouse": "Registry and warehouse",
    "rest_api": "The REST API",
    "serving": "The PostgreSQL protocol",
    "signals": "Waiting for files",
}
"""The files in the order of the page, each with its heading."""

DEFECT = "defect"
"""The code of what nobody foresaw."""

OPERATING_SYSTEM = "operating-system"
USAGE = "usage"


@dataclass(frozen=True, slots=True)
class Passage:
    """What is said about one code.

    Attributes:
        code: stable, in kebab case; the anchor on the page as well.
        subject: a key of `SUBJECTS`.
        sentence: what people saw; words in capitals stand for what varies.
        happened, reason, remedy: what happened, why, and what to do, each in plain sentences.
    """

    code: str
    subject: str
    sentence: str
    happened: str
    reason: str
    remedy: str


@functools.cache
def all_passages() -> Mapping[str, Passage]:
    """Every passage by its code, in the order of the page."""
    # Reading all of them takes longer than many a command, and most only want to know which codes there are.
    import tomllib  # noqa: PLC0415

    passages: dict[str, Passage] = {}
    for subject in SUBJECTS:
        for code, text in tomllib.loads(_text_of(subject)).items():
            passages[code] = Passage(code, subject, text["sentence"], text["what"], text["why"], text["do"])
    return passages


@functools.cache
def known_codes() -> frozenset[str]:
    """The codes of all passages. The texts are not read for it, only their headings."""
    return frozenset(code for subject in SUBJECTS for code in _HEADING.findall(_text_of(subject)))


def _text_of(subject: str) -> str:
    return (_FOLDER / f"{subject}.toml").read_text(encoding="utf-8")


def code_of(error: BaseException) -> str:
    """The code of an error: that of its class, or of the nearest class above that has a passage.

    >>> code_of(FileNotFoundError("models"))
    'operating-system'

    Errors that nobody foresaw have `DEFECT`.
    """
    if isinstance(error, OSError):
        return OPERATING_SYSTEM
    # Only classes of ours and of Airflow: a driver's TimeoutError is no `timeout` of the REST API.
    kinds = (kind for kind in type(error).__mro__ if kind.__module__.startswith("airflow"))
    codes = (class_code(kind.__name__) for kind in kinds)
    return next((code for code in codes if code in known_codes()), DEFECT)


def class_code(class_name: str) -> str:
    """A class's name in words, without its end.

    >>> class_code("NotRegisteredError")
    'not-registered'
    """
    return "-".join(_WORDS.split(class_name.removesuffix("Error").removesuffix("Exception"))).lower()


def codes_of(error: BaseException) -> tuple[str, ...]:
    """All that is to be read about an error: its own code, those of a model's issues, that of what it comes from."""
    codes = [code_of(error)]
    codes += [issue.code for issue in getattr(error, "issues", ()) if issue.is_error]
    cause = error.__cause__
    if cause is not None and code_of(cause) not in {DEFECT, OPERATING_SYSTEM}:
        codes.append(code_of(cause))
    return tuple(dict.fromkeys(code for code in codes if code in known_codes()))


def miss_code(name: str) -> str:
    """The code of a reason why an aggregate does not answer, by the reason's name.

    >>> miss_code("NOT_BUILT")
    'miss-not-built'
    """
    return f"miss-{name.lower().replace('_', '-')}"


def sqlstate_code(state: str) -> str:
    """The code of a SQLSTATE that `serve` gives by itself; empty when there is no passage.

    >>> sqlstate_code("57014"), sqlstate_code("42601")
    ('sqlstate-57014', '')
    """
    code = f"sqlstate-{state.lower()}"
    return code if code in known_codes() else ""


def pointer(codes: Iterable[str]) -> str:
    """The sentence that tells where to read more.

    >>> pointer(["refused-join"])
    'More about it: atscale-aggs help refused-join'
    """
    return f"More about it: {help_command(codes)}"


def help_command(codes: Iterable[str]) -> str:
    """What prints the passages.

    >>> help_command(["invalid-model", "missing-key"])
    'atscale-aggs help invalid-model missing-key'
    """
    return " ".join(("atscale-aggs help", *codes))
