"""What is told to dbt and Looker is read by dbt itself, and by a parser of LookML, with hostile names as well."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.converting.told.tell_dbt import tell_dbt
from airflow_atscale_aggs.engine.converting.told.tell_lightdash import tell_lightdash
from airflow_atscale_aggs.engine.converting.told.tell_lookml import tell_lookml
from airflow_atscale_aggs.engine.converting.written_files import write_files
from tests.support.metricflow_answers import HOME, reason_without_metricflow, run_dbt
from tests.support.told_cases import MODEL

pytestmark = [
    pytest.mark.metricflow,
    pytest.mark.skipif(bool(reason_without_metricflow()), reason=reason_without_metricflow() or "it is here"),
]
_PROFILE = "shop_co_aggregates: {target: dev, outputs: {dev: {type: duckdb, path: ':memory:'}}}\n"


def test_dbt_parses_the_package(tmp_path: Path) -> None:
    """With the pre-aggregates of Lightdash beside it, as a project carries them."""
    write_files(tmp_path, tell_dbt(MODEL))
    (tmp_path / "profiles.yml").write_text(_PROFILE)
    (tmp_path / "models" / "fct_sales.sql").write_text("select 1 as one")
    told = tell_lightdash(MODEL, explores={"sales facts": "fct_sales"})
    write_files(tmp_path / "models" / "lightdash", told)
    run_dbt(tmp_path, "parse")

    manifest = json.loads((tmp_path / "target" / "manifest.json").read_text())
    assert len(manifest["exposures"]) == len(manifest["sources"]) == 2
    assert all(len(exposure["depends_on"]["nodes"]) == 1 for exposure in manifest["exposures"].values())
    meta = manifest["nodes"]["model.shop_co_aggregates.fct_sales"]["config"]["meta"]
    assert [made["granularity"] for made in meta["pre_aggregates"]] == ["day"]


def test_a_parser_of_lookml_reads_the_files(tmp_path: Path) -> None:
    write_files(tmp_path, tell_lookml(MODEL, explores={}, datagroup="nightly"))
    program = (
        "import json, lkml, pathlib, sys\n"
        "print(json.dumps([lkml.load(f.read_text()) for f in sorted(pathlib.Path(sys.argv[1]).rglob('*.lkml'))]))"
    )
    done = subprocess.run(
        [str(HOME / "bin" / "python"), "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    explores, *views = json.loads(done.stdout)

    assert {explore["name"] for explore in explores["explores"]} == {"+sales", "+sales_facts"}
    assert sorted(len(view["views"][0].get("measures", [])) for view in views) == [1, 2]
