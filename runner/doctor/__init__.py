"""Checks everything that a first call needs, and says what to do. Changes nothing, calls nobody."""
