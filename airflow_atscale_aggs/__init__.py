"""Aggregate tables for star schemas, run from Apache Airflow.

This module imports nothing: Airflow's provider discovery imports it before its configuration is ready.
"""

__version__ = "0.1.0"
