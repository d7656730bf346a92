"""Move system-defined definitions to another system by a file."""
