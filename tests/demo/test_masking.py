"""What simulate shows holds no secret, and nothing that the agents want masked."""

import pytest

from runner.demo.masking import Mask
from runner.demo.timeline import EntryKind, TimelineEntry
from runner.model.agent import Agent, Guardrail, Recording, Sensitive, Then
from runner.model.call import Role
from tests.call.machine.playing import TO_SPANISH, an_agent

STRICT = Recording(
    kinds=frozenset({Sensitive.EMAIL}), arguments=(("account",),), results=(("patient", "code"),)
)
SECRETS = {"TOKEN": "placeholder-TOKEN", "PIN": "1234"}


def mask(agent: Agent | None = None, *others: Agent) -> Mask:
    agent = agent or an_agent(record=STRICT)
    return Mask(agent, {each.id: each for each in (agent, *others)}, SECRETS)


def shown(what: EntryKind, text: str, by: Mask | None = None) -> str:
    return (by or mask()).entry(TimelineEntry(at_s=0.0, what=what, text=text)).text


@pytest.mark.parametrize(
    ("what", "text", "masked"),
    [
        (
            EntryKind.RINGS,
            "sip:ada@mail.example calls +18005550142",
            "sip:ada@mail.example calls +18005550142",
        ),
        (EntryKind.AGENT, "Is it ada@mail.example?", "Is it [email]?"),
        (EntryKind.CALLER, "ada@mail.example", "[email]"),
        (EntryKind.ERROR, "ada@mail.example", "[email]"),
        (EntryKind.OUTCOME, '{"mail": "ada@mail.example"}', '{"mail": "[email]"}'),
        (EntryKind.TOOL, 'find {"account": "204518", "a": 1}', 'find {"account": "[redacted]", "a": 1}'),
        (EntryKind.TOOL, 'find {"account": "2045', "find [redacted]"),
        (EntryKind.OUTPUT, '{"patient":{"code":"tulip"},"b":1}', '{"patient":{"code":"[redacted]"},"b":1}'),
        (EntryKind.OUTPUT, '{"b": 1}', '{"b": 1}'),
        (EntryKind.OUTPUT, "ada@mail.example", "[email]"),
    ],
)
def test_a_moment_is_masked_by_what_it_is_about(what: EntryKind, text: str, masked: str) -> None:
    assert shown(what, text) == masked


def test_what_was_masked_once_is_masked_when_it_is_said_again() -> None:
    by = mask()
    shown(EntryKind.TOOL, 'find {"account": "204518"}', by)
    shown(EntryKind.OUTPUT, '{"patient":{"code":"tulip"}}', by)
    assert (
        shown(EntryKind.AGENT, "Account 2 0 4 5 1 8, code tulip.", by)
        == "Account [redacted], code [redacted]."
    )
    assert by.url("https://a.example/204518?mail=ada%40mail.example&n=1") == (
        "https://a.example/[redacted]?mail=[email]&n=1"
    )


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://a.example/x?key=placeholder-TOKEN", "https://a.example/x?key=<TOKEN>"),
        ("https://a.example/1234/12345", "https://a.example/<PIN>/12345"),
        ("https://a.example/x%20y", "https://a.example/x%20y"),
    ],
)
def test_a_url_shows_no_secret(url: str, masked: str) -> None:
    assert mask().url(url) == masked


def test_whoever_may_get_the_call_has_a_say() -> None:
    guardrail = Guardrail(name="g", on=Role.CALLER, pattern="x", then=Then.HANDOFF, handoff="strict")
    spanish = an_agent("recepcion", guardrails=(guardrail,), tools=(TO_SPANISH,))
    strict = an_agent("strict", record=STRICT)
    first = an_agent(tools=(TO_SPANISH,))
    assert shown(EntryKind.AGENT, "ada@mail.example", mask(first, spanish, strict)) == "[email]"
    assert shown(EntryKind.AGENT, "ada@mail.example", mask(an_agent(), strict)) == "ada@mail.example"
    assert shown(EntryKind.AGENT, "ada@mail.example", mask(first)) == "ada@mail.example"
