"""How long a test waits for what takes no time unless the machine has none for it."""

PATIENCE_S = 60.0
