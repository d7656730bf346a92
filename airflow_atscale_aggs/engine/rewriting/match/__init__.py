"""Which aggregate answers the share of a fact, and what the facts would cost."""
