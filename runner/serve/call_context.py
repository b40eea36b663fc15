"""What the parts of a live call share: how to report an event, start a task, and learn that it is over."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from runner.model.event import CallEvent
from runner.model.values import Instant
from runner.serve.fleet.hold import CallHold
from runner.serve.latch import Latch
from runner.serve.timeouts import Timeouts


@dataclass(slots=True, kw_only=True, eq=False)
class CallContext:
    """One live call, as its parts know it."""

    call_id: str
    hold: CallHold
    over: Latch
    """Set when nothing more happens to the call here."""
    happen: Callable[[CallEvent], None]
    """Gives an event to the machine."""
    timeouts: Timeouts
    clock: Callable[[], Instant]
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = field(init=False)
    """Starts a task that ends with the call. Set by the owner of the tasks."""

    def let_go(self) -> None:
        """The call is over: break the cycles between it and its parts."""
        del self.happen, self.spawn
