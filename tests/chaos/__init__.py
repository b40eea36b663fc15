"""Real runner processes under seeded faults, and a checker that reads the others' logs, never ours."""
