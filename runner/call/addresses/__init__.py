"""Reads who calls whom: SIP addresses and telephone numbers, as carriers send them."""
