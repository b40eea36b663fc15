"""The jobs after a call: the question about its outcome, and the deliveries of its record."""
