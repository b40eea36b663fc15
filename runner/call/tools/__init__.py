"""A tool call as values: arguments checked, the request made, the reply told to the model."""
