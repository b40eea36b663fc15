"""Nodes against the schemas, and what no schema can say."""
