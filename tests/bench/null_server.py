"""What the server is measured against: a stock aiosmtpd server whose handler throws every mail away.

One process per worker, on a listening socket that it inherits: `python -m tests.bench.null_server FD LOOP`. It ends
when its standard input does.
"""

import argparse
import asyncio
import socket
import sys

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session


class Null:
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return "250 OK"


async def serve(listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    handler = Null()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="null.example", data_size_limit=26_214_400, loop=loop),
        sock=listener,
        backlog=1024,
    )
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    async with server:
        await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.null_server")
    parser.add_argument("fd", type=int, help="a listening socket")
    parser.add_argument("loop", choices=("uvloop", "asyncio"))
    args = parser.parse_args()
    factory = uvloop.new_event_loop if args.loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(socket.socket(fileno=args.fd)))


if __name__ == "__main__":
    main()
