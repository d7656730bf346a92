"""What tables mean: keys, relationships, roles, hierarchies and metrics, decided from what was seen of them."""
