"""Routes without parameters are found at once, all others as Starlette finds them."""

import asyncio

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tempmail.web.routes import ExactRoutes


async def exact(_: Request) -> PlainTextResponse:
    return PlainTextResponse("exact")


async def any_of_them(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"any: {request.path_params['name']}")


ROUTES = [
    Route("/things/{name}", any_of_them, methods=["GET"]),
    Route("/things/first", exact, methods=["GET"]),
    Route("/posted", exact, methods=["POST"]),
]


def answered(method: str, path: str) -> tuple[int, str]:
    async def ask() -> httpx.Response:
        app = Starlette(routes=[ExactRoutes(ROUTES), *ROUTES])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
            return await http.request(method, path)

    answer = asyncio.run(ask())
    return answer.status_code, answer.text


def test_a_path_without_parameters_comes_before_one_with_them() -> None:
    assert answered("GET", "/things/first") == (200, "exact")


def test_a_path_with_parameters_is_found_as_ever() -> None:
    assert answered("GET", "/things/second") == (200, "any: second")


def test_another_method_or_an_unknown_path_is_refused_as_ever() -> None:
    assert answered("POST", "/posted") == (200, "exact")
    assert answered("GET", "/posted")[0] == 405
    assert answered("GET", "/nothing")[0] == 404
