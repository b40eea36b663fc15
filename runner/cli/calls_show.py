"""`phone-agents calls show`: shows one call from its ring to its end, as recorded."""

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from typing import assert_never

from runner.call.records.record_json import of_json
from runner.cli.call_view import CallPrinter
from runner.cli.calls_parked import job_document, job_words
from runner.cli.json_document import print_document
from runner.cli.main import OK
from runner.cli.terminal import Style, stdout
from runner.cli.times import lasted, local
from runner.cli.unfinished import live_and_over
from runner.demo.timeline import EntryKind, TimelineEntry
from runner.errors import CannotRunError
from runner.model.live_call import FleetCall
from runner.model.record import CallRecord, Deed, ToolUse, Turn
from runner.model.settings import Settings
from runner.model.stored_call import CallFilter, StoredCall
from runner.store.store import Store

MOST_CANDIDATES = 20

_MISSING = "(not transcribed)"
_GOOD_TOOL = {"ok", "completed"}
_BAD_DEED = {"refused", "failed", "not_completed"}


class CallIsLiveError(CannotRunError):
    """The call has no record yet."""

    def __init__(self, live: FleetCall) -> None:
        super().__init__(f'call "{live.call.id}" is live; its record is written when it is over')
        self.live = live


async def act(options: argparse.Namespace, settings: Settings, store: Store) -> int:
    """Show one call. Raises CannotRunError when there is no such call, or several."""
    try:
        call_id, call = await find_call(settings, store, options.id)
    except CallIsLiveError as error:
        return _show_live(error.live, options.format, has_admin=settings.server.admin is not None)
    if options.format == "json":
        jobs = [job_document(job) for job in call.jobs]
        print_document({"record": call.record, "outcome": call.outcome, "jobs": jobs})
        return OK
    record = record_of(call, call_id)
    view = CallPrinter(stdout(), shutil.get_terminal_size().columns)
    view.introduce(f"{record.agent}, {local(record.created_at)}", [record.id, record.why])
    for entry in story(record, call.outcome):
        view.show(entry)
    view.conclude(record, (record.ended_at or record.created_at) - record.created_at)
    view.remark("fault", record.faults, Style.ERROR)
    view.remark("job", [f"{job.kind} {job_words(job)}" for job in call.jobs], Style.DIM)
    return OK


def _show_live(live: FleetCall, form: str, *, has_admin: bool) -> int:
    """What the store knows of a call that is not over."""
    call = live.call
    if form == "json":
        known = {
            "id": call.id,
            "agent": call.agent,
            "state": call.state.value,
            "began_at": call.began_at,
            "runner": live.runner,
            "address": live.address,
        }
        print_document({"record": None, "outcome": None, "jobs": [], "live": known})
        return OK
    terminal = stdout()
    since = f"since {local(call.began_at)}, {lasted(time.time() - call.began_at)} ago"
    served = "between two runners" if live.runner is None else f"served by runner {live.runner}"
    terminal.line(f'call "{call.id}" is live: {call.state.value}, {served}')
    terminal.line(f"{terminal.styled(call.agent, Style.NAME)} {since}")
    where = (
        f"see it in the console of server.admin, or GET /admin/calls/{call.id} there"
        if has_admin
        else "to see live calls, declare server.admin in runner.yaml"
    )
    terminal.line(f"its record is written when it is over; {where}")
    return OK


async def find_call(settings: Settings, store: Store, id_end: str) -> tuple[str, StoredCall]:
    """The call with this id, or the only one whose id ends with it. Raises CannotRunError, and for a live
    call CallIsLiveError."""
    call = await store.read(id_end)
    if call is not None:
        return id_end, call
    candidates = await store.find(CallFilter(text=id_end), MOST_CANDIDATES)
    ids = [each.id for each in candidates if each.id.endswith(id_end)]
    if len(ids) == 1 and (call := await store.read(ids[0])) is not None:
        return ids[0], call
    if ids:
        listed = ", ".join(f'"{each}"' for each in ids)
        raise CannotRunError(f'the ids of several calls end with "{id_end}": {listed}')
    live_calls, over = await live_and_over(settings, store)
    live = [each for each in live_calls if each.call.id.endswith(id_end)]
    ids = [*(each.call.id for each in live), *(each for each in over if each.endswith(id_end))]
    if len(ids) > 1:
        listed = ", ".join(f'"{each}"' for each in ids)
        raise CannotRunError(f'the ids of several calls without a record end with "{id_end}": {listed}')
    if live:
        raise CallIsLiveError(live[0])
    if ids:
        raise CannotRunError(
            f'call "{ids[0]}" is over, and its record waits for the store in "{over[ids[0]]}"; '
            "a runner saves it"
        )
    raise CannotRunError(f'no call "{id_end}" is stored; "phone-agents calls" lists them')


def record_of(call: StoredCall, call_id: str) -> CallRecord:
    """The record of a call. Raises CannotRunError for one that this version does not understand."""
    try:
        return of_json(call.record)
    except (KeyError, TypeError, ValueError):
        raise CannotRunError(
            f'the record of call "{call_id}" was written by another version of phone-agents; '
            "--format json shows it as it is"
        ) from None


def story(record: CallRecord, outcome: object = None) -> Iterator[TimelineEntry]:
    """The events of a record, in order."""
    began = record.created_at
    caller, called = (
        record.caller or "somebody who withholds the number",
        record.called or "an unknown number",
    )
    yield TimelineEntry(at_s=0.0, what=EntryKind.RINGS, text=f"{caller} calls {called}")
    if record.accepted_at is not None:
        took_s = record.accepted_at - began
        yield TimelineEntry(at_s=took_s, what=EntryKind.ANSWERED, text=record.agent, took_s=took_s)
    happened: list[tuple[float, Turn | ToolUse | Deed | str]] = [
        *((turn.at, turn) for turn in record.turns),
        *((tool.started_at, tool) for tool in record.tools),
        *((deed.at, deed) for deed in record.deeds),
        *((handoff.at, f"handed off to {handoff.agent}: {handoff.because}") for handoff in record.handoffs),
    ]
    for at, what in sorted(happened, key=lambda one: one[0]):
        match what:
            case Turn():
                yield _turn(what, at - began)
            case ToolUse():
                yield from _tool(what, at - began)
            case Deed():
                yield from _deed(what, at - began)
            case str():
                yield TimelineEntry(at_s=at - began, what=EntryKind.HANDOFF, text=what)
            case _:
                assert_never(what)
    if record.ended_at is not None:
        words = ": ".join(part for part in (record.ended, record.detail) if part)
        yield TimelineEntry(at_s=record.ended_at - began, what=EntryKind.ENDED, text=words)
        if outcome is not None:
            text = json.dumps(outcome, ensure_ascii=False)
            yield TimelineEntry(at_s=record.ended_at - began, what=EntryKind.OUTCOME, text=text)


def _turn(turn: Turn, at_s: float) -> TimelineEntry:
    text = _MISSING if turn.text is None else turn.text
    if turn.heard_ms is not None:
        text += f" — (interrupted, {turn.heard_ms / 1000:.1f} s were heard)"
    if turn.waited_s is not None:
        text += f" (after {turn.waited_s:.1f} s)"
    what = EntryKind.AGENT if turn.role == "agent" else EntryKind.CALLER
    return TimelineEntry(at_s=at_s, what=what, text=text)


def _tool(tool: ToolUse, at_s: float) -> Iterator[TimelineEntry]:
    arguments = "" if tool.arguments is None else f" {json.dumps(tool.arguments, ensure_ascii=False)}"
    yield TimelineEntry(
        at_s=at_s, what=EntryKind.TOOL, text=f"{tool.name}{arguments}", tool_call_id=tool.call_id
    )
    words = [tool.status]
    if tool.http_status is not None:
        words.append(f"HTTP {tool.http_status}")
    if tool.attempts > 1:
        words.append(f"{tool.attempts} attempts")
    if tool.error:
        words.append(tool.error)
    if tool.reply is not None:
        reply = tool.reply if isinstance(tool.reply, str) else json.dumps(tool.reply, ensure_ascii=False)
        words.append(f"the model was given {reply}")
    yield TimelineEntry(
        at_s=at_s,
        what=EntryKind.OUTPUT,
        text=", ".join(words),
        tool_call_id=tool.call_id,
        ok=tool.status in _GOOD_TOOL,
        took_s=tool.took_s,
    )


def _deed(deed: Deed, at_s: float) -> Iterator[TimelineEntry]:
    fields = f" {json.dumps(deed.given, ensure_ascii=False)}" if deed.given else ""
    yield TimelineEntry(at_s=at_s, what=EntryKind.PERSON, text=f"{deed.by}: {deed.what}{fields}")
    words = ": ".join(part for part in (deed.result, deed.detail) if part)
    took_s = None if deed.settled_at is None else deed.settled_at - deed.at
    is_bad = deed.result in _BAD_DEED
    yield TimelineEntry(at_s=at_s, what=EntryKind.OUTPUT, text=words, ok=not is_bad, took_s=took_s)
