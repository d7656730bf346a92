"""Assets, which are updated when the aggregates of a batch go live."""
