"""PostgreSQL's functions and operators said on other warehouses: typed, one handler per function, refused where none is exact."""
