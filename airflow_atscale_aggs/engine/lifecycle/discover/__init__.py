"""A warehouse is looked at, and a first model of it is written."""
