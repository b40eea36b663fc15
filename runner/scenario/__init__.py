"""Plays scenarios offline, on the code that answers real calls. No sockets, no waiting, no clock."""
