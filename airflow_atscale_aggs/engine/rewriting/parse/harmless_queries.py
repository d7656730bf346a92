"""Tells queries that only read and compute from those that may do more, by what they are made of.

A SELECT can read files, run other statements, reach other servers and change sequences: ``read_csv('/etc/passwd')``,
``query_to_xml('…')``, ``dblink('…')``, ``nextval('…')``. Warehouses have hundreds of functions, and extensions add
more. So nothing is forbidden by name: what may be asked is listed, and everything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.sql.model_relations import HARMLESS, PG_CATALOG, PRIVILEGES, TO_RELATION, VISIBLE
from airflow_atscale_aggs.engine.sql.spelling import render_for_people

_CLAUSES = frozenset(
    {
        *("Select", "Union", "Intersect", "Except", "Subquery", "With", "CTE", "Values", "Table", "TableAlias"),
        *("From", "Join", "Lateral", "Where", "Group", "Cube", "Rollup", "GroupingSets", "Having", "Qualify"),
        *("Order", "Ordered", "Limit", "Offset", "Fetch", "LimitOptions", "Distinct", "TableSample"),
        *("Alias", "Column", "Identifier", "Star", "Literal", "Null", "Boolean", "Paren", "Tuple", "Var", "Interval"),
        *("IntervalSpan", "Case", "If", "Cast", "TryCast", "DataType", "DataTypeParam", "Array", "Bracket", "Slice"),
        *("Window", "WindowSpec", "Filter", "WithinGroup", "IgnoreNulls", "RespectNulls", "Unnest", "Exists"),
    }
)
_OPERATORS = frozenset(
    {
        *("And", "Or", "Xor", "Not", "EQ", "NEQ", "GT", "GTE", "LT", "LTE", "NullSafeEQ", "NullSafeNEQ", "Is", "In"),
        *("Between", "Like", "ILike", "SimilarTo", "Escape", "RegexpLike", "RegexpILike", "Any", "All", "Overlaps"),
        *("Add", "Sub", "Mul", "Div", "IntDiv", "Mod", "Neg", "Pow", "DPipe", "Collate", "AtTimeZone"),
        *("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitwiseLeftShift", "BitwiseRightShift"),
    }
)
_AGGREGATES = frozenset(
    {
        *("Count", "CountIf", "Sum", "Avg", "Min", "Max", "AnyValue", "First", "Last", "ArgMax", "ArgMin", "Mode"),
        *("Stddev", "StddevPop", "StddevSamp", "Variance", "VariancePop", "Corr", "CovarPop", "CovarSamp", "Median"),
        *("PercentileCont", "PercentileDisc", "Quantile", "ApproxQuantile", "ApproxDistinct", "Kurtosis", "Skewness"),
        *("LogicalAnd", "LogicalOr", "BitwiseAndAgg", "BitwiseOrAgg", "BitwiseXorAgg", "GroupConcat", "ArrayAgg"),
        *("RegrAvgx", "RegrAvgy", "RegrCount", "RegrIntercept", "RegrR2", "RegrSlope", "RegrSxx", "RegrSxy", "RegrSyy"),
        *("Grouping", "GroupingId", "RowNumber", "Rank", "DenseRank", "PercentRank", "CumeDist", "Ntile"),
        *("Lag", "Lead", "FirstValue", "LastValue", "NthValue"),
    }
)
_NUMBERS = frozenset(
    {
        *("Abs", "Sign", "Round", "Ceil", "Floor", "Trunc", "Sqrt", "Cbrt", "Exp", "Ln", "Log", "Factorial", "Pi"),
        *("Degrees", "Radians", "Sin", "Cos", "Tan", "Cot", "Asin", "Acos", "Atan", "Atan2", "Sinh", "Cosh", "Tanh"),
        *("Asinh", "Acosh", "Atanh", "Greatest", "Least", "WidthBucket", "ToNumber", "IsNan", "IsInf", "BitwiseCount"),
    }
)
_TEXTS = frozenset(
    {
        *("Upper", "Lower", "Initcap", "Length", "BitLength", "ByteLength", "Substring", "Left", "Right", "Trim"),
        *("Replace", "Translate", "Reverse", "Repeat", "Pad", "SplitPart", "StrPosition", "StartsWith", "EndsWith"),
        *("Contains", "Concat", "ConcatWs", "Overlay", "Format", "Ascii", "Unicode", "Chr", "Hex", "MD5", "ToChar"),
        *("RegexpReplace", "RegexpSubstr", "RegexpCount", "RegexpExtract", "RegexpInstr", "Levenshtein"),
        *("ArraySize", "ArrayToString", "StringToArray", "ArrayContains"),
    }
)
_TIMES = frozenset(
    {
        *("CurrentDate", "CurrentTimestamp", "CurrentTime", "CurrentDatetime", "Localtime", "Localtimestamp"),
        *("Date", "Time", "Timestamp", "Datetime", "Extract", "DateTrunc", "TimestampTrunc", "DatetimeTrunc", "Year"),
        *("Quarter", "Month", "Week", "WeekOfYear", "Day", "DayOfMonth", "DayOfWeek", "DayOfWeekIso", "DayOfYear"),
        *("Hour", "Minute", "Second", "Monthname", "Dayname", "LastDay", "AddMonths", "MonthsBetween", "DateBin"),
        *("DateAdd", "DateSub", "DateDiff", "TimestampAdd", "TimestampSub", "TimestampDiff", "DatetimeAdd"),
        *("DatetimeSub", "DatetimeDiff", "TsOrDsAdd", "TsOrDsDiff", "TsOrDsToDate", "TsOrDsToTimestamp"),
        *("DateFromParts", "TimestampFromParts", "TimeFromParts", "MakeInterval", "TimeToStr", "StrToDate"),
        *("StrToTime", "UnixToTime", "TimeToUnix", "StrToUnix", "DateStrToDate", "TimeStrToTime"),
    }
)
_OTHERS = frozenset({"Coalesce", "Nullif", "Nvl2", "Decode", "DecodeCase"})

_PARTS = _CLAUSES | _OPERATORS | _AGGREGATES | _NUMBERS | _TEXTS | _TIMES | _OTHERS
"""Names of the parser's classes. A name that the parser does not have is of another version of it, and harmless."""

_FUNCTIONS = frozenset({"age", "gcd", "isfinite", "lcm", "make_date", "octet_length", "to_hex", "row", "date_part"})
"""Functions that the parser does not know, in lower case."""

_CATALOG_FUNCTIONS = _FUNCTIONS | HARMLESS | {*PRIVILEGES, VISIBLE, TO_RELATION}
_CATALOG_PARTS = _PARTS | {"CurrentSchema", "CurrentUser", "SessionUser", "CurrentDatabase", "CurrentCatalog", "Dot"}
"""What tools ask the catalog besides, for those who may see what is in it."""

_KINDS = frozenset(
    {
        *("BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "INT128", "UTINYINT", "USMALLINT", "UINT", "UBIGINT"),
        *("DECIMAL", "FLOAT", "DOUBLE", "CHAR", "NCHAR", "BPCHAR", "VARCHAR", "NVARCHAR", "TEXT", "NAME", "UUID"),
        *("DATE", "TIME", "TIMETZ", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPNTZ", "TIMESTAMPLTZ", "TIMESTAMP_S"),
        *("TIMESTAMP_MS", "TIMESTAMP_NS", "DATETIME", "INTERVAL", "ARRAY", "LIST"),
    }
)
"""Types of casts: a cast to a type such as REGCLASS looks something up in the catalog."""

_FILE = re.compile(r"[./\\:*?]")
"""What stands in names of files and addresses; DuckDB reads a file where no table has a name in FROM."""

_REMEDY = "What is asked here reads and computes, and nothing else. Ask the warehouse itself for more."


def check_harmless(root: exp.Query, dialect: str, *, with_catalog: bool = False) -> None:
    """Refuse everything in a query that is not known to read and compute only. Comments are removed from it.

    Args:
        root: from `parse_with_tables`, which refuses statements that are no queries.
        dialect: for messages.
        with_catalog: functions that tell of the catalog may be asked.

    Raises:
        UnsupportedQueryError: names the part.
    """
    parts = _CATALOG_PARTS if with_catalog else _PARTS
    functions = _CATALOG_FUNCTIONS if with_catalog else _FUNCTIONS
    for node in root.walk():
        # A comment may be a hint, and need not end for the warehouse where it ends for the parser.
        node.comments = None
        if isinstance(node, exp.Anonymous):
            # In quotes it may be one of somebody's own, whose name differs in case.
            if isinstance(node.this, exp.Identifier) or node.name.casefold() not in functions:
                _refuse(node, dialect, f"`{node.name}` is no function that may be asked here")
        elif type(node).__name__ not in parts:
            _refuse(node, dialect, "this may not be asked here")
        else:
            _check_part(node, dialect)


def check_names(tables: Iterable[exp.Table], dialect: str) -> None:
    """Refuse names in FROM that may be files. Raises UnsupportedQueryError."""
    for table in tables:
        if any(_FILE.search(part.name) for part in table.parts):
            _refuse(table, dialect, "a table of this name may not be asked here, since it may be a file")


def _check_part(node: exp.Expr, dialect: str) -> None:
    """Parts that are harmless in some forms only."""
    if isinstance(node, exp.Table):
        if not isinstance(node.this, exp.Identifier):
            _refuse(node, dialect, "a function may not stand in FROM here")
        check_names([node], dialect)
    elif isinstance(node, exp.Lateral):
        if not isinstance(node.this, exp.Subquery):
            _refuse(node, dialect, "a function may not stand in FROM here")
    elif isinstance(node, exp.DataType):
        if not isinstance(node.this, exp.DataType.Type) or node.this.name not in _KINDS:
            _refuse(node, dialect, "values may not be cast to this type here")
    elif isinstance(node, exp.Dot):
        is_catalog = node.this.name.casefold() == PG_CATALOG and isinstance(node.this, (exp.Identifier, exp.Column))
        if not is_catalog or not isinstance(node.expression, exp.Anonymous):
            _refuse(node, dialect, "this may not be asked here")


def _refuse(node: exp.Expr, dialect: str, reason: str) -> None:
    text = render_for_people(node, dialect)
    raise UnsupportedQueryError(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…", reason, _REMEDY)


_LONGEST = 200
