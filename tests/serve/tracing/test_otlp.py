"""Spans of a real call, as a collector gets them over OTLP."""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from runner.model.http import HttpReply, HttpRequest
from runner.serve.tracing.opening import EXTRA, open_tracing
from runner.standin.script import CallerHangsUp, CallerSays, calls, greets, says
from runner.standin.server import StandIn
from tests.patience import PATIENCE_S
from tests.serving import AGENT, KEYS, Desk

otlp = pytest.importorskip("runner.serve.tracing.otlp", reason="OpenTelemetry is not installed")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: E402 - after the skip
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span  # noqa: E402 - after the skip
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes  # noqa: E402 - after the skip

TOOL = """\
tools:
  - name: find_slots
    description: Find free slots.
    http: {{method: GET, url: "{url}/slots"}}
"""


class Collector:
    """Takes what is sent over OTLP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        self.headers: list[str] = []
        self.url = ""

    async def traces(self, request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for of_resource in sent.resource_spans:
            told = {one.key: one.value.string_value for one in of_resource.resource.attributes}
            self.resources.append(told)
            self.spans += [span for scope in of_resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    async def slots(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers["traceparent"])
        return web.json_response({"slots": []})

    def span(self, name: str) -> Span:
        (found,) = [span for span in self.spans if span.name == name]
        return found


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector and an endpoint for tools, on one port."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.traces)
    app.router.add_get("/slots", collector.slots)
    server = web.AppRunner(app)
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0).start()
    collector.url = f"http://127.0.0.1:{server.addresses[0][1]}"
    try:
        yield collector
    finally:
        await server.cleanup()


async def served(collector: Collector, folder: Path, **environ: str) -> str:
    """Have a process serve one call with a tool and end; its log."""
    async with StandIn() as api:
        desk = Desk(api, folder)
        desk.settings("egress: {private_networks: allow}")
        (desk.agents / "front-desk.yaml").write_text(AGENT + TOOL.format(url=collector.url))
        script = (greets(), CallerSays(text="When?"), calls("find_slots"), says("Never."), CallerHangsUp())
        environment = {**KEYS, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **environ}
        async with desk.run("--port", "0", environ=environment) as process:
            call, status = await desk.ring(await process.started(), *script)
            assert status == 200
            await process.logged('"call has ended"')
            process.tell(signal.SIGTERM)
            code, _, told = await process.ended()
            assert code == 0
            assert call.id not in collector.headers
            return told


async def test_a_collector_gets_the_spans_of_a_call_and_its_endpoint_the_same_context(tmp_path: Path) -> None:
    async with collecting() as collector:
        await served(collector, tmp_path, OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test")
        whole, agent = collector.span("call front-desk"), collector.span("invoke_agent front-desk")
        tool = collector.span("execute_tool find_slots")
    assert collector.headers == [f"00-{tool.trace_id.hex()}-{tool.span_id.hex()}-01"]
    assert {span.trace_id for span in collector.spans} == {whole.trace_id}
    assert (whole.parent_span_id, agent.parent_span_id, tool.parent_span_id) == (
        b"",
        whole.span_id,
        agent.span_id,
    )
    assert (whole.kind, agent.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_INTERNAL)
    assert whole.start_time_unix_nano < tool.start_time_unix_nano < tool.end_time_unix_nano
    (resource,) = {tuple(sorted(found.items())) for found in collector.resources}
    assert dict(resource)["service.name"] == "phone-agents"
    assert dict(resource)["deployment.environment.name"] == "test"
    conventions = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI")}
    named = {one.key for span in collector.spans for one in span.attributes if one.key.startswith("gen_ai")}
    assert named <= conventions


async def test_a_call_that_is_not_sampled_has_no_spans_and_its_endpoint_is_told_so(tmp_path: Path) -> None:
    async with collecting() as collector:
        await served(collector, tmp_path, OTEL_TRACES_SAMPLER="always_off")
    assert collector.spans == []
    (told,) = collector.headers
    assert told.endswith("-00")


async def test_a_collector_that_is_away_costs_no_call_and_a_line_of_the_log(tmp_path: Path) -> None:
    async with collecting() as collector:
        told = await served(
            collector,
            tmp_path,
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://127.0.0.1:9/v1/traces",
            OTEL_EXPORTER_OTLP_TIMEOUT="1",
        )
    assert '"event": "traces are not delivered"' in told


@pytest.mark.parametrize(
    ("environ", "is_on", "reasons"),
    [
        ({}, False, []),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, False, []),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, False, []),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9"}, True, []),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            False,
            ['"grpc" is not supported; set the protocol to "http/protobuf"'],
        ),
    ],
)
async def test_the_environment_says_whether_traces_are_collected(
    environ: dict[str, str], is_on: bool, reasons: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    tracing = open_tracing(environ, provider="example")
    assert (tracing is not None) == is_on
    assert [vars(record)["reason"] for record in caplog.records] == reasons
    if tracing is not None:
        await tracing.close()


def test_without_the_library_a_runner_runs_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "runner.serve.tracing.otlp", None)
    caplog.set_level(logging.WARNING)
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    assert open_tracing(environ, provider="example") is None
    assert [vars(record)["reason"] for record in caplog.records] == [EXTRA]


def test_nothing_of_it_is_imported_where_it_is_off() -> None:
    program = (
        "import sys\nfrom runner.cli import run\nrun.open_tracing({}, provider='example')\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'google.protobuf'))])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


async def test_a_request_without_a_trace_is_sent_as_it_is() -> None:
    sent: list[HttpRequest] = []

    class Recorded:
        async def send(self, request: HttpRequest) -> HttpReply:
            sent.append(request)
            return HttpReply(status=200)

    tracing = open_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, provider="example")
    assert tracing is not None
    request = HttpRequest(method="GET", url="https://api.example/", headers=(("X-Call-Id", "rtc_1"),))
    await tracing.sender(Recorded()).send(request)
    await asyncio.wait_for(tracing.close(), PATIENCE_S)
    assert sent == [request]
