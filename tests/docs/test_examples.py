"""Examples in pages are whole: Python compiles and imports, DAGs load, YAML, JSON and shell can be read."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.support.docs.pages import Block, blocks_of, readable_files

_BLOCKS = [block for page in readable_files() if "decisions" not in page.parts for block in blocks_of(page)]
_LANGUAGES = {
    "console",
    "python",
    "sql",
    "yaml",
    "json",
    "ini",
    "toml",
    "bash",
    "sh",
    "text",
    "csv",
    "html",
    "mdx",
    "diff",
}
_MAKES_A_DAG = re.compile(r"\b(?:DAG|dag|batch_build_dag|maintenance_dag|BatchBuildTaskGroup)\(|@dag\b")
_SHOWN_TWICE = "DuplicatedIdException"
"""Two pages may show the same DAG."""

_KNOWN_NAMES = """\
from datetime import timedelta
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import DAG, Asset, AssetWatcher, dag, task
from airflow_atscale_aggs.dag_factory import batch_build_dag
from airflow_atscale_aggs.operators.aggregates import *
from airflow_atscale_aggs.sensors.completion_file import CompletionFileSensor
from airflow_atscale_aggs.task_group import BatchBuildTaskGroup
from airflow_atscale_aggs.triggers.completion_file import CompletionFileTrigger
"""
"""What a short example leaves out: it stands in the DAG file around it."""


def _of(*languages: str) -> list[Block]:
    return [block for block in _BLOCKS if block.language in languages]


def _python() -> list[tuple[Block, str]]:
    return [(block, textwrap.dedent(block.text)) for block in _of("python")]


def test_blocks_have_a_language_that_is_tested() -> None:
    assert {str(block): block.language for block in _BLOCKS if block.language not in _LANGUAGES} == {}


def test_python_compiles_and_what_it_imports_is_there() -> None:
    """Of packages that are not installed here, such as a chat's provider, nothing is known."""
    for block, text in _python():
        tree = ast.parse(text, filename=str(block))
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("airflow_atscale_aggs"):
                exec(compile(ast.Module([node], []), str(block), "exec"), {})


def test_dags_load(tmp_path: Path) -> None:
    """One look of Airflow at all of them, as its DAG processor would take."""
    from airflow.dag_processing.dagbag import DagBag

    made = {}
    for number, (block, text) in enumerate(_python()):
        if _MAKES_A_DAG.search(text) and "providers.slack" not in text:
            file = tmp_path / f"example_{number}.py"
            file.write_text(_KNOWN_NAMES + _placed(text), encoding="utf-8")
            made[str(file)] = str(block)
    bag = DagBag(dag_folder=str(tmp_path))

    errors = {made[file]: error for file, error in bag.import_errors.items() if _SHOWN_TWICE not in error}
    assert errors == {}
    assert len(made) >= 6
    assert len(bag.dags) >= len(made) / 2


def _placed(text: str) -> str:
    """An example that was indented stands in a DAG."""
    if "DAG(" in text or "dag(" in text or "@dag" in text:
        return text
    return 'with DAG("around", schedule=None):\n' + textwrap.indent(text, "    ")


def test_yaml_can_be_read() -> None:
    for block in _of("yaml"):
        for part in block.text.split("…\n"):
            assert list(yaml.safe_load_all(part)), str(block)


def test_settings_and_json_can_be_read() -> None:
    for block in _of("json"):
        assert json.loads(block.text), str(block)
    for block in _of("ini"):
        parser = configparser.ConfigParser()
        parser.read_string(block.text)
        assert parser.sections(), str(block)


@pytest.mark.parametrize("block", _of("bash", "sh"), ids=str)
def test_scripts_can_be_read(block: Block) -> None:
    read = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)

    assert read.stderr == ""


def test_sql_can_be_read() -> None:
    """That of the tutorial and of the files beside commands is run as well."""
    import sqlglot

    for block in _of("sql"):
        dialect = "duckdb" if "range(" in block.text else "postgres"
        assert sqlglot.parse(block.text, read=dialect), str(block)
