"""How often each user may ask for what costs something: routes that act, and routes that ask the warehouse.

Routes name them among their dependencies: ``@router.post("…", dependencies=[ActingRate])``.
"""

from __future__ import annotations

from functools import partial

from fastapi import Depends

from airflow_atscale_aggs.plugins.api.access import VisitorDep
from airflow_atscale_aggs.plugins.api.bounds import RateBound, configured_bound

acting_rate = RateBound(partial(configured_bound, "acting_requests_per_minute", 60))
asking_rate = RateBound(partial(configured_bound, "asking_requests_per_minute", 120))


def _count_acting(visitor: VisitorDep) -> None:
    acting_rate.check(visitor.name)


def _count_asking(visitor: VisitorDep) -> None:
    asking_rate.check(visitor.name)


ActingRate = Depends(_count_acting)
"""Of routes that change something: start, cancel, block, import, settings."""

AskingRate = Depends(_count_asking)
"""Of routes that ask the warehouse: query, explain, recommend."""
