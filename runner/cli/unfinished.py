"""The calls without a record: live ones, and those whose record waits in a file until the store takes it."""

import asyncio
import os
from pathlib import Path

from runner.model.live_call import FleetCall
from runner.model.settings import Settings
from runner.serve.secrets import find_store
from runner.store.store import Store
from runner.store.url import file_beside
from runner.store.waiting_record import waiting_records


async def live_and_over(settings: Settings, store: Store) -> tuple[list[FleetCall], dict[str, Path]]:
    """The live calls, and the ids of those that are over with the file in which the record waits.

    Only files of this machine can be seen: those beside the store, or in the working directory.
    """
    base, live = file_beside(find_store(settings, os.environ), "unsaved"), await store.live_calls()
    if base is None or not live:
        return live, {}
    waiting = await asyncio.to_thread(waiting_records, base)
    over = {
        each.call.id: found.path
        for each in live
        if (found := waiting.get(each.call.id)) is not None and found.ends(each.call)
    }
    return [each for each in live if each.call.id not in over], over
