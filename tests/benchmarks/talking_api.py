"""A voice API that only talks: accepts every call, and on the sidebands of `talk_N_…` says N turns."""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from aiohttp import web

TEXT = "Thanks for waiting . On Friday Doctor Ray is free at nine in the morning ."
TURN = (
    '{"type":"input_audio_buffer.speech_started","event_id":"E","audio_start_ms":1,"item_id":"C"}',
    '{"type":"input_audio_buffer.speech_stopped","event_id":"E","audio_end_ms":9,"item_id":"C"}',
    '{"type":"input_audio_buffer.committed","event_id":"E","previous_item_id":null,"item_id":"C"}',
    '{"type":"conversation.item.added","event_id":"E","previous_item_id":null,"item":{"id":"C","type":"message",'
    '"status":"completed","role":"user","content":[{"type":"input_audio","transcript":null}]}}',
    '{"type":"response.created","event_id":"E","response":{"object":"realtime.response","id":"R",'
    '"status":"in_progress","status_details":null,"output":[],"output_modalities":["audio"],"metadata":null}}',
    '{"type":"response.output_item.added","event_id":"E","response_id":"R","output_index":0,"item":ITEM}',
    '{"type":"conversation.item.added","event_id":"E","previous_item_id":"C","item":ITEM}',
    '{"type":"response.content_part.added","event_id":"E","response_id":"R","item_id":"I","output_index":0,'
    '"content_index":0,"part":{"type":"audio","transcript":""}}',
    '{"type":"output_audio_buffer.started","event_id":"E","response_id":"R"}',
    *(
        '{"type":"response.output_audio_transcript.delta","event_id":"E","response_id":"R","item_id":"I",'
        f'"output_index":0,"content_index":0,"delta":" {word}","obfuscation":"Ms39ljI9LTa"}}'
        for word in TEXT.split()
    ),
    '{"type":"conversation.item.input_audio_transcription.completed","event_id":"E","item_id":"C",'
    '"content_index":0,"transcript":"Anything on Friday?","usage":{"type":"duration","seconds":2}}',
    '{"type":"response.output_audio.done","event_id":"E","response_id":"R","item_id":"I","output_index":0,'
    '"content_index":0}',
    '{"type":"response.output_audio_transcript.done","event_id":"E","response_id":"R","item_id":"I",'
    '"output_index":0,"content_index":0,"transcript":"TEXT"}',
    '{"type":"response.content_part.done","event_id":"E","response_id":"R","item_id":"I","output_index":0,'
    '"content_index":0,"part":{"type":"audio","transcript":"TEXT"}}',
    '{"type":"conversation.item.done","event_id":"E","previous_item_id":"C","item":DONE}',
    '{"type":"response.output_item.done","event_id":"E","response_id":"R","output_index":0,"item":DONE}',
    '{"type":"response.done","event_id":"E","response":{"object":"realtime.response","id":"R",'
    '"status":"completed","status_details":null,"output":[DONE],"metadata":null,"usage":{"total_tokens":82,'
    '"input_tokens":12,"output_tokens":70,"input_token_details":{"text_tokens":12,"audio_tokens":0,'
    '"cached_tokens":0},"output_token_details":{"text_tokens":14,"audio_tokens":56}}}}',
    '{"type":"rate_limits.updated","event_id":"E","rate_limits":[{"name":"tokens","limit":15000000,'
    '"remaining":14999361,"reset_seconds":0.002}]}',
    '{"type":"output_audio_buffer.stopped","event_id":"E","response_id":"R"}',
)
"""One turn of a conversation as the API was recorded, in its order and with its sizes."""

ITEM = '{"id":"I","type":"message","status":"in_progress","role":"assistant","content":[]}'
DONE = (
    '{"id":"I","type":"message","status":"completed","role":"assistant","content":'
    '[{"type":"output_audio","transcript":"TEXT"}]}'
)


def frame_text(frame: str, index: int, number: object, done: str = DONE) -> str:
    """One event of a turn, with ids of its own. `done` is the item that the model has made."""
    text = frame.replace("ITEM", ITEM).replace("DONE", done).replace("TEXT", TEXT)
    for letter, name in (("E", "event"), ("C", "item_c"), ("R", "resp"), ("I", "item")):
        text = text.replace(
            f'"{letter}"', f'"{name}_E6mH8rKDWjMJMTTZ_{number}_{index if letter == "E" else 0}"'
        )
    return text


def frames(number: int) -> Iterator[str]:
    """The events of one turn."""
    for index, frame in enumerate(TURN):
        yield frame_text(frame, index, number)


ANSWER = "v=0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
GREETING_FROM = 4
GREETING = tuple(frames(0))[GREETING_FROM:]
"""The response of a turn, from its beginning."""


class Api:
    """What is attached now, and what is over."""

    def __init__(self) -> None:
        self.attached = 0
        self.made = 0
        self.over: set[str] = set()
        self._sockets: dict[web.WebSocketResponse, str] = {}
        self._transports: set[asyncio.Transport] = set()
        self._idle: set[asyncio.Transport] = set()
        """Connections under `/alone` that have carried requests."""

    async def decide(self, request: web.Request) -> web.Response:
        """Accept, and hang up."""
        if request.match_info["action"] == "hangup":
            self.over.add(request.match_info["call"])
        return web.Response()

    async def create(self, request: web.Request) -> web.Response:
        """Make a call of a browser's offer."""
        await request.read()
        self.made += 1
        location = {"Location": f"/v1/realtime/calls/web_{self.made}"}
        return web.Response(status=201, text=ANSWER, content_type="application/sdp", headers=location)

    async def sideband(self, request: web.Request) -> web.StreamResponse:
        """Talk, or answer what is asked for until the other side leaves."""
        call_id = request.query["call_id"]
        if call_id in self.over:
            return web.Response(status=404)
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.attached += 1
        self._sockets[socket] = call_id
        if request.transport is not None:
            self._transports.add(request.transport)
            self._idle.discard(request.transport)
        if call_id.startswith("talk_"):
            for number in range(int(call_id.split("_")[1])):
                for frame in frames(number):
                    await socket.send_str(frame)
            self.over.add(call_id)
            await socket.close()
            return socket
        async for message in socket:
            # Whoever asks for the first response gets one, so that nobody asks again.
            if "response.create" in message.data:
                for frame in GREETING:
                    await socket.send_str(frame)
        return socket

    async def lose(self, _: web.Request) -> web.Response:
        """Cut all sidebands at once, without a closing handshake."""
        for transport in self._transports:
            transport.abort()
        self._transports.clear()
        return web.Response()

    async def close_idle(self, _: web.Request) -> web.Response:
        """Close the connections that have carried requests, as when minutes pass without another."""
        for transport in self._idle:
            transport.close()
        self._idle.clear()
        return web.Response()

    def alone(self, handler: "Handler") -> "Handler":
        """Have the connection closed by `close_idle`."""

        async def answer(request: web.Request) -> web.Response:
            if request.transport is not None:
                self._idle.add(request.transport)
            return await handler(request)

        return answer

    async def end(self, _: web.Request) -> web.Response:
        """End all calls that are attached."""
        sockets, self._sockets = self._sockets, {}
        self.over.update(sockets.values())
        await asyncio.gather(*(socket.close() for socket in sockets))
        return web.Response()

    async def counts(self, _: web.Request) -> web.Response:
        """For the benchmark: how many sidebands were opened, and how many calls are over."""
        return web.Response(text=json.dumps([self.attached, len(self.over)]))


Handler = Callable[[web.Request], Awaitable[web.Response]]


async def served(tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """The address while it is served."""
    api = Api()
    app = web.Application()
    for path, create, decide in (
        ("/v1", api.create, api.decide),
        ("/alone/v1", api.alone(api.create), api.alone(api.decide)),
    ):
        app.router.add_post(f"{path}/realtime/calls", create)
        app.router.add_post(f"{path}/realtime/calls/{{call}}/{{action}}", decide)
        app.router.add_get(f"{path}/realtime", api.sideband)
    app.router.add_post("/close-idle", api.close_idle)
    app.router.add_post("/end", api.end)
    app.router.add_get("/counts", api.counts)
    app.router.add_post("/lose", api.lose)
    server = web.AppRunner(app, access_log=None)
    await server.setup()
    # As many connections as are lost at once may come at once.
    await web.TCPSite(server, "127.0.0.1", 0, ssl_context=tls, backlog=1024).start()
    yield f"http{'s' if tls else ''}://127.0.0.1:{server.addresses[0][1]}"


async def main(certificate: str | None = None) -> None:
    """Serve until standard input ends; over TLS with a file that holds a key and its certificate."""
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    async for address in served(tls):
        print(address, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
