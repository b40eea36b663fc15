"""Decides about a browser's call before it rings: its offer and its token."""
