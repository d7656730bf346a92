"""Decide what should exist. Pure."""
