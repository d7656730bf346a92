-- Statements as BI clients send them, on the retail model (`dags/models/retail`). Each is answered as the facts say.
-- tableau: bars
SELECT "retail"."Class" AS "Class", SUM("retail"."Store Profit") AS "sum:Store Profit:ok" FROM "public"."retail" "retail" GROUP BY 1;
-- tableau: the catalog as the schema
SELECT "r"."Shift" AS "Shift", SUM("r"."Store Quantity") AS "q" FROM "retail_demo"."retail" "r" GROUP BY 1;
-- tableau: a probe of the columns
SELECT * FROM (SELECT * FROM "retail") "TableauSQL" WHERE 1=0;
-- tableau: no more than no rows
SELECT * FROM "public"."retail" LIMIT 0;
-- tableau: month of a date
SELECT DATE_TRUNC('MONTH', CAST("retail"."Sold Day" AS DATE)) AS "tmn", SUM("retail"."Store Discount") AS "d" FROM "retail" "retail" GROUP BY 1;
-- tableau: parts of a date
SELECT CAST(TRUNC(EXTRACT(MONTH FROM "retail"."Sold Day")) AS INTEGER) AS "mn", CAST(EXTRACT(YEAR FROM "retail"."Sold Day") AS INTEGER) AS "yr", SUM("retail"."Store Profit") AS "p" FROM "retail" "retail" GROUP BY 1, 2;
-- tableau: first members by a join
SELECT "retail"."Brand" AS "Brand", SUM("retail"."Store Profit") AS "p" FROM "retail" "retail" INNER JOIN (SELECT "retail"."Brand" AS "Brand", SUM("retail"."Store Profit") AS "x" FROM "retail" "retail" GROUP BY 1 ORDER BY 2 DESC LIMIT 4) "t0" ON ("retail"."Brand" = "t0"."Brand") GROUP BY 1;
-- tableau: the average of sums
SELECT "t0"."Store State" AS "Store State", AVG("t0"."x") AS "avg" FROM (SELECT "Store State", "Sold Month", SUM("Store Quantity") AS "x" FROM "retail" GROUP BY 1, 2) "t0" GROUP BY 1;
-- tableau: a metric of members that differ
SELECT "Store State", COUNT(DISTINCT "Store Customers") AS "ctd" FROM "retail" GROUP BY 1;
-- tableau: ends of a date
SELECT MIN("Sold Day") AS "TEMP(1)", MAX("Sold Day") AS "TEMP(2)" FROM "retail" "retail" HAVING (COUNT(1) > 0);
-- tableau: members as one
SELECT (CASE WHEN "retail"."Store State" IN ('TN') THEN 'here' WHEN NOT ("retail"."Store State" IS NULL) THEN "retail"."Store State" ELSE NULL END) AS "g", SUM("retail"."Store Profit") AS "p" FROM "retail" "retail" GROUP BY 1;
-- tableau: a range of a metric
SELECT "Class", SUM("Store Quantity") AS "q" FROM "retail" "retail" GROUP BY 1 HAVING ((SUM("Store Quantity") >= 100) AND (SUM("Store Quantity") <= 50000));
-- tableau: all members but one
SELECT "Category", SUM("Store Profit") AS "p" FROM "retail" WHERE (("Sold Year" >= 2000) AND ("Category" NOT IN ('Music') OR "Category" IS NULL)) GROUP BY 1;
-- tableau: share of the whole
SELECT "Store", SUM("Store Revenue") AS "s", SUM("Store Revenue") / SUM(SUM("Store Revenue")) OVER () AS "share" FROM "retail" GROUP BY 1;
-- tableau: totals of some
SELECT SUM("Store Quantity") AS "q", SUM("Store Discount") AS "d" FROM "retail" WHERE "Store State" IN ('TN', 'none');
-- tableau: a ratio of sums
SELECT "Class", (CASE WHEN SUM("Store Quantity") = 0 THEN NULL ELSE CAST(SUM("Store Revenue") AS DOUBLE PRECISION) / SUM("Store Quantity") END) AS "usr" FROM "retail" GROUP BY 1;
-- power bi: rows of rows
select "_"."Class" as "c15", "_"."a0" as "a0" from ( select "rows"."Class" as "Class", sum("rows"."Store Profit") as "a0" from ( select "_"."Class", "_"."Store Profit" from "public"."retail" "_" where ("_"."Sold Year" = 2001) ) "rows" group by "Class" ) "_" where not "_"."a0" is null limit 1000001;
-- power bi: a basetable
SELECT "t0"."Store State" AS "c1", SUM("t0"."Store Quantity") AS "a0" FROM (SELECT "_"."Store State" AS "Store State", "_"."Store Quantity" AS "Store Quantity", "_"."Sold Year" AS "Sold Year" FROM "retail" AS "_") AS "t0" WHERE "t0"."Sold Year" IN (2000, 2001) GROUP BY "t0"."Store State";
-- power bi: members from a list
SELECT "a"."Category", SUM("a"."Web Revenue") AS "s" FROM "retail" "a" INNER JOIN (SELECT CAST('Men' AS VARCHAR) AS "k" UNION ALL SELECT 'Women') "b" ON "a"."Category" = "b"."k" GROUP BY 1;
-- power bi: how many members, the empty one too
select "Category", count(distinct "Class") + max(case when "Class" is null then 1 else 0 end) as "a0" from "retail" group by "Category";
-- superset: a time chart
SELECT DATE_TRUNC('quarter', "Sold Day") AS __timestamp, sum("Store Quantity") AS "SUM(Store Quantity)" FROM retail WHERE "Sold Day" >= '1999-01-01' AND "Sold Day" < '2002-01-01' GROUP BY DATE_TRUNC('quarter', "Sold Day") ORDER BY "SUM(Store Quantity)" DESC LIMIT 10000;
-- superset: a virtual dataset
SELECT "Store" AS "Store", SUM("Store Profit") AS "p" FROM (SELECT * FROM retail) AS virtual_table WHERE "Sold Year" = 2001 GROUP BY "Store" LIMIT 100;
-- superset: samples of one member
SELECT * FROM retail WHERE "Article" = 'bar' AND "Store" = 'able' AND "Sold Day" = '2000-02-03' LIMIT 1000;
-- superset: samples of a web fact beside a star
SELECT r.* FROM public.retail AS r WHERE r."Sold Day" = '2000-02-03' AND r."Category" = 'Music' LIMIT 1000;
-- superset: a metric written by hand
SELECT "Class" AS "Class", SUM("Store Discount") / NULLIF(SUM("Store Quantity"), 0) AS "per piece" FROM retail WHERE ("Class" IS NOT NULL) GROUP BY "Class" ORDER BY "per piece" DESC, "Class" LIMIT 50;
-- metabase: by month
SELECT CAST(DATE_TRUNC('month', "public"."retail"."Sold Day") AS date) AS "Sold Day", SUM("public"."retail"."Store Profit") AS "sum" FROM "public"."retail" GROUP BY CAST(DATE_TRUNC('month', "public"."retail"."Sold Day") AS date) ORDER BY CAST(DATE_TRUNC('month', "public"."retail"."Sold Day") AS date) ASC;
-- metabase: members of a field
SELECT "public"."retail"."Store City" AS "Store City" FROM "public"."retail" GROUP BY "public"."retail"."Store City" ORDER BY "public"."retail"."Store City" ASC LIMIT 1001;
-- metabase: a sum where
SELECT "Sold Quarter", SUM(CASE WHEN ("Store State" = 'TN') THEN "Store Profit" ELSE 0.0 END) AS "sum-where" FROM "retail" GROUP BY 1;
-- metabase: a text that contains
SELECT "Class", SUM("Store Quantity") AS "q" FROM "retail" WHERE (LOWER("retail"."Class") LIKE '%ing%') GROUP BY 1;
-- metabase: bins
SELECT FLOOR((("retail"."Hour" - 0.0) / 8.0)) * 8.0 + 0.0 AS "Hour", SUM("Store Profit") AS "p" FROM "retail" GROUP BY FLOOR((("retail"."Hour" - 0.0) / 8.0)) * 8.0 + 0.0 ORDER BY 1;
-- looker: an explore
SELECT retail."Store State" AS "retail.state", COALESCE(SUM(retail."Store Profit"), 0) AS "retail.profit" FROM retail AS retail GROUP BY 1 ORDER BY 2 DESC FETCH NEXT 500 ROWS ONLY;
-- looker: a text without case
SELECT "Class", SUM("Store Profit") p FROM retail WHERE "Class" ILIKE 'c%' GROUP BY 1;
-- a year beside the year before
SELECT a."Sold Year", a.q, a.q - b.q AS diff FROM (SELECT "Sold Year", SUM("Store Quantity") AS q FROM retail GROUP BY 1) a LEFT JOIN (SELECT "Sold Year" + 1 AS y, SUM("Store Quantity") AS q FROM retail GROUP BY 1) b ON a."Sold Year" = b.y;
-- subtotals
SELECT "Store State", "Sold Year", SUM("Store Profit") AS p FROM retail GROUP BY ROLLUP("Store State", "Sold Year");
-- the first of each
SELECT * FROM (SELECT "Category", "Class", SUM("Store Profit") AS p, ROW_NUMBER() OVER (PARTITION BY "Category" ORDER BY SUM("Store Profit") DESC, "Class") AS n FROM retail GROUP BY 1, 2) x WHERE n <= 2;
-- members of a query
SELECT "Store", SUM("Store Profit") AS p FROM retail WHERE "Store" IN (SELECT "Store" FROM retail GROUP BY 1 ORDER BY SUM("Store Profit") DESC LIMIT 2) GROUP BY 1;
-- a query as a number
SELECT "Store", SUM("Store Profit") / (SELECT SUM("Store Profit") FROM retail) AS share FROM retail GROUP BY 1;
-- texts put together
SELECT "Store State" || ': ' || "Store" AS place, SUM("Store Quantity") AS q FROM retail GROUP BY 1;
-- the average of a metric
SELECT "Store", AVG("Store Profit") AS a FROM retail GROUP BY 1;
-- a filter of a metric
SELECT "Store", SUM("Store Profit") FILTER (WHERE "Sold Year" = 2001) AS p FROM retail GROUP BY 1;
-- ranks
SELECT "Category", "Class", SUM("Store Quantity") AS q, RANK() OVER (ORDER BY SUM("Store Quantity") DESC) AS rk FROM retail GROUP BY 1, 2 ORDER BY rk, "Category", "Class" LIMIT 10;
-- several facts
SELECT "Category", SUM("Store Revenue") AS s, SUM("Web Revenue") AS w, SUM("Catalog Revenue") AS c, "Total Revenue" AS t FROM retail GROUP BY 1;
-- a common table
WITH years AS (SELECT "Sold Year" AS y, SUM("Store Revenue") AS r FROM retail GROUP BY 1) SELECT MAX(r) AS most, MIN(y) AS first FROM years;
