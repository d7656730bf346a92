-- Anna and Anna share a name; Cleo's city is not known; Emil never bought anything.
select *
from (
    values
        (1, 'Anna', 'Oslo', 'NO', date '2023-11-02'),
        (2, 'Anna', 'Bergen', 'NO', date '2024-01-15'),
        (3, 'Cleo', null, 'SE', date '2024-01-31'),
        (4, 'Dora', 'Malmo', 'SE', null),
        (5, 'Emil', 'Oslo', 'NO', date '2024-02-29'),
        (6, null, 'Oslo', null, date '2024-02-10')
) as customers (customer_id, customer_name, city, country, joined_on)
