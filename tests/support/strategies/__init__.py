"""Random models, queries and definitions."""
