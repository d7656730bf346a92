-- aggregate: Q15
-- fact: catalog_sales
-- grain: Sold Customer State = state_country, state
-- grain: Sold Customer Zip Code = zip
-- grain: Sold Calendar Year = year
-- grain: Catalog Sales Price Tier = price_tier
-- grain: Catalog Sales Price Value = price
-- grain: Sold Quarter of Year = quarter
-- matched: Sold Customer State = address_matched
-- matched: Sold Calendar Year = date_matched
-- measure: sum(cs_sales_price) = sum_sales_price
-- measure: count_rows = row_count
SELECT
    a.ca_country AS state_country,
    a.ca_state AS state,
    a.ca_zip AS zip,
    d.d_year AS year,
    CASE
        WHEN s.cs_sales_price > 500 THEN 'More than 500'
        WHEN s.cs_sales_price >= 0 THEN '500 or Less'
    END AS price_tier,
    s.cs_sales_price AS price,
    EXTRACT(QUARTER FROM d.d_date) AS quarter,
    CASE WHEN a.ca_address_sk IS NULL THEN 0 ELSE 1 END AS address_matched,
    CASE WHEN d.d_date_sk IS NULL THEN 0 ELSE 1 END AS date_matched,
    SUM(s.cs_sales_price) AS sum_sales_price,
    COUNT(*) AS row_count
FROM catalog_sales AS s
LEFT JOIN customer_address AS a ON a.ca_address_sk = s.cs_bill_addr_sk
LEFT JOIN date_dim AS d ON d.d_date_sk = s.cs_sold_date_sk
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
