"""An HTTP server on loopback that answers every request with what its test chose."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass
class CannedServer:
    port: int
    seen: list[Request]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def canned_server(answer: Callable[[Request], Answer | None]) -> Iterator[CannedServer]:
    """Serve `answer` until the end of the block; None: the connection is closed without one. Header names in requests
    are in lower case."""
    seen: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):  # the client is gone
                self._serve()
            self.close_connection = True

        def _serve(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length)
            if len(body) < length:
                return
            request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            seen.append(request)
            if (chosen := answer(request)) is not None:
                self._give(chosen)

        def _give(self, chosen: Answer) -> None:
            self.send_response_only(chosen.status)
            for name, value in chosen.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(chosen.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(chosen.body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        serving.start()
        try:
            yield CannedServer(server.server_address[1], seen)
        finally:
            server.shutdown()
            serving.join()


def parse_answer(text: str) -> Answer:
    """An answer from its text: `status reason`, header lines, an empty line, the body."""
    head, _, body = text.partition("\n\n")
    status, *header_lines = head.splitlines()
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in header_lines))
    return Answer(int(status.split(" ", 1)[0]), body.encode(), headers)
