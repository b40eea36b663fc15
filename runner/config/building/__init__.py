"""Checked nodes to the values of the model."""
