"""What `run --dev` makes up, and what it leaves as it is."""

from pathlib import Path

from runner.api.webhook import is_secret
from runner.cli.dev import MadeUpModel, placeholder_secrets
from runner.config.load import load
from runner.model.settings import Browser, SecretRef, Server, Settings
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallsTool, ScriptedResponse

AGENTS = Path(__file__).parents[2] / "agents"


def test_every_secret_that_is_not_set_is_made_up_and_no_other() -> None:
    settings = Settings(
        secrets={"TOKEN": SecretRef(env="TOKEN"), "SET": SecretRef(env="SET"), "FILE": SecretRef(file="x")},
        server=Server(browser=Browser(secret=SecretRef(env="CALLS"), origins=())),
    )
    found = placeholder_secrets(settings, {"SET": "1", "OPENAI_WEBHOOK_SECRET": ""})
    assert set(found) == {"TOKEN", "CALLS", "OPENAI_WEBHOOK_SECRET"}
    assert is_secret(found["OPENAI_WEBHOOK_SECRET"])
    assert len(found["CALLS"]) == 64
    assert is_secret(found["TOKEN"])


def test_the_made_up_model_calls_one_tool_after_the_other_with_arguments_that_fit() -> None:
    configuration = load(AGENTS).configuration
    assert configuration is not None
    model = MadeUpModel(configuration)
    call = PlacedCall("rtc_1")
    tools = [
        {"type": "function", "name": name} for name in ("take_message", "end_call", "find_order", "unknown")
    ]
    assert model.answers(call) == ()
    call.answer("create", {"type": "realtime", "tools": tools}, 0.0)
    turns = [model.answers(call) for _ in range(3)]
    called = [
        item.name
        for turn in turns
        for step in turn
        if isinstance(step, ScriptedResponse)
        for item in step.output
        if isinstance(item, CallsTool)
    ]
    assert sorted(set(called)) == ["find_order", "take_message"]
    assert called[0] == called[2] != called[1]


def test_endpoints_answer_with_the_example_of_the_tool() -> None:
    configuration = load(AGENTS).configuration
    assert configuration is not None
    call = PlacedCall("rtc_1")
    call.answer("create", {"type": "realtime"}, 0.0)
    assert call.conversation is not None
    call.conversation.open_calls["call_1"] = "take_message"
    model = MadeUpModel(configuration)
    assert model.example("call_1", {"rtc_1": call}) == {"id": "msg-3107", "received": True}
    assert model.example("call_2", {"rtc_1": call}) == {}
