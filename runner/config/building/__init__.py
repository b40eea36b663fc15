"""Turns checked nodes into the values of the model."""
