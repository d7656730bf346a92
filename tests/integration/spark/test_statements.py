"""How many statements a batch sends: each of them costs Apache Spark a tenth of a second, however small it is."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.engine.warehouse import spark_connect
from tests.support.stars import tiny_star


def test_an_aggregate_is_made_compared_and_shown_by_one_statement_each(
    spark_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are counted where they are compared, and no table is described twice in a batch."""
    sent: list[str] = []
    execute = spark_connect._Cursor.execute

    def noted(cursor: spark_connect._Cursor, sql: str) -> None:
        sent.append(sql)
        execute(cursor, sql)

    with open_workspace(
        registry=f"sqlite:///{tmp_path / 'registry.sqlite'}", warehouse=spark_url, aggregate_schema="aggs"
    ) as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=utc_now())
        run_batch(workspace, "tiny_sales", owner="test")
        monkeypatch.setattr(spark_connect._Cursor, "execute", noted)

        report = run_batch(workspace, "tiny_sales", owner="test")

    for instance in report.instances:
        of_table = [sql for sql in sent if f"`{instance.table}`" in sql]
        own = [
            sql for sql in of_table if not sql.startswith("CREATE TABLE") or f"TABLE `aggs`.`{instance.table}`" in sql
        ]
        assert [sql.split()[0] for sql in own] == ["CREATE", "SELECT", "ALTER"]
    described = Counter(re.findall(r"DESCRIBE TABLE EXTENDED (\S+)", "\n".join(sent)))
    assert described == {f"`{table}`": 1 for table in ("sales", "shop", "day")}
    proofs = [sql for sql in sent if "violations" in sql]
    assert proofs
    assert len(proofs) == len(set(proofs))
