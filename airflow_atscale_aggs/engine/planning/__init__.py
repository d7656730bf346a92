"""Decide how to build. Pure: same input, same plan. Reads no clock, opens no connection."""
