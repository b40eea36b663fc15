"""Phone agents from YAML: the package behind the `phone-agents` command."""

__version__ = "0.1.0"
