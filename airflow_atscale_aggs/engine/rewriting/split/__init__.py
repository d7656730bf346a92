"""A `ModelQuery` by fact: what each fact must give, under which keys and conditions."""
