"""The log: one line an event, whatever is in it."""

import asyncio
import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from runner.serve.log_lines import MAX_TEXT, MAX_VALUE, JsonLines, TextLines, describe
from runner.serve.logs import configure, name_call

log = logging.getLogger("runner.serve.test_logs")
AT = 1795675255.1234


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def entry(message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "runner.x", "levelname": "INFO", "msg": message, **extra})
    made.created = AT
    return made


def raised(act: Callable[[], object]) -> BaseException:
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_json_line_holds_time_level_logger_event_and_fields() -> None:
    line = JsonLines().format(entry("call was accepted", call_id="rtc_1", took_s=0.25, route=None))
    assert line == (
        '{"time": "2026-11-26T06:40:55.123Z", "level": "info", "logger": "runner.x", '
        '"event": "call was accepted", "call_id": "rtc_1", "took_s": 0.25, "route": null}'
    )


def test_a_text_line_holds_time_level_event_and_fields() -> None:
    line = TextLines().format(entry("call was accepted", call_id="rtc_1", took_s=0.25, why="to is 1"))
    assert line == (
        '2026-11-26T06:40:55.123Z info    call was accepted  call_id=rtc_1 took_s=0.25 why="to is 1"'
    )
    assert TextLines().format(entry("ready")) == "2026-11-26T06:40:55.123Z info    ready"


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
@pytest.mark.parametrize("hostile", ["two\nlines", "\x1b[2Jgone", "\r", "\u2028", "\x85", "\ud800"])
def test_no_value_can_begin_a_line_or_speak_to_the_terminal(
    formatter: logging.Formatter, hostile: str
) -> None:
    line = formatter.format(entry(f"event {hostile}", field=hostile, listed=[hostile], keyed={hostile: 1}))
    assert line.isprintable()
    assert line.isascii()


def test_a_text_value_shows_where_it_begins_and_ends() -> None:
    line = TextLines().format(entry("x", a="", b='say "hi"', c="a=b", d="Grüße", e=[1, "two"]))
    assert line.endswith(r'a="" b="say \"hi\"" c="a=b" d=Grüße e=[1, "two"]')


def test_a_value_that_json_does_not_know_is_written_as_its_text() -> None:
    line = json.loads(JsonLines().format(entry("x", error=ValueError("bad"), listed=[{1}])))
    assert (line["error"], line["listed"]) == ("bad", ["{1}"])


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
def test_no_field_makes_a_line_longer_than_a_bound(formatter: logging.Formatter) -> None:
    long = "x" * 300_000
    for value in (long, [long], {"key": long}, ValueError(long)):
        line = formatter.format(entry(long, field=value))
        assert MAX_VALUE < len(line) < 3 * MAX_VALUE


def test_an_exception_is_one_line_with_its_place_and_its_cause() -> None:
    def inner() -> None:
        raise KeyError("first")

    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            raise ValueError("second\nline") from error

    error = raised(outer)
    first = inner.__code__.co_firstlineno + 1
    second = outer.__code__.co_firstlineno + 4
    text = describe(error)
    assert text.startswith(f"ValueError: second\nline at test_logs.py:{second} outer < test_logs.py:")
    assert f" after KeyError: 'first' at test_logs.py:{first} inner < test_logs.py:" in text
    line = JsonLines().format(entry("x", exc_info=(type(error), error, error.__traceback__)))
    assert "\n" not in line
    assert json.loads(line)["exception"] == text


def test_each_exception_of_a_group_is_told() -> None:
    group = ExceptionGroup("two", [ValueError("a"), ExceptionGroup("one", [KeyError("b")])])
    assert describe(group) == (
        "ExceptionGroup: two (2 sub-exceptions) of "
        "[ValueError: a; ExceptionGroup: one (1 sub-exception) of [KeyError: 'b']]"
    )


def test_the_text_of_an_exception_is_cut_and_a_hidden_cause_stays_hidden() -> None:
    def hide() -> None:
        try:
            raise KeyError("hidden")
        except KeyError:
            raise ValueError("x" * 1000) from None

    text = describe(raised(hide))
    assert "x" * MAX_TEXT in text
    assert "x" * (MAX_TEXT + 1) not in text
    assert "hidden" not in text


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_terminal_gets_text_and_anything_else_json_unless_told() -> None:
    for stream, json_wanted, is_json in (
        (io.StringIO(), None, True),
        (Terminal(), None, False),
        (io.StringIO(), False, False),
        (Terminal(), True, True),
    ):
        handler = configure(stream, json=json_wanted)
        log.info("ready")
        handler.close()
        assert stream.getvalue().startswith("{") is is_json


def test_configuring_again_replaces_what_was_there() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure(first)
    handler = configure(second)
    log.info("ready")
    handler.close()
    assert (first.getvalue(), len(lines(second))) == ("", 1)


def test_the_level_is_for_our_own_modules_and_others_only_warn() -> None:
    stream = io.StringIO()
    handler = configure(stream, level=logging.DEBUG)
    for name in ("runner.serve.x", "aiohttp.access", "websockets.client", "asyncio"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(level, "%s", level)
    handler.close()
    assert [(line["logger"], line["event"]) for line in lines(stream)] == [
        ("runner.serve.x", "10"),
        ("runner.serve.x", "20"),
        ("runner.serve.x", "30"),
        ("aiohttp.access", "30"),
        ("websockets.client", "30"),
        ("asyncio", "30"),
    ]


def test_debug_is_silent_unless_asked_for() -> None:
    stream = io.StringIO()
    handler = configure(stream)
    log.debug("private")
    handler.close()
    assert stream.getvalue() == ""


async def test_the_calls_id_is_on_every_line_of_its_tasks_and_of_no_others() -> None:
    stream = io.StringIO()
    handler = configure(stream)

    async def serve(call_id: str) -> None:
        name_call(call_id)
        await asyncio.gather(work(), work())

    async def work() -> None:
        await asyncio.sleep(0)
        log.info("worked")

    await asyncio.gather(asyncio.create_task(serve("rtc_1")), asyncio.create_task(serve("rtc_2")))
    log.info("outside")
    log.info("named", extra={"call_id": "rtc_3"})
    handler.close()
    ids = [line.get("call_id", "") for line in lines(stream)]
    assert sorted(ids[:4]) == ["rtc_1", "rtc_1", "rtc_2", "rtc_2"]
    assert ids[4:] == ["", "rtc_3"]
