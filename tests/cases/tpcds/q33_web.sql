-- aggregate: Q33-Web
-- fact: web_sales
-- grain: Sold Customer GMT Offset = gmt_offset
-- grain: Sold Month of Year = month
-- grain: Product Category = category
-- grain: Product Manufacturer ID = manufacturer
-- grain: Sold Calendar Year in the Week Hierarchy = year
-- matched: Sold Customer GMT Offset = address_matched
-- matched: Sold Month of Year = date_matched
-- matched: Product Category = item_matched
-- measure: sum(ws_ext_sales_price) = sum_ext_sales_price
-- measure: count_rows = row_count
SELECT
    a.ca_gmt_offset AS gmt_offset,
    d.d_moy AS month,
    i.i_category AS category,
    i.i_manufact_id AS manufacturer,
    d.d_year AS year,
    CASE WHEN a.ca_address_sk IS NULL THEN 0 ELSE 1 END AS address_matched,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    CASE WHEN i.i_item_sk IS NULL THEN 0 ELSE 1 END AS item_matched,
    SUM(s.ws_ext_sales_price) AS sum_ext_sales_price,
    COUNT(*) AS row_count
FROM web_sales AS s
LEFT JOIN customer_address AS a ON a.ca_address_sk = s.ws_bill_addr_sk
LEFT JOIN date_dim AS d ON d.d_date_sk = s.ws_sold_date_sk
LEFT JOIN item AS i ON i.i_item_sk = s.ws_item_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
