"""What each error means, why it comes and what to do: texts in TOML, one file for each subject. Knows nothing else."""
