"""The machine of a call, from its ring to its record: the one state machine of the program."""
