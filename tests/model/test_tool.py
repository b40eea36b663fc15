"""What a binding means to the rest of the program."""

import pytest

from runner.call.templates.template import compile_template
from runner.model.agent import Agent, Guardrail, Then
from runner.model.call import Role
from runner.model.declaration import DeclarationKind
from runner.model.tool import (
    Binding,
    HandoffBinding,
    HangupBinding,
    HttpBinding,
    StaticBinding,
    Tool,
    TransferBinding,
)
from runner.model.values import Place

URL = compile_template("https://api.maple.example/")
GET = HttpBinding(method="GET", url=URL)
POST = HttpBinding(method="POST", url=URL)
TRANSFER = TransferBinding(destinations={"nurse": compile_template("sip:nurse@maple.example")})


def tool(binding: Binding, *, idempotent: bool = False) -> Tool:
    return Tool(name="t", description="", parameters={}, binding=binding, idempotent=idempotent)


FACTS = [
    (GET, (DeclarationKind.TOOL, True, False, None, [])),
    (TRANSFER, (DeclarationKind.TRANSFER, False, True, None, ["nurse"])),
    (HangupBinding(), (DeclarationKind.TOOL, False, False, None, [])),
    (HandoffBinding(agent="other"), (DeclarationKind.HANDOFF, False, False, "other", [])),
    (StaticBinding(answer=1), (DeclarationKind.TOOL, False, False, None, [])),
]


@pytest.mark.parametrize(("binding", "facts"), FACTS)
def test_each_binding_says_what_it_means(binding: Binding, facts: tuple[object, ...]) -> None:
    assert facts == (
        binding.declares,
        binding.sends_request,
        binding.needs_telephone,
        binding.hands_to,
        list(binding.choices),
    )


def test_a_request_may_be_repeated_when_it_only_reads_or_says_so() -> None:
    assert tool(GET).is_repeatable
    assert not tool(POST).is_repeatable
    assert tool(POST, idempotent=True).is_repeatable
    assert not tool(TRANSFER).is_repeatable


def test_an_agent_hands_a_call_over_by_a_tool_or_a_guardrail() -> None:
    lawyer = Guardrail(name="g", on=Role.CALLER, pattern="x", then=Then.HANDOFF, handoff="lawyer")
    agent = Agent(
        id="desk",
        model="m",
        instructions=compile_template("x"),
        tools=(tool(GET), tool(HandoffBinding(agent="other"))),
        guardrails=(lawyer,),
        place=Place("desk.yaml", 1, 1),
    )
    assert agent.hands_to == ("other", "lawyer")
