"""Small warehouses with their models, and how they are deployed."""
