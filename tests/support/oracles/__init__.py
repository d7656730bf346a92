"""Right answers that are found without the engine."""
