"""The few static pages: what this server is, and its API documentation. Everything comes from this server."""

from importlib.resources import files

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tempmail.web.context import PAGE_CSP
from tempmail.web.endpoint import answer

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/docs/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
    "/docs/docs.css": ("docs.css", "text/css; charset=utf-8"),
}


class Page:
    """One fixed answer, held in memory."""

    def __init__(self, body: bytes, media_type: str) -> None:
        self._body = body
        self._headers = (
            (b"content-type", media_type.encode()),
            (b"content-security-policy", PAGE_CSP.encode()),
            (b"cache-control", b"no-cache"),
        )

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        await answer(scope, send, 200, self._body, list(self._headers))


def page_routes(openapi: bytes) -> list[Route]:
    """Routes of the pages and of `openapi`, the API's description as JSON."""
    folder = files("tempmail.web").joinpath("static")
    pages = {path: Page(folder.joinpath(name).read_bytes(), kind) for path, (name, kind) in _FILES.items()}
    pages["/openapi.json"] = Page(openapi, "application/json")
    return [Route(path, page, methods=["GET"]) for path, page in pages.items()]
