"""Answer queries from aggregates, or from the facts. This room does not know how aggregates are built."""
