"""What holds for requests of consoles and pages about calls that another runner of the store may serve."""

FORWARDED = "Phone-Agents-Forwarded"
"""Marks a forwarded request: its receiver answers for its own calls, and asks nobody.

No page of another site can send it, since no preflight allows it (Fetch, 4.9).
"""
ASK_S = 5.0
"""For another runner to answer."""
QUIET_S = 40.0
"""For another runner's stream to send anything: it has a heartbeat."""
HEARTBEAT_S = 15.0
AGAIN_S = 0.25
"""Before a call between two runners is looked for again."""
