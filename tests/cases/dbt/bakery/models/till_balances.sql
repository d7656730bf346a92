select *
from (
    values
        (10, date '2024-01-01', 100.0), (10, date '2024-01-31', 140.0), (20, date '2024-01-01', 50.0),
        (20, date '2024-01-31', 75.5), (10, date '2024-02-29', 90.0), (20, date '2024-02-29', 60.0), (30, date '2024-01-31', 5.0)
) as till_balances (branch_id, counted_on, balance)
