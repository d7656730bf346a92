"""One table whose columns are read otherwise under other settings of a session, and its SML model."""

from __future__ import annotations

from pathlib import Path

_TYPES = {
    "duckdb": ("TIMESTAMPTZ", "DOUBLE"),
    "postgres": ("TIMESTAMP WITH TIME ZONE", "DOUBLE PRECISION"),
}

_ROWS = """\
INSERT INTO {schema}facts VALUES
  (TIMESTAMPTZ '2024-03-30 23:30:00+00', '01/02/2024', 'a', 7, 2, 0.1, 1),
  (TIMESTAMPTZ '2024-03-31 12:00:00+00', '02/01/2024', 'A', 5, 2, 1.0, 10),
  (TIMESTAMPTZ '2024-12-31 23:59:59+00', '03/04/2024', 'b', -7, 2, -2.5, 100),
  (TIMESTAMPTZ '2025-01-01 04:00:00+00', '05/06/2024', NULL, 3, 0, NULL, {last})"""

CALCULATIONS: dict[str, dict[str, tuple[str, str]]] = {
    "both": {
        "Local Day": ("date", "CAST(moment AS DATE)"),
        "Local Hour": ("string", "CAST(moment AS VARCHAR)"),
        "Doubled": ("int", "number * 2"),
        "Letter": ("string", ""),
        "Ratio": ("double", "number / CASE WHEN divisor = 0 THEN NULL ELSE divisor END"),
        "Fraction": ("string", "CAST(fraction AS VARCHAR)"),
    },
    "postgres": {
        "Read Day": ("date", "CAST(written AS DATE)"),
        "Month Name": ("string", "TO_CHAR(CAST(moment AS TIMESTAMP), 'TMMonth')"),
        "Span": ("string", "CAST(MAKE_INTERVAL(hours => number) AS TEXT)"),
    },
    "duckdb": {
        "Greatest Letter": ("string", "GREATEST(letter, 'B')"),
        "Quotient": ("double", "fraction / divisor"),
    },
}
"""By dialect: name of an attribute to the type and the SQL of its column; the letter is a column of the table."""


def tables(dialect: str, schema: str = "", last: int = 1000) -> tuple[str, ...]:
    """Statements that make the table, in a schema that is there.

    Args:
        schema: with a full stop at its end.
        last: the amount of the last row.
    """
    instant, floating = _TYPES[dialect]
    columns = (
        f"moment {instant}, written VARCHAR(20), letter VARCHAR(5), number INTEGER, divisor INTEGER, fraction "
        f"{floating}"
    )
    return (f"CREATE TABLE {schema}facts ({columns}, amount INTEGER)", _ROWS.format(schema=schema, last=last))


def attributes(dialect: str) -> dict[str, tuple[str, str]]:
    """The attributes that a dialect has."""
    return {**CALCULATIONS["both"], **CALCULATIONS[dialect]}


def write_session_model(folder: Path, dialect: str) -> Path:
    """Write the SML files, with an aggregate for each attribute that has its name; returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    own_attributes = attributes(dialect)
    files = {
        "catalog": "unique_name: sessions\nobject_type: catalog\nlabel: S\nversion: 1.6\n"
        "aggressive_agg_promotion: false\nbuild_speculative_aggs: false\n",
        "connection": "unique_name: warehouse\nobject_type: connection\nlabel: W\nas_connection: w\n",
        "dataset": (
            "unique_name: facts\nobject_type: dataset\nlabel: F\nconnection_id: warehouse\ntable: facts\ncolumns:\n"
        )
        + "".join(
            f"  - {{name: {name}, data_type: {kind}}}\n"
            for name, kind in (
                *(("moment", "datetime"), ("written", "string"), ("letter", "string"), ("number", "int")),
                *(("divisor", "int"), ("fraction", "double"), ("amount", "int")),
            )
        )
        + "".join(
            f'  - name: {_column(name)}\n    data_type: {kind}\n    sql: "{sql}"\n'
            for name, (kind, sql) in own_attributes.items()
            if sql
        ),
        "model": "unique_name: moments\nobject_type: model\nlabel: M\nrelationships: []\ndimensions: ["
        + ", ".join(f"Dim {name}" for name in own_attributes)
        + "]\nmetrics:\n  - unique_name: Amount\n  - unique_name: Mean\naggregates:\n"
        + "".join(
            f"  - unique_name: by {name}\n    label: by {name}\n    attributes: [{{name: {name}, dimension: Dim "
            f"{name}}}]\n"
            "    metrics: [Amount, Mean]\n"
            for name in own_attributes
        ),
        "metric_amount": _metric("Amount", "sum"),
        "metric_mean": _metric("Mean", "average"),
    }
    for name in own_attributes:
        column = _column(name)
        files[f"dimension_{column}"] = (
            f"unique_name: Dim {name}\nobject_type: dimension\nlabel: D\ntype: standard\nis_degenerate: "
            "true\nhierarchies:\n"
            f"  - unique_name: H {name}\n    label: H\n    filter_empty: 'yes'\n    levels: [{{unique_name: {name}}}]\n"
            f"level_attributes:\n  - {{unique_name: {name}, label: {name}, dataset: facts, key_columns: [{column}], "
            f"name_column: {column}}}\n"
        )
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


def _column(name: str) -> str:
    return "letter" if name == "Letter" else "calc_" + name.lower().replace(" ", "_")


def _metric(name: str, method: str) -> str:
    return (
        f"unique_name: {name}\nobject_type: metric\nlabel: {name}\ncalculation_method: {method}\ndataset: facts\n"
        "column: amount\n"
    )
