"""Plain SQL on the tables of a star as a query on its model."""
