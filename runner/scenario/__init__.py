"""Plays scenarios offline: the machine, the port and the stand-in for the voice API, in virtual time.

No sockets, no waiting, no clock.
"""
