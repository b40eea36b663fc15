"""Warns of legal settings of one agent that are probably mistakes, as its parts together show."""

from collections.abc import Mapping

from runner.config.checking.api_names import check_names
from runner.config.checking.phone_session import check_session
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.agent import Agent, Silence
from runner.model.call import Role
from runner.model.tool import STAGGER, HttpBinding, Tool


def review_agent(
    agent: Agent, document: Node, tools: Mapping[str, Node], problems: Problems, *, has_api_names: bool
) -> None:
    """Note the warnings about an agent. `tools` holds each tool's node, by name.

    `has_api_names` says whether models are named as the API names them, and not as deployments.
    """
    if has_api_names:
        check_names(document, problems)
    check_session(document, problems)
    _check_transcription(document, problems)
    for tool in agent.tools:
        if isinstance(tool.binding, HttpBinding) and tool.name in tools:
            _check_waits(tool, tools[tool.name], tool.binding, agent.limits.silence, problems)


def _check_transcription(document: Node, problems: Problems) -> None:
    """The API transcribes the caller only when told to."""
    transcription, guardrails = (
        document.find("session", "audio", "input", "transcription"),
        document.get("guardrails"),
    )
    if guardrails is None or (transcription is not None and transcription.value is not None):
        return
    for guardrail in guardrails.entries():
        on = guardrail.get("on")
        if on is not None and on.text == Role.CALLER.value:
            message = (
                "this guardrail never hears the caller, whose words are not transcribed; "
                "set session.audio.input.transcription, such as {model: gpt-transcribe}"
            )
            problems.warning(on.place, "no-transcription", message)


def _check_waits(
    tool: Tool, node: Node, binding: HttpBinding, silence: Silence | None, problems: Problems
) -> None:
    longest_s = longest_request_s(binding)
    for step, entry in zip(tool.while_waiting, node.entries_at("while_waiting"), strict=False):
        after = entry.get("after")
        if after is not None and step.after_s >= longest_s:
            message = f'"{after.text}" is never reached: the request ends after {longest_s:g}s at the latest'
            problems.warning(after.place, "never-reached", message)
    if silence is None or tool.background or tool.while_waiting or longest_s <= silence.after_s:
        return
    attempts = binding.retries.attempts
    tries = f" with its {attempts} attempts" if attempts > 1 else ""
    http = node.get("http")
    timeout = http.get("timeout") if http is not None else None
    place = timeout.place if timeout is not None else (http or node).place
    message = (
        f'"{tool.name}" may take {longest_s:g}s{tries}, and nothing is said meanwhile, though "silence" '
        f'allows {silence.after_s:g}s; add "while_waiting", or shorten "timeout"'
    )
    problems.warning(place, "longer-than-silence", message)


def longest_request_s(binding: HttpBinding) -> float:
    """The longest time that all attempts of a request take together, with the waits between them."""
    retries = binding.retries
    waits_s = retries.backoff_s * float(2 ** (retries.attempts - 1) - 1)
    return retries.attempts * binding.timeout_s + waits_s * (1.0 + STAGGER)
