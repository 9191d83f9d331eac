"""An SMTP client that sends exactly the bytes it is given: smtplib mends line ends, and stuffs dots after bare ones."""

import socket
from types import TracebackType

Address = tuple[str, int]


class SmtpClient:
    """One session, greeted. Raises `ConnectionError` once the server has hung up."""

    def __init__(self, address: Address, *, timeout_s: float) -> None:
        self._socket = socket.create_connection(address, timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pending = b""
        self.server_port = address[1]
        try:
            self.greeting = self.reply()
            self.command("EHLO client.example")
        except BaseException:
            self.close()
            raise

    def deliver(self, raw: bytes, *recipients: str) -> str:
        """Send one mail; the reply that ends it, whichever command it answers. `raw` ends with CRLF."""
        answer = self.start_data(*recipients)
        if not answer.startswith("354"):
            self.command("RSET")
            return answer
        return self.finish_data(stuffed(raw))

    def start_data(self, *recipients: str) -> str:
        """Say everything up to DATA; its reply (354), or the first one that was not 250."""
        for line in ("MAIL FROM:<sender@client.example>", *(f"RCPT TO:<{to}>" for to in recipients)):
            answer = self.command(line)
            if not answer.startswith("250"):
                return answer
        return self.command("DATA")

    def finish_data(self, wire: bytes) -> str:
        """Send (the rest of) the content as it goes over the wire, and read the reply to it."""
        self.send(wire)
        return self.reply()

    def command(self, line: str) -> str:
        self.send(f"{line}\r\n".encode())
        return self.reply()

    def send(self, wire: bytes) -> None:
        self._socket.sendall(wire)

    def reply(self) -> str:
        """The last line of the next reply."""
        while True:
            line = self._line().decode()
            if line[3:4] != "-":
                return line.rstrip()

    def is_closed(self) -> bool:
        """Whether the server hangs up now, saying nothing more."""
        return not self._pending and not self._socket.recv(1)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "SmtpClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self) -> bytes:
        while b"\n" not in self._pending:
            block = self._socket.recv(1 << 16)
            if not block:
                raise ConnectionResetError("the server hung up")
            self._pending += block
        line, _, self._pending = self._pending.partition(b"\n")
        return line


def stuffed(raw: bytes) -> bytes:
    """The content as it goes over the wire, its end included (RFC 5321 4.5.2). `raw` ends with CRLF."""
    assert raw.endswith(b"\r\n")
    return (b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
