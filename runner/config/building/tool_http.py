"""Builds a tool's `http` from its checked document. Sends nothing."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from runner.call.tools.tool_request import CONNECTION, OURS
from runner.config.building.duration import duration_s
from runner.config.building.secrets import written_secret
from runner.config.building.templates import template, templated, url_template
from runner.config.checking.scope import Scope
from runner.config.node import Node
from runner.config.problem import Problems
from runner.errors import TemplateError
from runner.model.template import Templated
from runner.model.tool import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    Body,
    BodyKind,
    ClientCredentials,
    HttpBinding,
    KeyIn,
    Retries,
)

if TYPE_CHECKING:
    from runner.call.templates.template import CompiledTemplate

_CREDENTIALS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-auth-token", "cookie"}
)
"""Headers that hold a secret and nothing else."""
_DEFAULT_RETRY_ON: frozenset[int | str] = frozenset({"timeout", "connection", 502, 503, 504})
_WITH_BODY = ("POST", "PUT", "PATCH")
_JSON = re.compile(r"\{(?![{%]).*\}|\[.*\]", re.DOTALL)
"""A text that is probably JSON itself; one that begins with an expression is not."""
_SIGNED = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})


def build_http(node: Node, scope: Scope, problems: Problems) -> HttpBinding | None:
    """The request of an `http` mapping, or None after noting a problem.

    The mapping must be well-formed.
    """
    return _Builder(node, scope, problems).build()


def build_auth(node: Node, scope: Scope, problems: Problems) -> Auth | None:
    """The `auth` of a mapping, or None where there is none or after noting a problem."""
    return _Builder(node, scope, problems).auth()


class _Builder:
    def __init__(self, node: Node, scope: Scope, problems: Problems) -> None:
        self._node = node
        self._scope = scope
        self._problems = problems

    def build(self) -> HttpBinding | None:
        named = self._node.get("method")
        method = "POST" if named is None else named.text
        url = self._url()
        body = self._body(method)
        auth = self.auth()
        sign = self._secret(self._node.get("sign"))
        self._reserved_headers()
        headers = {
            name: self._secret(node) if name.lower() in _CREDENTIALS else self._template(node)
            for name, node in self._node.items_at("headers")
        }
        query = {name: self._field(node) for name, node in self._node.items_at("query")}
        timeout = self._node.get("timeout")
        retries = build_retries(self._node.get("retries"), self._problems)
        if url is None or None in headers.values():
            return None
        binding = HttpBinding(
            method=method,
            url=url,
            query=query,
            headers={name: value for name, value in headers.items() if value is not None},
            body=body,
            auth=auth,
            sign=sign,
            retries=retries,
        )
        timeout_s = duration_s(timeout, self._problems)
        return binding if timeout_s is None else replace(binding, timeout_s=timeout_s)

    def _template(self, node: Node | None) -> "CompiledTemplate | None":
        return template(node, self._scope, self._problems)

    def _url(self) -> "CompiledTemplate | None":
        node = self._node.get("url")
        compiled = url_template(node, self._scope, self._problems)
        return compiled if node is not None and compiled is not None and self._is_url(node) else None

    def _is_url(self, node: Node) -> bool:
        from runner.call.tools.url import compiled_url  # noqa: PLC0415 - only tools with `http` need it

        try:
            compiled_url(node.text)
        except TemplateError as error:
            place = node.place_in(error.line, error.column)
            self._problems.error(place, "url", str(error), hide_source="@" in node.text)
            return False
        return True

    def _field(self, node: Node) -> Templated:
        """A value of a query or form: text as written, or a list of texts."""
        if isinstance(node.value, tuple):
            return [self._field(entry) for entry in node.entries()]
        if node.value is None or isinstance(node.value, bool):
            return node.value
        return self._template(node)

    def _body(self, method: str) -> Body | None:
        for kind in BodyKind:
            content = self._node.get(kind.value)
            if content is None:
                continue
            if method == "GET":
                message = 'a GET request has no body; use "query", or another "method" than GET'
                self._problems.error(self._node.key_place(kind.value), "body", message)
            return Body(kind=kind, content=self._content(kind, content))
        return Body(kind=BodyKind.JSON, is_arguments=True) if method in _WITH_BODY else None

    def _content(self, kind: BodyKind, content: Node) -> Templated:
        match kind:
            case BodyKind.JSON:
                self._warn_of_text(content)
                return templated(content, self._scope, self._problems)
            case BodyKind.FORM:
                return {name: self._field(node) for name, node in content.items()}
            case BodyKind.TEXT:
                return self._template(content)
            case BodyKind.MULTIPART:
                raise AssertionError("the language has no such key: form data is an OpenAPI document's")
            case _:
                assert_never(kind)

    def _warn_of_text(self, content: Node) -> None:
        """JSON in quotes would be sent as one text, with every quote of it escaped."""
        text = content.value.strip() if isinstance(content.value, str) else ""
        if _JSON.fullmatch(text):
            right = 'write it as YAML, such as {id: "{{ args.id }}"}'
            message = f'"json" is text, which is sent as one JSON string; {right}'
            self._problems.warning(content.place, "body", message)

    def _reserved_headers(self) -> None:
        headers = self._node.get("headers")
        if headers is None:
            return
        seen: set[str] = set()
        for name in headers.data():
            fault = self._header_fault(name.lower(), seen)
            seen.add(name.lower())
            if fault is not None:
                self._problems.error(headers.key_place(name), "reserved-header", f'"{name}" {fault}')

    def _header_fault(self, name: str, seen: set[str]) -> str | None:
        if name in seen:
            return "is here twice; header names are case-insensitive"
        if name in OURS:
            return "is sent with every request; leave it out"
        if name in CONNECTION:
            return "belongs to the connection; leave it out"
        if name in _SIGNED and self._node.get("sign") is not None:
            return 'is set by "sign"; leave it out'
        if name == "authorization" and any(
            self._node.find("auth", kind) for kind in ("bearer", "basic", "oauth2")
        ):
            return 'is set by "auth"; keep one of them'
        return None

    def auth(self) -> Auth | None:
        """How the request authenticates."""
        auth = self._node.get("auth")
        if auth is None:
            return None
        if (bearer := auth.get("bearer")) is not None:
            token = self._secret(bearer)
            return Bearer(token=token) if token is not None else None
        if (basic := auth.get("basic")) is not None:
            username, password = self._template(basic.get("username")), self._secret(basic.get("password"))
            return Basic(username=username, password=password) if username and password else None
        if (api_key := auth.get("api_key")) is not None:
            return self._api_key(api_key)
        if (oauth2 := auth.get("oauth2")) is not None:
            return self._client_credentials(oauth2)
        return None

    def _client_credentials(self, node: Node) -> ClientCredentials | None:
        client_id = self._template(node.get("client_id"))
        client_secret = self._secret(node.get("client_secret"))
        token_url, audience = node.get("token_url"), node.get("audience")
        scope_nodes = node.entries_at("scopes")
        fixed = [part for part in (token_url, audience, *scope_nodes) if part is not None]
        templates = [part for part in fixed if not self._is_fixed(part)]
        if templates or token_url is None or client_id is None or client_secret is None:
            return None
        if not self._is_url(token_url):
            return None
        return ClientCredentials(
            token_url=token_url.text,
            client_id=client_id,
            client_secret=client_secret,
            scopes=tuple(scope.text for scope in scope_nodes),
            audience=audience.text if audience is not None else None,
        )

    def _is_fixed(self, node: Node) -> bool:
        """Whether a text is not a template: a call's data must not decide where a secret goes, or for
        what."""
        from runner.call.templates.template import has_expressions  # noqa: PLC0415 - only for tools with `oauth2`

        if has_expressions(node.text):
            message = (
                f'"{node.text}" is sent as it stands: only "client_id" and "client_secret" are templates'
            )
            self._problems.error(node.place, "fixed-text", message)
            return False
        return True

    def _api_key(self, node: Node) -> ApiKey | None:
        name, value, location = node.get("name"), self._secret(node.get("value")), node.get("in")
        if name is None or value is None:
            return None
        key_in = KeyIn(location.text) if location is not None else KeyIn.HEADER
        if key_in is KeyIn.HEADER and (fault := self._header_fault(name.text.lower(), set())):
            self._problems.error(name.place, "reserved-header", f'"{name.text}" {fault}', hide_source=True)
        return ApiKey(name=name.text, value=value, location=key_in)

    def _secret(self, node: Node | None) -> "CompiledTemplate | None":
        """A template that renders a credential. One without names is the credential itself."""
        compiled = self._template(node)
        if node is not None and compiled is not None and not compiled.references:
            self._problems.extend([written_secret(node)])
        return compiled


def build_retries(node: Node | None, problems: Problems) -> Retries:
    """The declared `retries`; one attempt by default."""
    if node is None:
        return Retries()
    attempts, backoff, on = node.get("attempts"), node.get("backoff"), node.get("on")
    backoff_s = duration_s(backoff, problems)
    return Retries(
        attempts=int(attempts.text) if attempts is not None else 1,
        backoff_s=backoff_s if backoff_s is not None else Retries().backoff_s,
        on=frozenset(entry.value for entry in on.entries() if isinstance(entry.value, (int, str)))
        if on is not None
        else _DEFAULT_RETRY_ON,
    )
