"""Where tables are looked for, and what is said of those that are not there."""

from __future__ import annotations

from dataclasses import replace

from airflow_atscale_aggs.engine.lifecycle.deploy.check_tables import check_tables, look_for_tables
from tests.support.deploy_checks import TABLES, check_input, lines_of
from tests.support.stars.documents import Documents, star

_WITHOUT_SHOP = {name: columns for name, columns in TABLES.items() if name != "shop"}


def _without_connection(name: str) -> Documents:
    documents = star()
    documents[name] = {key: value for key, value in documents[name].items() if key != "connection_id"}
    return documents


def test_a_table_may_come_later() -> None:
    checked = replace(check_input(star(), _WITHOUT_SHOP), place=("memory", "main"))

    assert check_tables(checked) == ()
    looked_in = look_for_tables(checked)
    assert looked_in.missing is not None
    assert looked_in.names(looked_in.missing) == ["s.shop"]
    assert len(looked_in.tables) == len(TABLES)


def test_a_dataset_that_does_not_say_where_its_table_is_needs_it_in_the_default_schema() -> None:
    checked = replace(check_input(_without_connection("shop"), _WITHOUT_SHOP), place=("memory", "main"))

    (line,) = lines_of(check_tables(checked))

    assert line.startswith("error in ")
    assert line.endswith(
        "missing-table: dataset `shop` lacks `connection_id`, which names the connection with its schema, and the "
        "schema `main` of the warehouse has no table `shop`"
    )


def test_a_table_of_the_default_schema_needs_no_connection() -> None:
    checked = check_input(_without_connection("shop"))
    physical = {(None, None, "shop"): checked.physical[None, "s", "shop"], **checked.physical}

    assert check_tables(replace(checked, physical=physical)) == ()


def test_a_warehouse_that_does_not_answer_may_have_any_table() -> None:
    checked = replace(check_input(_without_connection("shop"), {}), has_answer=False)

    assert check_tables(checked) == ()
    assert look_for_tables(checked).missing is None
