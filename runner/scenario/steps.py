"""Plays the steps of a scenario on a virtual call, each with everything that follows from it.

The model says sentences that it is given word for word at once, and the caller hears them immediately. What
it says in its own words comes from the next step if that is the model's; otherwise it does not matter. Only
before an interruption, a restart or the loss of the sideband does a step leave something in progress.
"""

import math
from typing import assert_never

from runner.call.machine.connection import REDIAL_DELAYS_S
from runner.call.machine.phase import Phase
from runner.model.action import Timer, TimerKind
from runner.model.event import Unreachable
from runner.model.scenario import (
    CallerInterrupts,
    CallerLeaves,
    CallerTurn,
    HandoffIsRefused,
    KeysArePressed,
    ModelCalls,
    ModelFails,
    ModelSays,
    NobodySpeaks,
    NothingIsHeard,
    PersonActs,
    RunnerRestarts,
    SidebandIsLost,
    Step,
)
from runner.model.usage import Usage
from runner.scenario.replies import UnplayableError
from runner.scenario.virtual_call import VirtualCall
from runner.standin import script
from runner.standin.pace import AT_ONCE, SPOKEN, Pace
from runner.standin.script import (
    CallsMcpTool,
    CallsTool,
    Ending,
    Occasion,
    Says,
    ScriptedItem,
    ScriptedResponse,
)

KEYS = Timer(TimerKind.KEYS)
GIVEN_UP_AFTER_S = sum(REDIAL_DELAYS_S)
"""A sideband that is away for longer is not dialled again."""


class StepPlayer:
    """Plays one call, step by step."""

    def __init__(self, call: VirtualCall) -> None:
        self._call = call

    def begin(self, following: Step | None) -> None:
        """Play from the ring to the greeting, or to the rejection. `following` is the first step.

        Raises UnplayableError when a request has no reply.
        """
        self._call.api.call.is_mute = following is not None and isinstance(following.act, NothingIsHeard)
        self._call.api.set_pace(_pace_before(following))
        self._settle(following)

    def play(self, step: Step, following: Step | None) -> None:
        """Play one step. `following` is the one after it. Raises UnplayableError."""
        call, act = self._call, step.act
        if not isinstance(act, CallerInterrupts):
            call.api.set_pace(_pace_before(following))
        match act:
            case CallerTurn(text=text):
                call.api.call.play(script.CallerSays(text=text, when=script.When.AT_ONCE))
            case ModelSays() | ModelCalls() | ModelFails():
                call.api.respond(self._response(act, step.usage))
            case KeysArePressed(keys=keys):
                call.api.call.play(script.CallerPresses(keys=keys, when=script.When.AT_ONCE))
            case NobodySpeaks() | NothingIsHeard():
                call.api.call.is_mute = isinstance(act, NothingIsHeard)
                self._pass(act.for_s)
                call.api.call.is_mute = False
            case CallerInterrupts():
                self._interrupt(act, following)
            case SidebandIsLost(for_s=for_s):
                self._lose_sideband(for_s)
            case RunnerRestarts():
                call.restart()
            case HandoffIsRefused():
                call.api.refuse_handoff()
            case PersonActs(act=persons_act, transfer_end=end):
                call.steer(persons_act, end)
            case CallerLeaves():
                call.api.call.play(script.CallerHangsUp(when=script.When.AT_ONCE))
            case _:
                assert_never(act)
        self._settle(following)

    def _interrupt(self, act: CallerInterrupts, following: Step | None) -> None:
        call = self._call
        playing = call.api.playing
        if playing is None:
            raise UnplayableError("the agent is not saying anything that could be interrupted")
        self._pass_until(call.api.playing_since_s + act.after_s)
        if call.is_over:
            return
        if call.api.playing is not playing:
            took_s = SPOKEN.spoken_word_s * playing.spoken_words
            raise UnplayableError(
                f"the agent has finished speaking after {took_s:g}s, so nothing is interrupted"
            )
        call.api.set_pace(_pace_before(following))
        call.api.call.play(script.CallerSays(text=act.text, when=script.When.AT_ONCE))

    def _lose_sideband(self, for_s: float) -> None:
        call = self._call
        call.lose_sideband()
        self._pass(min(for_s, GIVEN_UP_AFTER_S))
        if for_s > GIVEN_UP_AFTER_S:
            call.happen(Unreachable(detail="the sideband could not be opened again"))
        else:
            call.reopen_sideband()

    def _settle(self, following: Step | None) -> None:
        """Let everything happen that precedes the next step."""
        call = self._call
        interrupts = following is not None and isinstance(following.act, CallerInterrupts)
        while not call.is_over:
            if call.advance():
                continue
            if interrupts and call.api.playing is not None:
                return
            if call.api.is_thinking:
                if _is_models(following) and not self._awaits_tools:
                    return
                call.api.say_nothing()
            elif not (self._waits(following) and call.advance(math.inf)):
                return

    def _pass(self, seconds: float) -> None:
        """Let time pass. Before it does, the model says what it was left to say."""
        self._pass_until(round(self._call.elapsed_s + seconds, 6))

    def _pass_until(self, until_s: float) -> None:
        call = self._call
        while not call.is_over:
            if call.advance():
                continue
            if call.api.is_thinking:
                call.api.say_nothing()
            elif not call.advance(until_s):
                break
        call.move_to(until_s)

    def _waits(self, following: Step | None) -> bool:
        """Whether the step lasts until something has come."""
        if self._call.machine.phase is not Phase.TALKING:
            return True
        if following is not None and isinstance(following.act, SidebandIsLost | RunnerRestarts):
            return False
        # A response that waits for an MCP server is like a tool of our own.
        return self._awaits_tools or self._call.api.is_responding or KEYS in self._call.machine.timers

    @property
    def _awaits_tools(self) -> bool:
        session = self._call.machine.session
        return session is not None and session.tools.awaited

    # The model's steps

    def _response(self, act: ModelSays | ModelCalls | ModelFails, usage: Usage) -> ScriptedResponse:
        match act:
            case ModelSays(text=text):
                return ScriptedResponse(output=(Says(text=text),), to=Occasion.ANY, usage=usage)
            case ModelCalls(calls=calls, says=says):
                said = () if says is None else (Says(text=says),)
                output = (*said, *(self._called(name, arguments) for name, arguments in calls))
                return ScriptedResponse(output=output, to=Occasion.ANY, usage=usage)
            case ModelFails(detail=detail):
                return ScriptedResponse(
                    ending=Ending.FAILED, error=(detail, None), to=Occasion.ANY, usage=usage
                )
            case _:
                assert_never(act)

    def _called(self, name: str, arguments: str) -> ScriptedItem:
        reply = self._call.mcp_reply(name)
        if reply is None:
            return CallsTool(name=name, arguments=arguments)
        server, _, tool = name.partition(".")
        return CallsMcpTool(
            server=server, name=tool, arguments=arguments, output=reply.output, takes_s=reply.took_s
        )


def _is_models(step: Step | None) -> bool:
    """Whether the step is what the model does."""
    return step is not None and isinstance(step.act, ModelSays | ModelCalls | ModelFails)


def _pace_before(following: Step | None) -> Pace:
    """What will be interrupted takes time to be heard; nothing else does."""
    interrupts = following is not None and isinstance(following.act, CallerInterrupts)
    return SPOKEN if interrupts else AT_ONCE
