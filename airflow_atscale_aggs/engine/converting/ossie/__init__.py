"""Files of Apache Ossie, formerly Open Semantic Interchange, as SML."""
