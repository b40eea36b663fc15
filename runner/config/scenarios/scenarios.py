"""Builds the scenarios of a file: who calls, when, and what is expected. `steps` builds what happens."""

from collections.abc import Iterator
from datetime import datetime

from runner.call.addresses.number import read_number
from runner.call.browser.sdp import EXAMPLE_OFFER
from runner.config.checking.checked import Checked
from runner.config.checking.suggest import did_you_mean, one_of
from runner.config.node import Node
from runner.config.problem import Problems, Severity
from runner.config.scenarios.expectations import build_expectation
from runner.config.scenarios.replies import build_replies, check_replies
from runner.config.scenarios.scenario_scope import ScenarioScope
from runner.config.scenarios.steps import build_steps
from runner.model.call import MOST_SUBJECT, Origin, SipOrigin, Transport, WebRtcOrigin
from runner.model.scenario import CALL_ID, Scenario
from runner.model.values import Instant

NOON = datetime.fromisoformat("2026-01-05T12:00:00+00:00").timestamp()
"""The default instant of a scenario: a Monday."""

_MOST_LIKE_A_NUMBER = 7
"""This many digits are meant as a telephone number, and fewer as an extension."""

_ABOUT_THE_WHOLE = frozenset({"no-expectation", "never-fails"})
_OF_TELEPHONES = ("to", "from", "headers")
_OF_BROWSERS = ("sub", "agent", "vars")


def build_scenarios(file: Checked, scope: ScenarioScope, problems: Problems) -> tuple[Scenario, ...]:
    """The scenarios of one file, in order; unsound ones are left out."""
    names: dict[str, Node] = {}
    scenarios: list[Scenario] = []
    for entry in file.root.entries():
        name = entry.get("name")
        if name is not None and name.text in names:
            message = f'the name "{name.text}" is taken by {names[name.text].place}'
            problems.error(name.place, "duplicate-scenario", message)
        elif name is not None:
            names[name.text] = name
        if file.sound(entry):
            scenarios.append(_Builder(entry, scope, problems).build())
        else:
            _check_rest(file.mended(entry), scope, problems)
    return tuple(scenarios)


def _check_rest(scenario: Node | None, scope: ScenarioScope, problems: Problems) -> None:
    """Note the problems in the sound part of a scenario. What it expects may be in the other part."""
    if scenario is None:
        return
    apart = Problems()
    _Builder(scenario, scope, apart).build()
    problems.extend(
        problem
        for problem in apart.sorted()
        if problem.severity is Severity.ERROR and problem.rule not in _ABOUT_THE_WHOLE
    )


class _Builder:
    """Builds one well-formed scenario."""

    def __init__(self, node: Node, scope: ScenarioScope, problems: Problems) -> None:
        self._node = node
        self._scope = scope
        self._problems = problems

    def build(self) -> Scenario:
        node, problems = self._node, self._problems
        name, environment, call = node.get("name"), node.get("environment"), node.get("call")
        call_id = node.find("call", "id")
        expect = build_expectation(node, self._scope, problems)
        replies = build_replies(node.get("replies"), problems)
        steps = tuple(build_steps(node, self._scope, problems))
        check_replies(node, self._scope, problems)
        if expect is None and not any(step.expect for step in steps):
            message = (
                'this scenario expects nothing, so that it could never fail; give it, or a step, "expect"'
            )
            problems.error(node.place, "no-expectation", message)
        if steps and node.find("expect", "ended") is not None and (own := node.get("expect")) is not None:
            message = (
                'the call goes on here: what stands beside "call" is expected before the first step;'
                ' write "ended" into "expect" of the last step'
            )
            problems.error(own.key_place("ended"), "value", message)
        if environment is not None and environment.text not in self._scope.environments:
            hint = did_you_mean(environment.text, self._scope.environments)
            message = f'runner.yaml has no environment "{environment.text}"{hint}'
            problems.error(environment.place, "unknown-environment", message)
        return Scenario(
            name=name.text if name is not None else "",
            at=self._moment(node.get("at")),
            environment=environment.text if environment is not None else None,
            call_id=call_id.text if call_id is not None else CALL_ID,
            origin=self._origin(call) if call is not None else SipOrigin(),
            replies=replies,
            expect=expect,
            steps=steps,
            live_calls=self._counts(node.get("live_calls")),
            calls_today=self._counts(node.get("calls_today")),
            place=name.place if name is not None else node.place,
        )

    def _moment(self, node: Node | None) -> Instant:
        if node is None:
            return NOON
        try:
            return datetime.fromisoformat(node.text).timestamp()
        except ValueError:
            message = f'"{node.text}" is not a valid date and time'
            self._problems.error(node.place, "value", message)
            return NOON

    def _origin(self, call: Node) -> Origin:
        transport = call.get("transport")
        is_from_browser = transport is not None and transport.text == Transport.WEBRTC.value
        brought = next((key for key in _OF_BROWSERS if call.get(key) is not None), None)
        if transport is None and brought is not None and call.get("to") is None:
            message = f'"{brought}" belongs to a call from a browser; write "transport: webrtc" beside it'
            self._problems.error(call.key_place(brought), "missing-key", message)
            return SipOrigin()
        theirs, others = (_OF_BROWSERS, _OF_TELEPHONES) if is_from_browser else (_OF_TELEPHONES, _OF_BROWSERS)
        for key in others:
            if call.get(key) is not None:
                message = f'"{key}" does not apply to a call over {"webrtc" if is_from_browser else "sip"}; '
                message += f"such a call has {one_of(theirs)}"
                self._problems.error(call.key_place(key), "unknown-key", message)
        needed = "sub" if is_from_browser else "to"
        if call.get(needed) is None:
            self._problems.error(call.place, "missing-key", f'"call" needs the key "{needed}"')
        return self._from_browser(call) if is_from_browser else SipOrigin(headers=tuple(self._headers(call)))

    def _from_browser(self, call: Node) -> WebRtcOrigin:
        subject, agent, variables = call.get("sub"), call.get("agent"), call.get("vars")
        if agent is not None:
            self._scope.check_agent(agent.text, agent.place, self._problems)
        if subject is not None and not (len(subject.text) <= MOST_SUBJECT and subject.text.isprintable()):
            message = (
                f'"sub" is not a valid subject of a token; write at most {MOST_SUBJECT} printable characters'
            )
            self._problems.error(subject.place, "value", message)
        if agent is not None and variables is not None:
            self._check_variables(agent.text, variables)
        return WebRtcOrigin(
            subject=subject.text if subject is not None else "",
            agent=agent.text if agent is not None else None,
            vars=variables.data() if variables is not None else {},
            offer=EXAMPLE_OFFER,
        )

    def _check_variables(self, agent: str, variables: Node) -> None:
        """A token whose variables the agent does not declare gets no call."""
        if agent not in self._scope.agents:
            return
        declared = self._scope.agents[agent].vars
        for name in variables.data():
            if name not in declared:
                message = f'"{agent}" declares no variable "{name}", so a token that brings it gets no call'
                place = variables.key_place(name)
                self._problems.error(place, "unknown-variable", message + did_you_mean(name, declared))
                return

    def _headers(self, call: Node) -> Iterator[tuple[str, str]]:
        for key, name in (("to", "To"), ("from", "From")):
            party = call.get(key)
            if party is not None:
                self._check_number(party)
                yield name, party.text
        yield from ((name, value.text) for name, value in call.items_at("headers"))

    def _check_number(self, node: Node) -> None:
        """Text that looks like a telephone number must be one, or the call would be routed unexpectedly."""
        text = node.text
        digits = sum(character.isdigit() for character in text)
        is_meant = text.startswith("+") or (
            digits >= _MOST_LIKE_A_NUMBER and not set(text) - set("0123456789 ().-")
        )
        if is_meant and read_number(text, self._scope.default_country) is None:
            message = (
                f'"{text}" is not a telephone number; write one with its country code, such as +18005550142, '
                'or an address, such as "sip:desk@pbx.example"'
            )
            self._problems.error(node.place, "number", message)

    def _counts(self, node: Node | None) -> dict[str, int]:
        counts: dict[str, int] = {}
        if node is not None:
            for agent, number in node.items():
                self._scope.check_agent(agent, node.key_place(agent), self._problems)
                counts[agent] = int(number.text)
        return counts
