"""The HTTP side as one ASGI application."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from tempmail.domain.policy import grant
from tempmail.errors import NotFound
from tempmail.web.call import Visit, WebServices
from tempmail.web.context import Context
from tempmail.web.credentials import Proxies, authenticate, session_cookie
from tempmail.web.endpoint import Bound, Endpoint
from tempmail.web.endpoints import ALL
from tempmail.web.openapi import describe
from tempmail.web.pages import page_routes
from tempmail.web.routes import Below, ExactRoutes


@dataclass(frozen=True, slots=True)
class WebOptions:
    """`max_json_bytes`: the largest request body. `trusted_proxies`: addresses or CIDR blocks whose `X-Forwarded-*`
    headers are believed."""

    version: str
    max_json_bytes: int = 1 << 20
    trusted_proxies: tuple[str, ...] = ()


def build_app(
    services: WebServices,
    options: WebOptions,
    endpoints: Sequence[Endpoint] = ALL,
    *,
    below: Mapping[str, ASGIApp] | None = None,
) -> Starlette:
    """The application over `services`, which stay the caller's. `below`: applications that answer for all paths below a
    prefix. Raises ValueError for a bad proxy address.

    The HTTP server in front must not rewrite the client's address itself (uvicorn: `proxy_headers=False`).
    """
    proxies = Proxies(options.trusted_proxies)
    routes = [Bound(e, services, max_json_bytes=options.max_json_bytes).route() for e in endpoints]
    document = msgspec.json.encode(describe(endpoints, version=options.version))

    async def no_route(request: Request, exc: Exception) -> Response:
        """Under /api only those with a credential learn which paths exist; a wrong method is no path (contract 1.0)."""
        if not request.url.path.startswith("/api/"):
            raise NotFound("Not Found") from exc
        visit: Visit = request.scope["tempmail.visit"]
        actor = await authenticate(visit.headers, services.sessions, services.tokens, session_cookie(visit.headers))
        grant(actor, "api.unknown")
        raise NotFound("未找到 API 路径") from exc

    app = Starlette(
        routes=[
            ExactRoutes(routes),
            *[Below(*each) for each in (below or {}).items()],
            *routes,
            *page_routes(document),
        ],
        middleware=[Middleware(Context, proxies=proxies, metrics=services.metrics)],
        exception_handlers={HTTPException: no_route},
    )
    app.router.redirect_slashes = False
    return app
