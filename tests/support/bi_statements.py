"""Statements as BI tools send them on the model of the tiny star, with plain SQL that answers the same."""

from __future__ import annotations

_SHOPS = "FROM sales f JOIN shop s ON f.shop_id = s.shop_id"
_DAYS = f"{_SHOPS} JOIN day d ON f.day_id = d.day_id"
_BY_CITY = f"SELECT s.city, SUM(f.amount) {_SHOPS} GROUP BY 1"

ANSWERED: dict[str, tuple[str, ...]] = {
    "superset: samples": (
        "SELECT * FROM tiny_sales WHERE \"Day\" = 'day 3' LIMIT 100",
        (
            "SELECT d.month, d.day_name, s.city, s.shop_name, SUM(f.quantity), SUM(f.amount), AVG(f.amount) "
            f"{_DAYS} WHERE d.day_name = 'day 3' GROUP BY 1, 2, 3, 4"
        ),
    ),
    "tableau: a sheet": (
        (
            'SELECT "tiny_sales"."City" AS "City", SUM("tiny_sales"."Amount") AS "sum:Amount:ok" '
            'FROM "tiny"."tiny_sales" "tiny_sales" GROUP BY 1'
        ),
        _BY_CITY,
    ),
    "tableau: which members": (
        'SELECT "tiny_sales"."City" AS "City" FROM "tiny"."tiny_sales" "tiny_sales" GROUP BY 1 HAVING (COUNT(1) > 0)',
        f"SELECT DISTINCT s.city {_SHOPS}",
    ),
    "tableau: casts": (
        (
            'SELECT CAST("t"."City" AS TEXT) AS "City", SUM(CAST("t"."Amount" AS DOUBLE PRECISION)) AS "a", '
            'AVG(CAST("t"."Average Amount" AS FLOAT)) AS "v" FROM "tiny"."tiny_sales" "t" '
            'GROUP BY CAST("t"."City" AS TEXT)'
        ),
        f"SELECT s.city, CAST(SUM(f.amount) AS DOUBLE PRECISION), AVG(f.amount) {_SHOPS} GROUP BY 1",
    ),
    "tableau: number of records": (
        'SELECT SUM(1) AS "Number of Records" FROM "tiny"."tiny_sales" "t"',
        "SELECT COUNT(*) FROM sales",
    ),
    "tableau: number of no records": (
        "SELECT SUM(1) AS n, COUNT(1) AS m FROM tiny.tiny_sales WHERE \"City\" = 'x'",
        "SELECT NULL, 0",
    ),
    "tableau: a group of members": (
        (
            'SELECT (CASE WHEN ("t"."City" IN (\'North\', \'South\')) THEN \'grp\' ELSE "t"."City" END) AS "g", '
            'SUM("t"."Quantity") AS q FROM "tiny"."tiny_sales" "t" GROUP BY 1'
        ),
        (
            "SELECT CASE WHEN s.city IN ('North', 'South') THEN 'grp' ELSE s.city END, SUM(f.quantity) "
            f"{_SHOPS} GROUP BY 1"
        ),
    ),
    "power bi: a table under two names": (
        (
            'select "_"."City", sum("_"."Amount") as "a0" from (select "City", "Amount" '
            'from "tiny"."tiny_sales" "$Table") "_" '
            'group by "_"."City"'
        ),
        _BY_CITY,
    ),
    "power bi: filtered rows": (
        (
            'select "rows"."City" as "City", sum("rows"."Amount") as "C1" from (select "_"."City", "_"."Amount" '
            'from "tiny"."tiny_sales" "_" where "_"."City" = \'North\') "rows" group by "City" limit 1000001'
        ),
        f"SELECT s.city, SUM(f.amount) {_SHOPS} WHERE s.city = 'North' GROUP BY 1",
    ),
    "power bi: three SELECTs": (
        (
            'select "basetable0"."City" as "c14", "basetable0"."a0" from (select "t0"."City", sum("t0"."Amount") '
            'as "a0" from '
            '(select "$Table"."City" as "City", "$Table"."Amount" as "Amount" from "tiny"."tiny_sales" "$Table") "t0" '
            'group by "t0"."City") "basetable0" where not "basetable0"."a0" is null limit 1000001'
        ),
        _BY_CITY,
    ),
    "looker: an explore": (
        (
            'SELECT tiny_sales."City" AS "tiny_sales.city", COALESCE(SUM(tiny_sales."Amount"), 0) AS '
            '"tiny_sales.total" '
            "FROM tiny.tiny_sales AS tiny_sales WHERE ((tiny_sales.\"City\") = 'North') GROUP BY 1 "
            "ORDER BY 2 DESC NULLS LAST LIMIT 500"
        ),
        f"SELECT s.city, SUM(f.amount) {_SHOPS} WHERE s.city = 'North' GROUP BY 1",
    ),
    "looker: suggestions": (
        'SELECT t."City" AS "c" FROM tiny.tiny_sales AS t GROUP BY 1 ORDER BY 1 FETCH NEXT 500 ROWS ONLY',
        "SELECT DISTINCT city FROM shop",
    ),
    "superset: a chart": (
        (
            'SELECT "City" AS "City", SUM("Amount") AS "SUM(Amount)" FROM tiny.tiny_sales GROUP BY "City" '
            'ORDER BY "SUM(Amount)" DESC LIMIT 1001'
        ),
        _BY_CITY,
    ),
    "superset: counts": (
        (
            'SELECT "City" AS "City", COUNT(DISTINCT "Shop") AS "n", COUNT(*) AS count FROM tiny.tiny_sales '
            'GROUP BY "City" '
            "ORDER BY count DESC LIMIT 10000"
        ),
        f"SELECT s.city, COUNT(DISTINCT s.shop_name), COUNT(*) {_SHOPS} GROUP BY 1",
    ),
    "superset: a virtual dataset": (
        (
            'SELECT "City" AS "City", sum("Amount") AS "SUM(Amount)" FROM (SELECT "City", "Month", "Amount" '
            "FROM tiny.tiny_sales) "
            'AS virtual_table WHERE "Month" IN (\'month 1\') GROUP BY "City" LIMIT 1000'
        ),
        f"SELECT s.city, SUM(f.amount) {_DAYS} WHERE d.month = 'month 1' GROUP BY 1",
    ),
    "metabase: a question": (
        (
            'SELECT "tiny"."tiny_sales"."City" AS "City", SUM("tiny"."tiny_sales"."Amount") AS "sum" '
            'FROM "tiny"."tiny_sales" '
            'GROUP BY "tiny"."tiny_sales"."City" ORDER BY "tiny"."tiny_sales"."City" ASC'
        ),
        _BY_CITY,
    ),
    "metabase: a question on a question": (
        (
            'SELECT "source"."City" AS "City", SUM("source"."Amount") AS "sum" '
            'FROM (SELECT "tiny"."tiny_sales"."City" AS "City", '
            '"tiny"."tiny_sales"."Amount" AS "Amount" FROM "tiny"."tiny_sales") AS "source" GROUP BY "source"."City" '
            'ORDER BY "source"."City" ASC'
        ),
        _BY_CITY,
    ),
    "metabase: a text filter": (
        (
            'SELECT "City", COUNT(*) AS "count" FROM "tiny"."tiny_sales" WHERE (LOWER("City") LIKE \'%or%\') '
            'AND "City" IS NOT NULL '
            'AND "City" <> \'\' GROUP BY "City"'
        ),
        f"SELECT s.city, COUNT(*) {_SHOPS} WHERE LOWER(s.city) LIKE '%or%' GROUP BY 1",
    ),
    "metabase: by month of a date": (
        (
            "SELECT CAST(DATE_TRUNC('month', CAST('2024-01-' || RIGHT('0' || REPLACE(\"Day\", 'day ', ''), 2) AS "
            'DATE)) AS TEXT) AS "m", '
            'SUM("Amount") AS "sum" FROM "tiny"."tiny_sales" WHERE "Day" <> \'day 0\' GROUP BY 1 ORDER BY 1 ASC'
        ),
        (
            "SELECT CAST(DATE_TRUNC('month', DATE '2024-01-05') AS TEXT), SUM(f.amount) FROM sales f "
            "JOIN day d USING (day_id) WHERE d.day_id > 0"
        ),
    ),
    "excel: a filtered list": (
        (
            'SELECT "tiny_sales"."City", "tiny_sales"."Amount" FROM "tiny"."tiny_sales" "tiny_sales" '
            'WHERE ("tiny_sales"."City"=\'North\') ORDER BY "tiny_sales"."City"'
        ),
        f"SELECT s.city, SUM(f.amount) {_SHOPS} WHERE s.city = 'North' GROUP BY 1",
    ),
    "excel: an escape": (
        'SELECT {fn UCASE("City")} AS c, "Amount" FROM tiny.tiny_sales',
        f"SELECT UPPER(s.city), SUM(f.amount) {_SHOPS} GROUP BY 1",
    ),
    "odbc: always true": (
        'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE 1=1 AND TRUE AND "City" = \'North\';',
        f"SELECT s.city, SUM(f.amount) {_SHOPS} WHERE s.city = 'North' GROUP BY 1",
    ),
    "odbc: always false": (
        'SELECT * FROM (SELECT "City", "Amount" FROM tiny.tiny_sales) T WHERE 1=0',
        "SELECT 1, 2 WHERE FALSE",
    ),
    "odbc: generated names": (
        (
            'SELECT "t"."City" AS "c0", SUM("t"."Amount") AS "m0" FROM "tiny"."tiny_sales" AS "t" '
            'WHERE "t"."Month" = \'month 1\' '
            'GROUP BY "t"."City" ORDER BY CASE WHEN "t"."City" IS NULL THEN 0 ELSE 1 END, "t"."City" ASC NULLS LAST'
        ),
        f"SELECT s.city, SUM(f.amount) {_DAYS} WHERE d.month = 'month 1' GROUP BY 1",
    ),
    "odbc: the empty group": (
        'SELECT SUM("Amount") AS a FROM tiny.tiny_sales GROUP BY ()',
        "SELECT SUM(amount) FROM sales",
    ),
    "sql server: top": (
        "SELECT TOP 10 [City], SUM([Amount]) AS a FROM [tiny].[tiny_sales] GROUP BY [City] ORDER BY a DESC",
        _BY_CITY,
        "tsql",
    ),
    "sql server: offset": (
        (
            "SELECT [City], SUM([Amount]) AS a FROM [tiny].[tiny_sales] GROUP BY [City] ORDER BY a DESC "
            "OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY"
        ),
        f"SELECT s.city, SUM(f.amount) {_SHOPS} WHERE s.city = 'North' GROUP BY 1",
        "tsql",
    ),
    "mysql: backticks": (
        "SELECT `City`, SUM(`Amount`) AS a FROM `tiny`.`tiny_sales` GROUP BY `City` HAVING SUM(`Amount`) > 300",
        f"SELECT s.city, SUM(f.amount) {_SHOPS} GROUP BY 1 HAVING SUM(f.amount) > 300",
        "mysql",
    ),
}
"""By tool and what it asks: the statement, what it equals, and its dialect where that is not PostgreSQL."""
