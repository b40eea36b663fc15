"""Builds tools from the operations of OpenAPI documents that an agent names."""
