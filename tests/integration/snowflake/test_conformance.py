"""The check of a warehouse on an emulator of Snowflake. What does not work there is a fault of the emulator."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.check_warehouse import DEFAULT_SCHEMA, check_warehouse
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

pytestmark = pytest.mark.snowflake

_DISTINCT = "SUM(TRY_CAST(DISTINCT"
_NO_VIEWS = "is not in the warehouse any more"
_FAULTS = {
    "exact distinct counts": _DISTINCT,
    "queries answered from aggregates": _DISTINCT,
    "queries answered from the facts": _DISTINCT,
    "sketches of distinct counts": "Function with name hll_accumulate does not exist",
    "sketches of percentiles": "Function with name approx_percentile_accumulate does not exist",
    **dict.fromkeys(
        (f"increments by {kind}" for kind in ("integer", "milliseconds", "timestamp", "timestamp with time zone")),
        _NO_VIEWS,
    ),
}
"""What the emulator cannot do, and what is said of it.

It casts what SUM adds up, DISTINCT included; it has no sketches; its list of tables lacks views.
"""

_DIFFERENCES = {
    "what SQL means": "fakesnow adds whole numbers and decimals up as floating ones",
    "time zone of a session": "not implemented",
    "sums, counts, averages, deviations": "exact numbers came back as floating ones",
    "aggregates made from other aggregates": "exact numbers came back as floating ones",
    "comparison with the facts": "exact numbers came back as floating ones",
}


def test_what_works_on_fakesnow(snowflake_url: str) -> None:
    """Sums that come back as floating numbers are undecided, and end in no error of Python. Nothing is left behind."""
    warehouse = open_warehouse(snowflake_url)
    report = check_warehouse(warehouse)
    with warehouse.session() as session:
        assert not session.has_schema(DEFAULT_SCHEMA)
    warehouse.close()
    by_verdict = {
        verdict: {found.name: found.detail for found in report.capabilities if found.verdict is verdict}
        for verdict in Verdict
    }

    assert (report.dialect, report.proven, len(report.capabilities)) == ("snowflake", "emulated", 21)
    assert by_verdict[Verdict.FAILS].keys() == _FAULTS.keys()
    # A reader of views may see that they are switched one after the other, or not.
    assert by_verdict[Verdict.DIFFERS].keys() | {"readers of views"} == _DIFFERENCES.keys() | {"readers of views"}
    for name, said in (_FAULTS | _DIFFERENCES).items():
        (found,) = [found for found in report.capabilities if found.name == name]
        assert said in found.detail, found
    assert not any("not foreseen" in found.detail for found in report.capabilities)
    queries = by_verdict[Verdict.FAILS]["queries answered from the facts"]
    assert queries.count("is not answered") == 1
    assert queries.startswith("`different quantities added up`")
