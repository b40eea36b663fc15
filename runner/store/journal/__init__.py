"""The journal of a live call: the events of its machine, so that another process can continue it."""
