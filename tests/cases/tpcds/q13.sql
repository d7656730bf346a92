-- aggregate: Q13
-- fact: store_sales
-- grain: Household Dependents Count = dependents
-- grain: Marital Status = marital_status
-- grain: Sold Customer State = state_country, state
-- grain: Sales Price Tier = price_tier
-- grain: Education Status = education_status
-- grain: Sold Customer Country = country
-- grain: Sold Calendar Year in the Week Hierarchy = year
-- grain: Net Profit Tier = profit_tier
-- grain: Net Profit = net_profit
-- grain: Sales Price = sales_price
-- matched: Household Dependents Count = household_matched
-- matched: Marital Status = buyer_matched
-- matched: Sold Customer State = address_matched
-- matched: Sold Calendar Year in the Week Hierarchy = date_matched
-- measure: sum(ss_ext_wholesale_cost) = sum_ext_wholesale_cost
-- measure: count(ss_ext_wholesale_cost) = count_ext_wholesale_cost
-- measure: sum(ss_quantity) = sum_quantity
-- measure: count(ss_quantity) = count_quantity
-- measure: sum(ss_ext_sales_price) = sum_ext_sales_price
-- measure: count(ss_ext_sales_price) = count_ext_sales_price
-- measure: count_rows = row_count
SELECT
    h.hd_dep_count AS dependents,
    c.cd_marital_status AS marital_status,
    a.ca_country AS state_country,
    a.ca_state AS state,
    CASE
        WHEN s.ss_sales_price > 200 THEN '200 and More'
        WHEN s.ss_sales_price >= 150 THEN '150-200'
        WHEN s.ss_sales_price >= 100 THEN '100-150'
        WHEN s.ss_sales_price >= 50 THEN ' 50-100'
        WHEN s.ss_sales_price < 50 THEN ' 50 and Less'
    END AS price_tier,
    c.cd_education_status AS education_status,
    a.ca_country AS country,
    d.d_year AS year,
    CASE
        WHEN s.ss_net_profit > 25000 THEN 'More than 25000'
        WHEN s.ss_net_profit >= 3000 THEN '3000-25000'
        WHEN s.ss_net_profit >= 2000 THEN '2000-3000'
        WHEN s.ss_net_profit >= 300 THEN '300-2000'
        WHEN s.ss_net_profit >= 250 THEN '250-300'
        WHEN s.ss_net_profit >= 200 THEN '200-250'
        WHEN s.ss_net_profit >= 150 THEN '150-200'
        WHEN s.ss_net_profit >= 100 THEN '100-150'
        WHEN s.ss_net_profit >= 50 THEN ' 50-100'
        WHEN s.ss_net_profit >= 0 THEN '  0- 50'
        WHEN s.ss_net_profit < 0 THEN ' 50 or Less'
    END AS profit_tier,
    s.ss_net_profit AS net_profit,
    s.ss_sales_price AS sales_price,
    CASE WHEN h.hd_demo_sk IS NULL THEN 0 ELSE 1 END AS household_matched,
    CASE WHEN c.cd_demo_sk IS NULL THEN 0 ELSE 1 END AS buyer_matched,
    CASE WHEN a.ca_address_sk IS NULL THEN 0 ELSE 1 END AS address_matched,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    SUM(s.ss_ext_wholesale_cost) AS sum_ext_wholesale_cost,
    COUNT(s.ss_ext_wholesale_cost) AS count_ext_wholesale_cost,
    SUM(s.ss_quantity) AS sum_quantity,
    COUNT(s.ss_quantity) AS count_quantity,
    SUM(s.ss_ext_sales_price) AS sum_ext_sales_price,
    COUNT(s.ss_ext_sales_price) AS count_ext_sales_price,
    COUNT(*) AS row_count
FROM store_sales AS s
LEFT JOIN household_demographics AS h ON h.hd_demo_sk = s.ss_hdemo_sk
LEFT JOIN customer_demographics AS c ON c.cd_demo_sk = s.ss_cdemo_sk
LEFT JOIN customer_address AS a ON a.ca_address_sk = s.ss_addr_sk
LEFT JOIN date_dim AS d ON d.d_date_sk = s.ss_sold_date_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
