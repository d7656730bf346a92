-- case: a total counts all rows, orphans included
-- from: store_total
SELECT "Store Revenue" FROM retail_demo.retail
-- equals
SELECT SUM(ss_ext_sales_price) FROM store_sales

-- case: a used dimension leaves out rows without a member
-- from: store_year_category
SELECT "Sold Year", "Store Revenue" FROM retail_demo.retail
-- equals
SELECT d_year, SUM(ss_ext_sales_price) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk GROUP BY d_year

-- case: the surface of the design, ordered and limited
-- from: store_year_category
SELECT "Sold Year", "Store Revenue" FROM retail_demo.retail WHERE "Category" = 'Music' GROUP BY 1 ORDER BY 2 DESC LIMIT 3
-- ordered equals
SELECT d_year, SUM(ss_ext_sales_price) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk WHERE i_category = 'Music' GROUP BY d_year ORDER BY SUM(ss_ext_sales_price) DESC LIMIT 3

-- case: offset
-- from: store_year_category
SELECT "Sold Year", "Store Revenue" FROM retail_demo.retail ORDER BY "Sold Year" LIMIT 2 OFFSET 1
-- ordered equals
SELECT d_year, SUM(ss_ext_sales_price) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
GROUP BY d_year ORDER BY d_year LIMIT 2 OFFSET 1

-- case: names group, not keys
-- from: store_month_store
SELECT "Store", "Store Quantity" FROM retail_demo.retail
-- equals
SELECT s_store_name, SUM(ss_quantity) FROM store_sales JOIN store ON ss_store_sk = s_store_sk GROUP BY s_store_name

-- case: labels work where they are unambiguous
-- from: store_month_store
SELECT "State of the store", "Store Quantity" FROM retail_demo.retail WHERE "Store State" IS NOT NULL
-- equals
SELECT s_state, SUM(ss_quantity) FROM store_sales JOIN store ON ss_store_sk = s_store_sk WHERE s_state IS NOT NULL
GROUP BY s_state

-- case: names without quotes and in another case
-- from: store_year_category
SELECT category, SUM("store revenue") AS total FROM retail_demo.retail GROUP BY category HAVING SUM("store revenue") > 0
-- equals
SELECT i_category, SUM(ss_ext_sales_price) FROM store_sales JOIN item ON ss_item_sk = i_item_sk
GROUP BY i_category HAVING SUM(ss_ext_sales_price) > 0

-- case: a coarser level is joined back to the stored day, since months do not determine quarters in this data
-- from: store_day_article
SELECT "Sold Year", "Store City", "Store Discount" FROM retail_demo.retail WHERE "Sold Quarter" LIKE '%Q1'
-- equals
SELECT d_year, s_city, SUM(ss_ext_discount_amt) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN store ON ss_store_sk = s_store_sk WHERE d_quarter_name LIKE '%Q1' GROUP BY d_year, s_city

-- case: or over nested and and not
-- from: any
SELECT "Category", "Store Profit" FROM retail_demo.retail
WHERE ("Sold Year" = 2000 OR ("Category" IN ('Music', 'Books') AND NOT "Sold Year" BETWEEN 1999 AND 2001)) AND "Category" IS NOT NULL
-- equals
SELECT i_category, SUM(ss_net_profit) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk
WHERE (d_year = 2000 OR (i_category IN ('Music', 'Books') AND NOT d_year BETWEEN 1999 AND 2001)) AND i_category IS NOT NULL
GROUP BY i_category

-- case: a filter that nothing passes, with a group
-- from: store_year_category
SELECT "Sold Year", "Store Revenue" FROM retail_demo.retail WHERE "Category" = 'No such category'
-- equals
SELECT d_year, SUM(ss_ext_sales_price) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk WHERE i_category = 'No such category' GROUP BY d_year

-- case: a filter that nothing passes, without a group
-- from: any
SELECT "Store Revenue", "Store Sales Lines", COUNT(*) FROM retail_demo.retail WHERE "Sold Weekday" = 'Someday'
-- equals
SELECT SUM(ss_ext_sales_price), COUNT(ss_ticket_number), COUNT(*) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
WHERE d_day_name = 'Someday'

-- case: always false
-- from: store_year_category
SELECT "Category", "Store Revenue" FROM retail_demo.retail WHERE 1 = 0
-- equals
SELECT i_category, SUM(ss_ext_sales_price) FROM store_sales JOIN item ON ss_item_sk = i_item_sk WHERE 1 = 0 GROUP BY i_category

-- case: an equality on a key that is not shown
-- from: store_month_category
SELECT "Sold Month", "Store Quantity" FROM retail_demo.retail WHERE "Category" = 'Shoes'
-- equals
SELECT SUBSTRING(CAST(d_date AS VARCHAR), 1, 7), SUM(ss_quantity) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk WHERE i_category = 'Shoes' GROUP BY SUBSTRING(CAST(d_date AS VARCHAR), 1, 7)

-- case: rows and non-NULL values are counted apart
-- from: store_hourly
SELECT "Hour", COUNT(*), "Store Sales Lines" FROM retail_demo.retail WHERE "Hour" BETWEEN 9 AND 12
-- equals
SELECT t_hour, COUNT(*), COUNT(ss_ticket_number) FROM store_sales JOIN time_dim ON ss_sold_time_sk = t_time_sk
WHERE t_hour BETWEEN 9 AND 12 GROUP BY t_hour

-- case: averages from sums and counts
-- from: store_price_level_year
SELECT "Category", AVG("Average Store Price"), "Lowest Store Price", MAX("Highest Store Price") FROM retail_demo.retail
-- equals
SELECT i_category, AVG(ss_sales_price), MIN(ss_sales_price), MAX(ss_sales_price) FROM store_sales
JOIN item ON ss_item_sk = i_item_sk GROUP BY i_category

-- case: standard deviations combine
-- from: store_price_level_year
SELECT "Sold Year", "Store Price Spread" FROM retail_demo.retail WHERE "Category" <> 'Music'
-- equals
SELECT d_year, STDDEV_SAMP(CAST(ss_sales_price AS DOUBLE PRECISION)) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk WHERE i_category <> 'Music' GROUP BY d_year

-- case: a standard deviation of everything
-- from: store_price_level_year
SELECT "Store Price Spread" FROM retail_demo.retail
-- equals
SELECT STDDEV_SAMP(CAST(ss_sales_price AS DOUBLE PRECISION)) FROM store_sales

-- case: exact distinct counts do not add up
-- from: facts
SELECT "Sold Year", "Store Customers" FROM retail_demo.retail
-- equals
SELECT d_year, COUNT(DISTINCT ss_customer_sk) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk GROUP BY d_year

-- case: distinct customers of everything
-- from: facts
SELECT COUNT(DISTINCT "Store Customers") FROM retail_demo.retail
-- equals
SELECT COUNT(DISTINCT ss_customer_sk) FROM store_sales

-- case: role-played dates are different dates
-- from: facts
SELECT "Ship Year", "Web Revenue" FROM retail_demo.retail
-- equals
SELECT d_year, SUM(ws_ext_sales_price) FROM web_sales JOIN date_dim ON ws_ship_date_sk = d_date_sk GROUP BY d_year

-- case: two roles of one dimension in one query
-- from: any
SELECT "Sold Year", "Ship Quarter", "Web Quantity" FROM retail_demo.retail WHERE "Ship Month" > '2000-06'
-- equals
SELECT sold.d_year, ship.d_quarter_name, SUM(ws_quantity) FROM web_sales JOIN date_dim AS sold ON ws_sold_date_sk = sold.d_date_sk
JOIN date_dim AS ship ON ws_ship_date_sk = ship.d_date_sk WHERE SUBSTRING(CAST(ship.d_date AS VARCHAR), 1, 7) > '2000-06'
GROUP BY sold.d_year, ship.d_quarter_name

-- case: a dimension behind a dimension, with its role
-- from: store_home_state
SELECT "Home State", "Store Revenue" FROM retail_demo.retail WHERE "Sold Quarter" = '2000Q2'
-- equals
SELECT ca_state, SUM(ss_ext_sales_price) FROM store_sales JOIN customer ON ss_customer_sk = c_customer_sk
JOIN customer_address ON c_current_addr_sk = ca_address_sk JOIN date_dim ON ss_sold_date_sk = d_date_sk
WHERE d_quarter_name = '2000Q2' GROUP BY ca_state

-- case: secondary attributes as filters
-- from: store_promotion
SELECT "By Email", "Store Revenue" FROM retail_demo.retail WHERE "On TV" = 'N'
-- equals
SELECT p_channel_email, SUM(ss_ext_sales_price) FROM store_sales JOIN promotion ON ss_promo_sk = p_promo_sk
WHERE p_channel_tv = 'N' GROUP BY p_channel_email

-- case: a NULL group is a group
-- from: store_customer_country
SELECT "Preferred", "Store Quantity" FROM retail_demo.retail
-- equals
SELECT c_preferred_cust_flag, SUM(ss_quantity) FROM store_sales JOIN customer ON ss_customer_sk = c_customer_sk
GROUP BY c_preferred_cust_flag

-- case: only NULLs
-- from: store_customer_country
SELECT "Birth Country", "Store Quantity" FROM retail_demo.retail WHERE "Preferred" IS NULL
-- equals
SELECT c_birth_country, SUM(ss_quantity) FROM store_sales JOIN customer ON ss_customer_sk = c_customer_sk
WHERE c_preferred_cust_flag IS NULL GROUP BY c_birth_country

-- case: a ratio of sums, not a sum of ratios
-- from: store_year_category
SELECT "Category", "Store Margin" FROM retail_demo.retail
-- equals
SELECT i_category, CAST(SUM(ss_net_profit) AS DOUBLE PRECISION) / NULLIF(SUM(ss_ext_sales_price), 0) FROM store_sales
JOIN item ON ss_item_sk = i_item_sk GROUP BY i_category

-- case: arithmetic in the query
-- from: store_year_category
SELECT "Category", "Store Revenue" - 2 * "Store Profit" AS rest FROM retail_demo.retail
-- equals
SELECT i_category, SUM(ss_ext_sales_price) - 2 * SUM(ss_net_profit) FROM store_sales JOIN item ON ss_item_sk = i_item_sk GROUP BY i_category

-- case: case over a key and a metric
-- from: store_year_category
SELECT "Category", CASE WHEN "Category" = 'Music' THEN "Store Revenue" ELSE 0 END FROM retail_demo.retail
-- equals
SELECT i_category, CASE WHEN i_category = 'Music' THEN SUM(ss_ext_sales_price) ELSE 0 END FROM store_sales
JOIN item ON ss_item_sk = i_item_sk GROUP BY i_category

-- case: grouped by an expression
-- from: store_year_category
SELECT CASE WHEN "Sold Year" < 2000 THEN 'before' ELSE 'after' END AS era, "Store Revenue" FROM retail_demo.retail GROUP BY 1
-- equals
SELECT CASE WHEN d_year < 2000 THEN 'before' ELSE 'after' END, SUM(ss_ext_sales_price) FROM store_sales
JOIN date_dim ON ss_sold_date_sk = d_date_sk GROUP BY 1

-- case: grouped by what is not shown
-- from: store_year_category
SELECT "Store Revenue" FROM retail_demo.retail GROUP BY "Sold Year", "Category"
-- equals
SELECT SUM(ss_ext_sales_price) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk GROUP BY d_year, i_category

-- case: having on a metric that is not shown
-- from: any
SELECT "Category" FROM retail_demo.retail HAVING "Store Quantity" > 20000 ORDER BY 1
-- equals
SELECT i_category FROM store_sales JOIN item ON ss_item_sk = i_item_sk GROUP BY i_category HAVING SUM(ss_quantity) > 20000

-- case: distinct
-- from: any
SELECT DISTINCT "Sold Year" FROM retail_demo.retail HAVING "Store Quantity" > 0
-- equals
SELECT d_year FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk GROUP BY d_year HAVING SUM(ss_quantity) > 0

-- case: members of a dimension
-- from: facts
SELECT "Sold Year" FROM retail_demo.retail WHERE "Sold Year" BETWEEN 1998 AND 2002 ORDER BY 1 DESC
-- ordered equals
SELECT DISTINCT d_year FROM date_dim WHERE d_year BETWEEN 1998 AND 2002 ORDER BY 1 DESC

-- case: members with their parents
-- from: item_list
SELECT "Category", "Class", COUNT(DISTINCT "Brand") FROM retail_demo.retail WHERE "Category" = 'Books'
-- equals
SELECT i_category, i_class, COUNT(DISTINCT i_brand) FROM item WHERE i_category = 'Books' GROUP BY i_category, i_class

-- case: the range of a dimension
-- from: facts
SELECT MIN("Sold Year"), MAX("Sold Year") FROM retail_demo.retail
-- equals
SELECT MIN(d_year), MAX(d_year) FROM date_dim

-- case: the range that a fact covers
-- from: any
SELECT MIN("Sold Year"), MAX("Sold Year"), "Store Revenue" FROM retail_demo.retail
-- equals
SELECT MIN(d_year), MAX(d_year), SUM(ss_ext_sales_price) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk

-- case: several facts side by side
-- from: any
SELECT "Sold Year", "Store Revenue", "Web Revenue" FROM retail_demo.retail
-- equals
SELECT COALESCE(s.d_year, w.d_year), s.r, w.r FROM
(SELECT d_year, SUM(ss_ext_sales_price) AS r FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk GROUP BY d_year) AS s
FULL JOIN (SELECT d_year, SUM(ws_ext_sales_price) AS r FROM web_sales JOIN date_dim ON ws_sold_date_sk = d_date_sk GROUP BY d_year) AS w
ON s.d_year = w.d_year

-- case: several facts without a group
-- from: any
SELECT "Store Revenue", "Web Revenue", "Catalog Revenue", "Total Revenue" FROM retail_demo.retail
-- equals
SELECT s, w, c, s + w + c FROM (SELECT SUM(ss_ext_sales_price) AS s FROM store_sales) AS a,
(SELECT SUM(ws_ext_sales_price) AS w FROM web_sales) AS b, (SELECT SUM(cs_ext_sales_price) AS c FROM catalog_sales) AS d

-- case: a calculation over three facts, an empty one counts as nothing
-- from: any
SELECT "Category", "Color", "Total Revenue" FROM retail_demo.retail WHERE "Sold Year" = 2001
-- equals
SELECT i_category, i_color, SUM(amount) FROM (
SELECT ss_item_sk AS item, ss_sold_date_sk AS day, ss_ext_sales_price AS amount FROM store_sales
UNION ALL SELECT ws_item_sk, ws_sold_date_sk, ws_ext_sales_price FROM web_sales
UNION ALL SELECT cs_item_sk, cs_sold_date_sk, cs_ext_sales_price FROM catalog_sales) AS sales
JOIN item ON item = i_item_sk JOIN date_dim ON day = d_date_sk WHERE d_year = 2001 GROUP BY i_category, i_color

-- case: a condition on a metric of one of several facts
-- from: any
SELECT "Category", "Store Quantity", "Catalog Quantity" FROM retail_demo.retail HAVING "Store Quantity" > "Catalog Quantity" ORDER BY 1
-- equals
SELECT s.i_category, s.q, c.q FROM
(SELECT i_category, SUM(ss_quantity) AS q FROM store_sales JOIN item ON ss_item_sk = i_item_sk GROUP BY i_category) AS s
JOIN (SELECT i_category, SUM(cs_quantity) AS q FROM catalog_sales JOIN item ON cs_item_sk = i_item_sk GROUP BY i_category) AS c
ON s.i_category IS NOT DISTINCT FROM c.i_category WHERE s.q > c.q

-- case: wrapped as BI tools do
-- from: store_year_category
SELECT SUM(t.revenue) AS total, COUNT(*) FROM (SELECT "Sold Year" AS year, "Store Revenue" AS revenue FROM retail_demo.retail) t WHERE t.year > 1999
-- equals
SELECT SUM(r), COUNT(*) FROM (SELECT d_year, SUM(ss_ext_sales_price) AS r FROM store_sales
JOIN date_dim ON ss_sold_date_sk = d_date_sk GROUP BY d_year) AS t WHERE d_year > 1999

-- case: wrapped around everything
-- from: store_year_category
SELECT q."Category", SUM(q."Store Revenue") AS "sum" FROM (SELECT * FROM retail_demo.retail WHERE "Sold Year" = 2000) q GROUP BY q."Category"
-- equals
SELECT i_category, SUM(ss_ext_sales_price) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk WHERE d_year = 2000 GROUP BY i_category

-- case: a common table expression, and a window around it
-- from: store_year_category
WITH by_year AS (SELECT "Sold Year" AS year, "Store Revenue" AS revenue FROM retail_demo.retail)
SELECT year, revenue, SUM(revenue) OVER (ORDER BY year) AS so_far FROM by_year
-- equals
SELECT d_year, r, SUM(r) OVER (ORDER BY d_year) FROM (SELECT d_year, SUM(ss_ext_sales_price) AS r FROM store_sales
JOIN date_dim ON ss_sold_date_sk = d_date_sk GROUP BY d_year) AS t

-- case: two queries on the model in one statement
-- from: any
SELECT 'store' AS channel, s.r FROM (SELECT "Store Revenue" AS r FROM retail_demo.retail) s
UNION ALL SELECT 'web', w.r FROM (SELECT "Web Revenue" AS r FROM retail_demo.retail) w
-- equals
SELECT 'store', SUM(ss_ext_sales_price) FROM store_sales UNION ALL SELECT 'web', SUM(ws_ext_sales_price) FROM web_sales

-- case: metrics of a fact above its finest dates
-- from: any
SELECT "Warehouse", "Stock Counts", "Counted Pieces", "Lowest Stock" FROM retail_demo.retail WHERE "Counted Year" = 2000
-- equals
SELECT w_warehouse_name, COUNT(inv_quantity_on_hand), SUM(inv_quantity_on_hand), MIN(inv_quantity_on_hand) FROM inventory
JOIN warehouse ON inv_warehouse_sk = w_warehouse_sk JOIN date_dim ON inv_date_sk = d_date_sk WHERE d_year = 2000 GROUP BY w_warehouse_name

-- case: what is in stock at the end of each year, and lowest over all of it
-- from: facts
SELECT "Counted Year", "Stock on Hand", "Lowest Stock" FROM retail_demo.retail
-- equals
SELECT d_year, SUM(CASE WHEN inv_date_sk = last_day THEN inv_quantity_on_hand END), MIN(inv_quantity_on_hand)
FROM inventory JOIN date_dim ON inv_date_sk = d_date_sk
JOIN (SELECT d_year AS y, MAX(d_date_sk) AS last_day FROM inventory JOIN date_dim ON inv_date_sk = d_date_sk
      WHERE inv_quantity_on_hand IS NOT NULL GROUP BY d_year) last_days ON d_year = y
GROUP BY d_year

-- case: what is in stock at the end, without a group and with a filter
-- from: facts
SELECT "Stock on Hand" FROM retail_demo.retail WHERE "Warehouse" IS NOT NULL AND "Counted Year" < 2001
-- equals
SELECT SUM(inv_quantity_on_hand) FROM inventory WHERE inv_warehouse_sk IN (SELECT w_warehouse_sk FROM warehouse WHERE w_warehouse_name IS NOT NULL)
AND inv_date_sk = (
  SELECT MAX(inv_date_sk) FROM inventory JOIN date_dim ON inv_date_sk = d_date_sk JOIN warehouse ON inv_warehouse_sk = w_warehouse_sk
  WHERE d_year < 2001 AND inv_quantity_on_hand IS NOT NULL AND w_warehouse_name IS NOT NULL)


-- case: a metric under a condition, beside the whole
-- from: store_year_category
SELECT "Sold Year", SUM(CASE WHEN "Category" = 'Books' THEN "Store Revenue" END) AS books, SUM("Store Revenue") AS whole FROM retail_demo.retail GROUP BY 1
-- equals
SELECT d_year, SUM(CASE WHEN i_category = 'Books' THEN ss_ext_sales_price END), SUM(ss_ext_sales_price) FROM store_sales
JOIN date_dim ON ss_sold_date_sk = d_date_sk LEFT JOIN item ON ss_item_sk = i_item_sk GROUP BY d_year

-- case: conditions by FILTER, CASE with ELSE 0 and nested CASE in one query
-- from: store_year_category
SELECT "Sold Year", SUM("Store Revenue") FILTER (WHERE "Category" IN ('Books', 'Music')) AS media,
SUM(CASE WHEN "Category" = 'Shoes' THEN "Store Profit" ELSE 0 END) AS shoes,
SUM(CASE WHEN "Category" = 'Home' THEN CASE WHEN "Sold Year" > 2000 THEN "Store Revenue" END ELSE NULL END) AS late,
COUNT(CASE WHEN "Category" = 'Music' THEN 1 END) AS lines FROM retail_demo.retail GROUP BY 1
-- equals
SELECT d_year, SUM(ss_ext_sales_price) FILTER (WHERE i_category IN ('Books', 'Music')),
COALESCE(SUM(CASE WHEN i_category = 'Shoes' THEN ss_net_profit END), 0),
SUM(CASE WHEN i_category = 'Home' AND d_year > 2000 THEN ss_ext_sales_price END), COUNT(CASE WHEN i_category = 'Music' THEN 1 END)
FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk LEFT JOIN item ON ss_item_sk = i_item_sk GROUP BY d_year

-- case: a calculated metric and a distinct count under a condition
-- from: facts
SELECT "Category", MAX(CASE WHEN "Sold Year" = 2000 THEN "Store Margin" END) AS margin,
COUNT(DISTINCT "Store Customers") FILTER (WHERE "Sold Year" = 2000) AS customers FROM retail_demo.retail GROUP BY 1
-- equals
SELECT i_category, SUM(ss_net_profit) FILTER (WHERE d_year = 2000) / NULLIF(CAST(SUM(ss_ext_sales_price) FILTER (WHERE d_year = 2000) AS DOUBLE PRECISION), 0),
COUNT(DISTINCT CASE WHEN d_year = 2000 THEN ss_customer_sk END)
FROM store_sales JOIN item ON ss_item_sk = i_item_sk LEFT JOIN date_dim ON ss_sold_date_sk = d_date_sk GROUP BY i_category

-- case: the average over branches counts the zeros
-- from: any
SELECT "Sold Year", AVG(CASE WHEN "Category" = 'Music' THEN "Store Revenue" ELSE 0 END) AS a FROM retail_demo.retail GROUP BY 1
-- equals
SELECT d_year, CAST(AVG(CASE WHEN i_category = 'Music' THEN ss_ext_sales_price ELSE 0 END) AS DOUBLE PRECISION)
FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk JOIN item ON ss_item_sk = i_item_sk GROUP BY d_year

-- case: functions that tools put around metrics
-- from: any
SELECT "Category", AVG("Store Revenue") AS a, MIN("Store Revenue") AS lowest, COUNT("Store Revenue") AS n, SUM("Store Customers") AS customers,
SUM("Store Margin") AS margin, MAX("Store Margin") AS same FROM retail_demo.retail GROUP BY 1
-- equals
SELECT i_category, CAST(AVG(ss_ext_sales_price) AS DOUBLE PRECISION), MIN(ss_ext_sales_price), COUNT(ss_ext_sales_price), COUNT(DISTINCT ss_customer_sk),
SUM(ss_net_profit) / NULLIF(CAST(SUM(ss_ext_sales_price) AS DOUBLE PRECISION), 0), SUM(ss_net_profit) / NULLIF(CAST(SUM(ss_ext_sales_price) AS DOUBLE PRECISION), 0)
FROM store_sales JOIN item ON ss_item_sk = i_item_sk GROUP BY i_category

-- case: shares of the total, ranks and running sums
-- from: store_year_category
SELECT "Sold Year", CAST(SUM("Store Revenue") AS DOUBLE PRECISION) / SUM(SUM("Store Revenue")) OVER () AS share,
RANK() OVER (ORDER BY SUM("Store Revenue") DESC) AS place, SUM(SUM("Store Revenue")) OVER (ORDER BY "Sold Year" ROWS UNBOUNDED PRECEDING) AS running,
"Store Revenue" - LAG("Store Revenue") OVER (ORDER BY "Sold Year") AS growth, AVG("Store Margin") OVER () AS margins
FROM retail_demo.retail WHERE "Category" = 'Books' GROUP BY 1 HAVING "Sold Year" < 2003
-- equals
WITH y AS (SELECT d_year, SUM(ss_ext_sales_price) AS r, CAST(SUM(ss_net_profit) AS DOUBLE PRECISION) AS p FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk WHERE i_category = 'Books' AND d_year < 2003 GROUP BY 1)
SELECT d_year, CAST(r AS DOUBLE PRECISION) / (SELECT SUM(r) FROM y), (SELECT COUNT(*) + 1 FROM y AS b WHERE b.r > a.r),
(SELECT SUM(r) FROM y AS b WHERE b.d_year <= a.d_year), r - (SELECT r FROM y AS b WHERE b.d_year = a.d_year - 1), (SELECT AVG(p / r) FROM y) FROM y AS a

-- case: the first three of each group
-- from: any
SELECT * FROM (SELECT "Category", "Brand", SUM("Store Revenue") AS r,
ROW_NUMBER() OVER (PARTITION BY "Category" ORDER BY SUM("Store Revenue") DESC, "Brand") AS n FROM retail_demo.retail GROUP BY 1, 2) AS x WHERE n <= 3
-- equals
SELECT * FROM (SELECT i_category, i_brand, SUM(ss_ext_sales_price), ROW_NUMBER() OVER (PARTITION BY i_category ORDER BY SUM(ss_ext_sales_price) DESC, i_brand) AS n
FROM store_sales JOIN item ON ss_item_sk = i_item_sk GROUP BY i_category, i_brand) AS x WHERE n <= 3

-- case: members that a query on the same model finds
-- from: any
SELECT "Category", SUM("Store Revenue") AS r FROM retail_demo.retail WHERE "Category" IN
(SELECT "Category" FROM retail_demo.retail GROUP BY 1 HAVING SUM("Store Revenue") > 20000000) GROUP BY 1
-- equals
SELECT i_category, SUM(ss_ext_sales_price) FROM store_sales JOIN item ON ss_item_sk = i_item_sk GROUP BY 1 HAVING SUM(ss_ext_sales_price) > 20000000

-- case: nothing is outside of a list with NULL
-- from: any
SELECT "Category", "Store Revenue" FROM retail_demo.retail WHERE "Category" NOT IN (SELECT "Category" FROM retail_demo.retail WHERE "Category" IS NULL)
-- equals
SELECT i_category, SUM(ss_ext_sales_price) FROM store_sales JOIN item ON ss_item_sk = i_item_sk WHERE 1 = 0 GROUP BY 1

-- case: a share of a total that a subquery finds, and groups above its average
-- from: any
SELECT "Category", SUM("Store Revenue") / (SELECT SUM("Store Revenue") FROM retail_demo.retail) AS share FROM retail_demo.retail GROUP BY 1
HAVING SUM("Store Revenue") > (SELECT AVG(r) FROM (SELECT "Category", SUM("Store Revenue") AS r FROM retail_demo.retail GROUP BY 1) AS x)
AND EXISTS (SELECT "Sold Year" FROM retail_demo.retail WHERE "Sold Year" = 2000)
-- equals
WITH c AS (SELECT i_category, SUM(ss_ext_sales_price) AS r FROM store_sales JOIN item ON ss_item_sk = i_item_sk GROUP BY 1)
SELECT i_category, r / (SELECT SUM(ss_ext_sales_price) FROM store_sales) FROM c WHERE r > (SELECT AVG(r) FROM c)

-- case: rollup, with unknown members told from totals
-- from: any
SELECT "Category", "Sold Year", SUM("Store Revenue") AS r, AVG("Store Revenue") AS a, "Store Customers", "Store Margin", GROUPING("Category", "Sold Year") AS level
FROM retail_demo.retail GROUP BY ROLLUP ("Category", "Sold Year")
-- equals
SELECT i_category, d_year, SUM(ss_ext_sales_price), CAST(AVG(ss_ext_sales_price) AS DOUBLE PRECISION), COUNT(DISTINCT ss_customer_sk),
SUM(ss_net_profit) / NULLIF(CAST(SUM(ss_ext_sales_price) AS DOUBLE PRECISION), 0), GROUPING(i_category, d_year)
FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk JOIN item ON ss_item_sk = i_item_sk GROUP BY ROLLUP (i_category, d_year)

-- case: a cube over two facts
-- from: any
SELECT "Category", "Sold Year", SUM("Store Revenue") AS s, SUM("Web Revenue") AS w FROM retail_demo.retail GROUP BY CUBE ("Category", "Sold Year")
-- equals
WITH s AS (SELECT i_category AS c, d_year AS y, GROUPING(i_category, d_year) AS g, SUM(ss_ext_sales_price) AS r FROM store_sales
JOIN date_dim ON ss_sold_date_sk = d_date_sk JOIN item ON ss_item_sk = i_item_sk GROUP BY CUBE (i_category, d_year)),
w AS (SELECT i_category AS c, d_year AS y, GROUPING(i_category, d_year) AS g, SUM(ws_ext_sales_price) AS r FROM web_sales
JOIN date_dim ON ws_sold_date_sk = d_date_sk JOIN item ON ws_item_sk = i_item_sk GROUP BY CUBE (i_category, d_year)),
k AS (SELECT c, y, g FROM s UNION SELECT c, y, g FROM w)
SELECT c, y, (SELECT r FROM s WHERE s.g = k.g AND s.c IS NOT DISTINCT FROM k.c AND s.y IS NOT DISTINCT FROM k.y),
(SELECT r FROM w WHERE w.g = k.g AND w.c IS NOT DISTINCT FROM k.c AND w.y IS NOT DISTINCT FROM k.y) FROM k

-- case: grouping sets by position, above a limit, ranked on each level
-- from: any
SELECT "Sold Year", "Category", SUM("Store Revenue") AS r, RANK() OVER (PARTITION BY GROUPING("Sold Year") ORDER BY SUM("Store Revenue") DESC) AS place
FROM retail_demo.retail GROUP BY GROUPING SETS ((1), (2)) HAVING SUM("Store Revenue") > 10000000
-- equals
SELECT d_year, NULL, r, (SELECT COUNT(*) + 1 FROM (SELECT d_year AS y, SUM(ss_ext_sales_price) AS o FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk GROUP BY 1) AS b WHERE b.o > a.r) AS place FROM (SELECT d_year, SUM(ss_ext_sales_price) AS r FROM store_sales
JOIN date_dim ON ss_sold_date_sk = d_date_sk JOIN item ON ss_item_sk = i_item_sk GROUP BY 1) AS a WHERE r > 10000000
UNION ALL SELECT NULL, i_category, r, (SELECT COUNT(*) + 1 FROM (SELECT i_category AS y, SUM(ss_ext_sales_price) AS o FROM store_sales JOIN date_dim
ON ss_sold_date_sk = d_date_sk JOIN item ON ss_item_sk = i_item_sk GROUP BY 1) AS b WHERE b.o > a.r) AS place FROM (SELECT i_category, SUM(ss_ext_sales_price) AS r FROM store_sales
JOIN date_dim ON ss_sold_date_sk = d_date_sk JOIN item ON ss_item_sk = i_item_sk GROUP BY 1) AS a WHERE r > 10000000

-- case: rows of several facts
-- from: any
SELECT "Category", SUM("Store Revenue") AS s, SUM("Web Revenue") AS w, COUNT(*) AS n FROM retail_demo.retail GROUP BY 1
-- equals
SELECT c, SUM(s), SUM(w), COUNT(*) FROM (SELECT i_category AS c, ss_ext_sales_price AS s, NULL AS w FROM store_sales JOIN item ON ss_item_sk = i_item_sk
UNION ALL SELECT i_category, NULL, ws_ext_sales_price FROM web_sales JOIN item ON ws_item_sk = i_item_sk) AS x GROUP BY c

-- case: first and last day with rows in any fact
-- from: any
SELECT CAST(MIN("Sold Day") AS TEXT) AS first, CAST(MAX("Sold Day") AS TEXT) AS last FROM retail_demo.retail HAVING COUNT(1) > 0
-- equals
SELECT CAST(MIN(d) AS TEXT), CAST(MAX(d) AS TEXT) FROM (SELECT d_date AS d FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk UNION ALL SELECT d_date FROM web_sales
JOIN date_dim ON ws_sold_date_sk = d_date_sk UNION ALL SELECT d_date FROM catalog_sales JOIN date_dim ON cs_sold_date_sk = d_date_sk) AS x

-- case: a constant groups no rows into nothing
-- from: any
SELECT 'x' AS k, SUM("Store Revenue") AS r FROM retail_demo.retail WHERE "Category" = 'none' GROUP BY 1
-- equals
SELECT i_category, SUM(ss_ext_sales_price) FROM store_sales JOIN item ON ss_item_sk = i_item_sk WHERE i_category = 'none' GROUP BY 1

-- case: distinct members over the rows of several facts
-- from: any
SELECT "Sold Year", COUNT(DISTINCT "Brand") AS brands FROM retail_demo.retail GROUP BY 1
-- equals
SELECT y, COUNT(DISTINCT b) FROM (SELECT d_year AS y, i_brand AS b FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk JOIN item ON ss_item_sk = i_item_sk
UNION ALL SELECT d_year, i_brand FROM web_sales JOIN date_dim ON ws_sold_date_sk = d_date_sk JOIN item ON ws_item_sk = i_item_sk
UNION ALL SELECT d_year, i_brand FROM catalog_sales JOIN date_dim ON cs_sold_date_sk = d_date_sk JOIN item ON cs_item_sk = i_item_sk) AS x GROUP BY y

-- case: rows with a member, rows under a condition, and a number for each row
-- from: any
SELECT "Sold Year", SUM("Store Quantity") AS q, COUNT("Category") AS named, SUM(CASE WHEN "Category" IS NULL THEN 0 ELSE 1 END) AS same, SUM(5) AS fives
FROM retail_demo.retail GROUP BY 1
-- equals
SELECT d_year, SUM(ss_quantity), COUNT(i_category), COUNT(i_category), 5 * COUNT(*) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
LEFT JOIN item ON ss_item_sk = i_item_sk GROUP BY d_year

-- case: metrics multiplied, negated and switched inside a sum
-- from: store_year_category
SELECT "Sold Year", SUM("Store Revenue" * 2) AS twice, SUM(CASE WHEN "Category" = 'Books' THEN "Store Revenue" ELSE -"Store Revenue" END) AS less,
SUM("Store Revenue" * CASE WHEN "Category" = 'Music' THEN 1 ELSE 0 END) AS music FROM retail_demo.retail WHERE "Category" IS NOT NULL GROUP BY 1
-- equals
SELECT d_year, 2 * SUM(ss_ext_sales_price), SUM(CASE WHEN i_category = 'Books' THEN ss_ext_sales_price ELSE -ss_ext_sales_price END),
SUM(CASE WHEN i_category = 'Music' THEN ss_ext_sales_price ELSE 0 END) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk WHERE i_category IS NOT NULL GROUP BY d_year

-- case: members while nothing is there, and constants of rows that are
-- from: any
SELECT "Category", "Store Revenue" FROM retail_demo.retail WHERE NOT EXISTS (SELECT 1 FROM retail_demo.retail WHERE "Sold Year" = 1066)
AND EXISTS (SELECT 1 FROM retail_demo.retail WHERE "Category" = 'Books' AND "Sold Year" = 2000) AND "Category" <> ALL (ARRAY['Shoes'])
-- equals
SELECT i_category, SUM(ss_ext_sales_price) FROM store_sales JOIN item ON ss_item_sk = i_item_sk WHERE i_category <> 'Shoes' GROUP BY i_category
