-- aggregate: Q31-Store
-- fact: store_sales
-- grain: Sold Calendar Quarter = quarter
-- grain: Sold Customer County = county
-- grain: Sold Calendar Year in the Week Hierarchy = year
-- matched: Sold Calendar Quarter = date_matched
-- matched: Sold Customer County = address_matched
-- measure: sum(ss_ext_sales_price) = sum_ext_sales_price
-- measure: count_rows = row_count
SELECT
    CAST(DATE_TRUNC('quarter', d.d_date) AS DATE) AS quarter,
    a.ca_county AS county,
    d.d_year AS year,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    CASE WHEN a.ca_address_sk IS NULL THEN 0 ELSE 1 END AS address_matched,
    SUM(s.ss_ext_sales_price) AS sum_ext_sales_price,
    COUNT(*) AS row_count
FROM store_sales AS s
LEFT JOIN date_dim AS d ON d.d_date_sk = s.ss_sold_date_sk
LEFT JOIN customer_address AS a ON a.ca_address_sk = s.ss_addr_sk
GROUP BY 1, 2, 3, 4, 5
