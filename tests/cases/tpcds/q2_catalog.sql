-- aggregate: Q2
-- fact: catalog_sales
-- grain: Sold Calendar Week = week
-- grain: Sold Day of Week = day_of_week
-- grain: Sold Week Sequence = week_sequence
-- grain: Sold Calendar Year in the Week Hierarchy = year
-- matched: Sold Calendar Week = date_matched
-- measure: sum(cs_ext_sales_price) = sum_ext_sales_price
-- measure: count_rows = row_count
SELECT
    d.d_week_seq AS week,
    d.d_dow AS day_of_week,
    d.d_week_seq AS week_sequence,
    d.d_year AS year,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    SUM(s.cs_ext_sales_price) AS sum_ext_sales_price,
    COUNT(*) AS row_count
FROM catalog_sales AS s
LEFT JOIN date_dim AS d ON d.d_date_sk = s.cs_sold_date_sk
GROUP BY 1, 2, 3, 4, 5
