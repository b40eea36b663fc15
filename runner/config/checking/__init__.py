"""Checks nodes against the schemas, and for what no schema can express."""
