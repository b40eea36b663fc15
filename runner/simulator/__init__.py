"""A stand-in for the voice API, strict about what it is sent and able to misbehave."""
