"""What a warehouse can do and how it says it: the columns of the capability table, whose rows are in `dialect_rows`.

Differences between warehouses are facts in this table, not subclasses. Callers read a row's fields; they never compare
dialect names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql import view_catalog as catalogs
from airflow_atscale_aggs.engine.sql.session_settings import SessionSettings
from airflow_atscale_aggs.engine.sql.table_catalog import STANDARD_COLUMNS, STANDARD_SCHEMAS, STANDARD_TABLES


class CreateTableStyle(StrEnum):
    """How a table is made from a query."""

    CREATE_TABLE_AS = "create_table_as"
    SELECT_INTO = "select_into"
    """SQL Server: SELECT … INTO target FROM …"""


class ReplaceViewStyle(StrEnum):
    """How a view is made to show another table."""

    REPLACE = "replace"
    """CREATE OR REPLACE VIEW: it may change the columns, or ``catalog`` tells what else is to be done."""

    ALTER = "alter"
    """ALTER VIEW … AS, behind CREATE VIEW IF NOT EXISTS. Where nothing is done in transactions, a replaced view is
    not there for a moment, and an altered one always is."""

    DROP_CREATE = "drop_create"
    """A replace may only add columns, so the view is dropped and made again, in one transaction."""


class AverageType(StrEnum):
    """What AVG of an exact number yields."""

    DOUBLE = "double"
    EXACT = "exact"
    """The quotient of the sum and the count as the warehouse divides decimals."""

    CUT = "cut"
    """Of whole numbers a double, of decimals a decimal with a few digits more, to which the quotient is cut or
    rounded."""


class QuantileStyle(StrEnum):
    """How the exact quantile of a group is said, interpolated between the two values that it lies between."""

    WITHIN_GROUP = "within_group"
    """PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)"""

    FUNCTION = "function"
    """PERCENTILE(x, 0.5)"""


class FunctionStyle(StrEnum):
    """How PostgreSQL's functions are said, which queries on models are written with."""

    NATIVE = "native"
    """As they are written: it is PostgreSQL."""

    DUCKDB = "duckdb"
    """Translated one by one, see `functions/duckdb.py`."""

    PORTABLE = "portable"
    """Never tried: only what means the same everywhere is passed on."""


class RowFence(StrEnum):
    """How an expression is kept from rows that a subquery leaves out: by a column that is known behind it only."""

    OFFSET = "offset"
    """OFFSET 0 keeps the planner from looking into the subquery."""

    VOLATILE = "volatile"
    """A column that is another value each time: what depends on it is not moved into the subquery."""


class Wording(StrEnum):
    """In which words our SQL is said, where the printer's words mean something else."""

    STANDARD = "standard"
    CLICKHOUSE = "clickhouse"
    """See `sql/clickhouse_wording.py`."""


class Proven(StrEnum):
    """How it was shown that a warehouse does what its row says; the words of the README's table."""

    IN_CI = "run in CI"
    BY_AUTHORS = "run by the authors"
    EMULATED = "emulated"
    """By another engine that speaks its language."""

    RENDERED = "rendered"
    """Never run: its statements are composed and parsed back. It is used only by those who ask for it by name."""


class Folding(StrEnum):
    """What an unquoted identifier becomes."""

    LOWER = "lower"
    UPPER = "upper"
    KEEP = "keep"
    """Kept as written and compared without case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SketchFunctions:
    """Names of the functions that make and merge a sketch that can be stored in a column."""

    make: str
    merge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a warehouse can do and how it says it.

    Attributes:
        name: ours; the first part of a SQLAlchemy URL's scheme names it (`dialect_of_url`).
        sqlglot_name: the SQL parser's and printer's name.
        schemes: URL schemes (before ``+driver``) of this dialect.
        sml_dialects: SML's names of SQL variants that fit, best first.
        max_identifier: longest name, in bytes of UTF-8.
        ascii_names: names of tables and views hold ASCII's letters, digits and _ alone; columns may have any name.
        quotes: what stands before and behind a quoted identifier, and for the one behind it inside a name.
        folding: what unquoted identifiers become.
        transactional_ddl: a transaction around CREATE, DROP and view changes takes effect as a whole or not at all.
        begin_snapshot: begins a transaction whose statements all see the data of one moment, a table made in it
            included; None where there is no such thing or it was never tried.
        create_table: how a table is made from a query.
        table_options: of one connection: what stands between the name of a new table and its query, such as ``USING
            delta``; empty: the warehouse's own choice.
        replace_view: how a view is switched.
        copies_grants: a view that is replaced loses what was granted on it, unless COPY GRANTS is said.
        approx_count_distinct: the cardinality estimate's function, None when there is none.
        hash_columns: a function that hashes a tuple of columns of any type; None: text is made of them.
        hashes_nulls: the function tells NULLs apart; otherwise it is told which columns are NULL.
        distinct_sketch: functions for estimated distinct counts that roll up, None when there are none.
        percentile_sketch: functions for percentiles that roll up, None when there are none.
        widens_integer_sums: SUM over a 32-bit integer yields a wider type by itself; otherwise the argument is cast
            first.
        sums_wrap: SUM of BIGINT may leave its range without an error. So it is added up in decimals and cast back,
            which is an error where it does not fit.
        wide_sum_digits: SUM of decimals may leave their 38 digits without an error. So wide ones are added up in
            decimals of so many digits and cast back, which is an error where it does not fit. 0: it may not.
        decimal_sum_digits: SUM of DECIMAL(p, s) is DECIMAL(p + so many, s), with 38 digits at most, so sums of sums are
            cast back: a quotient has as many digits as its operands allow. 0: a sum of sums is of the sum's type.
        adds_singles_as_they_are: SUM of single-precision numbers is added up, and answered, in single precision.
        refuses_underflow: a product or quotient of floating numbers that is too small to be told from zero is an error.
        deviation_of_one_is_zero: the population variance of a single number is 0, also where the number is NaN or
            infinite.
        has_boolean_aggregate: booleans need their own MIN; otherwise they are cast to integers for it.
        unmeasured: calculation methods that it has not for a type, by how the type begins, where other warehouses have
            them.
        variance_pop: the population variance's function where it is not the one that the SQL printer knows.
        needs_analyze: a new table has no statistics until it is analyzed, and until then queries on it are planned
            badly.
        bigint_sums_widen: SUM of BIGINT yields a wider type than SUM of INTEGER, so sums of sums are cast back.
        has_whole_decimals: whole numbers are decimals without digits after the point, which may be incremental
            indicators.
        timestamps_are_instants: TIMESTAMP knows its time zone; DATETIME does not.
        civil_timestamp: the printer's name of the timestamp without a time zone, where a session decides what TIMESTAMP
            is.
        epoch_micros: gives the microseconds since 1970 of an instant, where its text does not say its offset.
        timestamp_format: of TO_CHAR, for all digits of a timestamp, where a session may cut off digits of its plain
            text.
        average: what AVG of an exact number is; None where it was never tried, or is neither.
        functions: how PostgreSQL's functions are said.
        wording: in which words a statement is said when it is printed.
        casts_cut: a number that is cast to a whole one loses its digits behind the point, where PostgreSQL rounds.
        divides_whole_numbers: sqlglot's IntDiv leaves the remainder out as PostgreSQL's `/` does, also below zero.
        quantile: how an exact quantile is said; None where only estimates are aggregates.
        statistics: a query, with a place for ``{tables}``, for schema, table, estimated rows (negative: unknown),
            column, distinct values (negative: share of the rows), correlation, whether an index begins with the column,
            average bytes of a value; None where nothing cheap is known. See `sql/table_statistics.py`.
        table_bytes: a query, with a place for ``{tables}``, for schema, table, bytes it takes with all that belongs to
            it; None where the warehouse does not tell.
        descriptions: a query, with a place for ``{tables}``, for database, schema, table, column (empty: the relation
            itself), what it is (type with its digits, collation, NOT NULL, and after `` #`` the column's number where
            it never gets another; for a relation: table, view, …), and the DDL that collations are read from or NULL;
            None where the warehouse tells no more than types. See `sql/source_descriptions.py`.
        identities: a query, with a place for ``{tables}``, for dataset, table, identity of each table that the rows of
            a relation come from, NULL where a table has none; None where the catalog does not tell a table from its
            successor.
        file_version: parts of the column `_metadata` of tables that tell which file a row is in, and when that was
            written; empty where there is no such column.
        numbered_formats: formats of tables in which `_metadata.row_index` is 0 for one row of each file, as long as the
            file has any rows: none in which a row is deleted without writing its file anew.
        remembers_files: a session reads the files that a table had when it first read it, and does not see what others
            load later. No session is used for two tasks one after the other, but for attempts of one batch. See
            `warehouse/kept_sessions.py`.
        plans_unions_slowly: a UNION ALL of many small queries takes longer than the queries one after the other.
        groups_by_codes: grouping facts by a code of each dimension, and attaching names afterwards, was measured to
            be faster than grouping by names. See `sql/member_codes.py`.
        statements_at_once: of a batch's own statements, such as comparisons and looks at what facts hold, so many are
            sent at the same time, each in a session of its own, where a statement waits more than it works, or leaves
            a core with nothing to do.
        row_version: a system column of the rows of tables that changes whenever a row is written; None where there is
            none.
        hash_text: a function of a text and a seed that hashes it, where there is no ``hash_columns``.
        row_bytes: what a row takes besides its values.
        stored_share: of the bytes of values, what a table takes once it is stored, about; below 1 where columns are
            compressed.
        data_file: a query for the local file that tables are stored in; None where they are stored elsewhere.
        takes_samples: TABLESAMPLE SYSTEM with a seed gives a share of a table's rows; else the first rows are taken.
        comparable: families of column types, as the warehouse spells them in lower case without lengths: ``=`` between
            types of two families is refused, whatever the values. Types in no family are not known to be refused; empty
            where it was never tried.
        before_switch: statements at the head of the transaction that switches views. A switch must not keep readers
            waiting behind it, nor win a deadlock against one: it gives its locks up early and tries again.
        type_of: the function that names the type of an expression, also of NULL; None where there is none.
        find_relations: a query, with a place for ``{names}`` (rows of number, database or nothing, quoted name), for
            the numbers of the names that can be read; None: they are tried one by one.
        catalog: how the warehouse is asked what belongs to a view and who depends on it; None where it was never tried:
            then views are switched without looking.
        hurry: statements that let a session wait for locks for a short while only, and as long as before again.
        assume_role: statements after which the rights of another role count, with a place for ``{role}`` in quotes, and
            those of the connection's own again; None: there are none, or they were never tried.
        session_settings: the settings of a session that decide what a stored value is. See `sql/session_settings.py`.
        proven: how it was shown that the warehouse does what this row says.
        settings_at_start: settings of each session by name, under which it means by our SQL what we mean.
        differences: what the warehouse is known to do otherwise than the self-test asks (`self_test_texts.NEEDS`), by
            name of the question, with a sentence on what comes of it.
        version: a query for the version of the warehouse, as one text; empty where there is none.
        timestamp_digits: of a second, that a timestamp has at most before digits are cut off on their way to us.
        fence: how an expression is kept from rows that somebody may not see; None where it was never tried, so that
            models with row security are not answered.
        has_information_schema: tables and schemas are asked for by queries; otherwise by SHOW and DESCRIBE.
        columns: a query for the columns of tables, see `sql/table_catalog.py`.
        tables: a query for the names of the tables and views in the schema that stands at ``{schema}``.
        own_place: a query for the session's own database and schema.
        schemas: a query for the schemas with tables or views that people have made; behind each name, how many, where
            it tells that.
        foreign_keys: a query for the declared ones within the schema that stands at ``{schema}``, see
            `sql/table_catalog.py`; None where there are none.
    """

    name: str
    sqlglot_name: str
    schemes: tuple[str, ...]
    sml_dialects: tuple[str, ...] = ()
    max_identifier: int = 127
    ascii_names: bool = False
    quotes: tuple[str, str, str] = ('"', '"', '""')
    folding: Folding = Folding.LOWER
    transactional_ddl: bool = False
    begin_snapshot: str | None = None
    create_table: CreateTableStyle = CreateTableStyle.CREATE_TABLE_AS
    table_options: str = ""
    replace_view: ReplaceViewStyle = ReplaceViewStyle.REPLACE
    copies_grants: bool = False
    approx_count_distinct: str | None = "APPROX_COUNT_DISTINCT"
    hash_columns: str | None = None
    hashes_nulls: bool = True
    distinct_sketch: SketchFunctions | None = None
    percentile_sketch: SketchFunctions | None = None
    widens_integer_sums: bool = True
    sums_wrap: bool = False
    wide_sum_digits: int = 0
    decimal_sum_digits: int = 0
    adds_singles_as_they_are: bool = False
    refuses_underflow: bool = False
    deviation_of_one_is_zero: bool = False
    has_boolean_aggregate: bool = True
    unmeasured: Mapping[str, frozenset[str]] = field(default_factory=dict)
    variance_pop: str | None = None
    needs_analyze: bool = False
    bigint_sums_widen: bool = False
    has_whole_decimals: bool = False
    timestamps_are_instants: bool = False
    civil_timestamp: str = "timestamp"
    epoch_micros: str | None = None
    timestamp_format: str | None = None
    average: AverageType | None = None
    functions: FunctionStyle = FunctionStyle.PORTABLE
    wording: Wording = Wording.STANDARD
    casts_cut: bool = False
    divides_whole_numbers: bool = False
    quantile: QuantileStyle | None = None
    statistics: str | None = None
    table_bytes: str | None = None
    descriptions: str | None = None
    identities: str | None = None
    file_version: tuple[str, ...] = ()
    numbered_formats: frozenset[str] = frozenset()
    remembers_files: bool = False
    plans_unions_slowly: bool = False
    groups_by_codes: bool = False
    statements_at_once: int = 1
    row_version: str | None = None
    hash_text: str | None = None
    row_bytes: int = 0
    stored_share: float = 1.0
    data_file: str | None = None
    takes_samples: bool = False
    comparable: tuple[frozenset[str], ...] = ()
    before_switch: tuple[str, ...] = ()
    find_relations: str | None = None
    type_of: str | None = None
    catalog: catalogs.CatalogQueries | None = None
    hurry: tuple[str, str] | None = None
    assume_role: tuple[str, str] | None = None
    session_settings: SessionSettings | None = None
    proven: Proven = Proven.RENDERED
    settings_at_start: Mapping[str, str] = field(default_factory=dict)
    differences: Mapping[str, str] = field(default_factory=dict)
    version: str = "SELECT VERSION()"
    timestamp_digits: int = 6
    fence: RowFence | None = None
    has_information_schema: bool = True
    columns: str = STANDARD_COLUMNS
    tables: str = STANDARD_TABLES
    own_place: str = "SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()"
    schemas: str = STANDARD_SCHEMAS
    foreign_keys: str | None = None
