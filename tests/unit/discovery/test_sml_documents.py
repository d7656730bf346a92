"""A proposal as files that a model is read from."""

from __future__ import annotations

from pathlib import Path

from airflow_atscale_aggs.engine.discovery.model_proposal import Findings, propose
from airflow_atscale_aggs.engine.discovery.references import LeftOut, Names, Reference
from airflow_atscale_aggs.engine.discovery.sml_documents import MARK, make_documents
from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder
from airflow_atscale_aggs.engine.model.resolving import ModelResolver
from tests.support.stars.table_rows import Columns, profiles_of, violations_in

_TABLES: dict[str, Columns] = {
    "Select": {"Order": [1, 2, 1], "to: do": [5, 7, 9]},
    "order": {"Order": [1, 2], "# of 'x'": ["yes", "no"]},
}


def _findings() -> Findings:
    return Findings(
        model="m",
        database="db",
        schema="main",
        names=Names(profiles_of(_TABLES)),
        keys=[("order", "Order")],
        references=(Reference("Select", ("Order",), "order", ("Order",), ("sold",), "why\nso"),),
        questions=(),
        left_out=(LeftOut("x", "no reason"),),
    )


def test_files_are_read_as_the_model_that_was_proposed(tmp_path: Path) -> None:
    """Names may be words of SQL and of YAML, and differ in case alone."""
    proposal = propose(_findings(), violations_in(_TABLES))
    texts = make_documents(proposal)
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    folder = read_model_folder(tmp_path)
    model = ModelResolver(folder).resolve("m")

    assert [str(issue) for issue in folder.issues.all()] == []
    assert {name.casefold() for name in model.datasets} == {"select", "order"}
    assert [edge.template for edge in model.relationships] == ["Sold {0}"]
    assert sorted(model.metrics) == sorted(metric.name for metric in proposal.metrics)
    assert all(text.startswith(MARK) for text in texts.values())
    assert "# Left out:\n# - x: no reason.\n" in texts["models/m.yml"]
