-- case: sample: the two names of one year
-- from: Q42
SELECT "Sold Calendar Year in the Week Hierarchy", "Product Category", "Store Ext Sales Price" FROM tpcds.tpcds_benchmark_model
WHERE "Sold Month of Year" = 11 AND "Product Manager ID" = 1
-- equals
SELECT d_year, i_category, SUM(ss_ext_sales_price) FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk
JOIN item ON ss_item_sk = i_item_sk WHERE d_moy = 11 AND i_manager_id = 1 GROUP BY d_year, i_category

-- case: sample: a brand name with several keys, and a key with several names
-- from: Q52
SELECT "Product Brand Name", "Store Ext Sales Price" FROM tpcds.tpcds_benchmark_model WHERE "Product Manager ID" < 30
-- equals
SELECT i_brand, SUM(ss_ext_sales_price) FROM store_sales JOIN item ON ss_item_sk = i_item_sk WHERE i_manager_id < 30 GROUP BY i_brand

-- case: sample: four averages from one aggregate
-- from: Q7-Q26-Store
SELECT "Product Item ID", "Average Store Sales Quantity", "Average Store Sales List Price", "Average Store Sales Coupon Amount", "Average Store Sales Sales Price"
FROM tpcds.tpcds_benchmark_model
WHERE "Gender" = 'M' AND "Marital Status" = 'S' AND "Education Status" = 'College' AND ("Channel Email" = 'N' OR "Channel Event" = 'N')
AND "Sold Calendar Year" = 2000
-- equals
SELECT i_item_id, AVG(ss_quantity), AVG(ss_list_price), AVG(ss_coupon_amt), AVG(ss_sales_price) FROM store_sales
JOIN customer_demographics ON ss_cdemo_sk = cd_demo_sk JOIN date_dim ON ss_sold_date_sk = d_date_sk JOIN item ON ss_item_sk = i_item_sk
JOIN promotion ON ss_promo_sk = p_promo_sk WHERE cd_gender = 'M' AND cd_marital_status = 'S' AND cd_education_status = 'College'
AND (p_channel_email = 'N' OR p_channel_event = 'N') AND d_year = 2000 GROUP BY i_item_id

-- case: sample: average of everything, not of averages
-- from: Q7-Q26-Store
SELECT "Gender", "Average Store Sales Quantity" FROM tpcds.tpcds_benchmark_model
-- equals
SELECT cd_gender, AVG(ss_quantity) FROM store_sales JOIN customer_demographics ON ss_cdemo_sk = cd_demo_sk GROUP BY cd_gender

-- case: sample: calculated columns as attributes
-- from: Q48
SELECT "Sales Price Tier", "Net Profit Tier", "Store Quantity Sold" FROM tpcds.tpcds_benchmark_model WHERE "Marital Status" = 'M' AND "Sold Customer Country" = 'United States'
-- equals
SELECT tier, profit, SUM(ss_quantity) FROM (SELECT *, CASE WHEN ss_sales_price IS NULL THEN NULL WHEN ss_sales_price > 200 THEN '200 and More'
WHEN ss_sales_price BETWEEN 150 AND 200 THEN '150-200' WHEN ss_sales_price BETWEEN 100 AND 150 THEN '100-150'
WHEN ss_sales_price BETWEEN 50 AND 100 THEN ' 50-100' ELSE ' 50 and Less' END AS tier,
CASE WHEN ss_net_profit IS NULL THEN NULL WHEN ss_net_profit > 25000 THEN 'More than 25000' WHEN ss_net_profit BETWEEN 3000 AND 25000 THEN '3000-25000'
WHEN ss_net_profit BETWEEN 2000 AND 3000 THEN '2000-3000' WHEN ss_net_profit BETWEEN 300 AND 2000 THEN '300-2000'
WHEN ss_net_profit BETWEEN 250 AND 300 THEN '250-300' WHEN ss_net_profit BETWEEN 200 AND 250 THEN '200-250'
WHEN ss_net_profit BETWEEN 150 AND 200 THEN '150-200' WHEN ss_net_profit BETWEEN 100 AND 150 THEN '100-150'
WHEN ss_net_profit BETWEEN 50 AND 100 THEN ' 50-100' WHEN ss_net_profit BETWEEN 0 AND 50 THEN '  0- 50' ELSE ' 50 or Less' END AS profit
FROM store_sales) AS s JOIN customer_demographics ON ss_cdemo_sk = cd_demo_sk JOIN customer_address ON ss_addr_sk = ca_address_sk
WHERE cd_marital_status = 'M' AND ca_country = 'United States' GROUP BY tier, profit

-- case: sample: rows counted through a constant column
-- from: Q96
SELECT "Store Sales Row Counter" FROM tpcds.tpcds_benchmark_model
WHERE "Sold Hour" = 20 AND "Sold Minute" >= 30 AND "Household Dependents Count" = 7 AND "Store Name" = 'ese'
-- equals
SELECT SUM(1) FROM store_sales JOIN time_dim ON ss_sold_time_sk = t_time_sk JOIN household_demographics ON ss_hdemo_sk = hd_demo_sk
JOIN store ON ss_store_sk = s_store_sk WHERE t_hour = 20 AND t_minute >= 30 AND hd_dep_count = 7 AND s_store_name = 'ese'

-- case: sample: bill address and ship address are two roles
-- from: any
SELECT "Ship Customer State", "Web Ext Sales Price" FROM tpcds.tpcds_benchmark_model WHERE "Sold Customer State" = 'TN'
-- equals
SELECT ship.ca_state, SUM(ws_ext_sales_price) FROM web_sales JOIN customer_address AS bill ON ws_bill_addr_sk = bill.ca_address_sk
JOIN customer_address AS ship ON ws_ship_addr_sk = ship.ca_address_sk WHERE bill.ca_state = 'TN' GROUP BY ship.ca_state

-- case: sample: a dimension behind the customer
-- from: facts
SELECT "Current Customer State", "Store Quantity Sold" FROM tpcds.tpcds_benchmark_model
-- equals
SELECT ca_state, SUM(ss_quantity) FROM store_sales JOIN customer ON ss_customer_sk = c_customer_sk
JOIN customer_address ON c_current_addr_sk = ca_address_sk GROUP BY ca_state

-- case: sample: unrelated and empty
-- from: facts
SELECT "Store Name", "Store Ext Sales Price", "Web Ext Sales Price" FROM tpcds.tpcds_benchmark_model WHERE "Sold Calendar Year" = 2001
-- equals
SELECT s_store_name, SUM(ss_ext_sales_price), NULL FROM store_sales JOIN store ON ss_store_sk = s_store_sk
JOIN date_dim ON ss_sold_date_sk = d_date_sk WHERE d_year = 2001 GROUP BY s_store_name

-- case: sample: unrelated and repeated
-- from: any
SELECT "Sold Calendar Year", "Ship Mode Type", "Web Quantity Sold", "Store Ext Sales Price" FROM tpcds.tpcds_benchmark_model
-- equals
SELECT w.d_year, w.sm_type, w.q, s.p FROM (SELECT d_year, sm_type, SUM(ws_quantity) AS q FROM web_sales
JOIN date_dim ON ws_sold_date_sk = d_date_sk JOIN ship_mode ON ws_ship_mode_sk = sm_ship_mode_sk GROUP BY d_year, sm_type) AS w
LEFT JOIN (SELECT d_year, SUM(ss_ext_sales_price) AS p FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk GROUP BY d_year) AS s
ON w.d_year = s.d_year

-- case: sample: a condition that is unrelated to a repeated metric
-- from: any
SELECT "Product Category", "Web Quantity Sold", "Store Ext Sales Price" FROM tpcds.tpcds_benchmark_model WHERE "Ship Mode Type" = 'EXPRESS'
-- equals
SELECT COALESCE(w.i_category, s.i_category), w.q, s.p FROM (SELECT i_category, SUM(ws_quantity) AS q FROM web_sales
JOIN item ON ws_item_sk = i_item_sk JOIN ship_mode ON ws_ship_mode_sk = sm_ship_mode_sk WHERE sm_type = 'EXPRESS' GROUP BY i_category) AS w
FULL JOIN (SELECT COALESCE(i_category, '-') AS k, i_category, SUM(ss_ext_sales_price) AS p FROM store_sales
JOIN item ON ss_item_sk = i_item_sk GROUP BY i_category) AS s ON COALESCE(w.i_category, '-') = k

-- case: sample: a sum of three facts by year
-- from: any
SELECT "Sold Calendar Year", "Total Ext Sales Price" FROM tpcds.tpcds_benchmark_model WHERE "Product Category" = 'Music'
-- equals
SELECT d_year, SUM(p) FROM (SELECT ss_sold_date_sk AS d, ss_item_sk AS i, ss_ext_sales_price AS p FROM store_sales
UNION ALL SELECT ws_sold_date_sk, ws_item_sk, ws_ext_sales_price FROM web_sales
UNION ALL SELECT cs_sold_date_sk, cs_item_sk, cs_ext_sales_price FROM catalog_sales) AS s
JOIN date_dim ON d = d_date_sk JOIN item ON i = i_item_sk WHERE i_category = 'Music' GROUP BY d_year

-- case: sample: a calculation on a calculation, wrapped
-- from: any
SELECT MAX(t.unit) FROM (SELECT "Sold Calendar Quarter" AS q, "Average Web Unit Net Profit" AS unit FROM tpcds.tpcds_benchmark_model) t
-- equals
SELECT MAX(u) FROM (SELECT date_trunc('quarter', d_date) AS q, CAST(SUM(ws_net_profit) AS DOUBLE PRECISION) / NULLIF(SUM(ws_quantity), 0) AS u
FROM web_sales JOIN date_dim ON ws_sold_date_sk = d_date_sk GROUP BY 1) AS t

-- case: sample: the finest grain, by a date
-- from: Q50
SELECT "Store Returns Count" FROM tpcds.tpcds_benchmark_model WHERE "Returns Time Tier" IN ('31-60 days', '61-90 days')
-- equals
SELECT SUM(1) FROM store_returns JOIN store_sales ON sr_ticket_number = ss_ticket_number AND sr_item_sk = ss_item_sk AND sr_customer_sk = ss_customer_sk
WHERE NOT ss_sold_date_sk IS NULL AND sr_returned_date_sk - ss_sold_date_sk > 30 AND sr_returned_date_sk - ss_sold_date_sk <= 90

-- case: sample: a tuple measures some members, the metric beside it all rows
-- from: Q50
SELECT "Store Number", "Store Returns 31 to 60 Days", "Store Returns Count" FROM tpcds.tpcds_benchmark_model
-- equals
SELECT ss_store_sk, COALESCE(SUM(CASE WHEN sr_returned_date_sk - ss_sold_date_sk > 30 AND sr_returned_date_sk - ss_sold_date_sk <= 60 THEN 1 END), 0), SUM(1)
FROM store_returns JOIN store_sales ON sr_ticket_number = ss_ticket_number AND sr_item_sk = ss_item_sk AND sr_customer_sk = ss_customer_sk
JOIN store ON ss_store_sk = s_store_sk WHERE NOT ss_sold_date_sk IS NULL GROUP BY ss_store_sk

-- case: sample: tuples of hours, without a group
-- from: Q88
SELECT "Store Sales 08:30 to 09:00", "Store Sales 12:00 to 12:30" FROM tpcds.tpcds_benchmark_model WHERE "Vehicle Count" <= 2
-- equals
SELECT COALESCE(SUM(CASE WHEN t_hour = 8 AND t_minute >= 30 THEN 1 END), 0), COALESCE(SUM(CASE WHEN t_hour = 12 AND t_minute < 30 THEN 1 END), 0)
FROM store_sales JOIN household_demographics ON ss_hdemo_sk = hd_demo_sk LEFT JOIN time_dim ON ss_sold_time_sk = t_time_sk WHERE hd_vehicle_count <= 2

-- case: sample: a share of what was promoted
-- from: any
SELECT "Product Category", "Store Mail Email or TV Promo Ratio" FROM tpcds.tpcds_benchmark_model
-- equals
SELECT i_category, CAST(SUM(CASE WHEN p_channel_dmail = 'Y' OR p_channel_email = 'Y' OR p_channel_tv = 'Y' THEN ss_ext_sales_price END) AS DOUBLE PRECISION)
/ NULLIF(SUM(ss_ext_sales_price), 0) * 100 FROM store_sales JOIN item ON ss_item_sk = i_item_sk LEFT JOIN promotion ON ss_promo_sk = p_promo_sk GROUP BY i_category

-- case: sample: one quarter over the one before
-- from: any
SELECT "Sold Customer County", "Store Sales Q2 over Q1 2001" FROM tpcds.tpcds_benchmark_model WHERE "Sold Customer State" = 'TN'
-- equals
SELECT ca_county, CAST(SUM(CASE WHEN d_year = 2001 AND d_qoy = 2 THEN ss_ext_sales_price END) AS DOUBLE PRECISION)
/ NULLIF(SUM(CASE WHEN d_year = 2001 AND d_qoy = 1 THEN ss_ext_sales_price END), 0) FROM store_sales
JOIN customer_address ON ss_addr_sk = ca_address_sk LEFT JOIN date_dim ON ss_sold_date_sk = d_date_sk WHERE ca_state = 'TN' GROUP BY ca_county

-- case: sample: sales beside those of the month before, which the filter leaves out
-- from: any
SELECT CAST(t.month AS VARCHAR), t.increase
FROM (SELECT "Sold Calendar Month" AS month, "Store Sales Increase" AS increase FROM tpcds.tpcds_benchmark_model WHERE "Sold Calendar Year" = 2000) AS t
-- equals
WITH m AS (SELECT date_trunc('month', d_date) AS month, SUM(ss_ext_sales_price) AS s FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk GROUP BY 1)
SELECT CAST(CAST(a.month AS DATE) AS VARCHAR), CAST(a.s AS DOUBLE PRECISION) / b.s FROM m AS a LEFT JOIN m AS b ON b.month = a.month - INTERVAL '1 month'
WHERE a.month >= DATE '2000-01-01' AND a.month < DATE '2001-01-01'

-- case: sample: weeks beside those of the year before; a week in two years belongs to the first
-- from: any
SELECT "Sold Calendar Week", "Catalog Purchased Amount Growth" FROM tpcds.tpcds_benchmark_model
-- equals
WITH w AS (SELECT d_week_seq, SUM((cs_ext_list_price - cs_ext_wholesale_cost - cs_ext_discount_amt + cs_ext_sales_price) / 2) AS s
FROM catalog_sales JOIN date_dim ON cs_sold_date_sk = d_date_sk GROUP BY 1),
y AS (SELECT d_week_seq, MIN(d_year) AS y FROM date_dim GROUP BY 1), p AS (SELECT d_week_seq, y, ROW_NUMBER() OVER (PARTITION BY y ORDER BY d_week_seq) AS n FROM y)
SELECT w.d_week_seq, CAST(w.s AS DOUBLE PRECISION) / b.s FROM w JOIN p ON p.d_week_seq = w.d_week_seq LEFT JOIN p AS o ON o.y = p.y - 1 AND o.n = p.n
LEFT JOIN w AS b ON b.d_week_seq = o.d_week_seq

-- case: sample: an average over the quarters that the filter leaves
-- from: any
SELECT "Product Manufacturer ID", "Sold Reporting Quarter Number", "Windowed Avg Quarterly Store Sales" FROM tpcds.tpcds_benchmark_model
WHERE "Sold Month Sequence" BETWEEN 1200 AND 1211
-- equals
SELECT i_manufact_id, d_qoy, CAST(AVG(SUM(ss_sales_price)) OVER (PARTITION BY i_manufact_id) AS DOUBLE PRECISION) FROM store_sales
JOIN date_dim ON ss_sold_date_sk = d_date_sk JOIN item ON ss_item_sk = i_item_sk WHERE d_month_seq BETWEEN 1200 AND 1211 GROUP BY 1, 2

-- case: sample: an item's share in its class
-- from: any
SELECT "Product Item ID", "Product Class Name", "Store Sales Share of Class" FROM tpcds.tpcds_benchmark_model WHERE "Sold Calendar Month" = '1999-02-01'
-- equals
SELECT i_item_id, i_class, CAST(SUM(ss_ext_sales_price) AS DOUBLE PRECISION) * 100 / NULLIF(SUM(SUM(ss_ext_sales_price)) OVER (PARTITION BY i_class), 0)
FROM store_sales JOIN date_dim ON ss_sold_date_sk = d_date_sk JOIN item ON ss_item_sk = i_item_sk
WHERE date_trunc('month', d_date) = DATE '1999-02-01' GROUP BY 1, 2
