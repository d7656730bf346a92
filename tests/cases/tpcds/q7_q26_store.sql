-- aggregate: Q7-Q26-Store
-- fact: store_sales
-- grain: Marital Status = marital_status
-- grain: Sold Calendar Year = year
-- grain: Product Item ID = item_id
-- grain: Education Status = education_status
-- grain: Channel Event = channel_event
-- grain: Gender = gender
-- grain: Channel Email = channel_email
-- matched: Gender = buyer_matched
-- matched: Sold Calendar Year = date_matched
-- matched: Product Item ID = item_matched
-- matched: Channel Event = promotion_matched
-- measure: sum(ss_coupon_amt) = sum_coupon_amt
-- measure: count(ss_coupon_amt) = count_coupon_amt
-- measure: sum(ss_quantity) = sum_quantity
-- measure: count(ss_quantity) = count_quantity
-- measure: sum(ss_list_price) = sum_list_price
-- measure: count(ss_list_price) = count_list_price
-- measure: sum(ss_sales_price) = sum_sales_price
-- measure: count(ss_sales_price) = count_sales_price
-- measure: count_rows = row_count
SELECT
    c.cd_marital_status AS marital_status,
    d.d_year AS year,
    i.i_item_id AS item_id,
    c.cd_education_status AS education_status,
    p.p_channel_event AS channel_event,
    c.cd_gender AS gender,
    p.p_channel_email AS channel_email,
    CASE WHEN c.cd_demo_sk IS NULL THEN 0 ELSE 1 END AS buyer_matched,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    CASE WHEN i.i_item_sk IS NULL THEN 0 ELSE 1 END AS item_matched,
    CASE WHEN p.p_promo_sk IS NULL THEN 0 ELSE 1 END AS promotion_matched,
    SUM(s.ss_coupon_amt) AS sum_coupon_amt,
    COUNT(s.ss_coupon_amt) AS count_coupon_amt,
    SUM(s.ss_quantity) AS sum_quantity,
    COUNT(s.ss_quantity) AS count_quantity,
    SUM(s.ss_list_price) AS sum_list_price,
    COUNT(s.ss_list_price) AS count_list_price,
    SUM(s.ss_sales_price) AS sum_sales_price,
    COUNT(s.ss_sales_price) AS count_sales_price,
    COUNT(*) AS row_count
FROM store_sales AS s
LEFT JOIN customer_demographics AS c ON c.cd_demo_sk = s.ss_cdemo_sk
LEFT JOIN date_dim AS d ON d.d_date_sk = s.ss_sold_date_sk
LEFT JOIN item AS i ON i.i_item_sk = s.ss_item_sk
LEFT JOIN promotion AS p ON p.p_promo_sk = s.ss_promo_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
