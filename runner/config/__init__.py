"""YAML text to a checked configuration. Reads files, never the network; what is wrong is a Problem."""
