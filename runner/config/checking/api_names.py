"""Warns of models and voices that the API does not have, or not for this purpose, and of models about to be
shut down.
"""

import re
from collections.abc import Sequence

from runner.api.realtime import models
from runner.api.realtime.shutdowns import SHUTDOWNS
from runner.config.checking.suggest import nearest, one_of
from runner.config.node import Node
from runner.config.problem import Problems

_SURELY = 0.9
"""How similar two names are when one letter is wrong."""
_SPEAKING = re.compile("realtime|audio")
_DIGITS = re.compile(r"\d+")
_FINE_TUNED = "ft:"
_TEXT_MODELS = (models.TEXT, *(name for name in SHUTDOWNS if models.reads(name)))
_TRANSCRIPTION = ("session", "audio", "input", "transcription")


def check_names(agent: Node, problems: Problems) -> None:
    """Note each model and voice of an agent's document that the API does not accept there.

    For an agent at the API's own address: elsewhere the names are those of deployments.
    """
    model, voice = agent.get("model"), agent.get("voice") or agent.find("session", "audio", "output", "voice")
    if model is not None:
        _check_speech(model, problems)
    if voice is not None and isinstance(voice.value, str):
        _check_voice(voice, problems)
    _check_transcription(agent.find(*_TRANSCRIPTION), problems)
    outcome = agent.find("outcome", "model")
    if outcome is not None:
        _check_text(outcome, problems)
    session = agent.get("session")
    if model is not None and session is not None and not models.reasons(model.text):
        for key in ("reasoning", "parallel_tool_calls"):
            if session.get(key) is not None:
                message = (
                    f'"{model.text}" does not accept "{key}", as only reasoning models do; '
                    f'leave it out, or use "{models.SPEECH}"'
                )
                problems.warning(session.key_place(key), "unknown-model", message)


def _check_speech(node: Node, problems: Problems) -> None:
    name = node.text
    if models.speaks(name):
        _check_shutdown(node, problems)
    elif (models.transcribes(name) or models.reads(name)) and not _SPEAKING.search(name):
        message = f'"{name}" does not speak; write a model that does, such as "{models.SPEECH}"'
        problems.warning(node.place, "unknown-model", message)
    else:
        _unknown_model(node, models.SPEECH_MODELS, models.SPEECH, problems)


def _check_voice(node: Node, problems: Problems) -> None:
    name = node.text
    if name in models.VOICES:
        return
    near = nearest(name, models.VOICES)
    hint = f'did you mean "{near}"?' if near else f"write {one_of(models.VOICES)}"
    custom = "" if near else "; a custom voice is {id: …} under session.audio.output.voice"
    problems.warning(node.place, "unknown-voice", f'the API has no voice "{name}"; {hint}{custom}')


def _check_transcription(node: Node | None, problems: Problems) -> None:
    model = node.get("model") if node is not None else None
    if node is None or model is None:
        return
    if models.transcribes(model.text):
        _check_shutdown(model, problems)
    elif _is_mistyped(model, models.TRANSCRIBERS, problems):
        pass
    elif models.speaks(model.text) or models.reads(model.text):
        message = (
            f'"{model.text}" does not transcribe; write a model that does, such as "{models.TRANSCRIPTION}"'
        )
        problems.warning(model.place, "unknown-model", message)
    else:
        _unknown_model(model, models.TRANSCRIBERS, models.TRANSCRIPTION, problems)
    for field, takers in models.TRANSCRIPTION_FIELDS.items():
        if node.get(field) is not None and model.text not in takers:
            right = f"leave it out, or use {one_of(takers)}"
            message = f'"{model.text}" does not accept "{field}"; {right}'
            problems.warning(node.key_place(field), "unknown-model", message)


def _unknown_model(node: Node, known: Sequence[str], usual: str, problems: Problems) -> None:
    near = nearest(node.text, known)
    hint = f'did you mean "{near}"?' if near else f'write one such as "{usual}"'
    problems.warning(node.place, "unknown-model", f'the API has no model "{node.text}"; {hint}')


def _check_text(node: Node, problems: Problems) -> None:
    if models.speaks(node.text) or models.transcribes(node.text):
        message = f'"{node.text}" is not a text model; write one such as "{models.TEXT}"'
        problems.warning(node.place, "unknown-model", message)
    elif not models.reads(node.text) and not node.text.startswith(_FINE_TUNED):
        _unknown_model(node, _TEXT_MODELS, models.TEXT, problems)
    elif not _is_mistyped(node, _TEXT_MODELS, problems):
        _check_shutdown(node, problems)


def _is_mistyped(node: Node, known: Sequence[str], problems: Problems) -> bool:
    """Whether a name is a mistyped known one, after noting it. A new model has another number."""
    near = nearest(node.text, known, cutoff=_SURELY)
    if near is None or near == node.text or _DIGITS.findall(near) != _DIGITS.findall(node.text):
        return False
    _unknown_model(node, (near,), near, problems)
    return True


def _check_shutdown(node: Node, problems: Problems) -> None:
    if node.text in SHUTDOWNS:
        day, instead = SHUTDOWNS[node.text]
        message = f'"{node.text}" works only until {day}; use "{instead}"'
        problems.warning(node.place, "model-shutdown", message)
