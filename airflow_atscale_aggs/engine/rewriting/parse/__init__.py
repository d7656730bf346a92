"""From the text of a statement to a `ModelQuery`, and what stands around it."""
