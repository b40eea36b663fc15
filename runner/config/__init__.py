"""Turns YAML text into a checked configuration. Reads files, never the network; mistakes are Problem values.

`load` is the entry point. `reading` turns files into nodes, `checking` checks them against the schemas and
against each other, `building` turns them into the model's values; `openapi` and `scenarios` do so for their
documents.
"""
