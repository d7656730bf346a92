"""Assets: what a batch tells others when its aggregates go live."""
