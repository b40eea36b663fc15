"""Errors of the admin API as problem details (RFC 9457)."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from runner.model.values import Json

CONTENT_TYPE = "application/problem+json"


class AdminProblem(Exception):  # noqa: N818 - the RFC's own word
    """A request that is answered with problem details."""

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Json,
    ) -> None:
        """`reason` is one of those in the document; `more` are additional members, such as `errors`."""
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> web.Response:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "reason": self.reason,
            **self.more,
        }
        return web.Response(
            status=self.status,
            body=json.dumps(body).encode(),
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def not_found(what: str) -> AdminProblem:
    """There is nothing of this id."""
    return AdminProblem(404, "not-found", what)
