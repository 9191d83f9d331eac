"""What an SMTP server is told about itself."""

from dataclasses import dataclass
from typing import Protocol

from tempmail.smtp.proxy import Networks


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """Names and limits. Each limit is the greatest value that is still accepted.

    `hostname`: said in the greeting, and the domain of `<Postmaster>`.
    `max_message_bytes`: of the mail as stored (dots unstuffed, terminator excluded).
    `max_errors`: 5yz replies per session, counted anew after each stored mail.
    `idle_timeout_s`: for one whole command, and for each read within DATA.
    `data_timeout_s`: for one whole DATA.
    `proxy_protocol_from`: from these networks a PROXY header is required, from all others it is not understood.
    """

    hostname: str = "localhost"
    max_message_bytes: int = 26_214_400
    max_recipients: int = 100
    max_errors: int = 10
    idle_timeout_s: float = 300.0
    data_timeout_s: float = 1800.0
    proxy_protocol_from: Networks = ()


class Counters(Protocol):
    """Where the server counts."""

    def add(self, name: str, amount: float = 1, label: str = "") -> None: ...

    def set(self, name: str, number: float, label: str = "") -> None: ...
