"""Compares two configurations as callers meet them. Pure: reads and prints nothing."""
