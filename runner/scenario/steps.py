"""Plays the steps of a scenario on a virtual call, each with everything that it leads to.

What the model is asked to say word for word it says at once, and the caller hears it in no time. What it is
left to say is told by the next step if that is the model's, and else is nothing that anybody minds.
"""

import math
from typing import assert_never

from runner.call.machine.phase import Phase
from runner.model.action import Timer, TimerKind
from runner.model.event import Usage
from runner.model.scenario import (
    CallerHangsUp,
    CallerSays,
    KeysArePressed,
    ModelCalls,
    ModelFails,
    ModelSays,
    NobodySpeaks,
    Step,
)
from runner.scenario.virtual_call import VirtualCall
from runner.standin import script
from runner.standin.script import CallsTool, Ending, Occasion, Says, ScriptedResponse, Tokens

KEYS = Timer(TimerKind.KEYS)


class StepPlayer:
    """Plays one call, step by step."""

    def __init__(self, call: VirtualCall) -> None:
        self._call = call

    def begin(self, following: Step | None) -> None:
        """From the ring to the greeting, or to the rejection.

        Raises UndeclaredError when a request is made that has no answer.
        """
        self._settle(following)

    def play(self, step: Step, following: Step | None) -> None:
        """One step. `following` is the one after it. Raises UndeclaredError."""
        call, act = self._call, step.act
        match act:
            case CallerSays(text=text):
                call.play(script.CallerSays(text=text, when=script.When.AT_ONCE))
            case ModelSays() | ModelCalls() | ModelFails():
                call.respond(_response(act, step.usage))
            case KeysArePressed(keys=keys):
                call.play(script.CallerPresses(keys=keys, when=script.When.AT_ONCE))
            case NobodySpeaks(for_s=for_s):
                self._pass(for_s)
            case CallerHangsUp():
                call.play(script.CallerHangsUp(when=script.When.AT_ONCE))
            case _:
                assert_never(act)
        self._settle(following)

    def _settle(self, following: Step | None) -> None:
        """Everything that happens before the next step can."""
        call = self._call
        while not call.is_over:
            if call.advance():
                continue
            if call.is_thinking:
                if _is_models(following) and not self._awaits_tools:
                    return
                call.say_nothing()
            elif not (self._waits and call.advance(math.inf)):
                return

    def _pass(self, seconds: float) -> None:
        """Let time pass. Before it does, the model has said what it was left to say."""
        call = self._call
        until_s = round(call.elapsed_s + seconds, 6)
        while not call.is_over:
            if call.advance():
                continue
            if call.is_thinking:
                call.say_nothing()
            elif not call.advance(until_s):
                break
        call.move_to(until_s)

    @property
    def _waits(self) -> bool:
        """Whether the step lasts until something has come."""
        is_talking = self._call.machine.phase is Phase.TALKING
        return not is_talking or self._awaits_tools or KEYS in self._call.machine.timers

    @property
    def _awaits_tools(self) -> bool:
        session = self._call.machine.session
        return session is not None and session.tools.awaited


def _is_models(step: Step | None) -> bool:
    """Whether the step is what the model does."""
    return step is not None and isinstance(step.act, ModelSays | ModelCalls | ModelFails)


def _response(act: ModelSays | ModelCalls | ModelFails, usage: Usage) -> ScriptedResponse:
    tokens = _tokens(usage)
    match act:
        case ModelSays(text=text):
            return ScriptedResponse(output=(Says(text=text),), to=Occasion.ANY, tokens=tokens)
        case ModelCalls(calls=calls):
            output = tuple(CallsTool(name=name, arguments=arguments) for name, arguments in calls)
            return ScriptedResponse(output=output, to=Occasion.ANY, tokens=tokens)
        case ModelFails(detail=detail):
            return ScriptedResponse(
                ending=Ending.FAILED, error=(detail, None), to=Occasion.ANY, tokens=tokens
            )
        case _:
            assert_never(act)


def _tokens(usage: Usage) -> Tokens:
    return Tokens(
        text_in=usage.text_in,
        text_cached=usage.text_cached,
        audio_in=usage.audio_in,
        audio_cached=usage.audio_cached,
        text_out=usage.text_out,
        audio_out=usage.audio_out,
    )
