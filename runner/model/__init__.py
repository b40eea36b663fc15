"""The values that all other modules use. Frozen dataclasses; no I/O, no clock, no third-party code."""
