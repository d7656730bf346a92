-- Baskets without a customer, of a customer that does not exist, of a branch that does not exist, twice the same, without an
-- amount, at one moment, and on the last day of February.
select *
from (
    values
        (101, 1, 10, timestamp '2024-01-01 08:00:00', timestamp '2024-01-02 09:00:00', 12.50, 2.00, 'paid', true),
        (102, 1, 10, timestamp '2024-01-01 08:00:00', timestamp '2024-01-03 09:00:00', 12.50, 2.00, 'paid', false),
        (103, 2, 20, timestamp '2024-01-03 12:30:00', null, 7.25, null, 'paid', true),
        (104, 3, 20, timestamp '2024-01-07 17:45:00', timestamp '2024-01-07 18:00:00', null, 1.00, 'open', null),
        (105, 4, 10, timestamp '2024-01-15 09:15:00', timestamp '2024-02-01 08:00:00', 30.00, 9.50, 'returned', false),
        (106, null, 10, timestamp '2024-01-31 23:59:59', timestamp '2024-02-01 00:00:00', 5.00, 1.25, 'paid', true),
        (107, 99, 20, timestamp '2024-02-01 00:00:00', timestamp '2024-02-02 10:00:00', 8.00, 0.00, 'paid', true),
        (108, 6, 40, timestamp '2024-02-28 10:00:00', timestamp '2024-02-29 10:00:00', 3.75, 3.75, null, false),
        (109, 2, null, timestamp '2024-02-29 10:00:00', timestamp '2024-03-01 10:00:00', 11.00, 4.00, 'returned', true),
        (110, 3, 20, timestamp '2024-03-01 07:00:00', timestamp '2024-03-01 07:30:00', 0.00, 0.00, 'paid', false),
        (111, 3, 20, timestamp '2024-03-04 07:00:00', timestamp '2024-03-04 07:30:00', -4.00, 1.00, 'paid', null)
) as baskets (basket_id, customer_id, branch_id, ordered_at, delivered_at, amount, cost, state, by_card)
