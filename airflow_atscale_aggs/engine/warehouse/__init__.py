"""Touch data: run SQL in the warehouse and say what went wrong in our own errors. No row passes through Python."""
