"""What is decided before a call is answered: the webhook, admission, capacity, the lookup."""
