"""Advise which aggregates a model should have, from its queries and from its structure."""
