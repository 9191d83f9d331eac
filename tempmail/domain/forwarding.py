"""Where received mail is handed on to, and how a loop is known."""

from collections.abc import Sequence
from dataclasses import dataclass

from tempmail.domain.address import split_address
from tempmail.errors import InvalidOutbound

MAX_HOPS = 30
"""Servers that a mail may have passed; RFC 5321 6.3 asks for a large number, at least 100 for a server that only
relays. A mail that is handed on by hand-set rules has gone astray long before."""
MAX_HEADER_BYTES = 256 << 10

_TRACE = b"delivered-to:"


@dataclass(frozen=True, slots=True)
class ForwardRules:
    """Which mail is handed on: a mailbox's own target first and alone, else the first rule whose prefix its local part
    begins with; `*` only after all others. Source: freemail contract 3, FORWARD_RULES."""

    rules: Sequence[tuple[str, str]] = ()

    def target(self, mailbox: str, own_target: str | None) -> str | None:
        """Where mail for the address `mailbox` goes besides; None: nowhere.

        >>> ForwardRules((("*", "all@x.example"), ("vip", "boss@x.example"))).target("vip1@t.example", None)
        'boss@x.example'
        """
        if own_target:
            return own_target
        local = split_address(mailbox)[0]
        matching = [target for prefix, target in self.rules if prefix != "*" and local.startswith(prefix)]
        rest = [target for prefix, target in self.rules if prefix == "*"]
        return next(iter((*matching, *rest)), None)


def handed_on(raw: bytes, mailbox: str) -> bytes:
    """The mail as it goes on: unchanged below one new trace line, so that signatures hold and a loop can be known.

    Raises `InvalidOutbound` for a mail that came through `mailbox` before, or through more than `MAX_HOPS` servers.
    """
    head = raw[: _end_of_head(raw)]
    lines = [line.strip().lower() for line in head.split(b"\n")]
    trace = mailbox.lower().encode()
    if any(line.startswith(_TRACE) and line[len(_TRACE) :].strip() == trace for line in lines):
        raise InvalidOutbound(f"a loop: this mail came through {mailbox} before")
    hops = sum(line.startswith(b"received:") for line in lines)
    if hops > MAX_HOPS:
        raise InvalidOutbound(f"a loop: this mail has passed {hops} servers, more than {MAX_HOPS}")
    return b"Delivered-To: " + mailbox.encode() + b"\r\n" + raw


def _end_of_head(raw: bytes) -> int:
    ends = [
        at for at in (raw.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES), raw.find(b"\n\n", 0, MAX_HEADER_BYTES)) if at >= 0
    ]
    return min(ends, default=min(len(raw), MAX_HEADER_BYTES))
