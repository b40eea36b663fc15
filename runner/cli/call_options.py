"""Declares and reads the options that describe a call: parties, headers and time."""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.errors import UsageError
from runner.model.call import WEB, Headers

if TYPE_CHECKING:
    from runner.call.examples.call_for_agent import CallFinder
    from runner.call.examples.example_call import ExampleCall


def add_parties(parser: argparse.ArgumentParser) -> None:
    """Declare --from and --to, for a command that makes up what is missing."""
    parser.add_argument(
        "--from",
        dest="caller",
        metavar="N",
        help="the caller: a number, a sip: address, or web:SUBJECT for a browser",
    )
    parser.add_argument(
        "--to",
        dest="called",
        metavar="N",
        help="the dialled number or sip: address, or web:AGENT for a browser",
    )


def check_parties(caller: str | None, called: str | None, headers: Iterable[str] = ()) -> bool:
    """Whether the call comes from a browser. Raises UsageError when it does and one of its parties is a
    telephone's, or when it has headers.
    """
    parties = [party for party in (caller, called) if party is not None]
    if not any(party.startswith(WEB) for party in parties):
        return False
    if not all(party.startswith(WEB) for party in parties) or any(headers):
        raise UsageError("a call from a browser is --to web:AGENT --from web:SUBJECT, and has no headers")
    return True


def add_headers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="'N: v'",
        help="a SIP header of the call; may be repeated",
    )


def add_time(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--at", metavar="TIME", help="the time of the call, such as 2026-11-23T15:00-05:00 (default: now)"
    )


def call_headers(texts: Iterable[str]) -> Headers:
    """The values of --header. Raises UsageError."""
    headers = []
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or " " in name.strip():
            raise UsageError(f"\"{text}\" is not a header; write one such as 'X-Plan: gold'")
        headers.append((name.strip(), value.strip()))
    return tuple(headers)


def call_time(text: str | None) -> datetime:
    """The value of --at, or this machine's time. Raises UsageError."""
    if text is None:
        return datetime.now(UTC).astimezone()
    try:
        return read_instant(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def read_instant(text: str) -> datetime:
    """An instant from text with its offset. Raises ValueError, whose text says what would be right."""
    try:
        at = datetime.fromisoformat(text)
        # Instants at the ends of the calendar have no local time in some zones.
        # A day alone would be taken for its midnight, and the offset behind it for a time of day.
        is_usable = 1 < at.year < 9999 and not {"T", "t", " "}.isdisjoint(text)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError(f'"{text}" is not a time; write one such as 2026-11-23T15:00-05:00')
    if at.tzinfo is None:
        raise ValueError(f'"{text}" could be anywhere; end it with an offset such as -05:00, or with Z')
    return at


def time_words(at: datetime) -> str:
    """An instant for people, in the form that --at accepts after the name of the day."""
    return f"{at:%A} {at.isoformat(timespec='minutes')}"


def later_words(finder: "CallFinder", call: "ExampleCall", instant: datetime) -> str | None:
    """Why a call comes at another time than `instant`; None when it does not."""
    if call.at == instant.timestamp():
        return None
    then, now = finder.match(call), finder.match(replace(call, at=instant.timestamp()))
    who = f'"{now.agent}"' if now.agent else "nobody"
    at = datetime.fromtimestamp(call.at, instant.tzinfo)
    return (
        f"at {time_words(instant)} {who} answers such a call, so it comes at {time_words(at)}, "
        f'when "{then.agent}" does'
    )
