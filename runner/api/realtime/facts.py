"""Numbers and names of the API that other modules need."""

BASE_URL = "https://api.openai.com/v1"
PROVIDER = "openai"
"""Its name in OpenTelemetry's conventions (`gen_ai.provider.name`)."""
BASE_URL_VARIABLE = "OPENAI_BASE_URL"
"""The environment variable for another URL, of the API's own libraries and so of ours."""
LONGEST_S = 3600.0
"""The API ends every session after 60 minutes
(https://developers.openai.com/api/docs/guides/realtime-conversations, session lifecycle)."""
AUDIO_TOKENS_PER_S = 20.0
"""Spoken audio is one token for each 50 ms (OpenAI, "Managing costs" of the Realtime API)."""
INSUFFICIENT_QUOTA = "insufficient_quota"
"""The code of an error that no wait helps with: the account has no credit left."""
PROJECT_PREFIX = "proj_"
"""Calls arrive at `sip:proj_…@sip.api.openai.com`, an address that nobody has dialled."""
