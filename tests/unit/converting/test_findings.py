"""A construct with several differences is one finding, and the worst outcome counts."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.findings import FindingList, Outcome, sentences, summary


def test_the_worst_outcome_counts_with_all_its_reasons() -> None:
    findings = FindingList()
    findings.carried("metric", "a", "m.yml:1")
    findings.partly("metric", "a", "m.yml:1", "first")
    findings.partly("metric", "a", "m.yml:1", "second")
    findings.partly("metric", "a", "m.yml:1", "first")
    findings.left_out("metric", "b", "m.yml:2", "third")
    findings.carried("metric", "c", "m.yml:3")

    assert list(sentences(findings.all())) == [
        "partly: metric `a` (m.yml:1): first; second.",
        "left out: metric `b` (m.yml:2): third.",
    ]
    assert [finding.outcome for finding in findings.all()] == [Outcome.PARTLY, Outcome.LEFT_OUT, Outcome.CARRIED]
    assert summary(findings.all()) == "3 constructs: 1 carried over, 1 partly, 1 left out"
