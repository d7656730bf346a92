"""Notifiers, which tell people what happened to a batch."""
