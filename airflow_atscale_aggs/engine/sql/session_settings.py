"""Settings of a session that decide what a stored value is, as rows of the capability table.

An aggregate that was built under one time zone holds other days than the facts show under another. So a build knows
these settings, and a query is answered from what was built only where those that matter are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

SEARCH_PATH = "search_path"
"""Decides what a table's name without schema means, in every statement; spelled so by all warehouses that have it."""


class Reach(StrEnum):
    """What a setting can change the value of."""

    CALCULATIONS = "calculations"
    """Casts, functions and names inside a calculated column, a query dataset or a view."""

    TEXTS = "texts"
    """Which texts are equal, and which one is the least."""

    ROWS = "rows"
    """Which rows a session sees, where row security or a view asks who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The settings of one dialect.

    Attributes:
        reach: what each can change, by name as the warehouse spells it.
        read: a statement with rows that begin with name and value; ``{names}`` stands for the names as literals. It may
            have rows of other settings.
        value: an expression that reads one setting that is there, as text, with ``{name}`` as a literal; for warehouses
            whose ``read`` looks at hundreds of settings.
        write: a statement that sets one, with ``{name}`` and ``{value}`` as literals, ``{word}`` as the bare name, and
            ``{plain}`` as the bare value;
            empty where it is not known, so that builds take the settings as they find them, and check them.
        fixed: names that no session can set.
        of_extensions: names that are not there before an extension is loaded. Others are there from the beginning, or
            this version of the warehouse has none.
        literals: settings under which literals mean what our printer writes. They hold for what we compose, not for SQL
            that is run as it stands.
    """

    reach: Mapping[str, Reach]
    read: str
    value: str = ""
    write: str = ""
    fixed: frozenset[str] = frozenset()
    of_extensions: frozenset[str] = frozenset()
    literals: Mapping[str, str] = field(default_factory=dict)


def _calculations(*names: str) -> dict[str, Reach]:
    return dict.fromkeys(names, Reach.CALCULATIONS)


_POSTGRES_READ = """\
SELECT s.name, CASE s.name
  WHEN 'search_path' THEN (SELECT STRING_AGG(QUOTE_IDENT(n), ', ') FROM UNNEST(CURRENT_SCHEMAS(FALSE)) AS n)
  WHEN 'current_user' THEN CAST(CURRENT_USER AS TEXT)
  ELSE CURRENT_SETTING(s.name, TRUE) END
FROM UNNEST(ARRAY[{names}]) AS s(name)"""

POSTGRES_SETTINGS = SessionSettings(
    reach={
        **_calculations("TimeZone", "DateStyle", "IntervalStyle", "timezone_abbreviations"),
        **_calculations("extra_float_digits", "bytea_output", "xmlbinary", "xmloption", "array_nulls"),
        **_calculations("lc_time", "lc_numeric", "lc_monetary", "default_text_search_config"),
        **_calculations("transform_null_equals", "standard_conforming_strings", "backslash_quote"),
        **_calculations("quote_all_identifiers", "search_path"),
        "current_user": Reach.ROWS,
    },
    read=_POSTGRES_READ,
    write="SELECT SET_CONFIG({name}, {value}, FALSE)",
    fixed=frozenset({"current_user"}),
    literals={"standard_conforming_strings": "on"},
)

DUCKDB_SETTINGS = SessionSettings(
    reach={
        **_calculations("TimeZone", "Calendar", "disable_timestamptz_casts", "binary_as_string"),
        **_calculations("integer_division", "ieee_floating_point_ops", "error_on_division_by_zero"),
        **_calculations("default_null_order", "default_order", "order_by_non_integer_literal"),
        **_calculations("regex_match_operator_semantics", "dialect_compatibility_mode", "legacy_disable_null_type"),
        **_calculations("old_implicit_casting", "scalar_subquery_error_on_multiple_rows", "preserve_identifier_case"),
        **_calculations("file_search_path", "home_directory", "search_path"),
        "default_collation": Reach.TEXTS,
    },
    read="SELECT name, value FROM duckdb_settings() WHERE name IN ({names})",
    value="CAST(CURRENT_SETTING({name}) AS VARCHAR)",
    write="SET {word} = {value}",
    of_extensions=frozenset({"TimeZone", "Calendar"}),
)

CLICKHOUSE_SETTINGS = SessionSettings(
    reach=_calculations("session_timezone", "compatibility", "date_time_input_format", "cast_string_to_date_time_mode"),
    # Without a zone of its own a session has the server's.
    read=(
        "SELECT 'session_timezone', timezone() UNION ALL SELECT name, value FROM system.settings "
        "WHERE name IN ({names}) AND name <> 'session_timezone'"
    ),
    write="SET {word} = {value}",
)

REDSHIFT_SETTINGS = SessionSettings(
    reach=_calculations("TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "search_path"),
    read=" UNION ALL ".join(
        f"SELECT '{name}', CURRENT_SETTING('{name.lower()}')"
        for name in ("TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "search_path")
    ),
    write="SELECT SET_CONFIG({name}, {value}, FALSE)",
)

SNOWFLAKE_SETTINGS = SessionSettings(
    reach={
        **_calculations("TIMEZONE", "TIMESTAMP_TYPE_MAPPING", "WEEK_START", "WEEK_OF_YEAR_POLICY", "SEARCH_PATH"),
        **_calculations("TWO_DIGIT_CENTURY_START", "DATE_INPUT_FORMAT", "TIME_INPUT_FORMAT", "TIMESTAMP_INPUT_FORMAT"),
        **_calculations("DATE_OUTPUT_FORMAT", "TIME_OUTPUT_FORMAT", "TIMESTAMP_OUTPUT_FORMAT", "BINARY_INPUT_FORMAT"),
        **_calculations("TIMESTAMP_LTZ_OUTPUT_FORMAT", "TIMESTAMP_NTZ_OUTPUT_FORMAT", "TIMESTAMP_TZ_OUTPUT_FORMAT"),
        "DEFAULT_DDL_COLLATION": Reach.TEXTS,
    },
    read="SHOW PARAMETERS IN SESSION",
    write="ALTER SESSION SET {word} = {value}",
)

BIGQUERY_SETTINGS = SessionSettings(reach=_calculations("time_zone"), read="SELECT 'time_zone', @@time_zone")

SPARK_SETTINGS = SessionSettings(
    reach=_calculations(
        "spark.sql.session.timeZone",
        "spark.sql.ansi.enabled",
        "spark.sql.legacy.timeParserPolicy",
        "spark.sql.caseSensitive",
    ),
    read="SET -v",
    # A literal would be set with its quotes.
    write="SET {word} = {plain}",
)

TRINO_SETTINGS = SessionSettings(reach=_calculations("TimeZone"), read="SELECT 'TimeZone', CURRENT_TIMEZONE()")

TSQL_SETTINGS = SessionSettings(
    reach=_calculations("DATEFIRST", "LANGUAGE", "DATEFORMAT"),
    read=(
        "SELECT 'DATEFIRST', CAST(date_first AS VARCHAR(10)) FROM sys.dm_exec_sessions WHERE session_id = @@SPID "
        "UNION ALL SELECT 'LANGUAGE', language FROM sys.dm_exec_sessions WHERE session_id = @@SPID "
        "UNION ALL SELECT 'DATEFORMAT', date_format FROM sys.dm_exec_sessions WHERE session_id = @@SPID"
    ),
)
