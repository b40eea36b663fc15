"""The journal of a live call: what its machine was given, so that another process can go on with it."""
