-- case: tpch: orders are not multiplied by their items
-- from: any
SELECT "Order Year", "m_order_revenue", "m_o_orderkey_count" FROM model
-- equals
SELECT year_name, SUM(o_totalprice), COUNT(o_orderkey) FROM orders JOIN datecustom ON CAST(pk_date AS DATE) = o_orderdate GROUP BY year_name

-- case: tpch: the total has the orders without a date
-- from: any
SELECT "m_order_revenue", COUNT(*) FROM model
-- equals
SELECT SUM(o_totalprice), COUNT(*) FROM orders

-- case: tpch: two hops to the order's date
-- from: items by status and year
SELECT "Order Year", "m_Revenue_sum" FROM model WHERE "d_o_orderstatus" = 'F'
-- equals
SELECT year_name, SUM(l_extendedprice - l_extendedprice * l_discount) FROM lineitem JOIN orders ON l_orderkey = o_orderkey
JOIN datecustom ON CAST(pk_date AS DATE) = o_orderdate WHERE o_orderstatus = 'F' GROUP BY year_name

-- case: tpch: two facts, one of them the dimension itself
-- from: both by priority (lineitem), both by priority (orders)
SELECT "d_o_orderpriority", "m_l_tax_sum", "m_order_revenue" FROM model
-- equals
SELECT o_orderpriority, MAX(t), SUM(o_totalprice) FROM orders JOIN (SELECT o_orderpriority AS p, SUM(l_tax) AS t FROM lineitem
JOIN orders ON l_orderkey = o_orderkey GROUP BY o_orderpriority) AS items ON p = o_orderpriority GROUP BY o_orderpriority

-- case: tpch: a snowflake behind an embedded dimension
-- from: orders by country
SELECT "Customer Region", "m_order_revenue" FROM model WHERE "Customer Country" <> 'FRANCE'
-- equals
SELECT r_regionkey, SUM(o_totalprice) FROM orders JOIN customer ON o_custkey = c_custkey JOIN nation ON c_nationkey = n_nationkey
JOIN region ON n_regionkey = r_regionkey WHERE n_name <> 'FRANCE' GROUP BY r_regionkey

-- case: tpch: a fact that is its own dimension
-- from: customers by region
SELECT "Customer Region", "m_c_custkey_count" FROM model
-- equals
SELECT r_regionkey, COUNT(c_custkey) FROM customer JOIN nation ON c_nationkey = n_nationkey JOIN region ON n_regionkey = r_regionkey GROUP BY r_regionkey
