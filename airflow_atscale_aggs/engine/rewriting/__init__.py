"""Decide how to answer a query. Pure."""
