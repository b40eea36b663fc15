"""Runs all checks in parallel, and reports them in a fixed order."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from runner.api.webhook import MIN_KEY_BYTES, is_secret
from runner.doctor.access import admin_tokens, browser_secret
from runner.doctor.endpoints import examine_endpoints
from runner.doctor.finding import Finding, Topic
from runner.doctor.machine import ADMIN_PORT, PORT, examine_port, files_finding
from runner.doctor.probe import LookUp
from runner.doctor.store import STORE, examine_store
from runner.doctor.voice_api import API_KEY, examine_voice_api
from runner.doctor.webhook import WEBHOOK, examine_webhook
from runner.errors import CannotRunError
from runner.model.settings import Configuration, SecretRef, Server
from runner.model.values import Instant
from runner.serve.provider_secrets import is_api_key
from runner.serve.secrets import find_secret, find_store

WEBHOOK_SECRET = Topic("webhook secret")
SECRETS = Topic("secrets")


async def examine(
    configuration: Configuration,
    environ: Mapping[str, str],
    *,
    base_url: str,
    webhook_url: str | None,
    tls: ssl.SSLContext,
    now: Instant,
    descriptors: int,
    look_up: LookUp | None = None,
) -> AsyncIterator[Finding]:
    """The findings, in order, each as soon as those before it are known."""
    settings = configuration.settings
    signing, secrets = webhook_secrets(settings.provider.webhook_secrets, environ)
    examinations = [
        _voice_api(configuration, environ, base_url, tls, now=now, look_up=look_up),
        _known(secrets),
        _webhook(webhook_url, signing, tls, now=now, look_up=look_up),
        _known(tool_secrets(settings.secrets, environ)),
        _known(_access(settings.server, environ)),
        _store(configuration, environ),
        _ports(settings.server),
        _known([files_finding(descriptors)]),
        examine_endpoints(configuration, tls, now=now, look_up=look_up),
    ]
    tasks = [asyncio.ensure_future(examination) for examination in examinations]
    try:
        for task in tasks:
            for finding in await task:
                yield finding
    finally:
        for task in tasks:
            task.cancel()


def webhook_secrets(
    references: Iterable[SecretRef], environ: Mapping[str, str]
) -> tuple[str | None, list[Finding]]:
    """The first secret that webhooks can be verified with, and a finding for each."""
    usable, findings = None, []
    for reference in references:
        try:
            secret = find_secret(reference, environ)()
        except CannotRunError as error:
            findings.append(
                WEBHOOK_SECRET.error(
                    str(error), "copy it from the webhook's page at the API: it is shown there once"
                )
            )
            continue
        if not is_secret(secret):
            findings.append(
                WEBHOOK_SECRET.error(
                    f"{reference} is not a webhook secret",
                    f'copy it as a whole: "whsec_" and base64 of at least {MIN_KEY_BYTES} bytes',
                )
            )
            continue
        usable = usable or secret
        findings.append(WEBHOOK_SECRET.ok(f"{reference} holds one"))
    if not findings:
        findings = [
            WEBHOOK_SECRET.error(
                "provider.webhook_secrets is empty, so no webhook can be verified",
                "name one: [{env: OPENAI_WEBHOOK_SECRET}]",
            )
        ]
    return usable, findings


def tool_secrets(secrets: Mapping[str, SecretRef], environ: Mapping[str, str]) -> list[Finding]:
    """One finding for each secret of runner.yaml that is missing, or one for all."""
    missing = []
    for name, reference in secrets.items():
        try:
            find_secret(reference, environ)
        except CannotRunError as error:
            missing.append(SECRETS.error(f"{name}: {error}", "set it where the runner starts"))
    if missing or not secrets:
        return missing
    return [SECRETS.ok(", ".join(secrets))]


async def _voice_api(
    configuration: Configuration, environ: Mapping[str, str], base_url: str, tls: ssl.SSLContext, **known: Any
) -> list[Finding]:
    reference = configuration.settings.provider.api_key
    try:
        key = find_secret(reference, environ)()
    except CannotRunError as error:
        return [API_KEY.error(str(error), "make a key at the API, and set it where the runner starts")]
    if not is_api_key(key):
        text = f"{reference} is not an API key"
        return [API_KEY.error(text, "copy it as a whole: printable ASCII without spaces")]
    return await examine_voice_api(configuration, key, base_url, tls, **known)


async def _webhook(url: str | None, secret: str | None, tls: ssl.SSLContext, **known: Any) -> list[Finding]:
    if url is None:
        return [WEBHOOK.skipped("not tried", "--url https://… tries the address that the API posts to")]
    if secret is None:
        return [WEBHOOK.skipped(f"{url} was not tried, for lack of a secret to sign with")]
    return [await examine_webhook(url, secret, tls, **known)]


async def _store(configuration: Configuration, environ: Mapping[str, str]) -> list[Finding]:
    try:
        url = find_store(configuration.settings, environ)
    except CannotRunError as error:
        return [STORE.error(str(error), "set it where the runner starts")]
    return [await examine_store(url)]


def _access(server: Server, environ: Mapping[str, str]) -> list[Finding]:
    findings = admin_tokens(server.admin, environ) if server.admin is not None else []
    if server.browser is not None and server.browser.secret is not None:
        findings.append(browser_secret(server.browser.secret, environ))
    return findings


async def _ports(server: Server) -> list[Finding]:
    findings = [await examine_port(PORT, server.host, server.port, "server")]
    if (admin := server.admin) is not None:
        findings.append(await examine_port(ADMIN_PORT, admin.host, admin.port, "server.admin"))
    return findings


async def _known(findings: list[Finding]) -> list[Finding]:
    return findings
