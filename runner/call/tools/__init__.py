"""Tool calls as values: arguments checked, the request built, the reply put into words for the model."""
