"""What is particular to one voice API: its events in, neutral events out; actions in, bodies out."""
