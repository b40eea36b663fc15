"""Templates: Jinja2 over plain data, bounded, and the names that they may use."""
