-- Store sales with a promotion by direct mail, email or TV.
-- aggregate: Q61-Promotion
-- fact: store_promotion
-- grain: Channel Direct Mail = direct_mail
-- grain: Channel Email = email
-- grain: Channel TV = tv
-- grain: Store GMT Offset = store_gmt_offset
-- grain: Sold Customer GMT Offset = customer_gmt_offset
-- grain: Sold Month of Year = month
-- grain: Sold Calendar Year in the Week Hierarchy = year
-- grain: Store Promoted Product Category = category
-- matched: Channel TV = promotion_matched
-- matched: Store GMT Offset = store_matched
-- matched: Sold Customer GMT Offset = address_matched
-- matched: Sold Month of Year = date_matched
-- matched: Store Promoted Product Category = item_matched
-- measure: sum(ss_ext_sales_price) = sum_ext_sales_price
-- measure: count_rows = row_count
SELECT
    p.p_channel_dmail AS direct_mail,
    p.p_channel_email AS email,
    p.p_channel_tv AS tv,
    st.s_gmt_offset AS store_gmt_offset,
    a.ca_gmt_offset AS customer_gmt_offset,
    d.d_moy AS month,
    d.d_year AS year,
    i.i_category AS category,
    1 AS promotion_matched,
    CASE WHEN st.s_store_sk IS NULL THEN 0 ELSE 1 END AS store_matched,
    CASE WHEN a.ca_address_sk IS NULL THEN 0 ELSE 1 END AS address_matched,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    CASE WHEN i.i_item_sk IS NULL THEN 0 ELSE 1 END AS item_matched,
    SUM(s.ss_ext_sales_price) AS sum_ext_sales_price,
    COUNT(*) AS row_count
FROM store_sales AS s
INNER JOIN promotion AS p
    ON p.p_promo_sk = s.ss_promo_sk AND 'Y' IN (p.p_channel_dmail, p.p_channel_email, p.p_channel_tv)
LEFT JOIN store AS st ON st.s_store_sk = s.ss_store_sk
LEFT JOIN customer_address AS a ON a.ca_address_sk = s.ss_addr_sk
LEFT JOIN date_dim AS d ON d.d_date_sk = s.ss_sold_date_sk
LEFT JOIN item AS i ON i.i_item_sk = s.ss_item_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
