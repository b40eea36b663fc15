"""The names that templates may use, and what they stand for.

| name | stands for |
| --- | --- |
| `call.id` | the API's id of the call |
| `call.from`, `call.to` | caller and called party: `number` (E.164 or null), `uri`, `user`, `host`, `display_name`, `country`, `anonymous` |
| `call.headers` | the SIP headers by name, in any case: `call.headers["X-Plan"]`; a repeated header's values are joined with `, ` |
| `call.started_at` | when the call came in, as ISO 8601 text in UTC: `2026-11-23T20:00:00Z` |
| `call.transport` | `sip` or `webrtc` |
| `agent` | the agent's id |
| `vars` | the agent's variables |
| `lookup` | what the lookup answered |
| `args` | inside a tool: the arguments; one that the model left out is null |
| `secrets` | in a tool's `http`: the secrets of runner.yaml |
| `now` | the time of rendering, written as `call.started_at`; the filter `date_format` brings both into another form and timezone |
"""  # noqa: E501 - a table

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from runner.model.call import Address, IncomingCall
from runner.model.values import Instant, Json, JsonObject

Shape: TypeAlias = "Mapping[str, Shape] | None"
"""What may follow a name: these keys and no others, or (None) whatever the data holds."""

NOTHING: Mapping[str, Shape] = {}
"""The shape of text, numbers and booleans."""

_PARTY: Mapping[str, Shape] = dict.fromkeys(
    ("number", "uri", "user", "host", "display_name", "country", "anonymous"), NOTHING
)
CALL: Mapping[str, Shape] = {
    "id": NOTHING,
    "from": _PARTY,
    "to": _PARTY,
    "headers": None,
    "started_at": NOTHING,
    "transport": NOTHING,
}
"""The shape of `call`."""


class HeadersByName(dict[str, str]):
    """Headers by lower-case name, found in any case (RFC 3261, 7.3.1)."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: object, default: Json = None) -> Json:
        """The header's value, or the default."""
        return super().get(name.lower(), default) if isinstance(name, str) else default


def call_names(call: IncomingCall) -> JsonObject:
    """The value of `call` in templates."""
    headers: dict[str, list[str]] = {}
    for name, value in call.headers:
        headers.setdefault(name.lower(), []).append(value)
    return {
        "id": call.id,
        "from": _party(call.caller),
        "to": _party(call.called),
        "headers": HeadersByName({name: ", ".join(values) for name, values in headers.items()}),
        "started_at": timestamp(call.created_at),
        "transport": call.transport.value,
    }


def _party(address: Address) -> JsonObject:
    return {name: getattr(address, name) for name in _PARTY}


def names(
    *,
    call: JsonObject,
    agent_id: str,
    vars: JsonObject,  # noqa: A002 - the language's own word
    lookup: Json = None,
    now: Instant,
) -> dict[str, Json]:
    """The names for templates of an agent. `args` and `secrets` are added where they are allowed.

    `call` is what `call_names` makes.
    """
    return {"call": call, "agent": agent_id, "vars": vars, "lookup": lookup, "now": timestamp(now)}


def timestamp(instant: Instant) -> str:
    """A time as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
