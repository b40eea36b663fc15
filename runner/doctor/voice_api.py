"""Checks the voice API with the key: connection, key, clock, models, sessions."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from runner.api.port import Authentication
from runner.api.realtime import account, facts
from runner.api.webhook import TOLERANCE_S
from runner.config.checking.suggest import did_you_mean
from runner.doctor.finding import Finding, FindingState, Topic
from runner.doctor.probe import LookUp, NotReached, probe
from runner.model.agent import Agent
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.settings import Configuration, Provider
from runner.model.values import Instant
from runner.serve.reply_body import ACCEPT_ENCODING, BodyError, read_body
from runner.wording import cut

VOICE_API = Topic("voice API")
API_KEY = Topic("api key")
CLOCK = Topic("clock")
MODEL = Topic("model")
MODELS = Topic("models")

REPLY_S = 10.0
MOST_SKEW_S = 30.0
"""A larger difference of clocks is reported: webhooks are refused from TOLERANCE_S on."""
MOST_MESSAGE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiReply:
    """A reply and its headers."""

    reply: HttpReply
    at: Instant | None = None
    """The API's clock."""
    project: str = ""


@asynccontextmanager
async def _client(
    provider: Provider, base_url: str, key: str, tls: ssl.SSLContext
) -> AsyncIterator[Callable[[HttpRequest], Awaitable[ApiReply]]]:
    """A function that sends a request with the key, once, and returns the reply, or why there is none."""
    authentication = Authentication.by(provider.key_header).headers(key)
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def send(request: HttpRequest) -> ApiReply:
            try:
                async with session.request(
                    request.method,
                    URL(base_url.rstrip("/") + request.url, encoded=True),
                    data=request.body,
                    headers={"Accept-Encoding": ACCEPT_ENCODING, **dict(request.headers), **authentication},
                    timeout=aiohttp.ClientTimeout(total=REPLY_S),
                    allow_redirects=False,
                ) as response:
                    body = await read_body(response)
                    return ApiReply(
                        reply=HttpReply(
                            status=response.status, body=body, content_type=response.content_type
                        ),
                        at=_date(response.headers.get("Date")),
                        project=response.headers.get("openai-project", ""),
                    )
            except TimeoutError:
                failure, detail = Failure.TIMEOUT, f"no reply within {REPLY_S:g} s"
            except BodyError as error:
                failure, detail = error.failure, error.detail
            except (aiohttp.ClientError, OSError) as error:
                failure, detail = Failure.CONNECTION, str(error) or "no reply"
            return ApiReply(reply=HttpReply(failure=failure, detail=detail))

        yield send


async def examine_voice_api(
    configuration: Configuration,
    key: str,
    base_url: str,
    tls: ssl.SSLContext,
    *,
    now: Instant,
    look_up: LookUp | None = None,
) -> list[Finding]:
    """All findings about the voice API, in the order in which one needs the other."""
    reached = await probe(base_url, tls, look_up=look_up)
    if isinstance(reached, NotReached):
        return [reached.finding(VOICE_API, base_url)]
    provider = configuration.settings.provider
    async with _client(provider, base_url, key, tls) as send:
        answer = await send(account.models_request())
        findings = [key_finding(answer, base_url, str(provider.api_key))]
        if answer.at is not None:
            findings.append(clock_finding(now - answer.at))
        if findings[0].state is FindingState.ERROR:
            return findings
        models = account.model_ids(answer.reply)
        findings += model_findings(configuration, models, is_own=base_url == facts.BASE_URL)
        unknown = frozenset() if models is None else _models(configuration).keys() - models
        for agent in configuration.agents.values():
            if agent.model not in unknown:
                checked = await send(account.session_request(agent))
                findings.append(session_finding(agent, checked.reply))
    return findings


def key_finding(answer: ApiReply, base_url: str, reference: str) -> Finding:
    """What the API says of the key. Pure, as is everything below."""
    reply = answer.reply
    code, message = account.error_of(reply)
    said = f"{reply.status}: {_cut(message)}" if message else str(reply.status)
    match reply.status:
        case None:
            return VOICE_API.error(
                f"{base_url}: {reply.detail}", "is a proxy in between? Try again in a minute"
            )
        case 401:
            return API_KEY.error(
                f"the voice API refuses it ({said})",
                f"put a valid key of the project whose webhooks arrive here into {reference}",
            )
        case 403:
            return API_KEY.error(
                f"it may not be used for this ({said})",
                "let the key read models and use Realtime, or make one without restrictions",
            )
        case 429 if code == facts.INSUFFICIENT_QUOTA:
            return API_KEY.error(f"its project has no credit left ({said})", "add credit to the project")
        case 429:
            return API_KEY.warning(f"its project asks too often ({said})", "try again in a minute")
        case 404 | 405:
            return VOICE_API.warning(
                f"{base_url} has no list of models ({said}): whether it accepts the key is not known",
                f"is that its address? That of OpenAI is {facts.BASE_URL}; set provider.base_url or "
                f"{facts.BASE_URL_VARIABLE}",
            )
        case status if status >= 500:
            return VOICE_API.error(f"{base_url} fails ({said})", "try again in a few minutes")
        case status if not 200 <= status < 300:
            return VOICE_API.error(
                f"{base_url} answers {said}", "is that the address of the API, and not of a web page?"
            )
    host = urlsplit(base_url).hostname
    project = f", project {answer.project}" if answer.project else ""
    return API_KEY.ok(f"{host} accepts it{project}")


def clock_finding(ahead_s: float) -> Finding:
    """The difference between this machine's clock and the API's, whose `Date` has whole seconds."""
    where = "ahead of" if ahead_s > 0 else "behind"
    off = f"this machine's clock is about {round(abs(ahead_s), -1):.0f} s {where} the voice API's"
    remedy = f"set it, e.g. by NTP: from {TOLERANCE_S} s on webhooks are refused, and nobody answers"
    if abs(ahead_s) >= TOLERANCE_S:
        return CLOCK.error(off, remedy)
    if abs(ahead_s) > MOST_SKEW_S:
        return CLOCK.warning(off, remedy)
    return CLOCK.ok("it agrees with the voice API's")


def model_findings(
    configuration: Configuration, models: frozenset[str] | None, *, is_own: bool
) -> list[Finding]:
    """Whether the project has each model. `is_own`: the API is OpenAI's, where a model is not a
    deployment."""
    models_used = _models(configuration)
    if models is None:
        return [MODELS.skipped(f"not looked up: {', '.join(models_used)}")]
    findings = []
    for model, users in models_used.items():
        if model in models:
            continue
        text = f'"{model}" is not among the {len(models)} models of the project ({", ".join(users)})'
        hint = did_you_mean(model, models)
        remedy = f"have the project given access to it, or name another one{hint}"
        report = MODEL.error if is_own else MODEL.warning
        findings.append(report(text, remedy))
    known = [model for model in models_used if model in models]
    return ([MODELS.ok(", ".join(known))] if known else []) + findings


def session_finding(agent: Agent, reply: HttpReply) -> Finding:
    """Whether the API accepts an agent's session."""
    topic = Topic(f"agent {agent.id}")
    _, message = account.error_of(reply)
    match reply.status:
        case None:
            return topic.warning(f"its session was not checked: {reply.detail}", "try again")
        case status if 200 <= status < 300:
            voice = f", voice {agent.voice}" if agent.voice is not None else ""
            return topic.ok(f"its session is accepted: {agent.model}{voice}")
        case 400 | 422:
            reason = _cut(message) or "it does not say why"
            return topic.error(
                f"the voice API refuses its session: {reason}",
                f"mend that in {agent.place.file}: the model, voice, session or parameters of a tool; "
                f"phone-agents explain {agent.id} shows what is sent",
            )
        case 404 | 405:
            return topic.skipped(f"its session was not checked: this API has no way to ({reply.status})")
        case status if status == 429 or status >= 500:
            return topic.warning(
                f"its session was not checked: {status} {_cut(message)}".rstrip(), "try again in a minute"
            )
        case status:
            return topic.error(
                f"its session may not be begun: {status} {_cut(message)}".rstrip(),
                "give the key and its project access to Realtime and to this model",
            )


def _models(configuration: Configuration) -> dict[str, list[str]]:
    """Every model that is named, with who uses it."""
    users: dict[str, list[str]] = {}
    for agent in configuration.agents.values():
        outcome = agent.outcome.model if agent.outcome is not None else None
        for model, what in (
            (agent.model, ""),
            (agent.transcription_model, ", transcription"),
            (outcome, ", outcome"),
        ):
            if model is not None:
                users.setdefault(model, []).append(f"agent {agent.id}{what}")
    return users


def _date(text: str | None) -> Instant | None:
    try:
        return None if text is None else parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


def _cut(text: str) -> str:
    return cut(" ".join(text.split()), MOST_MESSAGE)
