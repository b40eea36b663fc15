"""What is owed once a call is over: the outcome and the deliveries."""
