"""One call, decided: pure functions and state machines over values. No I/O, clock or environment."""
