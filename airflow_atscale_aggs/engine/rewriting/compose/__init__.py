"""A `ModelQuery` as SQL over the rows that its parts are answered from."""
