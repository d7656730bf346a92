"""What the SML says: reading, resolving, join paths, validation. Reads files, touches no database."""
