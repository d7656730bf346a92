"""Every dialect can say every statement that the engine composes."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.oracles.composed_statements import comparisons, statements

_EVERY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


@_EVERY_DIALECT
def test_what_is_composed_can_be_said_and_reads_back_as_it_was(dialect: Dialect) -> None:
    """Tree and text; every identifier is quoted; attempt tokens stand inside quoted names of tables."""
    for name, statement in statements(dialect).items():
        text = render(statement, dialect)

        tree = sqlglot.parse_one(text, read=dialect.sqlglot_name)

        again = render(tree, dialect)
        assert again == text, name
        assert sqlglot.parse_one(again, read=dialect.sqlglot_name) == tree, name
        assert [node.name for node in tree.find_all(exp.Identifier) if not node.quoted] == [], name
        if name.startswith(("from facts", "derived", "drop", "count")):
            assert _number_of_tokens(tree) == text.count(TARGET_ATTEMPT) > 0, name


@_EVERY_DIALECT
def test_comparisons_can_be_said_too(dialect: Dialect) -> None:
    """Rendered with the plan, read back as they were; every identifier quoted, the token in a table's name."""
    for name, text in comparisons(dialect).items():
        tree = sqlglot.parse_one(text, read=dialect.sqlglot_name)

        assert render(tree, dialect) == text, name
        assert [node.name for node in tree.find_all(exp.Identifier) if not node.quoted] == [], name
        assert _number_of_tokens(tree) == text.count(TARGET_ATTEMPT), name
        assert name.endswith("facts") or TARGET_ATTEMPT in text, name


def _number_of_tokens(tree: exp.Expr) -> int:
    """Tables whose names hold the token of the attempt."""
    return sum(TARGET_ATTEMPT in node.name for node in tree.find_all(exp.Table))
