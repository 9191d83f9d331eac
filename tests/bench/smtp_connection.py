"""An SMTP client that does nothing but send prepared bytes, so that it costs little beside what it measures."""

import socket

from tests.bench.http_connection import Address


class SmtpConnection:
    """One session. Raises `ConnectionError` for every reply that is not the expected one."""

    def __init__(self, address: Address, recipient: str, *, timeout_s: float = 60.0) -> None:
        self.socket = socket.create_connection(address, timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pending = b""
        self._envelope = f"MAIL FROM:<sender@client.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode("ascii")
        self._expect(b"220")
        self.socket.sendall(b"EHLO client.example\r\n")
        self._expect(b"250")

    def announce(self) -> None:
        """Everything up to the 354 that asks for the content, in one block (RFC 2920)."""
        self.socket.sendall(self._envelope)
        for code in (b"250", b"250", b"354"):
            self._expect(code)

    def send(self, content: bytes | memoryview) -> None:
        """Some of the content, as it goes over the wire (`mails.stuffed`)."""
        self.socket.sendall(content)

    def await_stored(self) -> None:
        """The reply to the content, which must be 250."""
        self._expect(b"250")

    def close(self) -> None:
        self.socket.close()

    def _expect(self, code: bytes) -> None:
        while True:
            while b"\n" not in self._pending:
                block = self.socket.recv(1 << 16)
                if not block:
                    raise ConnectionError("the server closed the connection")
                self._pending += block
            line, _, self._pending = self._pending.partition(b"\n")
            if not line.startswith(code):
                raise ConnectionError(f"expected {code.decode()}, got {line.decode('utf-8', 'replace').strip()}")
            if line[3:4] != b"-":
                return
