-- aggregate: Q42
-- fact: store_sales
-- grain: Sold Month of Year = month
-- grain: Product Category = category
-- grain: Product Category ID = category_id
-- grain: Product Manager ID = manager
-- grain: Sold Calendar Year in the Week Hierarchy = year
-- matched: Sold Month of Year = date_matched
-- matched: Product Category = item_matched
-- measure: sum(ss_ext_sales_price) = sum_ext_sales_price
-- measure: count_rows = row_count
SELECT
    d.d_moy AS month,
    i.i_category AS category,
    i.i_category_id AS category_id,
    i.i_manager_id AS manager,
    d.d_year AS year,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    CASE WHEN i.i_item_sk IS NULL THEN 0 ELSE 1 END AS item_matched,
    SUM(s.ss_ext_sales_price) AS sum_ext_sales_price,
    COUNT(*) AS row_count
FROM store_sales AS s
LEFT JOIN date_dim AS d ON d.d_date_sk = s.ss_sold_date_sk
LEFT JOIN item AS i ON i.i_item_sk = s.ss_item_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7
