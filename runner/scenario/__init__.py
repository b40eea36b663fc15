"""Plays scenarios offline: the machine, the port and the stand-in for the voice API, on a virtual time.

No sockets, no waiting, no clock.
"""
