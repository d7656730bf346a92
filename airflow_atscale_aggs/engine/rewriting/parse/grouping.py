"""GROUP BY as the sets of keys that it groups by: one, or one for each level of ROLLUP, CUBE and GROUPING SETS.

    GROUP BY a, b                   (a, b)
    GROUP BY ROLLUP (a, b)          (a, b), (a), ()
    GROUP BY a, CUBE (b)            (a, b), (a)

Source: SQL:1999, "grouping sets"; PostgreSQL manual 7.2.4.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError

MOST_SETS = 64

_Set = tuple[exp.Expr, ...]


def grouping_sets(group: exp.Group, dialect: str) -> tuple[list[_Set], bool]:
    """The sets of items as they were written, and whether there are several levels.

    Raises:
        UnsupportedQueryError: too many sets, or a clause that is none of these.
    """
    if any(value for name, value in group.args.items() if name not in {"expressions", "all", "rollup", "cube"}):
        text = group.sql(dialect=dialect).strip()
        raise UnsupportedQueryError(text, "this way of grouping is not known", "Use ROLLUP, CUBE or GROUPING SETS.")
    plain: list[exp.Expr] = []
    factors: list[list[_Set]] = []
    for item in group.expressions:
        sets = _sets_of(item)
        if sets is None:
            plain += _parts_of(item)
        else:
            factors.append(sets)
    for name in ("rollup", "cube"):
        for clause in group.args.get(name) or ():
            # MySQL's GROUP BY a, b WITH ROLLUP is over all that stands before it.
            own = clause.expressions or plain
            plain = plain if clause.expressions else []
            factors.append(_levels(clause.__class__, [tuple(_parts_of(element)) for element in own]))
    number = 1
    for factor in factors:
        number *= len(factor)
    if number > MOST_SETS:
        text = group.sql(dialect=dialect).strip()
        reason = f"it has {number} levels, and {MOST_SETS} are the most that are answered"
        raise UnsupportedQueryError(text, reason, "Name the levels that you need by GROUPING SETS.")
    together = [tuple(itertools.chain(plain, *combination)) for combination in itertools.product(*factors)]
    return together, bool(factors)


def _sets_of(item: exp.Expr) -> list[_Set] | None:
    """The sets of ROLLUP, CUBE and GROUPING SETS; None for plain items."""
    if isinstance(item, (exp.Rollup, exp.Cube)):
        return _levels(item.__class__, [tuple(_parts_of(element)) for element in item.expressions])
    if isinstance(item, exp.GroupingSets):
        sets: list[_Set] = []
        for element in item.expressions:
            inner = _sets_of(element)
            sets += [tuple(_parts_of(element))] if inner is None else inner
        return sets
    return None


def _levels(kind: type[exp.Expr], items: list[_Set]) -> list[_Set]:
    """All beginnings of the items, longest first, or all selections of them."""
    if kind is exp.Rollup:
        return [tuple(itertools.chain(*items[:length])) for length in range(len(items), -1, -1)]
    return [
        tuple(itertools.chain(*selection))
        for length in range(len(items), -1, -1)
        for selection in itertools.combinations(items, length)
    ]


def _parts_of(item: exp.Expr) -> Iterable[exp.Expr]:
    return item.expressions if isinstance(item, exp.Tuple) else [item]
