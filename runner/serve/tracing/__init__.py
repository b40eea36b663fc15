"""Traces of calls, for OpenTelemetry. Where they are off, its library is not imported."""
