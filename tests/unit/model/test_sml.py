"""Documents against the table of SML's object types: what is missing, unknown, obsolete or of the wrong kind."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.sml import OBJECT_TYPES, SHAPES, Property, check_document
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.model.yaml_reader import read_yaml

_METRIC = "unique_name: A\nobject_type: metric\nlabel: A\ncalculation_method: sum\ndataset: s\ncolumn: c\n"
_SHARED = "{dataset: s, name_column: n, key_columns: [n]}"
_HEAD = {
    "catalog": "unique_name: k\nobject_type: catalog\nlabel: k\n",
    "dataset": "unique_name: s\nobject_type: dataset\nlabel: s\nconnection_id: c\n",
    "dimension": "unique_name: d\nobject_type: dimension\nlabel: d\nhierarchies: []\n",
    "model": "unique_name: m\nobject_type: model\nlabel: m\nrelationships: []\nmetrics: []\n",
}


def _check(text: str, shape: str) -> tuple[bool, list[str]]:
    """Whether a document can be used, and its issues with their severity, line and message."""
    issues = IssueList()
    is_usable = check_document(read_yaml(text), shape, "f", issues)
    return is_usable, [f"{issue.severity} {issue.line}: {issue.message}" for issue in issues.all()]


def test_a_complete_document_has_no_issue() -> None:
    assert _check(_METRIC, "metric") == (True, [])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("column: c\n", "", "metric `A` lacks `column`"),
        ("column: c\n", "column: ~\n", "metric `A` lacks `column`"),
        ("unique_name: A\n", "", "a metric lacks `unique_name`"),
        ("column: c", "column: [c]", "`column` of metric `A` must be a text, not a list"),
        ("dataset: s", "dataset: {a: 1}", "`dataset` of metric `A` must be a text, not a mapping"),
        ("label: A", "label: A\ncompression: [1]", "`compression` of metric `A` must be a number, not a list"),
        ("label: A", "label: A\nsemi_additive: last", "`semi_additive` of metric `A` must be a mapping, not `last`"),
        ("label: A", "label: A\ncustom_quantiles: 1", "`custom_quantiles` of metric `A` must be a list, not `1`"),
    ],
)
def test_without_a_needed_key_or_with_another_structure_a_document_is_of_no_use(
    old: str, new: str, message: str
) -> None:
    assert _check(_METRIC.replace(old, new, 1), "metric") == (False, [f"error 1: {message}"])


@pytest.mark.parametrize(
    ("old", "new", "issue"),
    [
        ("label: A\n", "", "warning 1: metric `A` lacks `label`"),
        ("label: A", "label: A\nis_hidden: 1", "warning 1: `is_hidden` of metric `A` must be true or false, not `1`"),
        ("label: A", "label: A\nlabel: B", "error 1: metric `A` has the key `label` twice"),
    ],
)
def test_other_faults_are_told_and_the_document_is_used(old: str, new: str, issue: str) -> None:
    assert _check(_METRIC.replace(old, new, 1), "metric") == (True, [issue])


@pytest.mark.parametrize(
    ("key", "hint"),
    [("formt", " Did you mean `format`?"), ("zzz", "")],
)
def test_unknown_keys_are_kept_and_told_with_a_near_name(key: str, hint: str) -> None:
    """Newer versions and samples have more keys than the reference."""
    message = f"warning 1: metric `A` has the unknown key `{key}`, which is ignored.{hint}"

    assert _check(f"{_METRIC}{key}: x\n", "metric") == (True, [message])


def test_values_of_any_kind_numbers_as_texts_and_empty_values_are_fine() -> None:
    text = _METRIC.replace("label: A", "label: 12") + "custom_quantiles: [0.5, many]\nfolder: ~\n"

    assert _check(text, "metric") == (True, [])


@pytest.mark.parametrize(
    ("shape", "more", "issue"),
    [
        (
            "dataset",
            "columns:\n- name: c\n- data_type: int\n",
            "error 7: an item of `columns` of dataset `s` lacks `name`",
        ),
        ("dataset", "columns:\n- c\n", "error 1: an item of `columns` of dataset `s` must be a mapping, not `c`"),
        (
            "dataset",
            "columns: []\nincremental:\n  column: c\n",
            "error 7: `incremental` of dataset `s` lacks `grace_period`",
        ),
        (
            "catalog",
            "version: 1\nhidden_models: [~]\n",
            "error 1: an item of `hidden_models` of catalog `k` must be a text, not empty",
        ),
        (
            "catalog",
            "version: 1\ndataset_properties: [s]\n",
            "error 1: `dataset_properties` of catalog `k` must be a mapping, not a list",
        ),
        (
            "model",
            "overrides:\n  A:\n    query_name: ~\n",
            "error 8: `A` in `overrides` of model `m` lacks `query_name`",
        ),
    ],
)
def test_lists_and_mappings_are_checked_item_by_item(shape: str, more: str, issue: str) -> None:
    assert _check(_HEAD[shape] + more, shape) == (False, [issue])


@pytest.mark.parametrize(
    ("shape", "more"),
    [
        ("catalog", "as_version: 1\n"),
        ("dataset", "columns: [{name: c}]\n"),
        ("dimension", f"level_attributes: [{{unique_name: L, label: L, shared_degenerate_columns: [{_SHARED}]}}]\n"),
        ("model", "overrides: {A: ~}\n"),
    ],
    ids=["the older version", "a column without a type", "shared columns", "an override of nothing"],
)
def test_keys_that_another_one_replaces_are_not_missed(shape: str, more: str) -> None:
    assert _check(_HEAD[shape] + more, shape) == (True, [])


def test_a_key_of_former_versions_is_told() -> None:
    text = _HEAD["model"] + "aggregates: [{unique_name: a, label: a, target_connection: w}]\n"

    assert _check(text, "model") == (True, ["warning 0: the key `target_connection` is obsolete and ignored"])


def test_the_table_reads_marks_and_kinds() -> None:
    assert SHAPES["incremental"] == {
        "column": Property("text", is_expected=True, is_needed=True),
        "grace_period": Property("text", is_expected=True, is_needed=True),
    }
    assert SHAPES["relationship_from"]["join_columns"] == Property("[column]", is_expected=False, is_needed=False)
    assert SHAPES["connection"]["as_connection"] == Property("text", is_expected=True, is_needed=False)


def test_every_object_type_has_a_row_and_every_kind_is_a_shape_or_a_word() -> None:
    words = {"text", "bool", "number", "any", "column"}
    kinds = {prop.kind.strip("[]{}") for shape in SHAPES.values() for prop in shape.values()}

    assert SHAPES.keys() >= OBJECT_TYPES
    assert kinds <= words | SHAPES.keys()
