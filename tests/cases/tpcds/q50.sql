-- Returns beside the sale they belong to; sales without a date are left out. A return without a date took "> 120 days".
-- aggregate: Q50
-- fact: store_returns
-- grain: Returns Time Tier = time_tier
-- grain: Store Number = store
-- grain: Return Calendar Date = return_date_key, return_date
-- matched: Store Number = store_matched
-- matched: Return Calendar Date = date_matched
-- measure: sum(returns_count) = sum_returns
-- measure: count_rows = row_count
SELECT
    CASE
        WHEN r.sr_returned_date_sk <= s.ss_sold_date_sk + 30 THEN '<= 30 days'
        WHEN r.sr_returned_date_sk <= s.ss_sold_date_sk + 60 THEN '31-60 days'
        WHEN r.sr_returned_date_sk <= s.ss_sold_date_sk + 90 THEN '61-90 days'
        WHEN r.sr_returned_date_sk <= s.ss_sold_date_sk + 120 THEN '91-120 days'
        ELSE '> 120 days'
    END AS time_tier,
    st.s_store_sk AS store,
    d.d_date_sk AS return_date_key,
    d.d_date AS return_date,
    CASE WHEN st.s_store_sk IS NULL THEN 0 ELSE 1 END AS store_matched,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    SUM(1) AS sum_returns,
    COUNT(*) AS row_count
FROM store_returns AS r
INNER JOIN store_sales AS s
    ON s.ss_ticket_number = r.sr_ticket_number
    AND s.ss_item_sk = r.sr_item_sk
    AND s.ss_customer_sk = r.sr_customer_sk
    AND s.ss_sold_date_sk IS NOT NULL
LEFT JOIN store AS st ON st.s_store_sk = s.ss_store_sk
LEFT JOIN date_dim AS d ON d.d_date_sk = r.sr_returned_date_sk
GROUP BY 1, 2, 3, 4, 5, 6
