"""Checks values against JSON Schemas in bounded time."""
