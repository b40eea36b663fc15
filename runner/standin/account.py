"""What the stand-in's account offers: its models, its voices, and the sessions that it accepts."""

from dataclasses import dataclass, field

from runner.api.realtime.models import SPEECH_MODELS, TEXT, TRANSCRIBERS, VOICES
from runner.model.values import Json
from runner.standin.placed_call import RestReply, error_reply

SECRET_S, SHORTEST_SECRET_S, LONGEST_SECRET_S = 600, 10, 7200
"""How long a client secret lasts when the request does not say, and how long it may."""


@dataclass(slots=True, kw_only=True)
class Account:
    """A project at the API. Change it to have requests refused."""

    models: set[str] = field(default_factory=lambda: {*SPEECH_MODELS, *TRANSCRIBERS, TEXT})
    voices: set[str] = field(default_factory=lambda: set(VOICES))
    refusal: RestReply | None = None
    """The answer to every request about the account, when there is one."""

    def list_models(self) -> RestReply:
        """`GET /models`."""
        entries = [{"id": model, "object": "model", "owned_by": "system"} for model in sorted(self.models)]
        return self.refusal or RestReply(200, {"object": "list", "data": entries})

    def make_client_secret(self, body: Json) -> RestReply:
        """`POST /realtime/client_secrets`: the session is checked as when a call is accepted."""
        if self.refusal is not None:
            return self.refusal
        match body:
            case {"session": {"type": "realtime", "model": str(model), **rest}}:
                audio: Json = rest.get("audio") or {}
                voice = (audio.get("output") or {}).get("voice")
            case _:
                message = "Missing required parameter: 'session.type'."
                return error_reply(400, "invalid_value", message, "session.type")
        seconds = (body.get("expires_after") or {}).get("seconds", SECRET_S)
        if not SHORTEST_SECRET_S <= seconds <= LONGEST_SECRET_S:
            message = f"Invalid 'expires_after.seconds': {seconds}."
            return error_reply(400, "invalid_value", message, "expires_after.seconds")
        if model not in self.models:
            message = f"The model `{model}` does not exist or you do not have access to it."
            return error_reply(400, "invalid_value", message, "session.model")
        if voice is not None and voice not in self.voices:
            supported = ", ".join(f"'{name}'" for name in sorted(self.voices))
            message = f"Invalid value: '{voice}'. Supported values are: {supported}."
            return error_reply(400, "invalid_value", message, "session.audio.output.voice")
        return RestReply(200, {"value": "ek_simulated", "expires_at": 0, "session": body["session"]})
