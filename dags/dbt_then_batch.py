"""A dbt project, run model by model by Cosmos, and after it the batch of its aggregates as one more group.

It needs astronomer-cosmos (`pip install astronomer-cosmos`). Without it, and without a project, this file has no DAG,
and breaks none.

Environment variables say what is where, so that one file serves everywhere: ATSCALE_AGGS_DBT_PROJECT (the folder; the
default is `dbt` beside this file), ATSCALE_AGGS_DBT (the dbt program, which may live in an environment of its own),
ATSCALE_AGGS_DBT_MODEL (the model whose aggregates are built) and ATSCALE_AGGS_DBT_SML (its folder of SML).
"""

import os
from pathlib import Path

from airflow.sdk import DAG

from airflow_atscale_aggs.task_group import BatchBuildTaskGroup

try:
    from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
    from cosmos.constants import LoadMode
except ImportError:
    has_cosmos = False
else:
    has_cosmos = True

project = Path(os.environ.get("ATSCALE_AGGS_DBT_PROJECT") or Path(__file__).parent / "dbt")

if has_cosmos and (project / "dbt_project.yml").exists():
    profile = ProfileConfig(
        profile_name=os.environ.get("ATSCALE_AGGS_DBT_PROFILE", project.name),
        target_name=os.environ.get("ATSCALE_AGGS_DBT_TARGET", "dev"),
        profiles_yml_filepath=project / "profiles.yml",
    )
    with DAG("dbt_then_batch", schedule="@daily", catchup=False, tags=["dbt"]) as dag:
        build = DbtTaskGroup(
            group_id="dbt_build",
            project_config=ProjectConfig(project),
            profile_config=profile,
            execution_config=ExecutionConfig(dbt_executable_path=os.environ.get("ATSCALE_AGGS_DBT", "dbt")),
            # Cosmos reads the files itself, so that no dbt runs while Airflow parses this file.
            render_config=RenderConfig(load_method=LoadMode.CUSTOM),
        )
        build >> BatchBuildTaskGroup(
            os.environ.get("ATSCALE_AGGS_DBT_MODEL", "retail"),
            models_folder=os.environ.get("ATSCALE_AGGS_DBT_SML"),
        )
