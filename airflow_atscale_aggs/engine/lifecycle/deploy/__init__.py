"""Deploy a folder of SML: read it, check it against the warehouse, and record it."""
