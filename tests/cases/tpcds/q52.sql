-- aggregate: Q52
-- fact: store_sales
-- grain: Product Brand Name = brand_name_key, brand_name
-- grain: Sold Month of Year = month
-- grain: Product Brand ID = brand_id
-- grain: Product Manager ID = manager
-- grain: Sold Calendar Year in the Week Hierarchy = year
-- matched: Product Brand Name = item_matched
-- matched: Sold Month of Year = date_matched
-- measure: sum(ss_ext_sales_price) = sum_ext_sales_price
-- measure: count_rows = row_count
SELECT
    i.i_brand_id AS brand_name_key,
    i.i_brand AS brand_name,
    d.d_moy AS month,
    i.i_brand_id AS brand_id,
    i.i_manager_id AS manager,
    d.d_year AS year,
    CASE WHEN i.i_item_sk IS NULL THEN 0 ELSE 1 END AS item_matched,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    SUM(s.ss_ext_sales_price) AS sum_ext_sales_price,
    COUNT(*) AS row_count
FROM store_sales AS s
LEFT JOIN item AS i ON i.i_item_sk = s.ss_item_sk
LEFT JOIN date_dim AS d ON d.d_date_sk = s.ss_sold_date_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
