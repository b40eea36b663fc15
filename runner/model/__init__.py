"""The values that everything else speaks of. Frozen dataclasses; no I/O, no clock, no third party."""
