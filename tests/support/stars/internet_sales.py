"""Data for the internet sales sample model: many-to-many reasons, compound keys, a snowflake of geography."""

from __future__ import annotations

import itertools
import random
from typing import Any

Value = Any

FACT_ROWS = 400

NO_SUCH_KEY = 999

DATABASE = "atscale_tutorial_data"

SCHEMA = "as_adventure"

FACT = "factinternetsales"

COUNTRIES = {"DE": (), "FR": (), "US": ()}

STATES: dict[int | None, tuple[str | None, str]] = {
    1: ("Bayern", "DE"),
    2: ("Hessen", "DE"),
    3: ("Paris", "FR"),
    4: ("Lost", "XX"),
    5: (None, "US"),
}

CITIES: dict[int | None, tuple[str | None, int | None]] = {
    1: ("Hof", 1),
    2: ("Hof", 2),
    3: ("Fulda", 2),
    4: ("Paris", 3),
    5: ("Nowhere", 4),
    6: ("Adrift", 77),
    7: (None, 5),
}

CUSTOMERS: dict[Value, tuple[int | None, str | None]] = {
    number: (number % 9 or None, ("M", "F", None, "X")[number % 4]) for number in range(1, 30)
}
"""Number to (geography, gender); some geographies and genders do not exist."""

GENDERS: dict[str | None, str] = {"M": "Male", "F": "Female"}

PRODUCTS = {
    number: (("R", "M", None)[number % 3], number % 4, ("Bikes", "Helmets", "Locks", None)[number % 4])
    for number in range(1, 12)
}
"""Number to (line, subcategory, its name)."""

ORDER_LINES = {
    (line, f"SO{order}", currency): (f"Currency {currency}", "web" if order % 3 else None)
    for order, line, currency in itertools.product(range(1, 13), (1, 2), (1, 2))
    if order != 5
}

REASONS = {1: ("Price", "Other"), 2: ("Magazine", "Marketing"), 3: ("Television", "Marketing"), 4: (None, None)}

BRIDGE = [
    *((f"SO{order}", line, reason) for order, line in itertools.product(range(1, 9), (1, 2)) for reason in (1, 2)),
    *((f"SO{order}", 1, reason) for order in (1, 2, 3) for reason in (2, 3, 3, 4)),
    ("SO9", 1, NO_SUCH_KEY),
    ("SO9", 1, NO_SUCH_KEY + 1),
    ("SO9", 2, None),
]
"""(order, line, reason): the same twice, two of one type, reasons that do not exist, orders without any."""


def facts() -> list[dict[str, Value]]:
    """Sales with NULL and unmatched keys and NULL measures. Amounts are sums of binary fractions; totals are exact."""
    draw = random.Random(42)
    return [
        {
            "salesordernumber": f"SO{draw.randint(1, 13)}",
            "salesorderlinenumber": draw.choice((1, 1, 2, None)),
            "currencykey": draw.choice((1, 2, NO_SUCH_KEY)),
            "customerkey": draw.choice((*CUSTOMERS, *CUSTOMERS, None, NO_SUCH_KEY)),
            "productkey": draw.choice((*PRODUCTS, None, NO_SUCH_KEY)),
            "orderdatekey": draw.randint(20200101, 20200131),
            "shipdatekey": 20200201,
            "salesamount": draw.choice((None, *(draw.randint(4, 4000) / 4 + 100000 for _ in range(8)))),
            "taxamt": draw.choice((None, draw.randint(1, 100) / 4)),
            "orderquantity": draw.choice((None, 1, 2, 3)),
        }
        for _ in range(FACT_ROWS)
    ]


def tables() -> dict[str, tuple[str, list[tuple[Value, ...]]]]:
    """Table to its columns with types and its rows. Only columns that aggregates use are there."""
    sales = facts()
    kinds = {"salesordernumber": "varchar(20)", "salesamount": "double precision"}
    spelled = ", ".join(
        f"{name} {kinds.get(name, 'decimal(9,2)' if name == 'taxamt' else 'integer')}" for name in sales[0]
    )
    return {
        FACT: (spelled, [tuple(row.values()) for row in sales]),
        "dim_geo_country": ("country varchar(20)", [(country,) for country in COUNTRIES]),
        "dim_geo_state": (
            "statekey integer, state varchar(20), country varchar(20)",
            [(key, *rest) for key, rest in STATES.items()],
        ),
        "dim_geo_city": (
            "geographykey integer, statekey integer, city varchar(20), citystatekey varchar(40)",
            [(key, state, name, f"{name}-{state}" if name else None) for key, (name, state) in CITIES.items()],
        ),
        "dimcustomer": (
            "customerkey integer, geographykey integer, gender varchar(1)",
            [(key, *rest) for key, rest in CUSTOMERS.items()],
        ),
        "dimgender": ("genderkey varchar(1), gendername varchar(20)", list(GENDERS.items())),
        "dimproduct": (
            (
                "productkey integer, productline varchar(1), productsubcategorykey integer, productsubcategoryname "
                "varchar(20)"
            ),
            [(key, *rest) for key, rest in PRODUCTS.items()],
        ),
        "dimorder": (
            (
                "salesorderlinenumber integer, salesordernumber varchar(20), currencykey integer, currency_name "
                "varchar(20), type varchar(20)"
            ),
            [(*key, *rest) for key, rest in ORDER_LINES.items()],
        ),
        "dimsalesreason": (
            "salesreasonkey integer, salesreasonname varchar(20), salesreasonreasontype varchar(20)",
            [(key, *rest) for key, rest in REASONS.items()],
        ),
        "factinternetsalesreason": (
            "salesordernumber varchar(20), salesorderlinenumber integer, salesreasonkey integer",
            list(BRIDGE),
        ),
    }


def literal(value: Value) -> str:
    """SQL for a value of ours."""
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else str(value)
