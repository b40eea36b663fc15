"""What is particular to one voice API: its events in, neutral happenings out; actions in, bodies out."""
