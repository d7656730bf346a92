-- case: adventure works: one date in three roles
-- from: facts
SELECT "Year Name", "Ship Month Name", "Reseller Sales Amount Local" FROM AdventureWorks2012 WHERE "Due Quarter Name" IN ('Q1 2007', 'Q3 2007', 'Q1 2008')
-- equals
SELECT o.year_name, s.month_name, SUM(f.salesamount) FROM factresellersales AS f JOIN datecustom AS o ON f.orderdatekey = o.datekey
JOIN datecustom AS s ON f.shipdatekey = s.datekey JOIN datecustom AS d ON f.duedatekey = d.datekey
WHERE d.quarter_name IN ('Q1 2007', 'Q3 2007', 'Q1 2008') GROUP BY o.year_name, s.month_name

-- case: adventure works: a product's own snowflake, filtered by a calculated name
-- from: facts
SELECT "Category", "Subcategory", "Internet Sales Amount Local", "Order Quantity Long" FROM AdventureWorks2012 WHERE "Product Line" <> 'Road'
-- equals
SELECT c.englishproductcategoryname, s.englishproductsubcategoryname, SUM(CAST(f.salesamount AS DECIMAL(14, 2))), SUM(f.orderquantity)
FROM factinternetsales AS f JOIN dimproduct AS p ON f.productkey = p.productkey
JOIN dimproductsubcategory AS s ON p.productsubcategorykey = s.productsubcategorykey
JOIN dimproductcategory AS c ON s.productcategorykey = c.productcategorykey
WHERE COALESCE(TRIM(p.productline), '') <> 'R' GROUP BY c.englishproductcategoryname, s.englishproductsubcategoryname

-- case: adventure works: three facts meet on days that only some of them have
-- from: facts, facts, facts
SELECT "Date", "Half Year Of Year", "Internet Sales Amount Local", "Reseller Sales Amount Local", "Balance" FROM AdventureWorks2012
WHERE "Month" LIKE 'J%'
-- equals
SELECT datekey, half_year_of_year_name, SUM(internet), SUM(reseller), SUM(balance) FROM (
SELECT orderdatekey AS day, CAST(salesamount AS DECIMAL(14, 2)) AS internet, CAST(NULL AS DECIMAL(14, 2)) AS reseller,
CAST(NULL AS DOUBLE PRECISION) AS balance FROM factinternetsales
UNION ALL SELECT orderdatekey, NULL, salesamount, NULL FROM factresellersales
UNION ALL SELECT datekey, NULL, NULL, amount FROM factfinance) AS f
JOIN datecustom AS d ON f.day = d.datekey WHERE month_name LIKE 'J%' GROUP BY datekey, half_year_of_year_name

-- case: adventure works: what is not related repeats or stays empty
-- from: any
SELECT "Account Type", "Balance", "Internet Sales Amount Local", "Reseller Order Count", "Internet Order Count", "Reseller Sales Amount Local"
FROM AdventureWorks2012
-- equals
SELECT accounttype, SUM(amount), (SELECT SUM(CAST(salesamount AS DECIMAL(14, 2))) FROM factinternetsales),
(SELECT COUNT(DISTINCT salesordernumber) FROM factresellersales), NULL, NULL
FROM factfinance JOIN dimaccount ON factfinance.accountkey = dimaccount.accountkey GROUP BY accounttype

-- case: adventure works: calculated names, and groups kept by a distinct count
-- from: facts
SELECT "Customer Full Name", "Gender", "Internet Order Count" FROM AdventureWorks2012 WHERE "Home Owner" = 'Yes' OR "Marital Status" = 'Single'
HAVING "Internet Order Count" > 2
-- equals
SELECT COALESCE(firstname, '') || ' ' || CASE WHEN middlename IS NULL THEN '' ELSE middlename || '. ' END || COALESCE(lastname, ''), gender,
COUNT(DISTINCT salesordernumber) FROM factinternetsales AS f JOIN dimcustomer AS c ON f.customerkey = c.customerkey
WHERE houseownerflag = 1 OR maritalstatus = 'S' GROUP BY 1, 2 HAVING COUNT(DISTINCT salesordernumber) > 2

-- case: adventure works: secondary attributes whose names stand for NULL
-- from: facts
SELECT "Style", "Model Name", "Reseller Order Count", "Unit Price Discount Percent" FROM AdventureWorks2012 WHERE "Status" <> 'Historical'
-- equals
SELECT style, modelname, COUNT(DISTINCT salesordernumber), SUM(unitpricediscountpct) FROM (SELECT productkey, COALESCE(modelname, 'Assembly Components') AS modelname,
CASE WHEN style IS NULL THEN 'Not Applicable' ELSE CASE style WHEN 'U' THEN 'Unisex' WHEN 'M' THEN 'Mens' WHEN 'W' THEN 'Womens' END END AS style
FROM dimproduct WHERE status IS NOT NULL) AS p JOIN factresellersales AS f ON f.productkey = p.productkey GROUP BY style, modelname

-- case: adventure works: a geography embedded in the reseller
-- from: facts
SELECT "Country", "State-Province", "Reseller Sales Amount Local", COUNT(*) FROM AdventureWorks2012 WHERE "Country" IS NULL OR "City" <> 'city 1'
-- equals
SELECT englishcountryregionname, stateprovincename, SUM(salesamount), COUNT(*) FROM factresellersales AS f
JOIN dimreseller AS r ON f.resellerkey = r.resellerkey JOIN dimgeography AS g ON r.geographykey = g.geographykey
WHERE englishcountryregionname IS NULL OR city <> 'city 1' GROUP BY englishcountryregionname, stateprovincename

-- case: adventure works: a geography of the customer's own
-- from: facts
SELECT "Customer Country", "Commute Distance", "Internet Sales Amount Local" FROM AdventureWorks2012 WHERE NOT "Customer Country" IN ('Germany')
ORDER BY 3 DESC LIMIT 5
-- ordered equals
SELECT englishcountryregionname, commutedistance, SUM(CAST(salesamount AS DECIMAL(14, 2))) FROM factinternetsales AS f
JOIN dimcustomer AS c ON f.customerkey = c.customerkey JOIN dimgeography AS g ON c.geographykey = g.geographykey
WHERE englishcountryregionname <> 'Germany' GROUP BY englishcountryregionname, commutedistance ORDER BY 3 DESC NULLS FIRST LIMIT 5

-- case: adventure works: a dimension in the fact itself
-- from: facts
SELECT "Order Number", "Order Quantity Long" FROM AdventureWorks2012 GROUP BY 1 HAVING "Order Quantity Long" >= 40
-- equals
SELECT salesordernumber, SUM(orderquantity) FROM factinternetsales GROUP BY salesordernumber HAVING SUM(orderquantity) >= 40

-- case: adventure works: days of one role, filtered by a calculated day of another
-- from: facts
SELECT "Day Of Week", "Reseller Order Count" FROM AdventureWorks2012 WHERE "Ship Reporting Day" BETWEEN '2007-03-01' AND '2007-09-01'
-- equals
SELECT o.day_of_week_name, COUNT(DISTINCT salesordernumber) FROM factresellersales AS f JOIN datecustom AS o ON f.orderdatekey = o.datekey
JOIN datecustom AS s ON f.shipdatekey = s.datekey WHERE s.reporting_day >= '2007-03-01' AND s.reporting_day < '2007-09-02' GROUP BY o.day_of_week_name

-- case: adventure works: the month before
-- from: any
SELECT "Year", "Quarter", "Month", "Internet Order Count for Last Period", "Internet Order Count" FROM AdventureWorks2012
-- equals
SELECT d.year_name, d.quarter_name, d.month_name,
(SELECT NULLIF(COUNT(DISTINCT salesordernumber), 0) FROM factinternetsales JOIN datecustom AS e ON orderdatekey = datekey
WHERE e.month = (SELECT MAX(month) FROM datecustom WHERE month < d.month)), COUNT(DISTINCT f.salesordernumber)
FROM factinternetsales AS f JOIN datecustom AS d ON f.orderdatekey = d.datekey GROUP BY d.year_name, d.quarter_name, d.month_name, d.month

-- case: adventure works: months of a quarter up to this one
-- from: any
SELECT "Month", "Internet Sales Quarter to Date" FROM AdventureWorks2012
-- equals
SELECT d.month_name, (SELECT SUM(CAST(salesamount AS DECIMAL(14, 2))) FROM factinternetsales JOIN datecustom AS e ON orderdatekey = datekey
WHERE e.quarter = d.quarter AND e.month <= d.month) FROM factinternetsales AS f JOIN datecustom AS d ON f.orderdatekey = d.datekey
GROUP BY d.month_name, d.month, d.quarter

-- case: adventure works: a tuple's country beside all of them
-- from: facts
SELECT "Color", "Internet Order Count for Canada", "Internet Order Count", "Average Internet Sales Amount Per Order" FROM AdventureWorks2012
-- equals
SELECT color, COUNT(DISTINCT CASE WHEN englishcountryregionname = 'Canada' THEN salesordernumber END), COUNT(DISTINCT salesordernumber),
SUM(CAST(salesamount AS DECIMAL(14, 2))) / COUNT(DISTINCT salesordernumber) FROM factinternetsales AS f
JOIN dimproduct AS p ON f.productkey = p.productkey LEFT JOIN dimcustomer AS c ON f.customerkey = c.customerkey
LEFT JOIN dimgeography AS g ON c.geographykey = g.geographykey GROUP BY color

-- case: adventure works: a fact that is a query
-- from: facts
SELECT "Sales Reason Reason Type", "Internet Sales Reason Count" FROM AdventureWorks2012
-- equals
SELECT salesreasonreasontype, COUNT(salesorderlinenumber) FROM factinternetsalesreason AS b
JOIN dimsalesreason AS r ON b.salesreasonkey = r.salesreasonkey GROUP BY salesreasonreasontype

-- case: adventure works: members of a dimension, and a query around them
-- from: facts
SELECT DISTINCT t."Bank", t."Number of Employees" FROM (SELECT "Bank", "Number of Employees", "Order Frequency Name" FROM AdventureWorks2012) AS t
WHERE t."Order Frequency Name" <> 'Annual'
-- equals
SELECT DISTINCT bankname, numberemployees FROM dimreseller WHERE orderfrequency IS NULL OR orderfrequency <> 'A'

-- case: adventure works: an end that is a text, and totals of two facts
-- from: facts, facts
SELECT "End Date", "Reseller Order Quantity Long", "Internet Order Count" FROM AdventureWorks2012
-- equals
SELECT COALESCE(CAST(enddate AS VARCHAR), 'Active'), SUM(reseller), NULLIF(COUNT(DISTINCT internet), 0) FROM (
SELECT productkey, orderquantity AS reseller, NULL AS internet FROM factresellersales
UNION ALL SELECT productkey, NULL, salesordernumber FROM factinternetsales) AS f
LEFT JOIN dimproduct AS p ON f.productkey = p.productkey GROUP BY COALESCE(CAST(enddate AS VARCHAR), 'Active')

-- case: adventure works: totals keep what leads nowhere
-- from: any
SELECT "Sales Amount Quota", "Balance", "Internet Sales Amount Local" FROM AdventureWorks2012
-- equals
SELECT (SELECT SUM(salesamountquota) FROM factsalesquota), (SELECT SUM(amount) FROM factfinance),
(SELECT SUM(CAST(salesamount AS DECIMAL(14, 2))) FROM factinternetsales)

-- case: adventure works: sums of distinct counts up to a month, and their average over two
-- from: any
SELECT "Month", "Internet Order Count Periods to Date", "Internet Sales 30 Period Moving Average", "Internet Order Count for Next Period" FROM AdventureWorks2012
-- equals
WITH by_month AS (SELECT year, month, month_name, COUNT(DISTINCT salesordernumber) AS orders FROM factinternetsales
JOIN datecustom ON orderdatekey = datekey GROUP BY year, month, month_name)
SELECT d.month_name, (SELECT SUM(orders) FROM by_month WHERE year = d.year AND month <= d.month),
(SELECT AVG(orders) FROM by_month WHERE month IN (d.month, (SELECT MAX(month) FROM datecustom WHERE month < d.month))),
(SELECT orders FROM by_month WHERE month = (SELECT MIN(month) FROM datecustom WHERE month > d.month))
FROM by_month AS d
