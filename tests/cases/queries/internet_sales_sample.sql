-- case: internet sales: a sale counts once for each name of its reasons, of which two may have one
-- from: facts
SELECT "Sales Reason", "Sales Amount", "Order Quantity", "Average Sales Amount" FROM model
-- equals
SELECT salesreasonname, SUM(salesamount), SUM(orderquantity), AVG(salesamount) FROM factinternetsales AS f
JOIN (SELECT DISTINCT b.salesordernumber, b.salesorderlinenumber, r.salesreasonname FROM factinternetsalesreason AS b
JOIN dimsalesreason AS r ON b.salesreasonkey = r.salesreasonkey) AS m
ON f.salesordernumber = m.salesordernumber AND f.salesorderlinenumber = m.salesorderlinenumber GROUP BY salesreasonname

-- case: internet sales: reasons of one type count once
-- from: by reason type
SELECT "Reason Type", "Sales Amount" FROM model
-- equals
SELECT salesreasonreasontype, SUM(salesamount) FROM factinternetsales AS f
JOIN (SELECT DISTINCT b.salesordernumber, b.salesorderlinenumber, r.salesreasonreasontype FROM factinternetsalesreason AS b
JOIN dimsalesreason AS r ON b.salesreasonkey = r.salesreasonkey) AS m
ON f.salesordernumber = m.salesordernumber AND f.salesorderlinenumber = m.salesorderlinenumber GROUP BY salesreasonreasontype

-- case: internet sales: an aggregate by reason is no source for a total
-- from: any
SELECT "Sales Amount", COUNT(*) FROM model
-- equals
SELECT SUM(salesamount), COUNT(*) FROM factinternetsales

-- case: internet sales: a snowflake with holes
-- from: by state
SELECT "State", "Maximum Tax Amount", "Sales Amount Standard Deviation" FROM model
-- equals
SELECT s.state, MAX(taxamt), STDDEV_SAMP(salesamount) FROM factinternetsales AS f JOIN dimcustomer AS c ON f.customerkey = c.customerkey
JOIN dim_geo_city AS g ON c.geographykey = g.geographykey JOIN dim_geo_state AS s ON g.statekey = s.statekey GROUP BY s.state

-- case: internet sales: a country needs no more than the country
-- from: by country
SELECT "Country", "Sales Amount Standard Deviation" FROM model WHERE "Country" IN ('DE', 'FR')
-- equals
SELECT k.country, STDDEV_SAMP(salesamount) FROM factinternetsales AS f JOIN dimcustomer AS c ON f.customerkey = c.customerkey
JOIN dim_geo_city AS g ON c.geographykey = g.geographykey JOIN dim_geo_state AS s ON g.statekey = s.statekey
JOIN dim_geo_country AS k ON s.country = k.country WHERE k.country IN ('DE', 'FR') GROUP BY k.country

-- case: internet sales: exact distinct counts at their own grain
-- from: customers by line
SELECT "Product Line", "Customer Count" FROM model
-- equals
SELECT productline, COUNT(DISTINCT customerkey) FROM factinternetsales AS f JOIN dimproduct AS p ON f.productkey = p.productkey GROUP BY productline

-- case: internet sales: exact distinct counts of everything
-- from: facts
SELECT "Customer Count" FROM model
-- equals
SELECT COUNT(DISTINCT customerkey) FROM factinternetsales

-- case: internet sales: compound keys
-- from: by order
SELECT "Currency", "Maximum Tax Amount" FROM model WHERE "Order Type" = 'web'
-- equals
SELECT currency_name, MAX(taxamt) FROM factinternetsales AS f JOIN dimorder AS o ON f.salesordernumber = o.salesordernumber
AND f.salesorderlinenumber = o.salesorderlinenumber AND f.currencykey = o.currencykey WHERE o.type = 'web' GROUP BY currency_name
