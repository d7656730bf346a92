"""The roles in which facts meet dimensions: no two ways share one, and no two attributes a name.

In SML a role is a dimension with a template such as ``Sold {0}``, and templates nest. Two ways in one role would be one
join, and two attributes of one name would be one column.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from airflow_atscale_aggs.engine.discovery.column_names import words_of
from airflow_atscale_aggs.engine.discovery.labels import label_of, role_template
from airflow_atscale_aggs.engine.discovery.proposal import ProposedDimension
from airflow_atscale_aggs.engine.discovery.references import Reference
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_MOST_ROUNDS = 40
_PLAIN = "{0}"


@dataclass(frozen=True, slots=True)
class _Way:
    """How a fact comes to a dimension: by which references, and in which role at the end."""

    references: tuple[Reference, ...]
    role: str

    @property
    def last(self) -> Reference:
        """The reference that leads to the dimension."""
        return self.references[-1]


def find_templates(
    used: Sequence[Reference],
    facts: Collection[str],
    dimensions: Mapping[str, ProposedDimension],
    taken: Collection[str],
    direct: Collection[Reference] = (),
) -> dict[Reference, str]:
    """The template of each reference; empty: the dimension plays no role.

    Args:
        dimensions: by table.
        taken: names of metrics and of attributes that no reference leads to.
        direct: references that lead on from facts, and not from dimensions.
    """
    templates = {reference: role_template(reference.role) for reference in used}
    for _ in range(_MOST_ROUNDS):
        ways = [*_ways(templates, facts, direct)]
        reference = _same_role(ways) or _same_name(templates, ways, dimensions, taken)
        if reference is None:
            break
        _rename(reference, templates, facts, dimensions)
    return templates


def _ways(
    templates: Mapping[Reference, str], facts: Collection[str], direct: Collection[Reference]
) -> Iterator[tuple[str, _Way]]:
    """Each way from each fact, short ones first."""
    for fact in facts:
        waiting = [(fact, _Way((), _PLAIN))]
        while waiting:
            table, way = waiting.pop(0)
            for reference, template in templates.items():
                if (
                    reference.table == table
                    and reference not in way.references
                    and not (way.references and reference in direct)
                ):
                    role = way.role.replace(_PLAIN, template or _PLAIN)
                    longer = _Way((*way.references, reference), role)
                    yield fact, longer
                    waiting.append((reference.to_table, longer))


def _same_role(ways: Iterable[tuple[str, _Way]]) -> Reference | None:
    """The end of a second way by which a fact meets a dimension in one role; None: there is none."""
    seen: dict[tuple[str, str, str], _Way] = {}
    for fact, way in ways:
        other = seen.setdefault((fact, way.last.to_table, way.role), way)
        if other is not way:
            return way.last
    return None


def _same_name(
    templates: Mapping[Reference, str],
    ways: Iterable[tuple[str, _Way]],
    dimensions: Mapping[str, ProposedDimension],
    taken: Collection[str],
) -> Reference | None:
    """A reference whose role gives an attribute a name that another attribute or a metric has; None: there is none."""
    owners = {name.casefold(): ("", "") for name in taken}
    for _, way in ways:
        dimension = dimensions[way.last.to_table]
        owner = dimension.name, way.role
        for attribute in (*dimension.levels, *dimension.secondary):
            name = way.role.replace(_PLAIN, attribute.name).casefold()
            if owners.setdefault(name, owner) != owner:
                playing = [reference for reference in way.references if templates[reference]]
                return playing[-1] if playing else way.last
    return None


def _rename(
    reference: Reference,
    templates: dict[Reference, str],
    facts: Collection[str],
    dimensions: Mapping[str, ProposedDimension],
) -> None:
    """Give a reference another role, and so all that play the same one."""
    own = templates[reference]
    dimension = dimensions.get(reference.table)
    is_of_fact = reference.table in facts or dimension is None
    by_columns = label_of(word for column in reference.columns for word in words_of(column))
    before = by_columns if is_of_fact and own else dimension.name if dimension else ""
    other = f"{before or by_columns} {own or _PLAIN}"
    for same in [each for each in templates if each.columns == reference.columns and templates[each] == own]:
        if same.table == reference.table or (is_of_fact and same.to_table == reference.to_table and own):
            templates[same] = other
