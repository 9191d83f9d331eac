"""What the API's rate is measured against: a Starlette handler that answers a constant, under the same uvicorn.

One process, on a listening socket that it inherits: `python -m tests.bench.constant_server FD BYTES…`. `GET /<n>`
answers JSON of the n-th size. It ends when its standard input does.
"""

import argparse
import asyncio
import json
import socket
import sys
from collections.abc import Sequence

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_EMPTY = len(json.dumps({"fill": ""}))


def application(sizes_bytes: Sequence[int]) -> Starlette:
    bodies = [json.dumps({"fill": "x" * (size - _EMPTY)}).encode() for size in sizes_bytes]

    def answering(body: bytes) -> Route:
        async def constant(_: Request) -> Response:
            return Response(body, media_type="application/json")

        return Route(f"/{bodies.index(body)}", constant)

    return Starlette(routes=[answering(body) for body in bodies])


async def serve(listener: socket.socket, sizes_bytes: Sequence[int]) -> None:
    config = uvicorn.Config(
        application(sizes_bytes),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), lambda: setattr(server, "should_exit", True))
    await server.serve(sockets=[listener])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.constant_server")
    parser.add_argument("fd", type=int, help="a listening socket")
    parser.add_argument("sizes", type=int, nargs="+", metavar="BYTES", help="how large the answers are")
    args = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(socket.socket(fileno=args.fd), args.sizes))


if __name__ == "__main__":
    main()
