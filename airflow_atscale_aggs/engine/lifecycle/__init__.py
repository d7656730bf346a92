"""Do: I/O and the order of steps; the files follow the page "Life Cycle of Aggregate Tables"."""
