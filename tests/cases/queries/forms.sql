-- case: forms: the month before, from outside of the filter, across years; none where it has no sales
-- from: by month, by month
SELECT "Sold Month", "Sales", "Sales Before" FROM forms WHERE "Sold Year" = 2003
-- equals
WITH m AS (SELECT month_label, year_id, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1, 2)
SELECT a.month_label, a.s, (SELECT b.s FROM m AS b WHERE b.month_label = (SELECT MAX(month_label) FROM calendar WHERE month_label < a.month_label))
FROM m AS a WHERE a.year_id = 2003

-- case: forms: with the year beside the month, and a filter on another dimension
-- from: facts, facts
SELECT "Sold Year", "Sold Month", "Sales Before" FROM forms WHERE "Sold Year" = 2003 AND "Category" = 'home' AND "Shop" = 'north'
-- equals
WITH m AS (SELECT month_label, year_id, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) JOIN product USING (product_id)
JOIN shop USING (shop_id) WHERE category = 'home' AND shop_name = 'north' GROUP BY 1, 2)
SELECT a.year_id, a.month_label, (SELECT b.s FROM m AS b WHERE b.month_label = (SELECT MAX(month_label) FROM calendar WHERE month_label < a.month_label))
FROM m AS a WHERE a.year_id = 2003

-- case: forms: the day before, the quarter after, by another attribute with NULLs
-- from: facts, facts
SELECT "Sold Day", "Shop", "Sales Before" FROM forms
-- equals
WITH d AS (SELECT day_id, day_name, shop_name, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) LEFT JOIN shop USING (shop_id) GROUP BY 1, 2, 3)
, a AS (SELECT day_id, day_name, shop_name FROM d UNION SELECT day_id, day_name, shop.shop_name FROM d CROSS JOIN shop)
SELECT a.day_name, a.shop_name, (SELECT b.s FROM d AS b WHERE b.day_id = a.day_id - 1 AND b.shop_name IS NOT DISTINCT FROM a.shop_name) FROM a

-- case: forms: the quarter after, by its name
-- from: any
SELECT "Sold Quarter", "Sales After", "Sales Lag 3", "Sales Lead 2" FROM forms
-- equals
WITH q AS (SELECT quarter_id, quarter_label, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1, 2)
SELECT a.quarter_label, (SELECT s FROM q WHERE q.quarter_id = a.quarter_id + 1), (SELECT s FROM q WHERE q.quarter_id = a.quarter_id - 3),
(SELECT s FROM q WHERE q.quarter_id = a.quarter_id + 2) FROM q AS a

-- case: forms: no level grouped, the current member is All, which has no neighbours
-- from: any
SELECT "Category", "Sales", "Sales Before", "Sales Year Ago", "Sales to Date", "Sales Moving Average" FROM forms WHERE "Sold Year" = 2003
-- equals
SELECT category, SUM(amount), NULL, NULL, NULL, SUM(amount) FROM sales JOIN calendar USING (day_id) JOIN product USING (product_id)
WHERE year_id = 2003 GROUP BY 1

-- case: forms: averages and distinct counts of the month before are that month's own
-- from: any
SELECT "Sold Month", "Customers Before", "Mean Before" FROM forms
-- equals
WITH m AS (SELECT month_label, COUNT(DISTINCT customer_id) AS c, AVG(amount) AS a FROM sales JOIN calendar USING (day_id) GROUP BY 1),
o AS (SELECT month_label, LAG(month_label) OVER (ORDER BY month_label) AS before FROM (SELECT DISTINCT month_label FROM calendar) AS x)
SELECT m.month_label, p.c, CAST(p.a AS DOUBLE PRECISION) FROM m JOIN o ON o.month_label = m.month_label LEFT JOIN m AS p ON p.month_label = o.before

-- case: forms: growth, an expression over both, ordered and cut
-- from: any
SELECT "Sold Month", "Sales Growth", "Sales Difference" FROM forms WHERE "Sold Month" >= '2003-02' ORDER BY 1 LIMIT 3
-- ordered equals
WITH m AS (SELECT month_label, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1),
o AS (SELECT month_label, LAG(month_label) OVER (ORDER BY month_label) AS before FROM (SELECT DISTINCT month_label FROM calendar) AS x)
SELECT m.month_label, m.s / NULLIF(CAST(p.s AS DOUBLE PRECISION), 0), COALESCE(m.s, 0) - COALESCE(p.s, 0)
FROM m JOIN o ON o.month_label = m.month_label LEFT JOIN m AS p ON p.month_label = o.before WHERE m.month_label >= '2003-02' ORDER BY 1 LIMIT 3

-- case: forms: HAVING on a form
-- from: any
SELECT "Sold Month" FROM forms HAVING "Sales Before" > 600
-- equals
WITH m AS (SELECT month_label, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1),
o AS (SELECT month_label, LAG(month_label) OVER (ORDER BY month_label) AS before FROM (SELECT DISTINCT month_label FROM calendar) AS x)
SELECT m.month_label FROM m JOIN o ON o.month_label = m.month_label JOIN m AS p ON p.month_label = o.before WHERE p.s > 600

-- case: forms: the same month of the year before; the first year begins in November, which is then its first month
-- from: any
SELECT "Sold Month", "Sales Year Ago", "Customers Year Ago" FROM forms
-- equals
WITH m AS (SELECT month_label, SUM(amount) AS s, COUNT(DISTINCT customer_id) AS c FROM sales JOIN calendar USING (day_id) GROUP BY 1),
p AS (SELECT year_id, quarter_id, month_label, DENSE_RANK() OVER (PARTITION BY year_id ORDER BY quarter_id) AS q,
DENSE_RANK() OVER (PARTITION BY quarter_id ORDER BY month_label) AS n FROM (SELECT DISTINCT year_id, quarter_id, month_label FROM calendar) AS x)
SELECT p.month_label, old.s, old.c FROM m JOIN p ON p.month_label = m.month_label
LEFT JOIN p AS o ON o.year_id = p.year_id - 1 AND o.q = p.q AND o.n = p.n LEFT JOIN m AS old ON old.month_label = o.month_label

-- case: forms: the same day of the month of the year before, over a leap day
-- from: facts, facts
SELECT "Sold Day", "Sales Year Ago" FROM forms WHERE "Sold Month" IN ('2004-02', '2004-03')
-- equals
WITH d AS (SELECT day_name, month_label, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1, 2)
SELECT a.day_name, (SELECT b.s FROM d AS b WHERE b.day_name = '2003' || SUBSTRING(a.day_name, 5)) FROM d AS a WHERE a.month_label IN ('2004-02', '2004-03')

-- case: forms: the same week of the year before; a week in two years belongs to the first
-- from: any
SELECT "Sold Week", "Sales Year Ago by Week" FROM forms
-- equals
WITH w AS (SELECT week_id, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1),
y AS (SELECT week_id, MIN(year_id) AS y FROM calendar GROUP BY 1),
p AS (SELECT week_id, y, ROW_NUMBER() OVER (PARTITION BY y ORDER BY week_id) AS n FROM y)
SELECT w.week_id, old.s FROM w JOIN p ON p.week_id = w.week_id LEFT JOIN p AS o ON o.y = p.y - 1 AND o.n = p.n LEFT JOIN w AS old ON old.week_id = o.week_id

-- case: forms: the same day of the same week of the year before
-- from: facts, facts
SELECT "Sold Day of Week", "Sales Year Ago by Week" FROM forms WHERE "Sold Week" > 60
-- equals
WITH d AS (SELECT day_id, week_id, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1, 2),
y AS (SELECT week_id, MIN(year_id) AS y FROM calendar GROUP BY 1),
p AS (SELECT week_id, y, ROW_NUMBER() OVER (PARTITION BY y ORDER BY week_id) AS n FROM y),
c AS (SELECT day_id, p.*, ROW_NUMBER() OVER (PARTITION BY p.week_id ORDER BY day_id) AS k FROM calendar JOIN p ON p.week_id = calendar.week_id)
SELECT d.day_id, old.s FROM d JOIN c ON c.day_id = d.day_id LEFT JOIN c AS o ON o.y = c.y - 1 AND o.n = c.n AND o.k = c.k
LEFT JOIN d AS old ON old.day_id = o.day_id WHERE d.week_id > 60

-- case: forms: four weeks on, also for days
-- from: facts, facts
SELECT "Sold Week", "Sold Day of Week", "Sales 4 Weeks On" FROM forms
-- equals
WITH d AS (SELECT day_id, week_id, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1, 2),
c AS (SELECT day_id, week_id, ROW_NUMBER() OVER (PARTITION BY week_id ORDER BY day_id) AS k FROM calendar)
SELECT d.week_id, d.day_id, old.s FROM d JOIN c ON c.day_id = d.day_id LEFT JOIN c AS o ON o.week_id = c.week_id + 4 AND o.k = c.k
LEFT JOIN d AS old ON old.day_id = o.day_id

-- case: forms: the model's own parallel periods, months that are told apart by year and name
-- from: facts, facts
SELECT "Sold Own Year", "Sold Own Month", "Sales Own Year Ago" FROM forms
-- equals
WITH m AS (SELECT year_id, month_id, month_name, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1, 2, 3)
SELECT a.year_id, a.month_name, (SELECT b.s FROM m AS b WHERE b.month_id = a.month_id - 12) FROM m AS a

-- case: forms: from the year's beginning, by each metric's own method
-- from: by month, by month
SELECT "Sold Month", "Sales to Date", "Lines to Date", "Lowest to Date" FROM forms WHERE "Sold Month" >= '2003-03'
-- equals
SELECT a.month_label, SUM(amount), COUNT(amount), MIN(amount) FROM (SELECT DISTINCT month_label, year_id FROM calendar) AS a
JOIN calendar AS c ON c.year_id = a.year_id AND c.month_label <= a.month_label JOIN sales ON sales.day_id = c.day_id
WHERE a.month_label >= '2003-03' AND EXISTS (SELECT 1 FROM sales JOIN calendar USING (day_id) WHERE month_label = a.month_label) GROUP BY 1

-- case: forms: from the quarter's beginning, by day and class
-- from: facts, facts
SELECT "Sold Day", "Class", "Highest in Quarter" FROM forms
-- equals
WITH d AS (SELECT DISTINCT day_id, day_name, quarter_id, class FROM sales JOIN calendar USING (day_id) JOIN product USING (product_id))
SELECT d.day_name, d.class, MAX(amount) FROM d JOIN calendar AS c ON c.quarter_id = d.quarter_id AND c.day_id <= d.day_id
JOIN sales ON sales.day_id = c.day_id JOIN product ON product.product_id = sales.product_id AND product.class IS NOT DISTINCT FROM d.class GROUP BY 1, 2

-- case: forms: an average of distinct counts, one per month so far, and their sum
-- from: any
SELECT "Sold Month", "Customers to Date", "Sum of Customers to Date" FROM forms
-- equals
WITH m AS (SELECT year_id, month_label, COUNT(DISTINCT customer_id) AS c FROM sales JOIN calendar USING (day_id) GROUP BY 1, 2)
SELECT a.month_label, CAST(AVG(b.c) AS DOUBLE PRECISION), SUM(b.c) FROM m AS a JOIN m AS b ON b.year_id = a.year_id AND b.month_label <= a.month_label GROUP BY 1

-- case: forms: a moving average over three months, those without sales do not count
-- from: any
SELECT "Sold Month", "Sales Moving Average", "Customers Moving Average", "Sales Around" FROM forms WHERE "Sold Year" = 2003
-- equals
WITH o AS (SELECT month_label, year_id, ROW_NUMBER() OVER (ORDER BY month_label) AS n FROM (SELECT DISTINCT month_label, year_id FROM calendar) AS x),
m AS (SELECT n, SUM(amount) AS s, COUNT(DISTINCT customer_id) AS c FROM sales JOIN calendar USING (day_id) JOIN o ON o.month_label = calendar.month_label GROUP BY 1)
SELECT o.month_label, (SELECT CAST(AVG(s) AS DOUBLE PRECISION) FROM m WHERE m.n BETWEEN o.n - 2 AND o.n),
(SELECT CAST(AVG(c) AS DOUBLE PRECISION) FROM m WHERE m.n BETWEEN o.n - 2 AND o.n), (SELECT SUM(s) FROM m WHERE m.n BETWEEN o.n - 1 AND o.n + 1)
FROM o WHERE year_id = 2003 AND n IN (SELECT n FROM m)

-- case: forms: an average over fixed months, whatever the query groups by and filters
-- from: facts, facts
SELECT "Category", "Sold Month", "Sales Base Line" FROM forms WHERE "Sold Year" = 2004
-- equals
WITH b AS (SELECT category, month_label, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) JOIN product USING (product_id)
WHERE month_label BETWEEN '2003-01' AND '2003-06' GROUP BY 1, 2)
SELECT DISTINCT category, month_label, (SELECT CAST(AVG(s) AS DOUBLE PRECISION) FROM b WHERE b.category = p.category)
FROM sales JOIN calendar USING (day_id) JOIN product AS p USING (product_id) WHERE year_id = 2004

-- case: forms: distinct customers of fixed months are counted once
-- from: by month, facts
SELECT "Sold Year", "Sales of Span" FROM forms
-- equals
SELECT DISTINCT year_id, (SELECT COUNT(DISTINCT customer_id) FROM sales JOIN calendar USING (day_id) WHERE month_label BETWEEN '2003-01' AND '2003-06')
FROM sales JOIN calendar USING (day_id)

-- case: forms: an average over the weekdays that the filter leaves
-- from: any
SELECT "Category", "Sold Weekday", "Sales", "Sales per Weekday" FROM forms WHERE "Sold Year" = 2003 AND "Sold Weekday" <> 'Sunday'
-- equals
WITH d AS (SELECT category, weekday, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) JOIN product USING (product_id)
WHERE year_id = 2003 AND weekday <> 'Sunday' GROUP BY 1, 2)
SELECT category, weekday, s, CAST(AVG(s) OVER (PARTITION BY category) AS DOUBLE PRECISION) FROM d

-- case: forms: nothing but what is nowhere
-- from: any
SELECT "Sales Before", "Sales Year Ago" FROM forms WHERE "Sold Year" = 1999
-- equals
SELECT NULL, NULL

-- case: forms: the best season, of all and of each year
-- from: any
SELECT "Sold Year", "Best Season" FROM forms
-- equals
WITH d AS (SELECT year_id, season, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1, 2)
SELECT year_id, MAX(s) FROM d GROUP BY 1

-- case: forms: totals alone
-- from: any
SELECT "Best Season", "Sales Before", "Sales Base Line", "Share of Products" FROM forms
-- equals
SELECT (SELECT MAX(s) FROM (SELECT SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY season) AS x), NULL,
(SELECT CAST(AVG(s) AS DOUBLE PRECISION) FROM (SELECT SUM(amount) AS s FROM sales JOIN calendar USING (day_id)
WHERE month_label BETWEEN '2003-01' AND '2003-06' GROUP BY month_label) AS x), CAST(1 AS DOUBLE PRECISION)

-- case: forms: share of all classes, whatever class is asked for; the other filter holds
-- from: facts, facts
SELECT "Category", "Class", "Share of Classes" FROM forms WHERE "Class" IN ('toys', 'games') AND "Sold Year" = 2003
-- equals
WITH f AS (SELECT category, class, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) JOIN product USING (product_id) WHERE year_id = 2003 GROUP BY 1, 2)
SELECT category, class, s / (SELECT CAST(SUM(s) AS DOUBLE PRECISION) FROM f AS a WHERE a.category = f.category) FROM f WHERE class IN ('toys', 'games')

-- case: forms: share of all products counts sales without a product, as the query without products does
-- from: facts, by month
SELECT "Sold Month", "Product", "Share of Products" FROM forms WHERE "Category" = 'home'
-- equals
WITH a AS (SELECT month_label, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1)
SELECT month_label, product_name, SUM(amount) / CAST(MAX(a.s) AS DOUBLE PRECISION) FROM sales JOIN calendar USING (day_id) JOIN product USING (product_id)
JOIN a USING (month_label) WHERE category = 'home' GROUP BY 1, 2

-- case: forms: share in the class of each code, where a class may be NULL
-- from: facts, facts
SELECT "Class", "Code", "Share in Class" FROM forms WHERE "Category" = 'home' AND "Shop" IS NULL
-- equals
WITH f AS (SELECT class, code, category, amount FROM sales JOIN product USING (product_id) LEFT JOIN shop USING (shop_id) WHERE shop_name IS NULL)
SELECT class, code, SUM(amount) / CAST((SELECT SUM(amount) FROM f AS a WHERE a.class IS NOT DISTINCT FROM f.class) AS DOUBLE PRECISION)
FROM f WHERE category = 'home' GROUP BY class, code

-- case: forms: a member by key and one before the current, in one tuple
-- from: by month, facts
SELECT "Sold Month", "North Before" FROM forms
-- equals
WITH m AS (SELECT month_label, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) JOIN shop USING (shop_id) WHERE shop_name = 'north' GROUP BY 1),
o AS (SELECT month_label, LAG(month_label) OVER (ORDER BY month_label) AS before FROM (SELECT DISTINCT month_label FROM calendar) AS x)
SELECT o.month_label, m.s FROM o LEFT JOIN m ON m.month_label = o.before WHERE o.month_label IN (SELECT month_label FROM sales JOIN calendar USING (day_id))

-- case: forms: inside a subquery, as BI tools send it
-- from: any
SELECT t.m, t.before FROM (SELECT "Sold Month" AS m, "Sales Before" AS before FROM forms_catalog.forms) AS t WHERE t.m = '2003-01'
-- equals
SELECT '2003-01', SUM(amount) FROM sales JOIN calendar USING (day_id) WHERE month_label = '2002-12'

-- case: forms: distinct customers to date are counted once, a mean over months is one of rows; beside what adds up
-- from: by month, by month, facts, facts
SELECT "Sold Month", "Sales to Date", "Distinct to Date", "Mean Around" FROM forms WHERE "Sold Year" = 2003
-- equals
WITH o AS (SELECT month_label, year_id, ROW_NUMBER() OVER (ORDER BY month_label) AS n FROM (SELECT DISTINCT month_label, year_id FROM calendar) AS x),
s AS (SELECT o.*, sales.* FROM sales JOIN calendar USING (day_id) JOIN o ON o.month_label = calendar.month_label)
SELECT o.month_label, (SELECT SUM(amount) FROM s WHERE s.year_id = o.year_id AND s.n <= o.n),
(SELECT COUNT(DISTINCT customer_id) FROM s WHERE s.year_id = o.year_id AND s.n <= o.n),
(SELECT CAST(AVG(amount) AS DOUBLE PRECISION) FROM s WHERE s.n BETWEEN o.n - 1 AND o.n + 1)
FROM o WHERE year_id = 2003 AND n IN (SELECT n FROM s)

-- case: forms: distinct customers to date by day and shop, where shops may be NULL
-- from: facts, facts
SELECT "Shop", "Sold Day", "Distinct to Date" FROM forms WHERE "Sold Day" LIKE '2003-0%'
-- equals
WITH s AS (SELECT day_id, day_name, year_id, shop_name, customer_id FROM sales JOIN calendar USING (day_id) LEFT JOIN shop USING (shop_id))
, a AS (SELECT day_id, day_name, year_id, shop_name FROM s UNION SELECT day_id, day_name, year_id, shop.shop_name FROM s CROSS JOIN shop)
SELECT shop_name, day_name, (SELECT CASE WHEN COUNT(*) > 0 THEN COUNT(DISTINCT customer_id) END FROM s AS b WHERE b.year_id = a.year_id AND b.day_id <= a.day_id
AND b.shop_name IS NOT DISTINCT FROM a.shop_name) FROM a WHERE day_name LIKE '2003-0%'

-- case: forms: a metric of each period's last day, of the period before, and averaged over two
-- from: facts, facts, facts
SELECT "Sold Month", "Stock", "Stock Before", "Stock Average" FROM forms
-- equals
WITH d AS (SELECT month_label, day_id, SUM(quantity) AS q FROM sales JOIN calendar USING (day_id) WHERE NOT quantity IS NULL GROUP BY 1, 2),
m AS (SELECT month_label, q FROM d WHERE day_id = (SELECT MAX(day_id) FROM d AS b WHERE b.month_label = d.month_label)),
o AS (SELECT month_label, LAG(month_label) OVER (ORDER BY month_label) AS before FROM (SELECT DISTINCT month_label FROM calendar) AS x)
SELECT m.month_label, m.q, p.q, CAST((m.q + COALESCE(p.q, m.q)) AS DOUBLE PRECISION) / 2 FROM m JOIN o ON o.month_label = m.month_label
LEFT JOIN m AS p ON p.month_label = o.before

-- case: forms: with a truth of each day beside it
-- from: facts, facts
SELECT "Sold Day", "Sold First of Month", "Sales Before" FROM forms WHERE "Sold First of Month"
-- equals
WITH d AS (SELECT day_id, day_name, is_first, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1, 2, 3)
SELECT a.day_name, a.is_first, (SELECT b.s FROM d AS b WHERE b.day_id = a.day_id - 1) FROM d AS a WHERE is_first

-- case: forms: four weeks on, by weekday, which stays as it is
-- from: facts, facts
SELECT "Sold Week", "Sold Weekday", "Sales", "Sales 4 Weeks On" FROM forms
-- equals
WITH d AS (SELECT week_id, weekday, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1, 2)
SELECT a.week_id, a.weekday, a.s, (SELECT b.s FROM d AS b WHERE b.week_id = a.week_id + 4 AND b.weekday = a.weekday) FROM d AS a

-- case: forms: the month before, of Mondays alone
-- from: facts, facts
SELECT "Sold Month", "Sales", "Sales Before" FROM forms WHERE "Sold Weekday" = 'Monday' AND "Sold Year" = 2003
-- equals
WITH m AS (SELECT month_label, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) WHERE weekday = 'Monday' GROUP BY 1),
o AS (SELECT month_label, LAG(month_label) OVER (ORDER BY month_label) AS before FROM (SELECT DISTINCT month_label FROM calendar) AS x)
SELECT m.month_label, m.s, p.s FROM m JOIN o ON o.month_label = m.month_label LEFT JOIN m AS p ON p.month_label = o.before WHERE m.month_label LIKE '2003%'

-- case: forms: totals of ROLLUP stand at no month, which has none before it
-- from: any
SELECT "Sold Month", "Sales", "Sales Before" FROM forms WHERE "Sold Year" = 2003 GROUP BY ROLLUP ("Sold Month")
-- equals
WITH m AS (SELECT month_label, SUM(amount) AS s FROM sales JOIN calendar USING (day_id) GROUP BY 1),
o AS (SELECT month_label, LAG(month_label) OVER (ORDER BY month_label) AS before FROM (SELECT DISTINCT month_label FROM calendar) AS x)
SELECT m.month_label, m.s, p.s FROM m JOIN o ON o.month_label = m.month_label LEFT JOIN m AS p ON p.month_label = o.before WHERE m.month_label LIKE '2003%'
UNION ALL SELECT NULL, SUM(amount), NULL FROM sales JOIN calendar USING (day_id) WHERE year_id = 2003
