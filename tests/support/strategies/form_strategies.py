"""Random calendars with sales, and queries with calculated metrics of every form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from tests.support.oracles.form_oracle import COLUMNS, DATES, HIERARCHIES, SHOWN_LEVELS, Condition, Form, FormQuery
from tests.support.stars.calendar_star import METRICS, Row, Value


@st.composite
def form_stars(draw: st.DrawFn) -> dict[str, list[Row]]:
    """A calendar with its sales: names in no order, some of them twice, weeks in two years, at times a broken level."""
    source = draw(st.randoms(use_true_random=False))
    is_broken = source.random() < 0.15
    calendar: list[Row] = []
    month = quarter = day = 0
    labels = [f"Q{number}" for number in range(20)]
    source.shuffle(labels)
    if source.random() < 0.15:
        labels[0] = labels[1]
    for year in range(2000, 2000 + source.randint(1, 3)):
        for _ in range(source.randint(1, 3)):
            quarter += source.randint(1, 2)
            for _ in range(source.randint(1, 2)):
                month += source.randint(1, 3)
                season = source.choice(("cold", "warm", None))
                for _ in range(source.randint(1, 3)):
                    day += source.randint(1, 2)
                    calendar.append(
                        {
                            "day_id": day,
                            "day_name": f"day {(day * 37) % 101}",
                            "month_id": month,
                            "month_label": f"m{month:02}",
                            "month_name": f"M{month % 3}",
                            "month_before": month - 3,
                            "quarter_id": quarter + (source.randint(0, 1) if is_broken else 0),
                            "quarter_label": labels[quarter] if quarter != 3 else None,
                            "year_id": year,
                            "week_id": day // 4,
                            "weekday": source.choice(("Mo", "Tu", None)),
                            "is_first": source.random() < 0.2,
                            "season": season if not is_broken else source.choice(("cold", None)),
                        }
                    )
    source.shuffle(calendar)
    ids = [row["day_id"] for row in calendar]
    products: list[Row] = [
        {
            "product_id": number,
            "product_name": f"p{number}",
            "code": f"C{number % 2}",
            "class": (None, "toys", "tools")[number % 3],
            "category": "home" if number % 2 else "garden",
        }
        for number in range(1, 5)
    ]
    sales: list[Row] = [
        {
            "day_id": source.choice((*ids, *ids, None, 999)),
            "product_id": source.choice((1, 2, 3, 4, 4, None, 99)),
            "shop_id": source.choice((1, 2, None, 99)),
            "customer_id": source.choice((1, 2, 3, None)),
            "amount": source.choice((None, *range(-5, 9))),
            "quantity": source.choice((None, 1, 2)),
        }
        for _ in range(source.randint(1, 40))
    ]
    shops: list[Row] = [{"shop_id": 1, "shop_name": None}, {"shop_id": 2, "shop_name": "south"}]
    return {"calendar": calendar, "product": products, "shop": shops, "sales": sales}


_FUNCTIONS = ("Aggregate", "Avg", "Sum", "Min", "Max")


@st.composite
def form_queries(draw: st.DrawFn, tables: Mapping[str, Sequence[Row]]) -> FormQuery:
    """A form with a query around it: keys and filters on the calendar and beside it."""
    metric = draw(st.sampled_from(sorted(METRICS)))
    kinds = (
        "lag",
        "parallel",
        "window",
        "to date",
        "lag",
        "parallel",
        "window",
        "to date",
        "between",
        "each",
        "all class",
        "all",
        "in class",
    )
    kind = draw(st.sampled_from(kinds))
    hierarchy = draw(st.sampled_from(("Sold Calendar", "Sold Calendar", "Sold Weeks")))
    levels = HIERARCHIES[hierarchy]
    first = draw(st.integers(-2, 3) if kind == "window" else st.sampled_from((1, -1, 2, 3, -2)))
    last = min(first, draw(st.integers(-1, 2))) if kind == "window" else first
    level = draw(st.sampled_from(levels[:-1])) if kind in {"parallel", "to date"} else ""
    if kind == "each":
        level = draw(st.sampled_from(("Sold Season", "Sold Weekday")))
    months = sorted(str(row["month_label"]) for row in tables["calendar"])
    bounds = sorted((draw(st.sampled_from(months)), draw(st.sampled_from(months))))
    form = Form(
        metric=metric,
        kind=kind,
        hierarchy=hierarchy,
        numbers=(first, last),
        level=level,
        function=draw(st.sampled_from(_FUNCTIONS)),
        bounds=(bounds[0], bounds[1]),
    )
    near = [name for name in levels if (hierarchy, name) not in SHOWN_LEVELS]
    others = ["Category", "Class", "Code", "Shop"]
    dates = draw(st.sampled_from((near, near, near, sorted(DATES))))
    keys = [*draw(st.lists(st.sampled_from(dates), max_size=2)), *draw(st.lists(st.sampled_from(others), max_size=2))]
    if not draw(st.integers(0, 3)):
        keys.append(draw(st.sampled_from(("Sold Weekday", "Sold Week", "Sold Season"))))
    limited = [*near, "Sold Weekday"] if not draw(st.integers(0, 3)) else near
    conditions = draw(st.lists(_conditions(tables, limited), max_size=2))
    return FormQuery(tuple(dict.fromkeys(keys)), form, tuple(conditions), draw(st.booleans()))


@st.composite
def _conditions(draw: st.DrawFn, tables: Mapping[str, Sequence[Row]], near: Sequence[str]) -> Condition:
    names = draw(
        st.one_of(
            st.sampled_from(near).map(lambda name: (name,)),
            st.sampled_from(("Category", "Class", "Shop")).map(lambda name: (name,)),
            st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=2, unique=True).map(tuple),
        )
    )
    values: list[Value] = []
    for name in names:
        column = COLUMNS[name]
        table = next(rows for rows in tables.values() if column in rows[0])
        choices = sorted({row[column] for row in table} - {None}, key=str) or [0]
        values += draw(st.lists(st.sampled_from(choices), min_size=1, max_size=3))
    return Condition(tuple(names), tuple(values))
