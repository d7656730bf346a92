-- query: the total of everything, with rows whose shop or day leads nowhere
SELECT "Amount", "Quantity", "Lines", "Weight" FROM check_sales
-- equals
SELECT SUM(amount), SUM(quantity), COUNT(amount), SUM(weight) FROM check_sale

-- query: sums by month
SELECT "Month", "Amount", "Quantity" FROM check_sales
-- equals
SELECT month, SUM(amount), SUM(quantity) FROM check_sale JOIN check_day USING (day_id) GROUP BY 1

-- query: all additive metrics by year
SELECT "Year", "Amount", "Quantity", "Lines", "Lowest", "Highest", "Mean" FROM check_sales
-- equals
SELECT year, SUM(amount), SUM(quantity), COUNT(amount), MIN(amount), MAX(amount), AVG(amount) FROM check_sale JOIN check_day USING (day_id) GROUP BY 1

-- query: cities that differ in case, in an accent or in a space at the end only, and none
SELECT "City", "Amount", "Lines" FROM check_sales
-- equals
SELECT city, SUM(amount), COUNT(amount) FROM check_sale JOIN check_shop USING (shop_id) GROUP BY 1

-- query: shops of the same name but for case
SELECT "Shop", "Quantity" FROM check_sales
-- equals
SELECT shop_name, SUM(quantity) FROM check_sale JOIN check_shop USING (shop_id) GROUP BY 1

-- query: months and cities
SELECT "Month", "City", "Amount", "Lines", "Mean" FROM check_sales
-- equals
SELECT month, city, SUM(amount), COUNT(amount), AVG(amount) FROM check_sale JOIN check_day USING (day_id) JOIN check_shop USING (shop_id) GROUP BY 1, 2

-- query: days and shops
SELECT "Day", "Shop", "Amount" FROM check_sales
-- equals
SELECT day_name, shop_name, SUM(amount) FROM check_sale JOIN check_day USING (day_id) JOIN check_shop USING (shop_id) GROUP BY 1, 2

-- query: a date as a date
SELECT "Date", "Lines" FROM check_sales
-- equals
SELECT day_date, COUNT(amount) FROM check_sale JOIN check_day USING (day_id) GROUP BY 1

-- query: channels in the facts themselves, empty texts and NULL apart
SELECT "Channel", "Amount", "Quantity" FROM check_sales
-- equals
SELECT channel, SUM(amount), SUM(quantity) FROM check_sale GROUP BY 1

-- query: the mean is the mean of the rows, not of means
SELECT "Month", "Mean" FROM check_sales
-- equals
SELECT month, AVG(amount) FROM check_sale JOIN check_day USING (day_id) GROUP BY 1

-- query: the mean of everything
SELECT "Mean" FROM check_sales
-- equals
SELECT AVG(amount) FROM check_sale

-- query: the variance by month
SELECT "Month", "Spread" FROM check_sales
-- equals
SELECT month, VAR_POP(CAST(amount AS DOUBLE PRECISION)) FROM check_sale JOIN check_day USING (day_id) GROUP BY 1

-- query: the deviation by city, none where there is one row
SELECT "City", "Deviation" FROM check_sales
-- equals
SELECT city, STDDEV_SAMP(CAST(amount AS DOUBLE PRECISION)) FROM check_sale JOIN check_shop USING (shop_id) GROUP BY 1

-- query: the deviation of everything
SELECT "Deviation", "Spread" FROM check_sales
-- equals
SELECT STDDEV_SAMP(CAST(amount AS DOUBLE PRECISION)), VAR_POP(CAST(amount AS DOUBLE PRECISION)) FROM check_sale

-- query: customers, each once
SELECT "Customers" FROM check_sales
-- equals
SELECT COUNT(DISTINCT customer) FROM check_sale

-- query: customers by city
SELECT "City", "Customers" FROM check_sales
-- equals
SELECT city, COUNT(DISTINCT customer) FROM check_sale JOIN check_shop USING (shop_id) GROUP BY 1

-- query: customers by month, which no aggregate holds
SELECT "Month", "Customers" FROM check_sales
-- equals
SELECT month, COUNT(DISTINCT customer) FROM check_sale JOIN check_day USING (day_id) GROUP BY 1

-- query: different quantities added up
SELECT "City", "Distinct Quantities" FROM check_sales
-- equals
SELECT city, SUM(DISTINCT quantity) FROM check_sale JOIN check_shop USING (shop_id) GROUP BY 1

-- query: the median
SELECT "Year", "Middle" FROM check_sales
-- equals
SELECT year, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY CAST(amount AS DOUBLE PRECISION)) FROM check_sale JOIN check_day USING (day_id) GROUP BY 1

-- query: what is on hand at the end of a month
SELECT "Month", "On Hand" FROM check_sales
-- equals
SELECT month, (SELECT SUM(on_hand) FROM check_stock WHERE day_id = d.last) FROM (SELECT month, MAX(CASE WHEN NOT on_hand IS NULL THEN day_id END) AS last FROM check_stock JOIN check_day USING (day_id) GROUP BY 1) AS d

-- query: what is on hand at the end of a year, by shop
SELECT "Year", "Shop", "On Hand" FROM check_sales
-- equals
SELECT d.year, d.shop_name, (SELECT SUM(on_hand) FROM check_stock WHERE day_id = d.last AND shop_id = d.shop_id) FROM (SELECT year, shop_id, shop_name, MAX(CASE WHEN NOT on_hand IS NULL THEN day_id END) AS last FROM check_stock JOIN check_day USING (day_id) JOIN check_shop USING (shop_id) GROUP BY 1, 2, 3) AS d

-- query: two facts side by side
SELECT "Month", "Amount", "Counted" FROM check_sales
-- equals
SELECT month, (SELECT SUM(amount) FROM check_sale JOIN check_day AS b USING (day_id) WHERE b.month = a.month), (SELECT COUNT(on_hand) FROM check_stock JOIN check_day AS b USING (day_id) WHERE b.month = a.month) FROM (SELECT DISTINCT month FROM check_day WHERE day_id IN (SELECT day_id FROM check_sale UNION SELECT day_id FROM check_stock)) AS a

-- query: a filter on a text that differs from another one in case
SELECT "Month", "Amount" FROM check_sales WHERE "City" = 'Zürich'
-- equals
SELECT month, SUM(amount) FROM check_sale JOIN check_day USING (day_id) JOIN check_shop USING (shop_id) WHERE city = 'Zürich' GROUP BY 1

-- query: a filter on a text with a space at the end
SELECT "Lines" FROM check_sales WHERE "City" = 'Bern '
-- equals
SELECT COUNT(amount) FROM check_sale JOIN check_shop USING (shop_id) WHERE city = 'Bern '

-- query: a list of texts
SELECT "City", "Amount" FROM check_sales WHERE "City" IN ('Łódź', 'Bern', 'nowhere')
-- equals
SELECT city, SUM(amount) FROM check_sale JOIN check_shop USING (shop_id) WHERE city IN ('Łódź', 'Bern') GROUP BY 1

-- query: members without a city
SELECT "Amount", "Lines" FROM check_sales WHERE "City" IS NULL
-- equals
SELECT SUM(amount), COUNT(amount) FROM check_sale JOIN check_shop USING (shop_id) WHERE city IS NULL

-- query: not this one; NULL is none of them
SELECT "Channel", "Lines" FROM check_sales WHERE "Channel" <> 'web'
-- equals
SELECT channel, COUNT(amount) FROM check_sale WHERE channel <> 'web' GROUP BY 1

-- query: a range of months
SELECT "Month", "Quantity" FROM check_sales WHERE "Month" BETWEEN '2024-03' AND '2024-10'
-- equals
SELECT month, SUM(quantity) FROM check_sale JOIN check_day USING (day_id) WHERE month BETWEEN '2024-03' AND '2024-10' GROUP BY 1

-- query: a range of dates over the change of clocks
SELECT "Date", "Amount" FROM check_sales WHERE "Date" >= DATE '2024-03-30' AND "Date" < DATE '2024-04-02'
-- equals
SELECT day_date, SUM(amount) FROM check_sale JOIN check_day USING (day_id) WHERE day_date >= DATE '2024-03-30' AND day_date < DATE '2024-04-02' GROUP BY 1

-- query: a filter that nothing passes
SELECT "Amount", "Lines" FROM check_sales WHERE "Year" = 1999
-- equals
SELECT SUM(amount), COUNT(amount) FROM check_sale JOIN check_day USING (day_id) WHERE year = 1999

-- query: a filter that nothing passes, by month
SELECT "Month", "Amount" FROM check_sales WHERE "Year" = 1999
-- equals
SELECT month, SUM(amount) FROM check_sale JOIN check_day USING (day_id) WHERE year = 1999 GROUP BY 1

-- query: a condition on the sums
SELECT "City", "Lines" FROM check_sales HAVING "Lines" > 5
-- equals
SELECT city, COUNT(amount) FROM check_sale JOIN check_shop USING (shop_id) GROUP BY 1 HAVING COUNT(amount) > 5

-- query: the three largest months
SELECT "Month", "Lines" FROM check_sales ORDER BY "Lines" DESC, "Month" LIMIT 3
-- equals
SELECT month, COUNT(amount) FROM check_sale JOIN check_day USING (day_id) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3

-- query: a quotient of sums keeps its digits
SELECT "City", "Amount per Line" FROM check_sales
-- equals
SELECT city, CAST(SUM(amount) AS DOUBLE PRECISION) / NULLIF(COUNT(amount), 0) FROM check_sale JOIN check_shop USING (shop_id) GROUP BY 1

-- query: a quotient of whole numbers in the query
SELECT "Year", CAST("Quantity" AS DOUBLE PRECISION) / "Lines" AS "per line" FROM check_sales
-- equals
SELECT year, CAST(SUM(quantity) AS DOUBLE PRECISION) / COUNT(amount) FROM check_sale JOIN check_day USING (day_id) GROUP BY 1

-- query: the share of each city in all
SELECT "City", "Share" FROM check_sales
-- equals
SELECT city, CAST(SUM(amount) AS DOUBLE PRECISION) / (SELECT SUM(amount) FROM check_sale) FROM check_sale JOIN check_shop USING (shop_id) GROUP BY 1

-- query: the month before
SELECT "Month", "Amount Before" FROM check_sales
-- equals
SELECT a.month, (SELECT SUM(amount) FROM check_sale JOIN check_day AS b USING (day_id) WHERE b.month = (SELECT MAX(c.month) FROM check_day AS c WHERE c.month < a.month)) FROM (SELECT DISTINCT month FROM check_sale JOIN check_day USING (day_id)) AS a

-- query: from the beginning of the year
SELECT "Month", "Amount to Date" FROM check_sales
-- equals
SELECT a.month, (SELECT SUM(amount) FROM check_sale JOIN check_day AS b USING (day_id) WHERE b.year = a.year AND b.month <= a.month) FROM (SELECT DISTINCT month, year FROM check_sale JOIN check_day USING (day_id)) AS a

-- query: a metric under a condition
SELECT "Month", SUM(CASE WHEN "City" = 'Bern' THEN "Amount" END) AS "in Bern" FROM check_sales
-- equals
SELECT month, SUM(CASE WHEN city = 'Bern' THEN amount END) FROM check_sale JOIN check_day USING (day_id) JOIN check_shop USING (shop_id) GROUP BY 1

-- query: a floating sum with NULLs
SELECT "Month", "Weight" FROM check_sales
-- equals
SELECT month, SUM(weight) FROM check_sale JOIN check_day USING (day_id) GROUP BY 1

-- query: distinct members
SELECT DISTINCT "City" FROM check_sales WHERE "Year" = 2024
-- equals
SELECT DISTINCT city FROM check_sale JOIN check_day USING (day_id) JOIN check_shop USING (shop_id) WHERE year = 2024

-- query: a subtotal for each year
SELECT "Year", "Month", "Lines" FROM check_sales GROUP BY ROLLUP("Year", "Month")
-- equals
SELECT year, month, COUNT(amount) FROM check_sale JOIN check_day USING (day_id) GROUP BY ROLLUP(year, month)
