"""Writes the record of a call (turns, tools, cost) and masks what must not be kept."""
