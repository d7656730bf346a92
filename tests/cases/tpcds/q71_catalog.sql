-- aggregate: Q71-Catalog
-- fact: catalog_sales
-- grain: Product Brand ID = brand_id
-- grain: Product Brand Name = brand_name_key, brand_name
-- grain: Product Manager ID = manager
-- grain: Sold Calendar Year = year
-- grain: Sold Month of Year = month
-- grain: Sold Hour = hour
-- grain: Sold Minute = minute
-- grain: Sold Meal Time = meal_time
-- matched: Product Brand ID = item_matched
-- matched: Sold Calendar Year = date_matched
-- matched: Sold Hour = time_matched
-- measure: sum(cs_ext_sales_price) = sum_ext_sales_price
-- measure: count_rows = row_count
SELECT
    i.i_brand_id AS brand_id,
    i.i_brand_id AS brand_name_key,
    i.i_brand AS brand_name,
    i.i_manager_id AS manager,
    d.d_year AS year,
    d.d_moy AS month,
    t.t_hour AS hour,
    t.t_minute AS minute,
    t.t_meal_time AS meal_time,
    CASE WHEN i.i_item_sk IS NULL THEN 0 ELSE 1 END AS item_matched,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    CASE WHEN t.t_time_sk IS NULL THEN 0 ELSE 1 END AS time_matched,
    SUM(s.cs_ext_sales_price) AS sum_ext_sales_price,
    COUNT(*) AS row_count
FROM catalog_sales AS s
LEFT JOIN item AS i ON i.i_item_sk = s.cs_item_sk
LEFT JOIN date_dim AS d ON d.d_date_sk = s.cs_sold_date_sk
LEFT JOIN time_dim AS t ON t.t_time_sk = s.cs_sold_time_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
