"""Calculated metrics: what their MDX measures, and where."""
