"""Builds the routes of agents, and the `routing` of runner.yaml."""

from collections.abc import Collection, Iterable, Iterator

from runner.api.realtime.facts import PROJECT_PREFIX
from runner.config.building.matchers import Lists, MatcherBuilder, ReadList, check_country
from runner.config.building.parts import Parts
from runner.config.checking.checked import Checked
from runner.config.checking.suggest import did_you_mean, one_of, or_there_is
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.call import Transport
from runner.model.route import Conditions, Otherwise, Reject, RejectRule, Route, RoutingSettings, ToAgent


class RouteBuilder:
    """Builds routes from well-formed nodes."""

    def __init__(
        self,
        problems: Problems,
        *,
        default_country: str | None,
        schedules: Collection[str],
        read_list: ReadList,
        lists: Lists,
    ) -> None:
        """`lists` keeps the parsed number lists, for the next agent's routes."""
        self._problems = problems
        self._default_country = default_country
        self._schedules = schedules
        self._read_list = read_list
        self._lists = lists
        self._matchers = MatcherBuilder(
            problems=problems, default_country=default_country, read_list=read_list, lists=lists
        )

    def routes(self, agent: str, entries: Iterable[Node]) -> tuple[Route, ...]:
        """An agent's routes, from the entries of `routes`."""
        return tuple(
            Route(
                agent=agent,
                conditions=self._conditions(entry),
                priority=_whole(entry.get("priority"), 0),
                place=entry.place,
            )
            for entry in entries
        )

    def settings(self, runner: Checked) -> RoutingSettings:
        """The `routing` of runner.yaml. `check_otherwise` checks the agent of `otherwise`."""
        called_number, otherwise = (runner.part("routing", key) for key in ("called_number", "otherwise"))
        return RoutingSettings(
            default_country=self._default_country,
            called_number=tuple(entry.text for entry in called_number.entries()) if called_number else (),
            reject=tuple(self._reject_rules(runner)),
            project_prefix=PROJECT_PREFIX,
            otherwise=_otherwise(otherwise) if otherwise else RoutingSettings().otherwise,
        )

    def _reject_rules(self, runner: Checked) -> Iterator[RejectRule]:
        for entry in runner.root.entries_at("routing", "reject"):
            if runner.sound(entry):
                yield self._reject_rule(entry)
            else:
                Parts(runner, self._problems).check(
                    runner.mended(entry),
                    lambda rest, problems: self._reporting_to(problems)._reject_rule(rest),
                )

    def _reporting_to(self, problems: Problems) -> "RouteBuilder":
        return RouteBuilder(
            problems,
            default_country=self._default_country,
            schedules=self._schedules,
            read_list=self._read_list,
            lists=self._lists,
        )

    def _reject_rule(self, node: Node) -> RejectRule:
        return RejectRule(
            conditions=self._conditions(node), status=_whole(node.get("status"), 603), place=node.place
        )

    def _conditions(self, node: Node) -> Conditions:
        called, caller = node.get("to"), node.get("from")
        during, transport, share = node.get("during"), node.get("transport"), node.get("share")
        if during and during.text not in self._schedules:
            self._unknown_schedule(during)
        if transport and transport.text == Transport.WEBRTC.value:
            self._check_browser_route(node)
        return Conditions(
            called=self._matchers.party(called) if called else None,
            caller=self._matchers.party(caller) if caller else None,
            headers=tuple((name, self._matchers.header(value)) for name, value in node.items_at("headers")),
            during=during.text if during else None,
            transport=Transport(transport.text) if transport else None,
            share=float(share.text.removesuffix("%")) / 100 if share else None,
        )

    def _check_browser_route(self, node: Node) -> None:
        """A browser dials nothing and has no SIP headers."""
        for key, lacks in (("to", "dials no number"), ("headers", "has no SIP headers")):
            if node.get(key) is not None:
                message = f'a browser {lacks}, so this never matches with "transport: webrtc"; leave it out'
                self._problems.warning(node.key_place(key), "never-wins", message)

    def _unknown_schedule(self, node: Node) -> None:
        hint = did_you_mean(node.text, self._schedules)
        if not hint:
            known = one_of(sorted(self._schedules)) if self._schedules else "none"
            name = "NAME" if ":" in node.text else node.text
            declared = f"{name}: {{timezone: America/New_York, open: {{mon-fri: 09:00-17:00}}}}"
            right = "" if self._schedules else f'; write "schedules: {{{declared}}}" there'
            hint = f"; runner.yaml declares {known}{right}"
        self._problems.error(node.place, "unknown-schedule", f'unknown schedule "{node.text}"{hint}')


def default_country(runner: Checked, problems: Problems) -> str | None:
    """The country of numbers without a country code."""
    node = runner.part("routing", "default_country")
    if node is None:
        return None
    check_country(node, problems)
    return node.text


def check_otherwise(runner: Checked, agents: Collection[str], problems: Problems) -> None:
    """Note an agent in `routing.otherwise` that does not exist."""
    node = runner.part("routing", "otherwise", "agent")
    if node is not None and node.text not in agents:
        hint = or_there_is(node.text, agents)
        problems.error(node.place, "unknown-agent", f'there is no agent "{node.text}"{hint}')


def _otherwise(node: Node) -> Otherwise:
    agent = node.get("agent")
    return ToAgent(agent=agent.text) if agent else Reject(status=_whole(node.get("reject"), 404))


def _whole(node: Node | None, default: int) -> int:
    return node.value if node is not None and isinstance(node.value, int) else default
