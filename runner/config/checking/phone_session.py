"""Warns of session settings that leave a caller without an answer. Each is right in another context."""

from runner.config.node import Node
from runner.config.problem import Problems

_NOBODY_NOTICES = "nobody would notice that the caller has finished, so the agent would never answer"
_DETECTION = ("session", "audio", "input", "turn_detection")


def check_session(agent: Node, problems: Problems) -> None:
    """Note each such setting of an agent's document."""
    session = agent.get("session")
    if session is None:
        return
    modalities, detection = session.get("output_modalities"), agent.find(*_DETECTION)
    if modalities is not None and [entry.text for entry in modalities.entries()] == ["text"]:
        message = (
            "the caller would hear nothing: the model would write its answers; write [audio], or leave it out"
        )
        problems.warning(modalities.place, "silent-agent", message)
    if detection is not None and detection.value is None:
        message = f"without turn detection {_NOBODY_NOTICES}; leave it out, or write {{type: semantic_vad}}"
        problems.warning(detection.place, "silent-agent", message)
    creates = detection.get("create_response") if detection is not None else None
    if creates is not None and creates.value is False:
        message = "the agent would never answer what the caller says; leave it out, or write true"
        problems.warning(creates.place, "silent-agent", message)
    _check_choice(session.get("tool_choice"), agent.get("tools"), problems)


def _check_choice(choice: Node | None, tools: Node | None, problems: Problems) -> None:
    if choice is None:
        return
    if choice.text == "required" or choice.get("name") is not None:
        message = "the agent would call a tool in every response and never speak by itself; write auto"
        problems.warning(choice.place, "silent-agent", message)
    elif choice.text == "none" and tools is not None and tools.entries():
        message = "the model would never call the agent's tools; write auto, or leave the tools out"
        problems.warning(choice.place, "never-reached", message)
