"""System-defined definitions travel to another system by a file."""
