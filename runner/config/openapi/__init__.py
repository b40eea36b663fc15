"""OpenAPI documents: the operations that an agent names, made into tools."""
