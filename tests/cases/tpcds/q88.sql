-- The half hours from 08:30 to 12:30, every other time is "Other".
-- aggregate: Q88
-- fact: store_sales
-- grain: Household Dependents Count = dependents
-- grain: Sold Morning Time Tier = time_tier
-- grain: Vehicle Count = vehicles
-- grain: Store Name = store_name
-- matched: Vehicle Count = household_matched
-- matched: Sold Morning Time Tier = time_matched
-- matched: Store Name = store_matched
-- measure: sum(ss row counter) = sum_counter
-- measure: count_rows = row_count
SELECT
    h.hd_dep_count AS dependents,
    CASE WHEN t.t_time_sk IS NOT NULL THEN COALESCE(half_hour.label, 'Other') END AS time_tier,
    h.hd_vehicle_count AS vehicles,
    st.s_store_name AS store_name,
    CASE WHEN h.hd_demo_sk IS NULL THEN 0 ELSE 1 END AS household_matched,
    CASE WHEN t.t_time_sk IS NULL THEN 0 ELSE 1 END AS time_matched,
    CASE WHEN st.s_store_sk IS NULL THEN 0 ELSE 1 END AS store_matched,
    SUM(1) AS sum_counter,
    COUNT(*) AS row_count
FROM store_sales AS s
LEFT JOIN household_demographics AS h ON h.hd_demo_sk = s.ss_hdemo_sk
LEFT JOIN time_dim AS t ON t.t_time_sk = s.ss_sold_time_sk
LEFT JOIN (
    VALUES
        (510, '08:30 to 09:00'),
        (540, '09:00 to 09:30'),
        (570, '09:30 to 10:00'),
        (600, '10:00 to 10:30'),
        (630, '10:30 to 11:00'),
        (660, '11:00 to 11:30'),
        (690, '11:30 to 12:00'),
        (720, '12:00 to 12:30')
) AS half_hour (starts_at_minute, label)
    ON half_hour.starts_at_minute = t.t_hour * 60 + t.t_minute - MOD(t.t_minute, 30)
LEFT JOIN store AS st ON st.s_store_sk = s.ss_store_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7
