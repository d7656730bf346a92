"""The surface of functions and operators, by section: what is compared on every warehouse, over the columns of `function_grid`.

    t u  texts      i j  integers   l  bigint   s  smallint   n m  decimals (12,2) and (10,4)
    x y  doubles    d e  dates      ts us  timestamps         p q  booleans
"""

from __future__ import annotations

AGGREGATES = frozenset({"COUNT, SUM, AVG, MIN, MAX", "STDDEV, VARIANCE", "BOOL_AND, BOOL_OR", "STRING_AGG", "PERCENTILE_CONT"})
"""Entries that are of all rows together."""

SURFACE: dict[str, dict[str, tuple[str, ...]]] = {
    "Patterns": {
        "LIKE": (
            r"t LIKE 'a%'", r"t LIKE 'a\_b'", r"t LIKE 'a\%%'", r"t LIKE '\\%'", r"t LIKE 'a\b%'", r"t NOT LIKE '%b'", "t LIKE u",
            "t LIKE '%'", "t LIKE ''", "t LIKE '_'", "t LIKE '__%'", r"t LIKE '100\%'", "t ~~ 'a%'", r"t !~~ 'a\_%'",
            "t LIKE ANY (ARRAY['a%', '%b'])", "t LIKE ALL (ARRAY['a%', '%b'])", "t LIKE '%é%'", "t LIKE NULL",
        ),
        "LIKE … ESCAPE": (
            "t LIKE 'a!_b' ESCAPE '!'", r"t LIKE 'a\_%' ESCAPE ''", "t LIKE 'a#%%' ESCAPE '#'", "t NOT LIKE 'a!_b' ESCAPE '!'",
            r"t LIKE 'a_b' ESCAPE '\'", "t LIKE '%%b' ESCAPE '%'",
        ),
        "ILIKE": (
            "t ILIKE 'A%'", r"t ILIKE 'A\_B'", "t NOT ILIKE '%B'", "t ILIKE u", "t ~~* 'A%'", "t !~~* 'A%'", "t ILIKE 'A!_b' ESCAPE '!'",
            "t ILIKE '%É%'",
        ),
        "SIMILAR TO": (
            "t SIMILAR TO 'a%'", "t SIMILAR TO '(a|b)%'", r"t SIMILAR TO 'a\_b'", "t SIMILAR TO '[a-c]_b'", "t SIMILAR TO 'a.b'",
            "t NOT SIMILAR TO '%b'", "t SIMILAR TO 'a!_b' ESCAPE '!'", "t SIMILAR TO '[^a]%'", "t SIMILAR TO 'a+b*'", "t SIMILAR TO '%^%'",
            "t SIMILAR TO '_{3}'", "t SIMILAR TO ''", "t SIMILAR TO 'ab|cd'", "t SIMILAR TO '%$%'", "t SIMILAR TO '[%_]+'",
        ),
        "~ ~* !~ !~*": (
            "t ~ 'a'", "t ~ '^a'", "t ~ 'b$'", "t ~* 'A'", "t !~ 'a'", "t !~* 'A'", "t ~ 'a.b'", "t ~ '[[:alpha:]]'", r"t ~ '^\d+$'", r"t ~ '\s'",
            "t ~ '^(a|ab)$'", r"t ~ '^\w+$'", "t ~ '^.$'", "t ~ '^[^a-z]+$'", r"t ~ '\Aa'", "t ~ 'a{2}'", "t ~ ''", r"t ~ 'a\.b'", r"t ~ '[\d_]'",
            "t ~ '[[:upper:]]'", "t ~ 'a?b+?'", r"t ~ '\W'", "t ~ '[[:punct:]]'", r"t ~ '\yab\y'", "t ~ 'a(?=b)'", "t ~ '(?i)A'",
        ),
        "REGEXP_REPLACE": (
            "REGEXP_REPLACE(t, 'a', 'X')", "REGEXP_REPLACE(t, 'a', 'X', 'g')", "REGEXP_REPLACE(t, 'A', 'X', 'gi')", r"REGEXP_REPLACE(t, '(a)(.)', '\2\1', 'g')",
            r"REGEXP_REPLACE(t, '[aeiou]', '<\&>', 'g')", r"REGEXP_REPLACE(t, '\s+', ' ', 'g')", "REGEXP_REPLACE(t, '', '-', 'g')", "REGEXP_REPLACE(t, 'b*', '-', 'g')",
            "REGEXP_REPLACE(t, 'a|ab', 'X')", "REGEXP_REPLACE(t, '^.', '')", "REGEXP_REPLACE(t, '.$', '')", r"REGEXP_REPLACE(t, '\D', '', 'g')",
        ),
        "SUBSTRING … FROM 'regular expression'": (
            "SUBSTRING(t FROM 'a.')", "SUBSTRING(t FROM 'a(.)')", "SUBSTRING(t FROM '[0-9]+')", "SUBSTRING(t, 'b.*')", "SUBSTRING(t FROM 'a*')",
        ),
        "REGEXP_LIKE, REGEXP_COUNT, REGEXP_SUBSTR": (
            "REGEXP_LIKE(t, 'a.b')", "REGEXP_LIKE(t, 'A', 'i')", "REGEXP_COUNT(t, 'a')", "REGEXP_SUBSTR(t, '[a-c]+')", "REGEXP_COUNT(t, 'a', 2)",
        ),
        "STARTS_WITH": ("STARTS_WITH(t, 'a')", "STARTS_WITH(t, u)", "t ^@ 'a'"),
    },
    "Texts": {
        "||": ("t || u", "t || 'x'", "t || i", "i || t", "t || NULL", "t || p", "t || d", "t || n", "t || x", "t || ts", "'a' || 'b' || t", "i || j"),
        "CONCAT": ("CONCAT(t, u)", "CONCAT(t, i, p)", "CONCAT(t, NULL, d)", "CONCAT(x)", "CONCAT(n, ts)"),
        "CONCAT_WS": ("CONCAT_WS('-', t, u, 'x')", "CONCAT_WS(t, u, i)", "CONCAT_WS(NULL, t)"),
        "LENGTH": ("LENGTH(t)", "CHAR_LENGTH(t)", "CHARACTER_LENGTH(t)", "LENGTH('')", "LENGTH(i)"),
        "OCTET_LENGTH, BIT_LENGTH": ("OCTET_LENGTH(t)", "BIT_LENGTH(t)"),
        "UPPER, LOWER": ("UPPER(t)", "LOWER(t)", "LOWER(u)"),
        "INITCAP": ("INITCAP(t)", "INITCAP('hello wORLD')", "INITCAP('o''neil-x_y 2nd')"),
        "SUBSTRING": (
            "SUBSTRING(t FROM 2)", "SUBSTRING(t FROM 2 FOR 2)", "SUBSTRING(t FOR 2)", "SUBSTRING(t, 0)", "SUBSTRING(t, 0, 2)", "SUBSTRING(t, -1, 3)", "SUBSTR(t, -5)",
            "SUBSTR(t, 2, 1)", "SUBSTR(t, i)", "SUBSTR(t, i, 3)", "SUBSTR(t, 2, i)", "SUBSTR(t, 1, 0)", "SUBSTR(t, -2, 1)", "SUBSTR(t, 3, 100)", "SUBSTR(t, 1, -1)",
            "SUBSTR(t, NULL)", "SUBSTR(t, 1, NULL)",
        ),
        "LEFT, RIGHT": ("LEFT(t, 2)", "RIGHT(t, 2)", "LEFT(t, -1)", "RIGHT(t, -1)", "LEFT(t, 0)", "RIGHT(t, 0)", "LEFT(t, i)", "RIGHT(t, i)", "LEFT(t, -100)"),
        "POSITION, STRPOS": ("POSITION('b' IN t)", "STRPOS(t, 'b')", "STRPOS(t, '')", "STRPOS(t, u)", "POSITION('é' IN t)", "STRPOS('', t)"),
        "SPLIT_PART": (
            "SPLIT_PART(t, ' ', 1)", "SPLIT_PART(t, ' ', 2)", "SPLIT_PART(t, ' ', -1)", "SPLIT_PART(t, 'a', -2)", "SPLIT_PART(t, '', 1)", "SPLIT_PART(t, '', 2)", "SPLIT_PART(t, '', -1)",
            "SPLIT_PART(t, u, 1)", "SPLIT_PART(t, ' ', i)", "SPLIT_PART(t, ',', 99)", "SPLIT_PART(t, 'a', 0)", "SPLIT_PART(t, u, i)",
        ),
        "LPAD, RPAD": (
            "LPAD(t, 5)", "RPAD(t, 5)", "LPAD(t, 2)", "RPAD(t, 2)", "LPAD(t, 5, 'xy')", "RPAD(t, 5, 'xy')", "LPAD(t, -1, 'x')", "LPAD(t, 5, '')", "RPAD(t, 0)", "LPAD(t, s, 'x')", "RPAD(t, 6, u)",
            "LPAD(CAST(i AS TEXT), 5, '0')",
        ),
        "TRIM": (
            "TRIM(t)", "TRIM(BOTH 'a' FROM t)", "TRIM(LEADING 'ab' FROM t)", "TRIM(TRAILING FROM t)", "LTRIM(t)", "RTRIM(t, 'b ')", "BTRIM(t, 'ab')", "TRIM(t, 'a')", "TRIM(FROM t)", "LTRIM(t, '')", "TRIM(u FROM t)",
        ),
        "REPLACE": ("REPLACE(t, 'a', 'xy')", "REPLACE(t, '', 'x')", "REPLACE(t, u, '')", "REPLACE(t, 'a', NULL)"),
        "REPEAT": ("REPEAT(t, 2)", "REPEAT(t, 0)", "REPEAT(t, -1)", "REPEAT('ab', s)"),
        "REVERSE": ("REVERSE(t)",),
        "TRANSLATE": ("TRANSLATE(t, 'ab', 'xy')", "TRANSLATE(t, 'ab', 'x')", "TRANSLATE(t, 'aa', 'xy')", "TRANSLATE(t, '', 'x')", "TRANSLATE(t, 'é', 'e')"),
        "OVERLAY": ("OVERLAY(t PLACING 'XX' FROM 2 FOR 1)", "OVERLAY(t PLACING 'XX' FROM 2)", "OVERLAY(t PLACING u FROM 1 FOR 0)"),
        "ASCII, CHR": ("ASCII(t)", "CHR(65)", "CHR(233)", "ASCII('')"),
        "MD5": ("MD5(t)",),
        "TO_HEX": ("TO_HEX(i)", "TO_HEX(l)", "TO_HEX(255)"),
        "FORMAT": ("FORMAT('%s-%s', t, i)", "FORMAT('100%%')", "FORMAT('%I', t)"),
    },
    "Numbers": {
        "+ - *": (
            "i + j", "i - j", "i * 2", "n + i", "n * m", "n - m", "x + i", "x * y", "x + n", "-i", "- n", "+i", "s * s", "l + i", "i + 1.5", "i * 1e2", "m * 0.5", "i + '1'",
        ),
        "/": ("i / j", "i / 2", "-7 / 2", "7 / -2", "n / i", "n / m", "x / y", "i / 2.0", "n / 3", "i / NULLIF(j, 0)", "l / 3", "1.0 / 3", "(i / 2) * 2", "10 / 4.0"),
        "%, MOD": ("i % 3", "i % -3", "MOD(i, j)", "MOD(-7, 3)", "MOD(n, 3)", "n % m", "MOD(7.5, 2)", "MOD(x, 2)", "l % 7"),
        "DIV": ("DIV(i, 3)", "DIV(n, 2)", "DIV(-7, 2)", "DIV(n, m)", "DIV(i, j)"),
        "ROUND": (
            "ROUND(x)", "ROUND(n)", "ROUND(i)", "ROUND(n, 1)", "ROUND(m, 2)", "ROUND(m, -1)", "ROUND(i, -1)", "ROUND(2.5)", "ROUND(-2.5)", "ROUND(0.5)", "ROUND(CAST(2.5 AS DOUBLE PRECISION))",
            "ROUND(n / 3, 2)", "ROUND(n / 8, 2)", "ROUND(CAST(x AS NUMERIC), 1)", "ROUND(x, 1)", "ROUND(1.005, 2)", "ROUND(2.675, 2)", "ROUND(i, 2)", "ROUND(n, 5)", "ROUND(15, -1)", "ROUND(25, -1)", "ROUND(-15, -1)", "ROUND(149.9, -2)",
        ),
        "TRUNC": ("TRUNC(x)", "TRUNC(n)", "TRUNC(m, 2)", "TRUNC(m, -1)", "TRUNC(-1.7)", "TRUNC(i)", "TRUNC(n / 3, 3)", "TRUNC(x, 1)", "TRUNC(i, -1)"),
        "CEIL, FLOOR": ("CEIL(x)", "CEILING(n)", "FLOOR(x)", "FLOOR(n)", "FLOOR(-1.5)", "CEIL(i)", "FLOOR(0.3 / 0.1)", "CEIL(m)"),
        "ABS, SIGN": ("ABS(i)", "ABS(n)", "ABS(x)", "SIGN(i)", "SIGN(n)", "SIGN(x)"),
        "POWER, ^": ("POWER(i, 2)", "POWER(2, s)", "i ^ 2", "2 ^ 0.5", "POWER(n, 2)", "POWER(x, 0)", "POWER(i, -1)", "POWER(i, 0.5)"),
        "SQRT, CBRT": ("SQRT(ABS(i))", "SQRT(i)", "SQRT(ABS(n))", "CBRT(i)", "CBRT(27)", "|/ ABS(i)", "SQRT(2)"),
        "EXP, LN, LOG": ("EXP(1)", "EXP(s)", "LN(2)", "LN(ABS(x) + 1)", "LOG(100)", "LOG(2, 8.0)", "LOG10(1000)", "LN(i)", "LOG(ABS(n) + 1)"),
        "SIN, COS, TAN, ASIN, ACOS, ATAN, ATAN2, DEGREES, RADIANS, PI": ("SIN(i)", "COS(i)", "TAN(s)", "ASIN(0.5)", "ACOS(0.5)", "ATAN(x)", "ATAN2(i, 2)", "DEGREES(1)", "RADIANS(180)", "PI()", "ASIN(i)"),
        "GREATEST, LEAST": ("GREATEST(i, j)", "LEAST(i, j)", "GREATEST(i, NULL)", "GREATEST(n, i, x)", "LEAST(t, u)", "GREATEST(d, e)", "GREATEST(d, '2000-01-01')", "LEAST(x, y)", "LEAST(NULL, NULL)", "GREATEST(p, q)", "GREATEST(d, ts)"),
        "& | # ~ << >>": ("i & 3", "i | 3", "i # 3", "~i", "s << 1", "i >> 1", "l & 255", "1 << 3"),
        "GCD, LCM, FACTORIAL": ("GCD(i, 6)", "LCM(s, 6)", "FACTORIAL(5)", "FACTORIAL(ABS(s % 10))"),
        "WIDTH_BUCKET": ("WIDTH_BUCKET(x, 0, 10, 5)", "WIDTH_BUCKET(n, -5, 5, 4)", "WIDTH_BUCKET(i, 10, 0, 5)"),
    },
    "Dates and times": {
        "EXTRACT, DATE_PART": tuple(
            f"EXTRACT({part} FROM ts)"
            for part in ("year month day quarter week dow isodow doy isoyear decade century millennium hour minute second milliseconds microseconds epoch").split()
        )
        + tuple(f"EXTRACT({part} FROM d)" for part in "year month day quarter week dow isodow doy isoyear decade century millennium epoch julian".split())
        + ("DATE_PART('dow', d)", "DATE_PART('year', ts)", "DATE_PART('epoch', ts)", "EXTRACT(year FROM NULL::date)", "EXTRACT(hour FROM d)", "EXTRACT(day FROM ts - us)", "EXTRACT(year FROM d) / 2", "EXTRACT(timezone FROM ts)", "EXTRACT(month FROM d) + 1"),
        "DATE_TRUNC": tuple(
            f"DATE_TRUNC('{unit}', ts)" for unit in "microseconds milliseconds second minute hour day week month quarter year decade century millennium".split()
        )
        + tuple(f"DATE_TRUNC('{unit}', d)" for unit in "day week month quarter year decade century millennium".split())
        + ("DATE_TRUNC('fortnight', d)", "DATE_TRUNC('month', d) = '2024-02-01'", "DATE_TRUNC('Month', ts)"),
        "dates + -": (
            "d + 1", "d - 1", "1 + d", "d - e", "d + s", "d - '2000-01-01'", "d + INTERVAL '1 month'", "d - INTERVAL '1 day'", "ts + CAST('1 day 02:03:04' AS INTERVAL)", "ts - INTERVAL '1 month'",
            "d + INTERVAL '1' MONTH", "d + INTERVAL '1 year 2 months 3 days'", "d + 2 * INTERVAL '1 month'", "ts - INTERVAL '90 minutes'", "d + INTERVAL '1 week'", "d + INTERVAL '-1 month'", "d + INTERVAL '1.5 days'",
            "EXTRACT(epoch FROM ts) - EXTRACT(epoch FROM us)", "d + '1 day'", "d + t", "ts - us", "d - ts", "d + CAST('1 month' AS INTERVAL)", "d + x",
        ),
        "AGE": ("EXTRACT(year FROM AGE(d, e))", "EXTRACT(month FROM AGE(ts, us))", "EXTRACT(day FROM AGE(d, e))", "AGE(d)", "AGE(d, e) = AGE(d, e)"),
        "MAKE_DATE, MAKE_TIMESTAMP": ("MAKE_DATE(2024, 2, 29)", "MAKE_DATE(2024, s, 1)", "MAKE_TIMESTAMP(2024, 2, 29, 1, 2, 3.5)", "MAKE_INTERVAL(days => 1)"),
        "AT TIME ZONE": ("ts AT TIME ZONE 'UTC' AT TIME ZONE 'UTC'", "ts AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'America/New_York'", "ts AT TIME ZONE 'CET'"),
        "OVERLAPS": ("(d, e) OVERLAPS (DATE '2000-01-01', DATE '2024-12-31')",),
        "CURRENT_DATE, NOW": ("CURRENT_DATE - CURRENT_DATE", "NOW() = CURRENT_TIMESTAMP", "CAST(NOW() AS DATE) = CURRENT_DATE", "LOCALTIMESTAMP > d", "d < CURRENT_DATE"),
        "TO_TIMESTAMP(seconds)": ("CAST(TO_TIMESTAMP(i) AS TIMESTAMP)", "CAST(TO_TIMESTAMP(1.5) AS TIMESTAMP)"),
    },
    "Formats": {
        "TO_CHAR of a date or timestamp": tuple(
            f"TO_CHAR(ts, '{form}')"
            for form in (
                "YYYY-MM-DD HH24:MI:SS", "Mon YYYY", "MON", "mon", "Month", "MONTH", "month", "FMMonth DD, YYYY", "Day", "DAY", "day", "FMDay", "Dy", "DY", "dy", "D", "ID", "DDD", "IDDD", "J", "Q", 'YYYY-"Q"Q', "WW", "W", "IW",
                "IYYY-IW", "IYY", "IY", "I", "YYY", "YY", "Y", "Y,YYY", "CC", "HH12:MI AM", "HH:MI pm", "HH12 a.m.", "FMHH24:FMMI", "MS", "US", "FF3", "FF6", "SSSS", "DDth", "FMDDth", "FMDDTH Month", "RM", "rm", "FMRM", "AD",
                "b.c.", "TZ", "OF", "TMMonth", "DD/MM/YYYY", '"Year: "YYYY', r'\"YYYY\"', "YYYYMMDD", "FMMM/FMDD/YY", "yyyy-mm-dd", "DdMmYy", "xyz", "", "Mon-YY", "HH24hMI", "YYYYth", "FMWW", "FMYYYY", "FMMS", "YYYY-MM-DDTHH24:MI:SS", "Dy, DD Mon YYYY", "FMDay, FMDD FMMonth", "SPDD", "DDSP", "FXDD", "HH24:MI:SS.MS", "month D", "IYYYIDDD", "SSSSS", "YYYY Q CC", "FMJ", "%Y", "a", "Dth",
            )
        )
        + ("TO_CHAR(d, 'YYYY-MM')", "TO_CHAR(d, 'FMMonth')", "TO_CHAR(d, 'HH24:MI')", "TO_CHAR(DATE_TRUNC('month', d), 'Mon YYYY')", "TO_CHAR(d, t)", "TO_CHAR(NULL::date, 'YYYY')", "TO_CHAR(d + 1, 'Dy')", "TO_CHAR(ts - us, 'DD')", "TO_CHAR(d, 'Day, DD. Month YYYY')", "TO_CHAR(d, 'TZ')"),
        "TO_CHAR of a number": tuple(f"TO_CHAR({c}, '{form}')" for c in ("i", "n", "m", "x") for form in ("999", "FM999999", "000", "999.99", "FM999.99", "9,999,999", "FM999,999.00", "0.0", "S999.9", "999MI", "FM9999999990.00", "99D9", "9G999", "FM0.##", "999PR", "RN", "9.9EEEE", "999th", "L999", "FM9990%", "FM000", "99.", "B999", "FM$999,999,990.00", "0,000.9", ".99", "S0", "999S"))
        + ("TO_CHAR(i, 'FM999')", "TO_CHAR(1234567.891, 'FM9,999,999.99')", "TO_CHAR(0.5, '9.99')", "TO_CHAR(0, '9.9')", "TO_CHAR(n / 3, 'FM999.999')", "TO_CHAR(l, 'FM999G999G999G999')", "TO_CHAR(NULL::int, '999')", "TO_CHAR(i, 9)"),
        "TO_DATE": (
            "TO_DATE('2024-02-29', 'YYYY-MM-DD')", "TO_DATE(CAST(d AS TEXT), 'YYYY-MM-DD')", "TO_DATE('20240229', 'YYYYMMDD')", "TO_DATE('29 Feb 2024', 'DD Mon YYYY')", "TO_DATE('02/29/2024', 'MM/DD/YYYY')", "TO_DATE('5-1-2024', 'DD-MM-YYYY')",
            "TO_DATE('2024-060', 'YYYY-DDD')", "TO_DATE('29-February-2024', 'DD-Month-YYYY')", "TO_DATE('70-01-01', 'YY-MM-DD')", "TO_DATE('69-01-01', 'YY-MM-DD')", "TO_DATE('2024-02-30', 'YYYY-MM-DD')", "TO_DATE('2024-13-01', 'YYYY-MM-DD')",
            "TO_DATE(TO_CHAR(d, 'YYYYMM') || '01', 'YYYYMMDD')", "TO_DATE('2024', 'YYYY')", "TO_DATE(t, 'YYYY-MM-DD')", "TO_DATE('05', 'MM')", "TO_DATE('2024-W05', 'IYYY-\"W\"IW')", "TO_DATE('2024-01', 'YYYY-MM')",
        ),
        "TO_TIMESTAMP(text, format)": (
            "CAST(TO_TIMESTAMP('2024-02-29 13:14:15', 'YYYY-MM-DD HH24:MI:SS') AS TIMESTAMP)", "CAST(TO_TIMESTAMP('2024-02-29 01:14 PM', 'YYYY-MM-DD HH12:MI AM') AS TIMESTAMP)",
            "CAST(TO_TIMESTAMP('2024-02-29 13:14:15.123', 'YYYY-MM-DD HH24:MI:SS.MS') AS TIMESTAMP)", "CAST(TO_TIMESTAMP('2024-02-29 25:00', 'YYYY-MM-DD HH24:MI') AS TIMESTAMP)", "CAST(TO_TIMESTAMP('2024-02-29 12:00 am', 'YYYY-MM-DD HH12:MI am') AS TIMESTAMP)",
        ),
        "TO_NUMBER": ("TO_NUMBER('1,234.5', '9,999.9')",),
    },
    "Casts": {
        "to VARCHAR(n), CHAR(n), TEXT": (
            "CAST(t AS VARCHAR(2))", "t::varchar(3)", "CAST(t AS CHAR(5))", "CAST(t AS CHAR)", "t::char(3) || 'x'", "LENGTH(t::char(5))", "t::char(3) = 'ab'", "t::char(3) = t", "CAST(i AS VARCHAR(2))", "CAST(t AS VARCHAR)", "CAST(t AS TEXT)",
            "i::text", "n::text", "x::text", "p::text", "d::text", "ts::text", "l::varchar", "(n * m)::text", "(n / 3)::text", "ROUND(n / 3, 2)::text", "CAST(d AS VARCHAR(7))", "UPPER(t::char(4))", "CAST(t AS CHAR(2)) LIKE 'a%'", "s::text", "(ts - us)::text", "CAST(NULL AS VARCHAR(3))", "CONCAT(t::char(4), '|')", "COALESCE(t::char(4), 'x')",
            "MAKE_DATE(2024, 1, 1)::text",
        ),
        "to INTEGER, BIGINT, SMALLINT": (
            "x::int", "n::int", "m::int", "CAST(2.5 AS INT)", "CAST(3.5 AS INT)", "CAST(-2.5 AS INT)", "CAST(2.5::float8 AS INT)", "CAST(3.5::float8 AS INT)", "t::int", "p::int", "' 12 '::int", "CAST('1.5' AS INT)", "CAST('abc' AS INT)", "i::smallint", "l::int", "(n / 3)::int", "CAST('' AS INT)", "p::bigint", "d::int", "CAST(NULL AS INT)", "CAST('99999999999' AS INT)", "u::bigint", "(5.0 / 2)::int",
        ),
        "to NUMERIC": (
            "i::numeric", "x::numeric", "t::numeric", "n::numeric(10,1)", "x::numeric(12,2)", "m::numeric(8,2)", "i::numeric(12,2)", "CAST('1.25' AS NUMERIC)", "CAST('abc' AS NUMERIC)", "n::decimal(5)", "(n / 3)::numeric(12,4)", "CAST(0.285::float8 AS NUMERIC(10,2))", "i::numeric / 3", "m::numeric(4,2)", "p::numeric",
        ),
        "to DOUBLE PRECISION, REAL": ("i::float8", "n::double precision", "t::float8", "CAST('NaN' AS DOUBLE PRECISION)", "CAST('1e3' AS DOUBLE PRECISION)", "n::real::float8 = n::real::float8", "p::float8"),
        "to BOOLEAN": ("t::boolean", "i::boolean", "CAST('yes' AS BOOLEAN)", "CAST('on' AS BOOLEAN)", "CAST('off' AS BOOLEAN)", "CAST('t' AS BOOLEAN)", "CAST('2' AS BOOLEAN)", "p::boolean", "u::boolean", "CAST('o' AS BOOLEAN)", "n::boolean", "p = 'yes'", "p IN ('t', 'no')"),
        "to DATE, TIMESTAMP": (
            "ts::date", "d::timestamp", "t::date", "CAST('2024-2-5' AS DATE)", "CAST('Jan 5, 2024' AS DATE)", "CAST('20240105' AS DATE)", "CAST('2024-02-30' AS DATE)", "DATE '2024-01-05'", "TIMESTAMP '2024-01-05 10:00'", "CAST('2024-01-05 10:00:00' AS DATE)", "CAST('1/2/2024' AS DATE)", "d::text::date",
            "CAST('5 January 2024' AS DATE)", "CAST('2024-Jan-05' AS DATE)", "CAST('2024-01-05T10:00:00' AS TIMESTAMP)", "CAST('2024-01-05 3:04 PM' AS TIMESTAMP)", "i::date", "ts::time", "CAST('epoch' AS TIMESTAMP)", "d = '2024-2-29'", "d > 'Jan 5, 2024'", "ts = '2024-02-29'", "d IN ('2024-02-29', '1969-12-31')", "d BETWEEN '1960-1-1' AND '2024-12-31'", "d = 'today'",
        ),
    },
    "Comparisons": {
        "= <> < <= > >=": ("i = j", "t = u", "t < u", "i <> 1", "d < e", "x = y", "n = i", "p = q", "p < q", "t >= 'a'", "i = 1.0", "n > x", "ts > d", "t = 1", "i = '1'", "i = 'a'", "n / 3 = 1", "x = 'NaN'", "x > 1e300", "t <> ''", "n = '1.50'", "d = t", "0.3 / 0.1 = 3", "p = i"),
        "rows": ("(i, j) = (1, 2)", "(i, j) <> (1, 2)", "(i, j) < (1, 2)", "(i, j) >= (j, i)", "(i, t) IN ((1, 'a'), (2, 'b'))", "(i, j) IS NULL", "(i, j) IS NOT NULL", "ROW(i, j) = ROW(j, i)", "(i, j) IS DISTINCT FROM (j, i)", "(i, NULL) = (1, 2)", "(i, NULL) < (1, 2)"),
        "IS DISTINCT FROM": ("i IS DISTINCT FROM j", "t IS NOT DISTINCT FROM u", "x IS DISTINCT FROM y", "i IS DISTINCT FROM NULL", "t IS NOT DISTINCT FROM 'a'"),
        "BETWEEN": ("i BETWEEN 1 AND 3", "i BETWEEN 3 AND 1", "i BETWEEN SYMMETRIC 3 AND 1", "i NOT BETWEEN 1 AND j", "t BETWEEN 'a' AND 'b'", "d NOT BETWEEN SYMMETRIC e AND '2000-01-01'", "n BETWEEN i AND j"),
        "IN": ("i IN (1, 2)", "i NOT IN (1, NULL)", "t IN ('a', 'b')", "n IN (1, 1.5)", "i IN (1.0, 2)", "NULL IN (1)", "d IN (e)", "i IN (j, NULL)"),
        "ANY, ALL": ("i = ANY (ARRAY[1, 2])", "i <> ALL (ARRAY[1, 2])", "i = ANY ('{1,2}')", "t = ANY (ARRAY['a', NULL])", "i > ALL (ARRAY[1, NULL])", "i > ANY (ARRAY[1, 5])", "t = ANY ('{a,b}')", "i = SOME (ARRAY[1])"),
        "IS": ("i IS NULL", "t IS NOT NULL", "p IS TRUE", "p IS NOT TRUE", "p IS FALSE", "p IS UNKNOWN", "p IS NOT UNKNOWN", "i ISNULL", "i NOTNULL", "i IS TRUE"),
        "AND, OR, NOT": ("p AND q", "p OR q", "NOT p", "p AND i > 0", "NOT (p AND q) OR q", "p AND NULL", "p AND 1", "i AND p"),
    },
    "Choices": {
        "CASE": (
            "CASE WHEN i > 1 THEN 'x' ELSE t END", "CASE i WHEN 1 THEN 'one' WHEN 2 THEN 'two' END", "CASE WHEN p THEN i ELSE n END", "CASE WHEN p THEN i ELSE x END", "CASE WHEN p THEN d END", "CASE WHEN p THEN 1 ELSE 'a' END", "CASE WHEN p THEN d ELSE ts END", "CASE WHEN p THEN NULL ELSE i END", "CASE WHEN p THEN '5' ELSE i END", "CASE t WHEN 'a' THEN 1 ELSE 2 END", "CASE i WHEN NULL THEN 1 ELSE 0 END", "CASE WHEN p THEN i ELSE t END", "CASE WHEN j = 0 THEN 0 ELSE i / j END", "CASE WHEN i THEN 1 END",
        ),
        "COALESCE": ("COALESCE(i, 0)", "COALESCE(t, 'none')", "COALESCE(i, n)", "COALESCE(NULL, i)", "COALESCE(d, '2000-01-01')", "COALESCE(t, i)", "COALESCE(x, i)", "COALESCE(i, 1.5)", "COALESCE(p, false)"),
        "NULLIF": ("NULLIF(i, 1)", "NULLIF(t, '')", "NULLIF(i, j)", "NULLIF(n, 0)", "NULLIF(t, u)", "NULLIF(d, '2024-02-29')", "NULLIF(x, 0)"),
    },
    "Aggregates and windows": {
        "COUNT, SUM, AVG, MIN, MAX": ("COUNT(*)", "COUNT(i)", "COUNT(DISTINCT t)", "SUM(n)", "SUM(s)", "SUM(DISTINCT s)", "AVG(n)", "AVG(s)", "MIN(t)", "MAX(d)", "SUM(n) / COUNT(*)", "MAX(p)", "SUM(t)", "SUM(s) FILTER (WHERE p)", "ROUND(AVG(n), 2)", "SUM(CASE WHEN p THEN n END)"),
        "STDDEV, VARIANCE": ("STDDEV(s)", "STDDEV_SAMP(n)", "STDDEV_POP(s)", "VARIANCE(s)", "VAR_POP(n)", "VAR_SAMP(s)"),
        "BOOL_AND, BOOL_OR": ("BOOL_AND(p)", "BOOL_OR(q)"),
        "STRING_AGG": ("STRING_AGG(t, ',' ORDER BY id)", "STRING_AGG(t, ',' ORDER BY t DESC NULLS LAST, id)", "STRING_AGG(DISTINCT t, ',' ORDER BY t)"),
        "PERCENTILE_CONT": ("PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY s)", "PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY n DESC)", "PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY s)"),
        "OVER": (
            "ROW_NUMBER() OVER (ORDER BY id)", "RANK() OVER (ORDER BY i)", "DENSE_RANK() OVER (PARTITION BY p ORDER BY i DESC)", "PERCENT_RANK() OVER (ORDER BY id)", "CUME_DIST() OVER (ORDER BY id)", "NTILE(4) OVER (ORDER BY id)", "LAG(t) OVER (ORDER BY id)", "LEAD(i, 2, 0) OVER (ORDER BY id)",
            "FIRST_VALUE(t) OVER (ORDER BY id)", "LAST_VALUE(i) OVER (ORDER BY id)", "NTH_VALUE(t, 2) OVER (ORDER BY id)", "SUM(s) OVER (ORDER BY id)", "SUM(s) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)", "COUNT(*) OVER (PARTITION BY p)", "ROUND(AVG(n) OVER (PARTITION BY q), 2)", "RANK() OVER (ORDER BY t)", "RANK() OVER (ORDER BY x DESC)",
        ),
    },
    "Not translated": {
        "ARRAY, JSON and others": ("ARRAY_LENGTH(ARRAY[i], 1)", "REGEXP_MATCH(t, 'a')", "PG_SLEEP(0)", "TO_JSON(t)", "STRING_TO_ARRAY(t, ',')", "QUOTE_LITERAL(t)", "ENCODE(t::bytea, 'hex')", "INITCAPS(t)", "PG_TYPEOF(i)", "DATE_BIN('1 day', ts, us)", "JUSTIFY_DAYS(ts - us)", "SCALE(n)", "TRIM_SCALE(n)"),
    },
}
