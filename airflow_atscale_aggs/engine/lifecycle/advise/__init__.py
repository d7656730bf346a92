"""Defined by demand or by prediction: what a model should have, from what it was asked and from its structure."""
