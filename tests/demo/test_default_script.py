"""The default call: every tool once, and what ends it last."""

from datetime import date
from typing import Any

import pytest

from runner.call.examples.call_for_agent import HandoffTo
from runner.call.templates.template import compile_template
from runner.demo.default_script import DefaultScript, RequestedTool, default_script, parse_requested
from runner.model.agent import Agent, ModelOpens, Say, Wait
from runner.model.tool import Binding, HandoffBinding, HangupBinding, StaticBinding, Tool, TransferBinding
from runner.model.values import Place
from runner.standin.script import CallerHangsUp, CallerSays, CallsTool, ScriptedResponse

TODAY = date(2026, 11, 22)
TRANSFER = TransferBinding(destinations={"desk": compile_template("tel:+14155550123")})
STATIC = StaticBinding(answer="yes")


def tool(name: str, binding: Binding, **properties: Any) -> Tool:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return Tool(name=name, description="d", parameters=parameters, binding=binding)


def agent(*tools: Tool, **more: Any) -> Agent:
    given = {"greeting": Say(text=compile_template("Hello.")), **more}
    text = compile_template("Be kind.")
    return Agent(id="a", model="m", instructions=text, tools=tools, place=Place("a", 1, 1), **given)


def called(made: DefaultScript) -> list[tuple[str, Any]]:
    answers = [step for step in made.script if isinstance(step, ScriptedResponse)]
    return [
        (item.name, item.arguments) for step in answers for item in step.output if isinstance(item, CallsTool)
    ]


def names(made: DefaultScript) -> list[str]:
    return [name for name, _ in called(made)]


def test_what_ends_the_call_comes_last_whatever_the_order_of_the_tools() -> None:
    tools = (tool("bye", HangupBinding()), tool("person", TRANSFER), tool("facts", STATIC))
    made = default_script(agent(*tools), [], TODAY)
    assert names(made) == ["facts", "person", "bye"]
    assert made.notes == ('"person" is played as not completed, so that "bye" can be called after it',)
    assert made.failing == ("person",)
    assert [fault.status for fault in made.faults.refer] == [400]


def test_a_last_transfer_completes() -> None:
    made = default_script(agent(tool("one", TRANSFER), tool("two", TRANSFER)), [], TODAY)
    assert (names(made), made.failing) == (["one", "two"], ("one",))


def test_a_transfer_with_a_fallback_fails_twice_unless_the_fallback_itself_was_asked_for() -> None:
    desks = {name: compile_template("tel:+14155550123") for name in ("desk", "night")}
    person = tool("person", TransferBinding(destinations=desks, fallback="night"))
    tools = (person, tool("bye", HangupBinding()))
    assert len(default_script(agent(*tools), [], TODAY).faults.refer) == 2
    asked = [RequestedTool(tool="person", arguments={"destination": "night"}), RequestedTool(tool="bye")]
    assert len(default_script(agent(*tools), asked, TODAY).faults.refer) == 1


def test_a_hand_off_is_played_only_when_it_is_asked_for() -> None:
    tools = (tool("spanish", HandoffBinding(agent="b")), tool("bye", HangupBinding()))
    made = default_script(agent(*tools), [], TODAY)
    assert names(made) == ["bye"]
    assert made.notes == ('"spanish" hands the call to "b"; --call spanish plays that',)
    made = default_script(agent(*tools), [RequestedTool(tool="spanish")], TODAY)
    assert (names(made), made.notes) == (["spanish"], ())


def test_an_agent_that_no_route_leads_to_is_handed_its_call() -> None:
    front = agent(tool("spanish", HandoffBinding(agent="b")), greeting=Wait())
    made = default_script(agent(tool("facts", STATIC)), [], TODAY, HandoffTo(agent=front, tool="spanish"))
    assert isinstance(made.script[0], CallerSays)
    assert names(made) == ["spanish", "facts"]
    assert made.tools == ("facts",)


def test_only_one_hang_up_can_end_the_call() -> None:
    made = default_script(agent(tool("bye", HangupBinding()), tool("leave", HangupBinding())), [], TODAY)
    assert names(made) == ["bye"]
    assert made.notes == ('"leave" is not called: "bye" ends the call',)
    assert made.tools == ("bye",)


def test_without_a_tool_that_ends_the_call_the_caller_does() -> None:
    assert default_script(agent(tool("facts", STATIC)), [], TODAY).script[-1] == CallerHangsUp()
    assert default_script(agent(), [], TODAY).script[-1] == CallerHangsUp()


def test_an_agent_that_waits_is_spoken_to_first() -> None:
    assert isinstance(default_script(agent(greeting=Wait()), [], TODAY).script[0], CallerSays)
    assert isinstance(default_script(agent(greeting=ModelOpens()), [], TODAY).script[0], ScriptedResponse)


def test_only_the_tools_that_are_asked_for_are_called_with_the_arguments_given() -> None:
    tools = (tool("facts", STATIC), tool("more", STATIC, n={"type": "integer"}), tool("bye", HangupBinding()))
    asked = [RequestedTool(tool="more", arguments={"n": "x"}), RequestedTool(tool="more")]
    assert called(default_script(agent(*tools), asked, TODAY)) == [("more", {"n": "x"}), ("more", {"n": 1})]


def test_arguments_that_cannot_be_made_up_are_told_with_what_helps() -> None:
    made = default_script(
        agent(tool("find", STATIC, id={"type": "string", "pattern": "^[0-9]{6}$"})), [], TODAY
    )
    (note,) = made.notes
    assert note.startswith('no arguments for "find" could be made up (')
    assert note.endswith("); add examples to its parameters, or --call 'find={…}'")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("find", RequestedTool(tool="find")),
        ('find={"a": "b=c"}', RequestedTool(tool="find", arguments={"a": "b=c"})),
    ],
)
def test_a_call_is_a_name_and_perhaps_arguments(text: str, asked: RequestedTool) -> None:
    assert parse_requested(text) == asked


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("find={x}", '"{x}" is not JSON; write find=\'{"key": "value"}\''),
        ("find=[1]", 'the arguments of "find" must be a JSON object, not [1]'),
    ],
)
def test_arguments_that_are_no_json_object_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="find") as refused:
        parse_requested(text)
    assert str(refused.value) == message
