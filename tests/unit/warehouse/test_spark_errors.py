"""What errors of Spark and of Sail say, in the words of both."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.warehouse.drivers import MEANINGS, Failure
from airflow_atscale_aggs.engine.warehouse.spark_errors import describe_spark, is_lost, is_transient, spark_failure

_SPARK = (
    "[TABLE_OR_VIEW_NOT_FOUND] The table or view `aggs`.`nope` cannot be found. Verify the spelling.\n"
    "JVM stacktrace:\norg.apache.spark.sql.AnalysisException\n\tat org.apache.spark.x(Y.scala:1)"
)


@pytest.mark.parametrize(
    ("text", "name", "failure"),
    [
        (_SPARK, "nope", Failure.ABSENT),
        (_SPARK, "NOPE", Failure.ABSENT),
        (_SPARK, "", Failure.ABSENT),
        (_SPARK, "a_view_on_it", Failure.OTHER),
        ("[SCHEMA_NOT_FOUND] The schema `spark_catalog`.`gone` cannot be found.", "", Failure.ABSENT),
        ("Table not found: [TABLE_OR_VIEW_NOT_FOUND] Table or view not found: nope", "nope", Failure.ABSENT),
        ("Database not found: aggs", "", Failure.ABSENT),
        ("[REQUIRES_SINGLE_PART_NAMESPACE] spark_catalog requires a single-part namespace", "", Failure.NO_DATABASE),
        ("[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User lacks SELECT", "", Failure.NO_RIGHT),
        ("status = StatusCode.UNAVAILABLE details = failed to connect", "", Failure.NO_CONNECTION),
        ("[DIVIDE_BY_ZERO] Division by zero", "", Failure.OTHER),
        ("divide by zero", "", Failure.OTHER),
        ("[PARSE_SYNTAX_ERROR] Error\n\tat java.security.AccessController.doPrivileged", "", Failure.OTHER),
        ("invalid argument: session 0e23a3e1-7d5c is not running", "", Failure.NO_CONNECTION),
        ("Failed to load table x.t: response error: status code 401 Unauthorized", "t", Failure.NO_RIGHT),
        ("Failed to load table x.t: response error: status code 500 Internal Server Error", "t", Failure.NO_CATALOG),
        (
            "Failed to load table x.t: request error: error sending request for url (http://lake/)",
            "t",
            Failure.NO_CATALOG,
        ),
        (
            "[FAILED_READ_FILE.FILE_NOT_EXIST] File permission/a.parquet: the underlying files have been updated.",
            "",
            Failure.FILES_GONE,
        ),
        ("[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///a.parquet.", "", Failure.OTHER),
        ("[RETRIES_EXCEEDED] failed to connect to all addresses", "", Failure.NO_CONNECTION),
    ],
)
def test_an_absent_table_a_right_a_catalog_and_a_lost_connection_are_told_apart(
    text: str, name: str, failure: Failure
) -> None:
    assert spark_failure(Exception(text), name) is failure
    assert is_lost(Exception(text)) is (failure is Failure.NO_CONNECTION)
    passing = {Failure.NO_CONNECTION, Failure.NO_CATALOG, Failure.FILES_GONE}
    assert is_transient(Exception(text)) is (failure in passing)


def test_people_read_one_line_without_the_stack_of_the_server() -> None:
    text = describe_spark(Exception(_SPARK))

    assert text == (
        "[TABLE_OR_VIEW_NOT_FOUND] The table or view `aggs`.`nope` cannot be found. Verify the spelling. "
        f"({MEANINGS[Failure.ABSENT]})"
    )
    assert describe_spark(Exception("divide by zero")) == "divide by zero"
    assert describe_spark(ValueError()) == "ValueError"
