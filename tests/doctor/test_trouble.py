"""The doctor in every kind of trouble, with real servers: what it finds, and what to do about it."""

import socket
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web

from runner.config.load import load
from runner.doctor import probe, store
from runner.doctor.examination import examine
from runner.doctor.finding import Finding, FindingState, Topic
from runner.serve.tls import client_context
from runner.standin.placed_call import RestReply
from runner.standin.server import StandIn
from runner.standin.webhook import new_secret
from runner.store.sqlite.inspection import APPLICATION_ID
from tests.certificates import Authority
from tests.clock import NOW
from tests.serving import Desk

SECRET = new_secret()
AGENT = """\
agent: desk
routes: [{to: "+18005551212"}]
model: gpt-realtime-2.1
voice: marin
instructions: Be kind.
lookup: {http: {method: GET, url: "https://crm.maple.example:{port}/callers"}, timeout: 1s}
tools:
  - name: find_slots
    description: Find slots.
    http: {method: GET, url: "https://crm.maple.example:{port}/slots"}
"""
PUBLIC = ["93.184.215.14"]


@dataclass
class Clinic:
    """A configuration, an account at the API, an endpoint over TLS; all is well until a test breaks it."""

    folder: Path
    api: StandIn
    crm: int
    """The endpoint's port, at 127.0.0.1."""
    authority: Authority
    environ: dict[str, str] = field(
        default_factory=lambda: {"OPENAI_API_KEY": "sk-simulated", "OPENAI_WEBHOOK_SECRET": SECRET}
    )
    settings: dict[str, str] = field(default_factory=dict)
    agent: str = AGENT
    names: dict[str, list[str]] = field(default_factory=lambda: {"crm.maple.example": ["127.0.0.1"]})
    url: str | None = None
    trusts: bool = True
    off_s: float = 0.0
    base_url: str = ""

    def look_up(self, host: str, port: int) -> list[str]:
        if host in self.names:
            return self.names[host]
        if host == "127.0.0.1":
            return [host]
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def findings(self) -> list[Finding]:
        agents = self.folder / "agents"
        agents.mkdir()
        (agents / "desk.yaml").write_text(self.agent.replace("{port}", str(self.crm)))
        settings = {
            "store": f"sqlite:{self.folder}/calls.db",
            "server": "{port: 0}",
            "egress": "{allow: [crm.maple.example]}",
            **self.settings,
        }
        (agents / "runner.yaml").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
        loaded = load(agents)
        assert loaded.configuration, loaded.problems
        tls = client_context()
        if self.trusts:
            tls.load_verify_locations(self.authority.file)
        return [
            finding
            async for finding in examine(
                loaded.configuration,
                self.environ,
                base_url=self.base_url or self.api.base_url,
                webhook_url=self.url,
                tls=tls,
                now=self.now() + self.off_s,
                descriptors=20_000,
                look_up=self.look_up,
            )
        ]

    def now(self) -> float:
        import time

        return time.time()


@pytest.fixture
async def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clinic]:
    monkeypatch.setattr(store, "LEAST_FREE_BYTES", 0)  # whatever room this machine has
    authority = Authority(tmp_path)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(StandIn())
        crm = await serve(stack, tls=authority.server("crm.maple.example"))
        yield Clinic(folder=tmp_path, api=api, crm=crm, authority=authority)


async def serve(stack: AsyncExitStack, tls: ssl.SSLContext | None = None, status: int = 200) -> int:
    """A server of somebody else's; its port."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text="Welcome!")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port: int = runner.addresses[0][1]
    return port


async def test_where_all_is_well_nothing_is_wrong(clinic: Clinic) -> None:
    found = await clinic.findings()
    assert [(each.state.value, each.topic, each.remedy) for each in found] == [
        ("ok", "api key", ""),
        ("ok", "clock", ""),
        ("ok", "models", ""),
        ("ok", "agent desk", ""),
        ("ok", "webhook secret", ""),
        ("skipped", "webhook", "--url https://… tries the address that the API posts to"),
        ("ok", "store", ""),
        ("ok", "port", ""),
        ("ok", "open files", ""),
        ("warning", "endpoint", "have it renewed"),
    ]
    crm = found[-1]
    assert crm.text.startswith("crm.maple.example for lookup, find_slots: 127.0.0.1, ")
    assert crm.text.endswith("its certificate ends in 0 days")
    assert (clinic.api.calls, clinic.api.violations) == ({}, [])
    assert [path.name for path in clinic.folder.glob("calls.db*")] == [], "it changes nothing"


def _environ(name: str, value: str | None) -> Callable[[Clinic], None]:
    def change(clinic: Clinic) -> None:
        clinic.environ.pop(name)
        if value is not None:
            clinic.environ[name] = value

    return change


def _settings(**settings: str) -> Callable[[Clinic], None]:
    return lambda clinic: clinic.settings.update(settings)


def _admin(place: str, lead: str = "k" * 32, pager: str = "m" * 32) -> Callable[[Clinic], None]:
    def change(clinic: Clinic) -> None:
        clinic.environ |= {"ADMIN_LEAD": lead, "ADMIN_PAGER": pager}
        tokens = "{lead: {env: ADMIN_LEAD}, pager: {env: ADMIN_PAGER, may: watch}}"
        clinic.settings["server"] = f"{{port: 0, admin: {{{place}, tokens: {tokens}}}}}"

    return change


def _browser_secret(secret: str) -> Callable[[Clinic], None]:
    def change(clinic: Clinic) -> None:
        clinic.environ["CALL_TOKENS"] = secret
        clinic.settings["server"] = BROWSERS

    return change


def _names(*addresses: str) -> Callable[[Clinic], None]:
    def change(clinic: Clinic) -> None:
        clinic.names.clear()
        if addresses:
            clinic.names["crm.maple.example"] = list(addresses)

    return change


def _set(**fields: object) -> Callable[[Clinic], None]:
    def change(clinic: Clinic) -> None:
        for name, value in fields.items():
            setattr(clinic, name, value)

    return change


def _refusal(status: int, code: str, message: str) -> Callable[[Clinic], None]:
    def change(clinic: Clinic) -> None:
        clinic.api.account.refusal = RestReply(status, {"error": {"code": code, "message": message}})

    return change


def _other_model(clinic: Clinic) -> None:
    clinic.agent = AGENT.replace("gpt-realtime-2.1", "gpt-realtime-2.2")


def _no_egress(clinic: Clinic) -> None:
    clinic.settings["egress"] = "{}"


EGRESS = (
    "if it is meant to be reached, name the host in egress.allow of runner.yaml; else have its name lead "
    "to a public address"
)
CHAIN = "have the server send its whole chain, for this name; for an authority of your own set SSL_CERT_FILE"
BROWSERS = "{port: 0, browser: {secret: {env: CALL_TOKENS}, origins: [https://maple.example]}}"
CRM = "crm.maple.example for lookup, find_slots: "
TROUBLE = [
    (
        _environ("OPENAI_API_KEY", None),
        "api key",
        'environment variable "OPENAI_API_KEY" is not set',
        "make a key at the API, and set it where the runner starts",
    ),
    (
        _environ("OPENAI_API_KEY", "sk-1 sk-2"),
        "api key",
        "environment variable OPENAI_API_KEY is not an API key",
        "copy it as a whole: printable ASCII without spaces",
    ),
    (
        _environ("OPENAI_API_KEY", "sk-of-somebody-else"),
        "api key",
        "the voice API refuses it (401: Incorrect API key provided.)",
        "put a valid key of the project whose webhooks arrive here into environment variable OPENAI_API_KEY",
    ),
    (
        _refusal(403, "", "Missing scopes: api.model.read"),
        "api key",
        "it may not be used for this (403: Missing scopes: api.model.read)",
        "let the key read models and use Realtime, or make one without restrictions",
    ),
    (
        _refusal(429, "insufficient_quota", "You exceeded your current quota."),
        "api key",
        "its project has no credit left (429: You exceeded your current quota.)",
        "add credit to the project",
    ),
    (
        _set(base_url="https://api.maple.example/v1"),
        "voice API",
        'https://api.maple.example/v1: the name "api.maple.example" is not known (name or service not known)',
        "is the name right, and can this machine look up names?",
    ),
    (
        _set(off_s=400.0),
        "clock",
        "this machine's clock is about 400 s ahead of the voice API's",
        "set it, e.g. by NTP: from 300 s on webhooks are refused, and nobody answers",
    ),
    (
        _other_model,
        "model",
        '"gpt-realtime-2.2" is not among the 16 models of the project (agent desk)',
        'have the project given access to it, or name another one; did you mean "gpt-realtime-2.1"?',
    ),
    (
        lambda clinic: clinic.api.account.voices.discard("marin"),
        "agent desk",
        "the voice API refuses its session: Invalid value: 'marin'. Supported values are: 'alloy', 'ash', "
        "'ballad', 'cedar', 'coral', 'echo', 'sage', 'shimmer', 'verse'.",
        "mend that in {agents}/desk.yaml: the model, voice, session or parameters of a tool; phone-agents "
        "explain desk shows what is sent",
    ),
    (
        _environ("OPENAI_WEBHOOK_SECRET", None),
        "webhook secret",
        'environment variable "OPENAI_WEBHOOK_SECRET" is not set',
        "copy it from the webhook's page at the API: it is shown there once",
    ),
    (
        _environ("OPENAI_WEBHOOK_SECRET", "whsec_abc"),
        "webhook secret",
        "environment variable OPENAI_WEBHOOK_SECRET is not a webhook secret",
        'copy it as a whole: "whsec_" and base64 of at least 16 bytes',
    ),
    (
        _settings(secrets="{TOKEN: {env: MAPLE_TOKEN}}"),
        "secrets",
        'TOKEN: environment variable "MAPLE_TOKEN" is not set',
        "set it where the runner starts",
    ),
    (
        _settings(server="{port: 0, admin: {port: 0, tokens: {lead: {env: ADMIN_LEAD}}}}"),
        "admin tokens",
        'lead: environment variable "ADMIN_LEAD" is not set',
        "make one with: openssl rand -hex 32, and set it where the runner starts",
    ),
    (
        _admin("port: 0", lead="k" * 31),
        "admin tokens",
        'environment variable ADMIN_LEAD holds 31 characters, and admin token "lead" needs at least 32',
        "make one with: openssl rand -hex 32",
    ),
    (
        _admin("port: 0", lead="m" * 32),
        "admin tokens",
        'the admin tokens "lead" and "pager" are the same',
        "give each its own",
    ),
    (
        _settings(server=BROWSERS),
        "browser secret",
        'environment variable "CALL_TOKENS" is not set',
        "make one with: openssl rand -hex 32, and set it where the runner starts",
    ),
    (
        _browser_secret("k" * 31),
        "browser secret",
        "environment variable CALL_TOKENS holds a secret of less than 32 bytes, which could be guessed",
        "make one with: openssl rand -hex 32",
    ),
    (
        _admin("host: 192.0.2.1, port: 8081"),
        "admin port",
        '"192.0.2.1" is not an address of this machine',
        "set server.admin.host to one that is, or 0.0.0.0",
    ),
    (
        _settings(store="sqlite:/nowhere/calls.db"),
        "store",
        'sqlite:/nowhere/calls.db: "/nowhere" is not a directory',
        "create it, or name another file",
    ),
    (
        _settings(store="{env: DATABASE_URL}"),
        "store",
        'environment variable "DATABASE_URL" is not set (store)',
        "set it where the runner starts",
    ),
    (
        _settings(store="postgresql://u:secret@127.0.0.1:1/calls"),
        "store",
        "postgresql://127.0.0.1:1/calls refuses connections",
        "is the server up, and are host and port right?",
    ),
    (
        _settings(server="{host: 192.0.2.1, port: 8080}"),
        "port",
        '"192.0.2.1" is not an address of this machine',
        "set server.host to one that is, or 0.0.0.0",
    ),
    (
        _names(),
        "endpoint",
        CRM + 'the name "crm.maple.example" is not known (name or service not known)',
        "is the name right, and can this machine look up names?",
    ),
    (
        _no_egress,
        "endpoint",
        CRM + '"crm.maple.example" is at 127.0.0.1, a loopback address; only hosts in '
        "egress.allow may be at one",
        EGRESS,
    ),
    (
        _set(trusts=False),
        "endpoint",
        CRM + 'the certificate of "crm.maple.example" is not valid: unable to get local issuer certificate',
        CHAIN,
    ),
]


@pytest.mark.parametrize(
    ("breaks", "topic", "text", "remedy"), TROUBLE, ids=[f"{row[1]}: {row[2][:40]}" for row in TROUBLE]
)
async def test_trouble_is_told_with_its_cause_and_its_remedy(
    clinic: Clinic, breaks: Callable[[Clinic], None], topic: str, text: str, remedy: str
) -> None:
    breaks(clinic)
    wrong = [
        found
        for found in await clinic.findings()
        if found.state in {FindingState.ERROR, FindingState.WARNING} and found.remedy != "have it renewed"
    ]
    assert [found.topic for found in wrong] == [topic]
    (found,) = wrong
    assert found.state is (FindingState.WARNING if topic == "model" else FindingState.ERROR)
    assert found.text == text
    assert found.remedy == remedy.replace("{agents}", str(clinic.folder / "agents"))


async def of(clinic: Clinic, topic: str) -> Finding:
    (found,) = [each for each in await clinic.findings() if each.topic == topic]
    return found


async def test_an_endpoint_that_is_down_refuses_connections(clinic: Clinic) -> None:
    clinic.crm = 1
    found = await of(clinic, "endpoint")
    assert (found.state, found.text) == (
        FindingState.ERROR,
        "crm.maple.example for lookup, find_slots: 127.0.0.1 port 1 refuses connections",
    )
    assert found.remedy == probe.Obstacle.REFUSED.value


async def test_an_endpoint_that_speaks_no_tls(clinic: Clinic) -> None:
    async with AsyncExitStack() as stack:
        clinic.crm = await serve(stack)
        found = await of(clinic, "endpoint")
    assert found.state is FindingState.ERROR
    assert found.text.startswith(
        f"crm.maple.example for lookup, find_slots: 127.0.0.1 port {clinic.crm} does not speak TLS ("
    )
    assert found.remedy == "does that port speak TLS? If not, write http:// or its TLS port"


async def test_an_endpoint_with_the_certificate_of_another(clinic: Clinic) -> None:
    async with AsyncExitStack() as stack:
        clinic.crm = await serve(stack, tls=clinic.authority.server("other.example"))
        found = await of(clinic, "endpoint")
    assert found.text.endswith(
        "is not valid: Hostname mismatch, certificate is not valid for 'crm.maple.example'"
    )
    assert found.remedy == CHAIN


LATE = probe.NotReached(
    obstacle=probe.Obstacle.NAME, detail='the name "127.0.0.1" was not looked up in 0.1 s'
)


async def test_an_endpoint_that_never_answers() -> None:
    with closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        port = deaf.getsockname()[1]
        found: probe.Reached | probe.NotReached = LATE
        while found == LATE:  # this machine had no time to look the address up
            found = await probe.probe(f"https://127.0.0.1:{port}/a", client_context(), connect_s=0.1)
    assert found == probe.NotReached(
        obstacle=probe.Obstacle.TIMEOUT, detail=f"127.0.0.1 port {port} does not answer in 0.1 s"
    )
    assert found.finding(Topic("host")).remedy == "does a firewall between here and there drop connections?"


async def test_admin_tokens_and_the_secret_of_browsers_that_are_well(clinic: Clinic) -> None:
    clinic.environ |= {"ADMIN_LEAD": "k" * 32, "CALL_TOKENS": "m" * 32}
    clinic.settings["server"] = (
        "{port: 0, admin: {port: 0, tokens: {lead: {env: ADMIN_LEAD}}}, "
        "browser: {secret: {env: CALL_TOKENS}, origins: [https://maple.example]}}"
    )
    found = {each.topic: (each.state, each.text) for each in await clinic.findings()}
    assert found["admin tokens"] == (FindingState.OK, "lead")
    assert found["browser secret"] == (FindingState.OK, "environment variable CALL_TOKENS holds one")
    assert found["admin port"] == (FindingState.OK, "a free one of 127.0.0.1")


async def test_an_admin_port_that_another_program_has(clinic: Clinic) -> None:
    async with AsyncExitStack() as stack:
        port = await serve(stack)
        _admin(f"port: {port}")(clinic)
        found = await of(clinic, "admin port")
    assert (found.state, found.text, found.remedy) == (
        FindingState.ERROR,
        f"another program listens at 127.0.0.1 port {port}",
        "stop it, or set server.admin.port",
    )


async def test_a_port_that_another_program_has(clinic: Clinic) -> None:
    async with AsyncExitStack() as stack:
        port = await serve(stack)
        clinic.settings["server"] = f"{{port: {port}}}"
        found = await of(clinic, "port")
    assert (found.state, found.text) == (
        FindingState.ERROR,
        f"another program listens at 127.0.0.1 port {port}",
    )
    assert found.remedy == "stop it, or set server.port (or run --port)"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[Desk, str]]:
    """A runner that is up, with a webhook secret of its own making."""
    folder = tmp_path / "running"
    folder.mkdir()
    async with StandIn() as api:
        desk = Desk(api, folder)
        desk.environ["OPENAI_WEBHOOK_SECRET"] = SECRET
        async with desk.run() as process:
            yield desk, await process.started()


async def test_a_runner_that_is_up_is_recognised(clinic: Clinic, running: tuple[Desk, str]) -> None:
    desk, url = running
    clinic.settings |= {
        "server": f"{{port: {url.rpartition(':')[2]}}}",
        "store": f"sqlite:{desk.directory}/calls.db",
    }
    clinic.url = url
    found = {each.topic: each for each in await clinic.findings()}
    assert found["port"].text == f"a runner listens at 127.0.0.1 port {url.rpartition(':')[2]} already"
    assert found["store"].state is FindingState.OK
    assert found["store"].text.startswith(
        f"sqlite:{desk.directory}/calls.db, used by a live runner (process "
    )
    webhook = found["webhook"]
    assert webhook.text == (
        f"{url}/webhooks/openai reaches a runner that has the same secret, and is not https://"
    )
    assert desk.api.calls == {}, "nobody was called"


async def test_a_runner_with_another_secret_refuses_the_event(
    clinic: Clinic, running: tuple[Desk, str]
) -> None:
    _, url = running
    clinic.environ["OPENAI_WEBHOOK_SECRET"] = new_secret()
    clinic.url = url
    found = await of(clinic, "webhook")
    assert (found.state, found.text) == (
        FindingState.ERROR,
        f"{url}/webhooks/openai refuses an event that is signed with our secret",
    )
    assert found.remedy == "have that runner use the webhook secret of this configuration; its log says more"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("calls.maple.example", '"calls.maple.example" is not an address of the web'),
        (
            "https://calls.maple.example",
            'https://calls.maple.example/webhooks/openai: the name "calls.maple.example" is not known '
            "(name or service not known)",
        ),
    ],
)
async def test_a_public_address_that_leads_nowhere(clinic: Clinic, url: str, text: str) -> None:
    clinic.url = url
    found = await of(clinic, "webhook")
    assert (found.state, found.text) == (FindingState.ERROR, text)


async def test_without_a_secret_the_address_is_not_tried(clinic: Clinic) -> None:
    del clinic.environ["OPENAI_WEBHOOK_SECRET"]
    clinic.url = "https://calls.maple.example"
    found = await of(clinic, "webhook")
    assert found.text == "https://calls.maple.example was not tried, for lack of a secret to sign with"


def test_stores_that_cannot_be_used(tmp_path: Path) -> None:
    def looked_at(name: str, content: bytes = b"", sql: str = "") -> tuple[str, str]:
        path = tmp_path / name
        if content:
            path.write_bytes(content)
        if sql:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.executescript(sql)
        found = store.sqlite_finding(str(path))
        return found.text.removeprefix(f"sqlite:{path}").strip(), found.remedy

    assert looked_at("text.db", b"not a database, but long enough to be read as one") == (
        "cannot be read: file is not a database",
        "name another file, or restore a backup",
    )
    assert looked_at("other.db", sql="CREATE TABLE a (b)") == (
        "is the database of another program",
        "name another file",
    )
    newer = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 999; CREATE TABLE a (b)"
    text, remedy = looked_at("newer.db", sql=newer)
    assert text.startswith("was written by a newer phone-agents (schema 999, this one knows ")
    assert remedy == "use that one, or name another store"
    assert looked_at("") == (": it is a directory", "name a file in it")
    assert looked_at("new.db") == ("will be created at the first start", "")


def test_a_store_with_slashes_names_no_file() -> None:
    found = store.sqlite_finding("//calls.db")
    assert (found.text, found.remedy) == ("sqlite://calls.db names no file", "write sqlite:calls.db")


def test_a_disk_that_is_full_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LEAST_FREE_BYTES", 1 << 62)
    found = store.sqlite_finding(str(tmp_path / "calls.db"))
    assert found.state is FindingState.WARNING
    assert found.remedy == "make room; records.keep in runner.yaml deletes old records"


def test_the_time_of_a_certificate_counts() -> None:
    from runner.doctor.endpoints import reached_finding

    reached = probe.Reached(address="1.1.1.1", took_s=0.012, expires_at=NOW + 14 * 86400.0)
    assert reached_finding("h", reached, ["a", "b", "c", "d"], NOW).state is FindingState.OK
    soon = reached_finding("h", replace(reached, expires_at=NOW + 86400.0), ["a"], NOW)
    assert (soon.state, soon.text) == (
        FindingState.WARNING,
        "h for a: 1.1.1.1, 12 ms; its certificate ends in 1 day",
    )
