"""The semantic models and metrics of dbt (MetricFlow) as SML."""
