"""The rows of the capability table, one for each warehouse dialect."""
