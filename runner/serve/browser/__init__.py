"""Calls from browsers: the endpoints for pages. Off until `server.browser` is declared."""
