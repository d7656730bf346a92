"""Processes that are killed, and faults that are planted."""
