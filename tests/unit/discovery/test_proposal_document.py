"""The proposal for programs."""

from __future__ import annotations

import json

from airflow_atscale_aggs.engine.discovery.model_proposal import Findings, propose
from airflow_atscale_aggs.engine.discovery.proposal_document import proposal_document
from airflow_atscale_aggs.engine.discovery.references import LeftOut, Names, Question, Reference
from tests.support.stars.table_rows import Columns, profiles_of, violations_in

_TABLES: dict[str, Columns] = {
    "sales": {"shop_id": [1, 2, 1], "day_id": [1, 1, 1], "amount": [5, 7, 9]},
    "shops": {"shop_id": [1, 2], "kind": ["a", "a"]},
}


def test_programs_get_each_relationship_once_with_its_reason() -> None:
    found = Reference("sales", ("shop_id",), "shops", ("shop_id",), (), "why")
    day = tuple(Reference("sales", ("day_id",), table, ("day_id",), (), "") for table in ("days", "dates"))
    findings = Findings(
        model="m",
        database="",
        schema="main",
        names=Names(profiles_of(_TABLES)),
        keys=[("shops", "shop_id")],
        references=(found,),
        questions=(Question("sales", "day_id", day),),
        left_out=(LeftOut("x", "no reason"),),
    )
    document = json.loads(json.dumps(proposal_document(propose(findings, violations_in(_TABLES)))))

    assert [(entry["columns"], entry["reason"]) for entry in document["relationships"]] == [(["shop_id"], "why")]
    assert [option["to_table"] for option in document["questions"][0]["options"]] == ["days", "dates"]
    assert document["left_out"] == [{"what": "x", "reason": "no reason"}]
    assert [dimension["name"] for dimension in document["dimensions"]] == ["Shops"]
