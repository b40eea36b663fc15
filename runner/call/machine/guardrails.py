"""Searches what is said on a call for patterns, and acts on the first match."""

from collections.abc import Sequence
from typing import assert_never

from runner.call.machine.intent import End, HandOff, Intent, Part, SayToCaller
from runner.call.regex import compile_regex
from runner.model.action import Interrupt, Log, LogEvent
from runner.model.agent import Guardrail, Then
from runner.model.call import Role
from runner.model.conversation_event import Transcribed, TranscriptGrew
from runner.model.event import CallEvent
from runner.model.values import Instant

LONGEST_TEXT = 20_000
"""Characters of one item that are searched. A turn on the telephone has a few hundred."""
_STILL_SEARCHED = 1_000
"""Characters before new words that are searched with them: words come several times a second on each call. A
longer match is found when the item is complete.
"""


class GuardrailWatch(Part):
    """Follows the words of both sides as they come. A guardrail acts once for each item.

    The patterns are RE2, which searches in linear time whatever a caller says.
    """

    hears = frozenset({TranscriptGrew, Transcribed})

    def __init__(self, guardrails: Sequence[Guardrail]) -> None:
        self._patterns = [(guardrail, compile_regex(guardrail.pattern)) for guardrail in guardrails]
        self._heard: dict[str, str] = {}
        self._acted: set[tuple[str, str]] = set()

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Search the text of an item so far."""
        match event:
            case TranscriptGrew(item_id=item_id, role=role, text=text):
                heard = self._heard.get(item_id, "")
                # One character more than is searched: the pattern sees that the text does not begin there.
                self._heard[item_id] = heard = heard[-_STILL_SEARCHED - 1 :] + text
                return self._search(item_id, role, heard, len(heard) - len(text) - _STILL_SEARCHED)
            case Transcribed(item_id=item_id, role=role, text=text):
                self._heard.pop(item_id, None)
                return self._search(item_id, role, text, 0)
            case _:
                return []

    def _search(self, item_id: str, role: Role, text: str, first: int) -> list[Intent]:
        """Search a text from its character `first` on."""
        first = max(first, len(text) - LONGEST_TEXT, 0)
        wanted: list[Intent] = []
        for guardrail, pattern in self._patterns:
            acted = (guardrail.name, item_id)
            if guardrail.on is role and acted not in self._acted and pattern.search(text, first):
                self._acted.add(acted)
                wanted += _consequences(guardrail)
        return wanted


def _consequences(guardrail: Guardrail) -> list[Intent]:
    spoken: list[Intent] = [SayToCaller(text=guardrail.say)] if guardrail.say is not None else []
    detail = f'guardrail "{guardrail.name}"'
    entry = Log(event=LogEvent.GUARDRAIL_MATCHED, fields={"guardrail": guardrail.name})
    return [entry, *_acts(guardrail, spoken, detail)]


def _acts(guardrail: Guardrail, spoken: list[Intent], detail: str) -> list[Intent]:
    match guardrail.then:
        case Then.CANCEL:
            return [Interrupt(), *spoken]
        case Then.SAY:
            return spoken
        case Then.HANGUP:
            return [Interrupt(), End(reason="guardrail", say=guardrail.say, detail=detail)]
        case Then.HANDOFF:
            return [Interrupt(), *spoken, HandOff(agent=guardrail.handoff or "", because=detail)]
        case then:
            assert_never(then)
