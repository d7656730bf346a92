"""Issues of a model: where they stand, in which order they are shown, and which of them are forgiven or left out."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.validation import MISSING_PACKAGE, IssueList, ModelIssue, Severity


def _shown(issues: IssueList) -> list[str]:
    return [f"{issue.severity} {issue}" for issue in issues.all()]


@pytest.mark.parametrize(
    ("where", "file", "line", "shown"),
    [
        ("sales.yml:7", "sales.yml", 7, "sales.yml:7: broken"),
        ("sales.yml", "sales.yml", 0, "sales.yml: broken"),
        ("C:models", "C:models", 0, "C:models: broken"),
        ("a:b.yml:12", "a:b.yml", 12, "a:b.yml:12: broken"),
        (":7", ":7", 0, ":7: broken"),
    ],
    ids=["line", "no line", "a colon without a line", "a colon in the name", "no file"],
)
def test_an_issue_stands_at_a_file_and_a_line(where: str, file: str, line: int, shown: str) -> None:
    issues = IssueList()
    issues.error(where, "any", "broken")

    (issue,) = issues.all()
    assert (issue.file, issue.line, str(issue), issue.is_error) == (file, line, shown, True)


def test_errors_come_first_then_files_and_lines_and_each_issue_once() -> None:
    issues = IssueList()
    issues.warning("a.yml:1", "w", "odd")
    issues.error("b.yml:9", "e", "wrong")
    issues.error("b.yml:10", "e", "wrong")
    issues.error("a.yml:3", "e", "wrong")
    issues.error("a.yml:3", "e", "wrong")
    issues.add([ModelIssue("a.yml", 1, Severity.WARNING, "w", "odd"), ModelIssue("c.yml", 0, Severity.ERROR, "e", "x")])

    assert _shown(issues) == [
        "error a.yml:3: wrong",
        "error b.yml:9: wrong",
        "error b.yml:10: wrong",
        "error c.yml: x",
        "warning a.yml:1: odd",
    ]


def test_a_name_with_a_line_end_does_not_look_like_the_next_issue() -> None:
    issues = IssueList()
    issues.error("a.yml:1", "e", "no metric `x\nb.yml:1: all is lost`")

    assert _shown(issues) == ["error a.yml:1: no metric `x b.yml:1: all is lost`"]


@pytest.mark.parametrize(
    ("name", "wanted_by", "is_needed", "shown"),
    [
        (
            "Amuont",
            "aggregate `a`",
            True,
            "error a.yml:1: aggregate `a` refers to metric `Amuont`, which does not exist. Did you mean `Amount`?",
        ),
        (
            "Amuont",
            "",
            False,
            "warning a.yml:1: reference to metric `Amuont`, which does not exist. Did you mean `Amount`?",
        ),
        ("xyz", "model `m`", True, "error a.yml:1: model `m` refers to metric `xyz`, which does not exist."),
        (
            "Sales",
            "",
            True,
            "error a.yml:1: reference to metric `Sales`, which does not exist. Did you mean `Sale` or `Sales total`?",
        ),
    ],
)
def test_a_reference_to_nothing_has_near_names(name: str, wanted_by: str, *, is_needed: bool, shown: str) -> None:
    issues = IssueList()
    candidates = ["Amount", "Sales total", "Sale"]
    issues.add_unresolved_reference("a.yml:1", "metric", name, candidates, is_needed=is_needed, wanted_by=wanted_by)

    assert _shown(issues) == [shown]


def test_a_reference_to_something_broken_is_not_reported_again() -> None:
    issues = IssueList()
    issues.broken["Amount"] = "amount.yml"
    issues.add_unresolved_reference("a.yml:1", "metric", "Amount", [])

    assert issues.all() == ()


def test_errors_in_files_that_a_model_does_not_need_are_forgiven() -> None:
    """While a needed file has an error, nothing is: it may come from one of the others."""
    issues = IssueList()
    issues.error("other.yml:1", "e", "wrong")
    issues.error("mine.yml:1", "e", "wrong")
    issues.forgive(["mine.yml"])
    assert _shown(issues) == ["error mine.yml:1: wrong", "error other.yml:1: wrong"]

    issues = IssueList()
    issues.error("other.yml:1", "e", "wrong")
    issues.warning("mine.yml:1", "w", "odd")
    issues.forgive(["mine.yml"])
    assert _shown(issues) == ["warning mine.yml:1: odd", "warning other.yml:1: wrong"]


def test_a_missing_package_is_never_forgiven_and_hides_what_is_unresolved_because_of_it() -> None:
    issues = IssueList()
    issues.error("package.yml:3", MISSING_PACKAGE, "it is not here")
    issues.add_unresolved_reference("mine.yml:1", "metric", "Amount", [])
    issues.warning("mine.yml:2", "w", "odd")
    issues.forgive(["mine.yml"])

    assert _shown(issues) == ["error package.yml:3: it is not here", "warning mine.yml:2: odd"]
