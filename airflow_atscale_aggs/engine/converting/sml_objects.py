"""Objects of SML as tidy files: one object a file, with comments of where it is from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from airflow_atscale_aggs.engine.converting.written_files import safe_file_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

Value = Mapping[str, Any]
"""An object of SML: what YAML can say."""

NO_MEMBER: Value = {"name": None}
"""``custom_empty_member`` of an attribute whose rows without a member stay, under NULL, as in a left join."""

_FOLDERS = {
    "catalog": "",
    "connection": "connections",
    "dataset": "datasets",
    "dimension": "dimensions",
    "metric": "metrics",
    "metric_calc": "calculations",
    "model": "models",
}
_READ_AS_NUMBER = re.compile(r"[-+.0-9][-+.0-9eE_]*\Z")
_LINE_ENDS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+")


@dataclass(frozen=True, slots=True)
class SmlObject:
    """One object of SML and the sentences that stand above it as comments."""

    value: Value
    comments: tuple[str, ...] = ()

    @property
    def object_type(self) -> str:
        """SML's ``object_type``."""
        return str(self.value["object_type"])

    @property
    def name(self) -> str:
        """SML's ``unique_name``."""
        return str(self.value["unique_name"])


class _Dumper(yaml.SafeDumper):
    """Block style, with lists indented below their key, and no aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Indent lists as well."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write everything out."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # SML's readers take `1e3` for a number, which PyYAML's does not.
    style = "'" if _READ_AS_NUMBER.match(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def as_yaml(value: Any) -> str:
    r"""A value as block YAML.

    >>> as_yaml({"unique_name": "1e3", "levels": [{"unique_name": "Day"}]})
    "unique_name: '1e3'\nlevels:\n  - unique_name: Day\n"
    """
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def comment(sentence: str) -> str:
    r"""A sentence as one line of comment, whatever is in it.

    >>> comment("from `a\n- b`")
    '# from `a - b`'
    """
    return f"# {_LINE_ENDS.sub(' ', sentence).strip()}"


def sml_texts(objects: Sequence[SmlObject]) -> dict[str, str]:
    """The texts of SML objects by path; two objects of one type and name must not be among them."""
    texts: dict[str, str] = {}
    for object_type, folder in _FOLDERS.items():
        same = [made for made in objects if made.object_type == object_type]
        names = safe_file_names(made.name for made in same)
        for made in same:
            file = f"{names[made.name]}.yml" if folder else f"{object_type}.yml"
            comments = "".join(f"{comment(sentence)}\n" for sentence in made.comments)
            texts[f"{folder}/{file}" if folder else file] = comments + as_yaml(dict(made.value))
    return texts
