"""Serves the console's files, with the policy under which a browser runs them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from runner.serve.admin.problem import not_found

FOLDER = Path(__file__).parents[2] / "console"
SERVED = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
"""Media types by ending. Files for type checkers and notes are not served."""
START = "index.html"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Only our own files, no text that becomes code, and no page of others around ours."""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    content_type: str
    etag: str


class Pages:
    """The files, read once."""

    def __init__(self) -> None:
        self._files = {
            path.relative_to(FOLDER).as_posix(): _read(path)
            for path in sorted(FOLDER.rglob("*"))
            if path.suffix in SERVED and path.is_file()
        }

    async def serve(self, request: web.Request) -> web.Response:
        """A file; the first page for any other path, which the page itself reads."""
        name = request.match_info.get("path", "") or START
        file = self._files.get(name)
        if file is None and not name.endswith(tuple(SERVED)):
            file = self._files.get(START)
        if file is None:
            raise not_found("the console has no such file")
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "ETag": f'"{file.etag}"'}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        is_text = file.content_type.startswith("text/")
        return web.Response(
            body=file.body,
            content_type=file.content_type,
            charset="utf-8" if is_text else None,
            headers=headers,
        )


def _read(path: Path) -> _File:
    body = path.read_bytes()
    return _File(body, SERVED[path.suffix], hashlib.sha256(body).hexdigest()[:32])
