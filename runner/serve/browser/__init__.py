"""Calls from browsers: the endpoints that pages ask. Everything is off until `server.browser` is declared."""
