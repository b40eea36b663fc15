"""What is written down of a call: turns, tools, cost, with what must not be kept masked."""
