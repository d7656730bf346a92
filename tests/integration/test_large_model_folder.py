"""A model of many files is read whole."""

from __future__ import annotations

from pathlib import Path

from airflow_atscale_aggs.engine.model.folder_reader import read_model_folder

_METRIC = (
    "unique_name: {name}\nobject_type: metric\nlabel: x\ncalculation_method: sum\ndataset: sales\ncolumn: amount\n"
)


def test_ten_thousand_files(tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"m{number}.yml").write_text(_METRIC.format(name=f"Sales {number}"))

    folder = read_model_folder(tmp_path)

    assert len(folder.of_type("metric")) == 10_000
    assert folder.issues.all() == ()
