"""Decides which agent a call belongs to: conditions, their precedence, and a table that matches by index."""
