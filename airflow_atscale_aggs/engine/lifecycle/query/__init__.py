"""Used: queries are answered from aggregates, or from the facts. Knows nothing of builds."""
