"""What models ask of tools, and what endpoints reply."""

import asyncio
import gzip
import json
from typing import Any

from aiohttp import web

from runner.call.templates.filters import MAX_CHARS as MAX_CHARS_MADE
from runner.call.tools.arguments import MAX_CHARS
from runner.call.tools.tool_result import LONGEST_REFUSAL, LONGEST_REPLY
from runner.model.json_text import MAX_DEPTH, MAX_VALUES
from runner.model.values import Json
from runner.serve.head_first import MOST_INTERIM
from runner.serve.reply_body import MAX_REPLY_BYTES
from runner.standin.script import CallerHangsUp, CallerSays, CallsTool, ScriptedResponse, calls, greets, says
from tests.patience import PATIENCE_S
from tests.serve.bounds.configuration import COMPUTES
from tests.serve.bounds.neighbour import Handler
from tests.serve.bounds.service import Service
from tests.serve.bounds.serving import nested
from tests.serve.bounds.table import beyond

UNUSABLE = "the endpoint answered 200, but its reply is not of the expected form"


async def output_of(
    service: Service, name: str, arguments: dict[str, Json] | str, *, to: str | None = None
) -> Any:
    """What the model gets from one call of a tool."""
    steps = (greets(), CallerSays(text="Well?"), calls(name, arguments), says("So."), CallerHangsUp())
    call = await (service.play(*steps) if to is None else service.play(*steps, to=to))
    (output,) = call.outputs().values()
    try:
        return json.loads(output)
    except ValueError:
        return output


async def output_for(service: Service, path: str, handler: Handler) -> Any:
    """What the model gets when the endpoint does this."""
    service.endpoint.handlers[path] = handler
    return await output_of(service, "fetch", {"path": path})


def saying(*parts: bytes) -> Handler:
    """Write just these bytes, and close the connection."""

    async def say(request: web.Request) -> web.Response:
        await request.read()
        assert request.transport
        for part in parts:
            request.transport.write(part)
        request.transport.close()
        return web.Response()

    return say


# What an endpoint replies.


@beyond("serve.reply_body.MAX_REPLY_BYTES")
async def a_reply_that_is_too_long(service: Service) -> None:
    too_long = {"error": "the endpoint's reply is too large", "status": 200}

    async def long(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * (MAX_REPLY_BYTES + 1))

    packed = await asyncio.to_thread(gzip.compress, bytes(100 * MAX_REPLY_BYTES), 1)

    async def bomb(_: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while request.transport and not request.transport.is_closing():
            await response.write(b"x" * 10_000)
        return response

    for name, handler in {"long": long, "bomb": bomb, "endless": endless}.items():
        output = await output_for(service, name, handler)
        assert output == too_long, name


@beyond("serve.reply_body.MAX_MEMBERS")
async def a_reply_of_many_members(service: Service) -> None:
    """Each of a gzip body's members costs a copy of all that follow."""

    async def members(_: web.Request) -> web.Response:
        packed = gzip.compress(b"") * 20_000
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    output = await output_for(service, "members", members)
    assert output == {"error": "the endpoint was reached, but no reply came back that can be read"}


@beyond("serve.head_first.SLICE_BYTES", "serve.head_first.TURN_S")
async def replies_in_very_small_parts(service: Service) -> None:
    """On several connections, of which each has its turn."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    say = saying(head + b"1\r\n1\r\n" * 100_000 + b"0\r\n\r\n")
    together = asyncio.Barrier(4)

    async def parts(request: web.Request) -> web.StreamResponse:
        async with asyncio.timeout(PATIENCE_S), together:
            return await say(request)

    service.endpoint.handlers["parts"] = parts
    output = tuple(
        CallsTool(name="fetch_patiently", arguments={"path": "parts"}) for _ in range(together.parties)
    )
    steps = (greets(), CallerSays(text="All!"), ScriptedResponse(output=output), CallerHangsUp())
    call = await service.play(*steps)
    assert [len(text) > 1000 for text in call.outputs().values()] == [True] * together.parties


@beyond("serve.head_first.MOST_INTERIM")
async def replies_that_only_announce_the_final_one(service: Service) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\n\r\n" * (MOST_INTERIM + 1)
    output = await output_for(
        service, "hints", saying(hints + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    )
    assert output == {"error": "the endpoint was reached, but no reply came back that can be read"}


@beyond("model.json_text.MAX_VALUES", "model.json_text.MAX_DEPTH")
async def a_reply_of_too_many_or_too_deep_values(service: Service) -> None:
    async def many(_: web.Request) -> web.Response:
        return web.Response(text=json.dumps([0] * (MAX_VALUES + 2)), content_type="application/json")

    async def deep(_: web.Request) -> web.Response:
        return web.Response(text=nested(MAX_DEPTH + 1), content_type="application/json")

    answered = "the endpoint answered 200, but its reply is"
    service.endpoint.handlers["rows"] = many
    output = await output_of(service, "select", {}, to=COMPUTES)
    assert output == {"error": f"{answered} larger than {MAX_VALUES:,} values", "status": 200}
    service.endpoint.handlers["rows"] = deep
    output = await output_of(service, "select", {}, to=COMPUTES)
    assert output == {"error": f"{answered} nested deeper than {MAX_DEPTH} levels", "status": 200}


@beyond("call.tools.tool_result.LONGEST_REPLY")
async def a_refusal_that_says_too_much(service: Service) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=422, text="no " * 1000)

    output = await output_for(service, "refuse", refuse)
    assert output["reply"].endswith("… [cut: 2999 characters]")
    assert len(output["reply"]) <= LONGEST_REPLY


# What a model asks for.


async def output_of_injected(service: Service, name: str, arguments: Json) -> Any:
    """What the model gets from a call of a tool that the stand-in knows nothing of: it streams arguments in
    small parts, which costs it seconds."""
    call, _ = await service.ring(greets(), to=COMPUTES)
    await service.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types(), PATIENCE_S)
    item = {"type": "function_call", "id": "item_x", "call_id": "call_x", "name": name, "status": "completed"}
    done = {"type": "response.output_item.done", "response_id": "resp_x", "output_index": 0}
    written = json.dumps({**done, "item": {**item, "arguments": json.dumps(arguments)}})
    await service.wire.sidebands[call.id].say(written)
    await service.api.until(lambda: "call_x" in call.outputs(), PATIENCE_S)
    assert call.conversation
    call.conversation.violations.clear()
    await service.hang_up(call)
    return json.loads(call.outputs()["call_x"])


@beyond("call.tools.arguments.MAX_CHARS")
async def arguments_that_are_too_long(service: Service) -> None:
    output = await output_of_injected(service, "repeat", {"text": "x" * MAX_CHARS})
    assert output == {
        "error": f"the arguments are {MAX_CHARS + 12} characters long, at most {MAX_CHARS} are accepted"
    }


@beyond("call.tools.tool_result.LONGEST_REFUSAL")
async def a_tool_with_a_name_without_end(service: Service) -> None:
    output = await output_of_injected(service, "x" * 5_000, {})
    assert len(output["error"]) <= LONGEST_REFUSAL
    assert output["error"].endswith(" characters]")


@beyond("call.schemas.check.MAX_STEPS")
async def arguments_that_take_long_to_check(service: Service) -> None:
    output = await output_of_injected(service, "check", {"list": list(range(15_000))})
    assert output == {
        "error": 'the arguments cannot be checked: it takes too long; send one JSON object with "list"'
    }


@beyond("call.tools.query.MAX_STEPS")
async def a_reply_that_takes_long_to_select_from(service: Service) -> None:
    async def rows(_: web.Request) -> web.Response:
        return web.json_response({"rows": [{"n": n, "t": str(n)} for n in range(10_000)]})

    service.endpoint.handlers["rows"] = rows
    output = await output_of(service, "select", {}, to=COMPUTES)
    assert output == {
        "error": f"{UNUSABLE} (it takes too many steps)",
        "status": 200,
    }


@beyond("call.templates.work.MAX_WORK", "call.templates.filters.MAX_CHARS")
async def arguments_that_make_a_template_work(service: Service) -> None:
    words = [str(n * 7919 % 10007) for n in range(5000)]
    output = await output_of_injected(service, "sort", {"list": words})
    assert output == {"error": "the request cannot be made: it takes too much work"}
    output = await output_of_injected(service, "repeat", {"text": "x" * 50_000})
    assert output == {
        "error": f"the request cannot be made: the result would be longer than {MAX_CHARS_MADE} characters"
    }


@beyond()
async def many_tool_calls_in_one_response(service: Service) -> None:
    output = tuple(CallsTool(name="fetch", arguments={"path": "x"}) for _ in range(40))
    call = await service.play(
        greets(), CallerSays(text="All of it!"), ScriptedResponse(output=output), CallerHangsUp()
    )
    assert len(call.outputs()) == 40
