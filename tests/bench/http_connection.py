"""A keep-alive HTTP client thin enough not to be what is measured."""

import json
import socket
from dataclasses import dataclass
from typing import Any

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """`cookie`: `name=value` of the one that it sets, or ""."""

    status: int
    body: bytes
    cookie: str


class HttpConnection:
    """One connection; requests one after another, with the root token or a cookie (`name=value`). Raises `OSError` or
    `ValueError` where the answer is not one."""

    def __init__(self, address: Address, token: str = "", *, cookie: str = "", timeout_s: float = 10.0) -> None:
        credential = f"Cookie: {cookie}" if cookie else f"Authorization: Bearer {token}"
        self._head = f"\r\nHost: bench.example\r\n{credential}\r\n"
        self._socket = socket.create_connection(address, timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pending = b""

    def get(self, path: str) -> bytes:
        """The body of a 200 answer."""
        status, body = self.ask(path)
        if status != 200:
            raise ValueError(f"GET {path}: {status} {body[:200]!r}")
        return body

    def get_json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def ask(self, path: str) -> tuple[int, bytes]:
        """Status and body of whatever the answer is."""
        answer = self._exchange(f"GET {path} HTTP/1.1{self._head}\r\n".encode("ascii"))
        return answer.status, answer.body

    def post(self, path: str, body: bytes) -> Answer:
        """The answer to a JSON body."""
        lines = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return self._exchange(f"POST {path} HTTP/1.1{self._head}{lines}".encode("ascii") + body)

    def _exchange(self, request: bytes) -> Answer:
        self._socket.sendall(request)
        while b"\r\n\r\n" not in self._pending:
            self._receive()
        head, _, self._pending = self._pending.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        cookies = [line.partition(b":")[2] for line in lines[1:] if line.lower().startswith(b"set-cookie:")]
        lengths = [line.partition(b":")[2] for line in lines[1:] if line.lower().startswith(b"content-length:")]
        size = int(lengths[0])
        while len(self._pending) < size:
            self._receive()
        body, self._pending = self._pending[:size], self._pending[size:]
        cookie = cookies[0].partition(b";")[0].strip().decode("ascii") if cookies else ""
        return Answer(int(lines[0].split()[1]), body, cookie)

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> None:
        block = self._socket.recv(1 << 16)
        if not block:
            raise ConnectionError("the server closed the connection")
        self._pending += block
