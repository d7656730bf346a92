"""Decide which aggregates stay: evaluate, supersede, block and prune them, and sweep their tables."""
