"""A call that another process has left, made of its journal, or without one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import Phase
from runner.errors import StoreError
from runner.model.action import Action, AnswerCall, OpenSideband
from runner.model.entry import Entry, Lived
from runner.model.event import AnswerReplied, ClaimReplied, Decided, TakenOver
from runner.model.live_call import CallState, HeldCall
from runner.serve.fleet.takeover import LeftCall, Takeover
from runner.serve.metrics import Metrics
from runner.serve.versions import DirectorySource, Versions
from runner.store.journal.entries import encode
from runner.store.journal.seal import JournalKey, Seal
from runner.store.journal.sealed import SealedEntries
from tests.call.machine.playing import RINGING
from tests.serve.test_versions import AGENT, ENVIRON

DURABILITY = (Path(__file__).parents[3] / "docs" / "durability.md").read_text()
SEAL, KEY = Seal(lambda: ["whsec_x"]), JournalKey()
LIVED: tuple[Lived, ...] = (RINGING, ClaimReplied(agent="desk"), AnswerReplied(decided=Decided.DONE))


class Shelf:
    """A store with the journal of one call, which raises `trouble`."""

    def __init__(self, *pieces: SealedEntries) -> None:
        self.pieces = list(pieces)
        self.trouble: Exception | None = None

    async def journals(self, call_ids: Sequence[str]) -> dict[str, list[SealedEntries]]:
        if self.trouble is not None:
            raise self.trouble
        return {call_id: self.pieces for call_id in call_ids if self.pieces}

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not asked for")


def piece(first_seq: int, events: Sequence[Lived]) -> SealedEntries:
    entries = [Entry(seq=first_seq + place, at=1000.0, event=event) for place, event in enumerate(events)]
    text = encode(entries)
    call_id = RINGING.call_id
    sealed = SEAL.seal_more(KEY, text, call_id, first_seq) if first_seq else SEAL.seal(KEY, text, call_id)
    return SealedEntries(call_id=RINGING.call_id, first_seq=first_seq, entries=sealed)


def sealed_with(seal: Seal, text: bytes = b"[1,[]]") -> SealedEntries:
    """The first piece of a journal, which says this."""
    return SealedEntries(RINGING.call_id, 0, seal.seal(KEY, text, RINGING.call_id))


def versions_of(directory: Path) -> Versions:
    (directory / "desk.yaml").write_text(AGENT)
    source = DirectorySource(directory, None, ENVIRON)
    return Versions(source.read(), source, Metrics())


def made(directory: Path, shelf: Shelf) -> Takeover:
    return Takeover(shelf, SEAL, versions_of(directory), lambda: 1005.0)


async def restored(directory: Path, shelf: Shelf, state: CallState = CallState.ANSWERED) -> LeftCall | None:
    takeover = made(directory, shelf)
    call = HeldCall(
        id=RINGING.call_id,
        agent="desk",
        configuration=versions_of(directory).current.source.hash,
        began_at=RINGING.created_at,
        state=state,
    )
    journals = await takeover.journals([call])
    return takeover.restore(call, journals.get(call.id, ()))


async def test_a_call_goes_on_where_its_journal_ends(tmp_path: Path) -> None:
    left = await restored(tmp_path, Shelf(piece(0, LIVED[:1]), piece(1, LIVED[1:])))
    assert left is not None
    assert left.journal is not None
    assert (left.machine.phase, left.journal.next_seq) == (Phase.WAITING, 3)
    assert left.journal.key.raw == KEY.raw


@pytest.mark.parametrize("pieces", [(piece(1, LIVED[1:]),), ()], ids=["a gap", "nothing"])
@pytest.mark.parametrize(
    ("state", "phase", "first"),
    [(CallState.ANSWERED, Phase.WAITING, OpenSideband), (CallState.RINGING, Phase.ANSWERING, AnswerCall)],
)
async def test_a_journal_with_a_gap_gives_a_call_without_its_past(
    tmp_path: Path, pieces: tuple[SealedEntries, ...], state: CallState, phase: Phase, first: type[Action]
) -> None:
    left = await restored(tmp_path, Shelf(*pieces), state)
    assert left is not None
    assert (left.journal, left.machine.phase) == (None, phase)
    assert isinstance(left.machine.handle(TakenOver(), 1005.0)[0], first)


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([], "its beginning is missing"),
        ([piece(0, LIVED[:1]), piece(2, LIVED[2:])], "its entries from 1 on are missing"),
        ([piece(0, LIVED[1:])], "it does not begin with the ring of the call"),
        (
            [sealed_with(Seal(lambda: ["whsec_y"]))],
            "it was sealed with a webhook secret that is not configured any more",
        ),
        ([piece(0, LIVED[:1]), piece(2, LIVED[1:])._replace(first_seq=1)], "it was changed or damaged"),
        ([sealed_with(SEAL, b"[2,[]]")], "it was written by another version of phone-agents"),
        ([sealed_with(SEAL, b"[1]")], "it holds what this version of phone-agents does not know"),
    ],
)
async def test_why_a_journal_is_not_replayed_stands_in_the_log_and_in_the_page_on_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, pieces: list[SealedEntries], reason: str
) -> None:
    await restored(tmp_path, Shelf(*pieces))
    (entry,) = [entry for entry in caplog.records if entry.message == "journal is not replayed"]
    assert entry.__dict__["reason"].startswith(reason)
    assert reason.replace("from 1 on", "from … on") in DURABILITY


async def test_a_bug_in_replaying_is_named_by_its_place_and_quotes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_a_bug(machine: CallMachine, *_: object) -> None:
        raise ValueError("what the caller said")

    monkeypatch.setattr(CallMachine, "handle", has_a_bug)
    with pytest.raises(ValueError, match="what the caller said"):
        await restored(tmp_path, Shelf(piece(0, LIVED)))
    line = has_a_bug.__code__.co_firstlineno + 1
    (entry,) = [entry for entry in caplog.records if entry.message == "journal is not replayed"]
    assert entry.__dict__["reason"] == (
        "this version of phone-agents cannot replay it, which is a bug"
        f" (ValueError in has_a_bug, line {line})"
    )
    assert "cannot replay it, which is a bug" in DURABILITY


async def test_a_store_that_is_away_is_no_journal_that_cannot_be_read(tmp_path: Path) -> None:
    shelf = Shelf(piece(0, LIVED))
    shelf.trouble = StoreError("no answer")
    with pytest.raises(StoreError):
        await restored(tmp_path, shelf)
