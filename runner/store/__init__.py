"""Stores records and jobs: one Protocol, with an engine for each kind of database behind it."""
