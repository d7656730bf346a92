"""One file per schema version, numbered without gaps."""
