"""How a request finds its endpoint."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class ExactRoutes(BaseRoute):
    """Those of `routes` whose paths have no parameters, found by one look-up, where Starlette tries one pattern after
    the other at about 1 µs each. Whatever is not among them is left to the routes that follow."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._apps: dict[tuple[str, str], ASGIApp] = {
            (method, route.path): route.app
            for route in routes
            if not route.param_convertors
            for method in route.methods or ()
        }

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        app = self._apps.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        return (Match.NONE, {}) if app is None else (Match.FULL, {"endpoint": app, "path_params": {}})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = scope["endpoint"]
        await app(scope, receive, send)


class Below(BaseRoute):
    """Whatever is asked for below `prefix`, by any method: an application of its own. It sees the whole path."""

    def __init__(self, prefix: str, app: ASGIApp) -> None:
        self._prefix = prefix
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        is_below = scope["type"] == "http" and (
            scope["path"] == self._prefix or scope["path"].startswith(f"{self._prefix}/")
        )
        return (Match.FULL, {"endpoint": self._app, "path_params": {}}) if is_below else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
