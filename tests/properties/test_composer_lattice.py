"""`derivation` is a partial order on aggregates, with hierarchies as the generated data proves them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency, derivation, why_not_derivable
from airflow_atscale_aggs.engine.lifecycle.proofs import prove
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.sql.sources import Sources
from tests.support.stars.throwaway_database import duckdb_in_memory
from tests.support.strategies.strategies import Star, aggregates_of, stars

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "32"))


@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_derivability_is_a_partial_order(data: st.DataObject) -> None:
    """It is reflexive and transitive, and mutual only between aggregates with the same groups and measures."""
    star = data.draw(stars())
    parts = tuple(dict.fromkeys((*data.draw(aggregates_of(star)), *data.draw(aggregates_of(star)))))
    proven = _proven_hierarchies(star, parts)

    derives = {(a, b) for a in parts for b in parts if derivation(a, b, proven) is not None}

    assert all((part, part) in derives for part in parts)
    for a, b, c in itertools.product(parts, repeat=3):
        if (a, b) in derives and (b, c) in derives:
            event("chain" if len({a, b, c}) == 3 else "trivial chain")
            assert (a, c) in derives, why_not_derivable(a, c, proven)
    for a, b in derives:
        if (b, a) in derives:
            assert _finest(a) == _finest(b)
            assert a.measures == b.measures


@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_derivation_or_a_reason_never_both(data: st.DataObject) -> None:
    star = data.draw(stars())
    child, parent, *_ = data.draw(aggregates_of(star))

    unproven: frozenset[Dependency] = frozenset()
    for proven in (unproven, _proven_hierarchies(star, (child, parent))):
        is_derivable = derivation(child, parent, proven) is not None

        assert is_derivable == (why_not_derivable(child, parent, proven) is None)


def _finest(part: FactPart) -> set[GrainAttribute]:
    """The attributes that make the groups: (Day, Month) has the groups of (Day)."""
    return {
        bound.attribute
        for bound in part.attributes
        if not any(
            other.attribute.role == bound.attribute.role and bound.attribute.name in other.determines
            for other in part.attributes
        )
    }


def _proven_hierarchies(star: Star, parts: Sequence[FactPart]) -> frozenset[Dependency]:
    with duckdb_in_memory() as database:
        for table in star.tables.values():
            for statement in table.setup_sql():
                database.fetch_all(statement)
        return prove(database.session, parts, Sources(star.datasets(), star.physical(), database.dialect)).functional
