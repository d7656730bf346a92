"""Defined: a folder of SML is read, checked against the warehouse, and recorded."""
