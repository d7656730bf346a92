"""Say it in SQL: ASTs, one capability row per dialect, names of tables and columns. Pure."""
