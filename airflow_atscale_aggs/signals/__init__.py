"""Finds signals in files, and remembers which were seen. This room knows files but not Airflow; time is an argument."""
