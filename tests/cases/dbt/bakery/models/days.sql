select cast(range as date) as day from range(timestamp '2023-11-01', timestamp '2025-04-01', interval 1 day)
