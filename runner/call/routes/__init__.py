"""Which agent a call belongs to: conditions, their precedence, the table that matches by index."""
