"""Which handler a request is for."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from tempmail.sandbox.surface import Exchange, Kind, Refused, Reply

Given = TypeVar("Given")

Handler = Callable[[Exchange, Given, Mapping[str, str]], Awaitable[Reply]]
"""(the request, what the surface knows of its caller, the parameters of the path)."""

_PARAMETER = re.compile(r"\{([a-z_]+)\}")


class Router(Generic[Given]):
    """Routes as `"POST /emails/{id}/cancel"`; a parameter is one segment, `{name*}` at the end is all that follows.
    Those that stand first are tried first."""

    def __init__(self, routes: Mapping[str, Handler[Given]]) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler[Given]]] = []
        for route, handler in routes.items():
            method, _, path = route.partition(" ")
            pattern = re.escape(path).replace(r"\{", "{").replace(r"\}", "}").replace(r"\*", "*")
            pattern = re.sub(r"\{([a-z_]+)\*\}", r"(?P<\1>.+)", pattern)
            self._routes.append((method, re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", pattern)), handler))

    def find(self, exchange: Exchange) -> tuple[Handler[Given], Mapping[str, str]]:
        """Raises `Refused`: NO_ROUTE where no method has this path, else NO_METHOD."""
        is_known = False
        for method, pattern, handler in self._routes:
            if match := pattern.fullmatch(exchange.path):
                if method == exchange.method:
                    return handler, match.groupdict()
                is_known = True
        raise Refused(Kind.NO_METHOD if is_known else Kind.NO_ROUTE)
