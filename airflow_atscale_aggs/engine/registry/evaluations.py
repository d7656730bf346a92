"""The quality of definitions, each time it was judged; kept for ever."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select

from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.records import EvaluationRecord
from airflow_atscale_aggs.engine.registry.standings import refresh_judgements
from airflow_atscale_aggs.engine.registry.tables import evaluations


class EvaluationReader(RegistryPart):
    """Reads about quality."""

    __slots__ = ()

    def find(self, model_id: str, *, definition_id: str | None = None) -> tuple[EvaluationRecord, ...]:
        """The newest judgement of each definition of a model; or all of one definition, newest first."""
        query = select(evaluations.c.document).where(evaluations.c.model_id == model_id)
        if definition_id is not None:
            query = query.where(evaluations.c.definition_id == definition_id)
            query = query.order_by(evaluations.c.evaluated_at.desc())
        else:
            newest = (
                select(evaluations.c.definition_id, func.max(evaluations.c.evaluated_at).label("at"))
                .where(evaluations.c.model_id == model_id)
                .group_by(evaluations.c.definition_id)
                .subquery()
            )
            query = query.join(
                newest,
                (newest.c.definition_id == evaluations.c.definition_id) & (newest.c.at == evaluations.c.evaluated_at),
            ).order_by(evaluations.c.score.desc(), evaluations.c.definition_id)
        return tuple(documents.decode_evaluation(row[0]) for row in self._rows(query))

    def newest(self, definition_id: str) -> EvaluationRecord | None:
        """The newest judgement of a definition; None before the first."""
        query = select(evaluations.c.document).where(evaluations.c.definition_id == definition_id)
        rows = self._rows(query.order_by(evaluations.c.evaluated_at.desc()).limit(1))
        return documents.decode_evaluation(rows[0][0]) if rows else None


class EvaluationWriter(RegistryPart):
    """Writes about quality."""

    __slots__ = ()

    def record(self, records: Sequence[EvaluationRecord]) -> None:
        """Append judgements in one transaction."""
        if not records:
            return
        rows = [
            {
                "definition_id": record.definition_id,
                "evaluated_at": record.evaluated_at,
                "model_id": record.model_id,
                "score": record.score,
                "size_bytes": record.size_bytes,
                "seconds_saved": record.seconds_saved,
                "document": documents.encode_evaluation(record),
            }
            for record in records
        ]
        with self.database.writing() as connection:
            connection.execute(insert(evaluations), rows)
            refresh_judgements(connection, [record.definition_id for record in records])
