"""SELECTs written by hand, and the comparison of an aggregate's table with them.

The comment lines at the top of a SELECT name what its columns are, see `tests/cases/tpcds/README.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure
from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord
from airflow_atscale_aggs.engine.sql.physical_names import stored_columns


@dataclass(frozen=True)
class Case:
    """One hand-written SELECT and what its columns are.

    Attributes:
        grain: attribute, role applied, to its key columns and its name column.
        matched: attribute to the flag of the join that reaches it.
        measures: ``sum(column)`` or ``count_rows`` to its column.
    """

    aggregate: str
    fact: str
    grain: dict[str, tuple[str, ...]]
    matched: dict[str, str]
    measures: dict[str, str]
    sql: str

    @classmethod
    def parse(cls, text: str) -> Case:
        """A case from a SELECT with comment lines on top."""
        texts_by_kind: dict[str, list[str]] = {"aggregate": [], "fact": [], "grain": [], "matched": [], "measure": []}
        for line in text.splitlines():
            kind, colon, rest = line.strip().removeprefix("-- ").partition(": ")
            if line.strip().startswith("-- ") and colon and kind in texts_by_kind:
                texts_by_kind[kind].append(rest)
        named = {
            kind: [entry.rpartition(" = ")[::2] for entry in texts_by_kind[kind]]
            for kind in ("grain", "matched", "measure")
        }
        return cls(
            aggregate=texts_by_kind["aggregate"][0],
            fact=texts_by_kind["fact"][0],
            grain={name: tuple(columns.split(", ")) for name, columns in named["grain"]},
            matched=dict(named["matched"]),
            measures=dict(named["measure"]),
            sql=text,
        )

    @property
    def columns(self) -> list[str]:
        """All columns: grain, flags, measures."""
        return [
            *(column for columns in self.grain.values() for column in columns),
            *self.matched.values(),
            *self.measures.values(),
        ]

    def stored_columns(self, part: FactPart) -> list[str]:
        """The columns of the aggregate's table that correspond to `columns`, one by one.

        Fails when the aggregate has another grain or other measures than the case.
        """
        layout = stored_columns(part)
        bound = {bound_attribute.attribute.query_name: bound_attribute for bound_attribute in part.attributes}
        assert bound.keys() == self.grain.keys()
        assert len(layout.matched) == len(self.matched)
        measures = {_short(measure): column for measure, column in layout.measures.items()}
        assert measures.keys() == self.measures.keys()
        stored = [
            *(column for name in self.grain for column in layout.attributes[bound[name].attribute].columns),
            *(layout.matched[bound[name].steps] for name in self.matched),
            *(measures[name] for name in self.measures),
        ]
        assert len(set(stored)) == len(stored) == len(self.columns) == len(layout.names)
        return stored


@dataclass(frozen=True)
class BuiltModel:
    """The aggregates of a model, built and activated; keys are (aggregate, fact)."""

    workspace: Workspace
    report: BatchReport
    instances: dict[tuple[str, str], InstanceRecord]
    parts: dict[tuple[str, str], FactPart]

    @classmethod
    def of(cls, workspace: Workspace, report: BatchReport) -> BuiltModel:
        """What a batch has built."""
        definitions = [record.definition for record in workspace.read.definitions.of_model(report.batch.model_id)]
        names = {definition.id: definition.name for definition in definitions}
        return cls(
            workspace,
            report,
            {(names[instance.step.definition_id], instance.step.fact): instance for instance in report.instances},
            {(definition.name, part.fact): part for definition in definitions for part in definition.parts},
        )

    def check(self, case: Case, *, search_path: str) -> None:
        """The table and the stable view hold what the case's SELECT returns: totals, number of groups, every group."""
        instance = self.instances[case.aggregate, case.fact]
        stored = case.stored_columns(self.parts[case.aggregate, case.fact])
        wanted = ", ".join(case.columns)
        columns = ", ".join(f'"{column}" AS {name}' for column, name in zip(stored, case.columns, strict=True))
        totals = ", ".join(f"SUM({column})" for column in case.measures.values())
        schema = self.workspace.warehouse.aggregate_schema
        with self.workspace.warehouse.session() as session:
            session.execute("CREATE SCHEMA IF NOT EXISTS oracle")
            session.execute(f"SET search_path = '{search_path}'")
            session.execute("DROP TABLE IF EXISTS oracle.truth")
            session.execute(f"CREATE TABLE oracle.truth AS {case.sql}")
            (groups,) = session.fetch_all("SELECT COUNT(*) FROM oracle.truth")
            for relation in (f'{schema}."{instance.table}"', f'{schema}."{instance.step.view}"'):
                stored_sql = f"SELECT {columns} FROM {relation}"

                assert session.fetch_all(
                    f"SELECT COUNT(*), {totals} FROM ({stored_sql}) AS found"
                ) == session.fetch_all(f"SELECT COUNT(*), {totals} FROM oracle.truth")
                assert session.fetch_all(f"{stored_sql} EXCEPT SELECT {wanted} FROM oracle.truth LIMIT 3") == []
                assert session.fetch_all(f"SELECT {wanted} FROM oracle.truth EXCEPT {stored_sql} LIMIT 3") == []
        assert instance.rows == groups[0]


def _short(measure: StoredMeasure) -> str:
    return f"{measure.function}({measure.column})" if measure.column else str(measure.function)
