"""Remember: models, deployments, definitions, instances, attempts, batches, settings, in our own database."""
