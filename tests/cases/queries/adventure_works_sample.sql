-- case: adventure works: one date in three roles
-- from: facts
SELECT "Year Name", "Ship Month Name", "Reseller Sales Amount Local" FROM AdventureWorks2012 WHERE "Due Quarter Name" IN ('Q1 2007', 'Q3 2007', 'Q1 2008')
-- equals
SELECT o.year_name, s.month_name, SUM(f.salesamount) FROM factresellersales AS f JOIN datecustom AS o ON f.orderdatekey = o.datekey
JOIN datecustom AS s ON f.shipdatekey = s.datekey JOIN datecustom AS d ON f.duedatekey = d.datekey
WHERE d.quarter_name IN ('Q1 2007', 'Q3 2007', 'Q1 2008') GROUP BY o.year_name, s.month_name
