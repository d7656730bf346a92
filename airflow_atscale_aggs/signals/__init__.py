"""What is a signal in a file, and which were seen already. Knows files, not Airflow; time is an argument."""
