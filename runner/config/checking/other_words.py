"""The words of other products for our keys: people who come from one write its words first."""

from collections.abc import Collection, Mapping

_WORDS: Mapping[str, str] = {
    # An agent
    "agent": "name id agent_id agent_name",
    "instructions": (
        "prompt prompts system_prompt system_message system system_instructions persona base_prompt"
    ),
    "greeting": (
        "first_message first_sentence welcome_message welcome begin_message initial_message opening intro say"
    ),
    "tools": (
        "functions actions plugins skills transfer transfers hangup handoff handoffs http end_call"
        " transfer_call mcp mcp_servers openapi"
    ),
    "vars": "variables dynamic_variables context",
    "routes": "numbers phone_numbers phone_number phone triggers inbound",
    "outcome": "analysis summary post_call_analysis extraction structured_output",
    "on_end": "end_of_call callback callbacks webhooks webhook webhook_url status_callback server_url",
    "keys": "dtmf",
    "record": "recording privacy",
    "if_broken": "on_failure fallback",
    "voice": "voice_id speaker tts",
    "model": "llm model_name model_id",
    "schema": "prompt instructions fields json_schema",
    # A tool and its request
    "parameters": "arguments args input_schema schema inputs",
    "http": "webhook api request endpoint",
    "transfer": "transfer_call call_transfer forward",
    "hangup": "end_call hang_up end",
    "handoff": "hand_off agent_transfer assistant",
    "json": "body data payload",
    "query": "params query_params",
    "auth": "authorization authentication",
    "destinations": "to target targets number numbers phone_number destination",
    "server_url": "url",
    "server": "url",
    "server_label": "name label",
    "retries": "retry max_retries",
    # Routes
    "to": "number phone called callee dialled dialed did phone_number",
    "from": "caller calling cli",
    "during": "schedule hours business_hours opening_hours when",
    # runner.yaml
    "store": "database db database_url",
    "records": "retention data_retention",
    "default_country": "country region country_code",
    "closed": "holidays",
    "timezone": "tz time_zone",
    # Limits and session
    "max_duration": "max_call_duration max_minutes max_length timeout",
    "silence": "silence_timeout idle_timeout no_input",
    "max_output_tokens": "max_tokens max_completion_tokens max_response_output_tokens",
    "transcription": "input_audio_transcription stt transcriber",
    "turn_detection": "vad",
    "noise_reduction": "input_audio_noise_reduction",
    # Scenarios
    "at": "time now when date timezone",
    "caller": "user human customer",
    "model_says": "assistant agent bot agent_says",
    "model_calls": "tool tools tool_call tool_calls calls",
    "caller_hangs_up": "hangup hang_up",
    "replies": "mocks mock stubs responses",
    "steps": "turns conversation messages",
    "expect": "assert assertions expected expectations",
}
_NO_SUCH: Mapping[str, str] = {
    "temperature top_p top_k frequency_penalty presence_penalty seed": (
        "leave it out: the voice API has no such setting"
    ),
    "agents assistants": "leave it out: each agent has a file of its own beside runner.yaml",
    "log_level log_format": "it is an option: phone-agents run --log-level debug --log-format json",
    "version api_version kind metadata": "leave it out: a file needs no version and no metadata",
}
"""Keys that other products have and this language does not, with what to do instead."""
_OURS: dict[str, list[str]] = {}
for _key, _words in _WORDS.items():
    for _word in _words.split():
        _OURS.setdefault(_word.replace("_", ""), []).append(_key)

_ADVICE = {word.replace("_", ""): advice for words, advice in _NO_SUCH.items() for word in words.split()}


def our_word(word: str, known: Collection[str]) -> str | None:
    """The known key for another product's word, whatever its case and separators."""
    ours = _OURS.get(_plain(word), ())
    return next((key for key in ours if key in known), None)


def no_such(word: str) -> str:
    """What to do without a key that only other products have; empty for any other key."""
    advice = _ADVICE.get(_plain(word))
    return f"; {advice}" if advice else ""


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")
