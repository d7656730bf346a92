"""PostgreSQL's functions and operators said on other warehouses.

Typed, one handler per function, refused where none is exact.
"""
