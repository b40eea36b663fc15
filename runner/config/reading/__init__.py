"""Files and YAML text to nodes that know their places, laid over each other."""
