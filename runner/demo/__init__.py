"""A made-up call, played and shown: `phone-agents simulate`."""
