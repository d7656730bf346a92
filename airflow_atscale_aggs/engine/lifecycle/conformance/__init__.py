"""Check a warehouse: a small star is loaded, built, asked and dropped again, and what works is told."""
