-- aggregate: Q96
-- fact: store_sales
-- grain: Household Dependents Count = dependents
-- grain: Sold Minute = minute
-- grain: Sold Hour = hour
-- grain: Store Name = store_name
-- matched: Household Dependents Count = household_matched
-- matched: Sold Minute = time_matched
-- matched: Store Name = store_matched
-- measure: sum(ss row counter) = sum_counter
-- measure: count_rows = row_count
SELECT
    h.hd_dep_count AS dependents,
    t.t_minute AS minute,
    t.t_hour AS hour,
    st.s_store_name AS store_name,
    CASE WHEN h.hd_demo_sk IS NULL THEN 0 ELSE 1 END AS household_matched,
    CASE WHEN t.t_time_sk IS NULL THEN 0 ELSE 1 END AS time_matched,
    CASE WHEN st.s_store_sk IS NULL THEN 0 ELSE 1 END AS store_matched,
    SUM(1) AS sum_counter,
    COUNT(*) AS row_count
FROM store_sales AS s
LEFT JOIN household_demographics AS h ON h.hd_demo_sk = s.ss_hdemo_sk
LEFT JOIN time_dim AS t ON t.t_time_sk = s.ss_sold_time_sk
LEFT JOIN store AS st ON st.s_store_sk = s.ss_store_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7
