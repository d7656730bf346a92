"""The lattice of a model's aggregates as a graph: what derives from what, and what was built from what."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.derivability import find_sources
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency
from airflow_atscale_aggs.engine.registry.definition_lists import DefinitionFilter, DefinitionSort
from airflow_atscale_aggs.engine.registry.listings import DefinitionListing, InstanceListing
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.plugins.api.definition_rows import aggregate_of_source
from airflow_atscale_aggs.plugins.api.documents.definition_documents import LatticeEdge, LatticeGraph, LatticeNode

Edge = tuple[str, str]
"""(source, target): ids of nodes."""

_MOST_GRAPHS = 16
_BATCHES_LOOKED_AT = 5


class LatticeGraphs:
    """The lattices of models. Safe to share between threads.

    What derives from what is computed again when something was deployed or activated, and when other definitions are
    the most used ones.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._edges: OrderedDict[tuple[str, int, tuple[str, ...]], tuple[Edge, ...]] = OrderedDict()

    def of(self, read: RegistryReader, model_id: str, *, most: int) -> LatticeGraph:
        """The lattice of the definitions of a model that are defined.

        Args:
            most: definitions; users' ones come first, then those that are used most.
        """
        listings, is_cut = _choose(read, model_id, most)
        ids = tuple(sorted(listing.id for listing in listings))
        key = (model_id, read.models.version(model_id), ids)
        derivable = self._find(key, lambda: _derivable_edges(read, model_id, ids))
        is_used_by_edge = dict.fromkeys(derivable, False)
        is_used_by_edge.update(dict.fromkeys(_used_edges(read, listings), True))
        facts = sorted({fact for listing in listings for fact in listing.facts})
        rows = read.attempts.fact_rows(model_id)
        return LatticeGraph(
            nodes=[*(_fact_node(fact, rows.get(fact)) for fact in facts), *map(_aggregate_node, listings)],
            edges=[
                LatticeEdge(source=source, target=target, is_used=is_used)
                for (source, target), is_used in sorted(is_used_by_edge.items())
            ],
            is_cut=is_cut,
        )

    def _find(self, key: tuple[str, int, tuple[str, ...]], compute: Callable[[], tuple[Edge, ...]]) -> tuple[Edge, ...]:
        with self._lock:
            known = self._edges.get(key)
            if known is not None:
                self._edges.move_to_end(key)
                return known
        edges = compute()
        with self._lock:
            self._edges[key] = edges
            while len(self._edges) > _MOST_GRAPHS:
                self._edges.popitem(last=False)
        return edges


def edges_between(definitions: Sequence[AggregateDefinition], proven: frozenset[Dependency]) -> Iterator[Edge]:
    """What derives from what, without what follows from others; whatever derives from no aggregate, from its fact."""
    owned = [(definition.id, part) for definition in definitions for part in definition.parts]
    sources = find_sources([part for _, part in owned], proven)
    for (target, part), numbers in zip(owned, sources, strict=True):
        if not numbers:
            yield (_fact_id(part.fact), target)
        for number in numbers:
            yield (owned[number][0], target)


def _choose(read: RegistryReader, model_id: str, most: int) -> tuple[list[DefinitionListing], bool]:
    """The definitions that are shown, by name, and whether there are more."""
    chosen: list[DefinitionListing] = []
    is_cut = False
    of_system = [origin for origin in DefinitionOrigin if origin.is_system_defined]
    for origins in ([DefinitionOrigin.USER_DEFINED], of_system):
        which = DefinitionFilter(model_ids=[model_id], statuses=[DefinitionStatus.DEFINED], origins=origins)
        room = most - len(chosen)
        if room <= 0:
            is_cut = is_cut or read.lists.definitions.count(which).number > 0
            continue
        page = read.lists.definitions.page(which, sort=DefinitionSort.USES, descending=True, limit=room)
        chosen += page.rows
        is_cut = is_cut or page.next_cursor is not None
    return sorted(chosen, key=lambda listing: (listing.name.casefold(), listing.id)), is_cut


def _derivable_edges(read: RegistryReader, model_id: str, ids: Sequence[str]) -> tuple[Edge, ...]:
    records = read.definitions.some(ids)
    definitions = sorted((record.definition for record in records), key=lambda definition: definition.name)
    return tuple(edges_between(definitions, _proven(read, model_id)))


def _proven(read: RegistryReader, model_id: str) -> frozenset[Dependency]:
    """What the data had proven when the newest batch was planned; nothing before the first."""
    for batch in read.batches.find(model_id, _BATCHES_LOOKED_AT):
        surroundings = read.batches.surroundings(batch.id)
        if surroundings is not None:
            return frozenset(surroundings.functional)
    return frozenset()


def _used_edges(read: RegistryReader, listings: Sequence[DefinitionListing]) -> Iterator[Edge]:
    """What the serving tables were built from; sources that are not shown are left out."""
    id_by_name = {listing.name: listing.id for listing in listings}
    for instance in read.lists.instances.serving([listing.id for listing in listings]):
        source = _source_node(instance, id_by_name)
        if source is not None:
            yield (source, instance.definition_id)


def _source_node(instance: InstanceListing, id_by_name: dict[str, str]) -> str | None:
    if instance.source is None:
        return None
    aggregate = aggregate_of_source(instance)
    return id_by_name.get(aggregate) if aggregate else _fact_id(instance.fact)


def _fact_id(fact: str) -> str:
    return f"fact:{fact}"


def _fact_node(fact: str, rows: int | None) -> LatticeNode:
    return LatticeNode(
        id=_fact_id(fact),
        kind="fact",
        name=fact,
        rows=rows,
        uses=0,
        built_at=None,
        status="",
        origin="",
        attributes=[],
    )


def _aggregate_node(listing: DefinitionListing) -> LatticeNode:
    return LatticeNode(
        id=listing.id,
        kind="aggregate",
        name=listing.name,
        rows=listing.rows,
        uses=listing.uses,
        built_at=listing.built_at,
        status=listing.shown_status,
        origin=listing.origin,
        attributes=list(listing.attributes),
    )
