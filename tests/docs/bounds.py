"""The bounds that the code holds to, by the names under which the page about operating tells them."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import runner
from runner.serve.descriptors import DescriptorShares
from runner.serve.timeouts import Timeouts

Number = int | float

UNSEEN = {
    "a pause: when it is over, we look again or write on, and nothing is given up": (
        "serve.admin.fleet_feed.LOOK_S",
        "serve.admin.other_runners.RUNNERS_S",
        "serve.admin.followed.LOOK_S",
        "serve.admin.followed.SETTLE_S",
        "serve.admin.streams.ASK_AGAIN_S",
        "serve.admin.streams.LOOK_S",
        "serve.admin.streams.TICK_S",
        "serve.background.RESTART_S",
        "serve.browser.admission.SWEEP_S",
        "serve.browser.watch.PAUSE_S",
        "serve.drain.LOOK_S",
        "serve.fleet.journal_writer.BATCH_S",
        "serve.fleet.journal_writer.RETRY_S",
        "serve.fleet.journal_writer.SOON_S",
        "serve.fleet.member.TAKEOVER_S",
        "serve.fleet.service.SWEEP_S",
        "serve.fleet.unserved_calls.FIRST_WAIT_S",
        "serve.fleet.unserved_calls.LONGEST_WAIT_S",
        "serve.forwarding.AGAIN_S",
        "serve.forwarding.HEARTBEAT_S",
        "serve.log_handlers.GATHER_S",
        "serve.log_handlers.TICK_S",
        "serve.log_writer.BLOCKED_S",
        "serve.loop_lag.EVERY_S",
        "serve.names.SECOND_FAMILY_S",
        "serve.reloads.POLL_S",
    ),
    "how long what is known is used or shown before anybody is asked again": (
        "serve.admin.followed.FRESH_S",
        "serve.admin.followed.IDLE_S",
        "serve.admin.followed.KEPT_S",
        "serve.admin.peers.CALLS_FRESH_S",
        "serve.admin.peers.FRESH_S",
        "serve.admin.streams.KEPT_S",
        "serve.api_client.REFUSED_S",
        "serve.api_connections.FRESH_S",
        "serve.background.STEADY_S",
        "serve.names.FRESH_S",
        "serve.sideband.KEPT_AGAIN_S",
        "serve.tls.VERIFIED_S",
    ),
    "a minute of which the table speaks in words": ("serve.rates.WINDOW_S",),
    "a default of a request or of a class, which others replace": (
        "serve.admin.records.DEFAULT_DAY_S",
        "serve.admin.records.DEFAULT_WINDOW_S",
        "serve.fleet.lease_keeper.HEARTBEAT_S",
        "serve.fleet.lease_keeper.LEASE_S",
    ),
    "how much is done in one go of work that is done in any case": (
        "serve.alarms.MOST_STALE",
        "serve.api_connection.MOST_PIECES",
        "serve.admin.json_in_turns.TURN_CHARACTERS",
        "serve.admin.record_requests.DAY_PAGE",
        "serve.clients.API_LOOKUPS",
        "serve.fleet.left_pieces.MOST_PIECES",
        "serve.fleet.member.BATCH",
        "serve.fleet.member.TOGETHER",
        "serve.log_handlers.BATCH",
        "serve.plain_reply.MOST_BYTES",
    ),
    "a share of another bound": (
        "serve.fleet.lease_keeper.ANSWER",
        "serve.fleet.lease_keeper.ASSERTED_S",
        "serve.fleet.lease_keeper.ASSERTION",
        "serve.fleet.lease_keeper.SOON",
        "serve.fleet.lease_keeper.TURNS_TO_READ",
    ),
    "what is forgotten costs one more question, look-up, handshake or line": (
        "serve.admin.call_rows.MOST_GONE",
        "serve.admin.followed.MOST_ENDS",
        "serve.api_client.MOST_UNSETTLED",
        "serve.api_connections.IDLE_S",
        "serve.fleet.held_calls.MOST_LOST",
        "serve.fleet.unserved_calls.MOST",
        "serve.log_folding.MOST_KEYS",
        "serve.names.MOST_KNOWN",
        "serve.tls.MOST_HOSTS",
    ),
    "only the operator's own tokens, files and runners come up to it": (
        "serve.admin.access.MIN_TOKEN",
        "serve.admin.peers.MOST_LINE",
        "serve.secrets.MAX_FILE_BYTES",
    ),
    "only an exception that is a bug of ours is so long": (
        "serve.log_lines.MAX_FRAMES",
        "serve.log_lines.MAX_TEXT",
    ),
    "a fact about the system, the loop, the garbage collector, TLS or the calendar": (
        "serve.alarms.EARLY_S",
        "serve.descriptors.LARGEST_LIMIT",
        "serve.descriptors.MACOS_LIMIT",
        "serve.event_loop.MIDDLE",
        "serve.event_loop.OLD",
        "serve.event_loop.YOUNG",
        "serve.pings.EARLY_S",
        "serve.tls.RECORD_BYTES",
    ),
}
"""Numbers that nobody who runs the program can come upon, by the reason."""


def of_serving() -> Iterator[str]:
    """The names of every bound of the serving side: its deadlines, and the numbers of its modules."""
    yield from (f"serve.timeouts.{field.name}" for field in fields(Timeouts))
    folder = Path(runner.__file__).parent
    for path in sorted((folder / "serve").rglob("*.py")):
        module = ".".join(path.relative_to(folder).with_suffix("").parts)
        for name in _constants(path):
            if isinstance(getattr(import_module(f"runner.{module}"), name), Number):
                yield f"{module}.{name}"


def value(name: str) -> str:
    """What a bound is, as the page shows it. Raises AttributeError or ImportError when there is none."""
    if name == "serve.descriptors.DescriptorShares.of":
        return f"{DescriptorShares.of(1 << 20).connections:,}"
    module, _, constant = name.rpartition(".")
    owner = Timeouts() if module == "serve.timeouts" else import_module(f"runner.{module}")
    return shown(constant, getattr(owner, constant))


def shown(name: str, found: Number | tuple[Number, ...] | Mapping[object, Number]) -> str:
    """A number with its unit, which its name tells."""
    if isinstance(found, Mapping):
        found = tuple(found.values())
    if isinstance(found, tuple):
        return f"{', '.join(f'{one:g}' for one in found)} s"
    if name.lower().endswith("_s"):
        return f"{found / 3600:g} h" if found % 3600 == 0 and found else f"{found:g} s"
    if "BYTES" in name:
        units = ((1024 * 1024, "MiB"), (1024, "KiB"), (1, "bytes"))
        size, unit = next((size, unit) for size, unit in units if found % size == 0)
        return f"{found // size:g} {unit}"
    return f"{found:,}"


def _constants(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) if name.isupper() and not name.startswith("_"):
                yield name
