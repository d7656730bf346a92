-- Lines of a basket that does not exist, of none, and two that are the same.
select *
from (
    values
        (1, 101, 'bread', 2, 3.00),
        (2, 101, 'cake', 1, 6.50),
        (3, 102, 'bread', 2, 3.00),
        (4, 102, 'bread', 2, 3.00),
        (5, 103, 'roll', 5, 1.45),
        (6, 104, null, 1, null),
        (7, 105, 'cake', 4, 7.50),
        (8, 106, 'roll', 4, 1.25),
        (9, 107, 'cake', 1, 8.00),
        (10, 999, 'bread', 1, 3.00),
        (11, null, 'roll', 3, 1.25),
        (12, 109, 'cake', 1, 11.00)
) as basket_lines (line_id, basket_id, product, quantity, price)
