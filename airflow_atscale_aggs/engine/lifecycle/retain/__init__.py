"""Kept or let go: aggregates are judged, superseded, blocked, pruned, and their tables are swept."""
