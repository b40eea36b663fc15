"""Pieces of journals in a file: one that cannot be read costs no other."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.model.live_call import CallState, HeldCall
from runner.store.journal.piece_spool import PieceSpool
from runner.store.journal.sealed import HeldPiece, SealedEntries

CALL = HeldCall(id="rtc_1", agent="desk", configuration="abc", began_at=1.0, state=CallState.ANSWERED)
PIECE = HeldPiece(piece=SealedEntries("rtc_1", 3, b"sealed"), call=CALL)
WRITTEN = {"id": "rtc_1", "agent": "desk", "configuration": "abc", "began_at": 1.0}


def line(call: Any = WRITTEN, first_seq: Any = 3, entries: Any = "c2VhbGVk") -> str:
    return json.dumps([call, first_seq, entries])


UNREADABLE = {
    "no JSON": "no JSON",
    "too deep": "[" * 200_000,
    "a number": "7",
    "a call that is a list": line(call=[]),
    "an id that is an object": line(call={**WRITTEN, "id": {}}),
    "an instant beyond all": line(call={**WRITTEN, "began_at": 10**400}),
    "a state that is a list": line(call={**WRITTEN, "state": []}),
    "a number that is an object": line(first_seq={}),
    "a number that is text": line(first_seq="3"),
    "entries that are an object": line(entries={}),
    "entries with a damaged byte": line(entries="c2V?bGVk"),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_a_line_that_cannot_be_read_is_skipped_and_told(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "calls.db.journal"
    before = PieceSpool(path)
    assert await before.append([PIECE]) == 1
    await before.close()
    path.write_text(f"{text}\n{path.read_text()}")
    spool = PieceSpool(path)
    await spool.open()
    assert await spool.first(10) == (2, [PIECE])
    assert [entry.message for entry in caplog.records] == ["spooled journal block cannot be read"]
    await spool.drop(2)
    await spool.close()
    assert not path.exists()
