"""Plays and shows a made-up call: `phone-agents simulate`."""
