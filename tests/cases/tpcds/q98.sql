-- aggregate: Q98
-- fact: store_sales
-- grain: Product Dimension = item_key, item_description
-- grain: Sold Calendar Date = date_key, date
-- grain: Sold Hour = hour
-- matched: Product Dimension = item_matched
-- matched: Sold Calendar Date = date_matched
-- matched: Sold Hour = time_matched
-- measure: sum(ss_ext_sales_price) = sum_ext_sales_price
-- measure: count_rows = row_count
SELECT
    i.i_item_sk AS item_key,
    i.i_item_desc AS item_description,
    d.d_date_sk AS date_key,
    d.d_date AS date,
    t.t_hour AS hour,
    CASE WHEN i.i_item_sk IS NULL THEN 0 ELSE 1 END AS item_matched,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    CASE WHEN t.t_time_sk IS NULL THEN 0 ELSE 1 END AS time_matched,
    SUM(s.ss_ext_sales_price) AS sum_ext_sales_price,
    COUNT(*) AS row_count
FROM store_sales AS s
LEFT JOIN item AS i ON i.i_item_sk = s.ss_item_sk
LEFT JOIN date_dim AS d ON d.d_date_sk = s.ss_sold_date_sk
LEFT JOIN time_dim AS t ON t.t_time_sk = s.ss_sold_time_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
