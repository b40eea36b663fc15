"""Checks the secrets of those who may use the admin API or call from a browser, as `run` does."""

from collections.abc import Mapping

from runner.doctor.finding import Finding, Topic
from runner.errors import CannotRunError
from runner.model.settings import Admin, SecretRef
from runner.serve.admin.service import check_tokens
from runner.serve.browser.calls import check_secret
from runner.serve.secrets import find_secret

ADMIN_TOKENS = Topic("admin tokens")
BROWSER_SECRET = Topic("browser secret")
MAKE_ONE = "make one with: openssl rand -hex 32, and set it where the runner starts"


def admin_tokens(admin: Admin, environ: Mapping[str, str]) -> list[Finding]:
    """A finding for each token that is missing, for one that `run` refuses, or one for all."""
    findings, found = [], {}
    for name, token in admin.tokens.items():
        try:
            found[name] = find_secret(token.ref, environ)()
        except CannotRunError as error:
            findings.append(ADMIN_TOKENS.error(f"{name}: {error}", MAKE_ONE))
    try:
        check_tokens(admin, found)
    except CannotRunError as error:
        findings.append(_refused(ADMIN_TOKENS, error))
    return findings or [ADMIN_TOKENS.ok(", ".join(admin.tokens))]


def browser_secret(reference: SecretRef, environ: Mapping[str, str]) -> Finding:
    """The finding about the secret with which callers' tokens are signed."""
    try:
        check_secret(reference, find_secret(reference, environ)())
    except CannotRunError as error:
        return _refused(BROWSER_SECRET, error)
    return BROWSER_SECRET.ok(f"{reference} holds one")


def _refused(topic: Topic, error: CannotRunError) -> Finding:
    """What is wrong, and after a semicolon what to do."""
    text, _, remedy = str(error).partition("; ")
    return topic.error(text, remedy or MAKE_ONE)
