"""The views under which people read aggregates: what stands in their place, how they are switched, what they keep."""
