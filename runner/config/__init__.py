"""YAML text to a checked configuration. Reads files, never the network; what is wrong is a Problem.

`load` is the way in. `reading` makes nodes of files, `checking` holds them against the schemas and against
each other, `building` makes the model's values of them; `openapi` and `scenarios` do so for their documents.
"""
