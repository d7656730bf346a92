"""A proposal as a document for programs: what `init --json` prints."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_atscale_aggs.engine.discovery.proposal import Proposal, ProposedDimension, ProposedRelationship
from airflow_atscale_aggs.engine.discovery.references import Question


def proposal_document(proposal: Proposal) -> Mapping[str, object]:
    """Facts, dimensions, relationships, metrics, open questions, and what is left out, each with its reason."""
    return {
        "model": proposal.model,
        "schema": proposal.schema,
        "facts": [{"table": table, "reason": reason} for table, reason in proposal.facts.items()],
        "dimensions": [_dimension(dimension) for dimension in proposal.dimensions],
        "relationships": [_relationship(edge) for edge in _all_relationships(proposal)],
        "metrics": [
            {name: getattr(metric, name) for name in ("name", "table", "column", "method", "reason")}
            for metric in proposal.metrics
        ],
        "questions": [_question(question) for question in proposal.questions],
        "left_out": [{"what": entry.what, "reason": entry.reason} for entry in proposal.left_out],
    }


def _dimension(dimension: ProposedDimension) -> Mapping[str, object]:
    return {
        "name": dimension.name,
        "table": dimension.table,
        "is_time": dimension.is_time,
        "is_degenerate": dimension.is_degenerate,
        "reason": dimension.reason,
        "hierarchies": [list(hierarchy.levels) for hierarchy in dimension.hierarchies],
        "attributes": [attribute.name for attribute in dimension.secondary],
    }


def _relationship(edge: ProposedRelationship) -> Mapping[str, object]:
    return {
        "table": edge.reference.table,
        "columns": list(edge.reference.columns),
        "to_table": edge.reference.to_table,
        "to_columns": list(edge.reference.to_columns),
        "dimension": edge.dimension,
        "role_play": edge.role_play,
        "reason": edge.reference.reason,
    }


def _question(question: Question) -> Mapping[str, object]:
    options = [{"to_table": option.to_table, "to_column": option.to_columns[0]} for option in question.options]
    return {"table": question.table, "column": question.column, "options": options}


def _all_relationships(proposal: Proposal) -> list[ProposedRelationship]:
    """Those of the model and of dimensions, each once: a table that is both a fact and a dimension has them twice."""
    every = [*proposal.relationships, *(edge for edges in proposal.embedded.values() for edge in edges)]
    return list(
        {(edge.reference.table, edge.reference.columns, edge.reference.to_table): edge for edge in every}.values()
    )
