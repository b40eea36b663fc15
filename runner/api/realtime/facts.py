"""The API in numbers and names that others have to know."""

BASE_URL = "https://api.openai.com/v1"
LONGEST_S = 3600.0
"""The API ends every session after 60 minutes
(https://developers.openai.com/api/docs/guides/realtime-conversations, session lifecycle)."""
PROJECT_USER_PREFIX = "proj_"
"""Calls arrive at `sip:proj_…@sip.api.openai.com`, an address that nobody has dialled."""
EXAMPLE_PROJECT = "sip:proj_example@sip.api.openai.com"
"""A project's address, for calls that are made up."""
