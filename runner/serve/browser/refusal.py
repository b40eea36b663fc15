"""What a page gets instead of a call: a status, a code for programs and a sentence for people."""

from collections.abc import Mapping

from aiohttp import web

from runner.model.reception import RingResult


class RefusedError(Exception):
    """The request is refused, with problem details (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        problem = {"type": "about:blank", "status": self.status, "code": self.code, "detail": str(self)}
        return web.json_response(
            problem, status=self.status, content_type="application/problem+json", headers=self.headers
        )


RETRY_AFTER = {"Retry-After": "5"}


def not_answered(result: RingResult, *, is_made_by_page: bool = False) -> RefusedError:
    """The call rang, and nobody answered. The reason is in the log: it is the owner's business."""
    match result:
        case RingResult.REJECTED:
            return RefusedError(403, "no_route", "no agent answers such a call")
        case RingResult.BUSY:
            return RefusedError(503, "busy", "all lines are busy; try again in a while", RETRY_AFTER)
        case RingResult.TAKEN if is_made_by_page:
            return RefusedError(
                409, "call_taken", "the call is served already, or the token by another runner"
            )
        case RingResult.TAKEN:
            return RefusedError(409, "token_used", "the token has begun a call already; get a new one")
        case RingResult.UNAVAILABLE:
            return RefusedError(
                503, "api_unavailable", "the voice API gave no answer; try again in a while", RETRY_AFTER
            )
        case _:
            return RefusedError(502, "failed", "the call cannot be made")
