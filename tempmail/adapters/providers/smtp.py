"""A plain SMTP relay. Source: RFC 5321, provider facts 3.

Each recipient is a call of its own, over connections that are used again: a relay may refuse some recipients of one
transaction and take the mail for the others, which one outcome could not tell. The headers name everybody all the
same.

Until the final dot has left, a failure is certainly not sent. From then on only the relay's reply tells; without one
the outcome is unknown (RFC 5321 4.2.5, 6.1).
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote, urlsplit

import aiosmtplib

from tempmail.adapters.providers.base import at_pace
from tempmail.adapters.providers.pace import Pace
from tempmail.adapters.providers.parts import split
from tempmail.clock import Clock
from tempmail.domain.compose import compose
from tempmail.domain.outbound import Capabilities, Delivery, OutboundMessage, ProviderCall, SendResult
from tempmail.domain.outbound_fields import check_message, read_address, wire_address
from tempmail.errors import (
    CannotDo,
    InvalidOutbound,
    OutcomeUnknown,
    ProviderAuthFailed,
    ProviderDenied,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)

CAPABILITIES = Capabilities(
    max_to=1000,  # of calls in all: nobody gets more than one mail, with copies or without
    cc=True,
    bcc=True,
    reply_to=True,
    html_with_text=True,
    headers=True,
    attachments=True,
    raw=True,
    pause_s=0.0,
)

CONNECT_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 30.0
ENVELOPE_TIMEOUT_S = 60.0
"""From connecting to the relay's leave to send the mail, in all."""
DATA_TIMEOUT_S = 120.0
"""For the mail's lines; certainly not sent where it is over."""
REPLY_TIMEOUT_S = 120.0
"""For the reply to the final dot. Too short means unknown outcomes: RFC 5321 4.5.3.2.6 would wait ten minutes."""
MAX_IDLE = 4
IDLE_S = 15.0
"""How long a connection is kept for the next mail; below what relays wait for a command (5 minutes at least)."""
DEFER_TRIES = 24
"""Of a mail that the relay puts off. With pauses of up to five minutes that outlasts greylisting."""

_CHUNK_OCTETS = 65536
_IN_THREAD_OCTETS = 262144
"""From here on making the lines holds the event loop up for longer (1 ms) than a thread costs."""
_BARE_BREAK = re.compile(rb"\r\n|\r|\n")
_END_OF_HEADERS = re.compile(rb"\n\r?\n")
_LEADING_DOT = re.compile(rb"(?m)^\.")
_BAD_REPLY_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_NEEDS_LOGIN = 530


@dataclass(frozen=True, slots=True)
class Relay:
    """Where to, and as whom. `implicit_tls`: TLS from the first byte, else by STARTTLS."""

    host: str
    port: int
    implicit_tls: bool
    user: str = ""
    password: str = field(default="", repr=False)


def parse_relay(url: str) -> Relay:
    """`smtp://[user:password@]host[:port]` or `smtps://…`, user and password percent-encoded.

    Ports: 465 for `smtps`; else 587 with a password, 25 without. Raises `ValueError`, whose text shows no password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("A relay is smtp://user:password@host:port or smtps://…") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError("A relay is smtp://user:password@host:port or smtps://…")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password):
        raise ValueError("A relay's user and password come together")
    implicit_tls = parts.scheme == "smtps"
    return Relay(parts.hostname, port or (465 if implicit_tls else 587 if user else 25), implicit_tls, user, password)


@dataclass(slots=True)
class _Connection:
    """A session with the relay, after EHLO, TLS and login. `idle_since`: by the monotonic clock.

    `writer` knows when the relay takes no more for now. It lives as long as the session, whose transport it closes.
    """

    smtp: aiosmtplib.SMTP
    writer: asyncio.StreamWriter
    idle_since: float = 0.0

    def quit(self) -> None:
        """Take leave (RFC 5321 4.1.1.10), without waiting for an answer that changes nothing."""
        if self.smtp.is_connected:
            self.writer.write(b"QUIT\r\n")
        self.smtp.close()


class Smtp:
    """One relay. TLS is used wherever it is offered, and without it no password is sent; certificates are checked.

    `helo_name`: this host's name, for EHLO. `tls`: what certificates are trusted, None: the system's.
    """

    name = "smtp"

    def __init__(
        self,
        url: str,
        *,
        account: str,
        clock: Clock,
        pause_s: float | None = None,
        helo_name: str = "localhost",
        tls: ssl.SSLContext | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        reply_timeout_s: float = REPLY_TIMEOUT_S,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.account = account
        self.capabilities = at_pace(CAPABILITIES, pause_s)
        self._relay = parse_relay(url)
        self._clock = clock
        self._pace = Pace(self.capabilities.pause_s, clock, sleep=sleep)
        self._helo_name = helo_name
        self._tls = tls or ssl.create_default_context()
        self._connect_timeout_s = connect_timeout_s
        self._command_timeout_s = command_timeout_s
        self._reply_timeout_s = reply_timeout_s
        self._idle: list[_Connection] = []

    def prepare(self, message: OutboundMessage, recipients: Sequence[str]) -> list[ProviderCall]:
        """One call per recipient. `Date` is the clock's, unless the message's headers have one."""
        check_message(self.name, self.capabilities, message)
        for address in recipients:
            read_address(address, "to")
        if message.raw is not None:
            if message.from_addr:
                read_address(message.from_addr, "from")
            return [ProviderCall((address,), message.from_addr, "message/rfc822", b"") for address in recipients]
        everyone = (*message.to, *message.cc, *message.bcc)
        # Who stands where is the headers' affair; here all are recipients alike, and one in Bcc alone is enough.
        flat = OutboundMessage(from_addr=message.from_addr, to=everyone)
        parts = split("SMTP", 1, flat, recipients)
        mail = compose(message, date_s=self._clock.now())
        return [ProviderCall(part.recipients, message.from_addr, "message/rfc822", mail) for part in parts]

    async def send(self, call: ProviderCall, *, idempotency_key: str, raw: bytes | None = None) -> SendResult:  # noqa: ARG002
        """A mail without lines that end in CRLF gets such ends: bare CR and LF may not be sent (RFC 5321 2.3.8)."""
        mail = call.body if raw is None else raw
        if not mail:
            raise InvalidOutbound("SMTP: there is no mail to hand on")
        sender = wire_address(call.target) if call.target else ""
        recipients = [wire_address(address) for address in call.recipients]
        lines = _transparent(mail) if len(mail) < _IN_THREAD_OCTETS else await asyncio.to_thread(_transparent, mail)
        await self._pace.turn()
        connection = await self._begin(sender, recipients, mail, len(lines))
        try:
            reply = await self._hand_over(connection, lines)
        except BaseException:
            connection.smtp.close()
            raise
        if len(self._idle) < MAX_IDLE:
            connection.idle_since = self._clock.monotonic()
            self._idle.append(connection)
        else:
            connection.quit()
        return SendResult(None, raw=reply)

    async def status(self, message_id: str) -> Delivery:  # noqa: ARG002 (named as in the port)
        raise CannotDo("SMTP 渠道暂不支持此操作")

    async def usage(self) -> Mapping[str, object]:
        raise CannotDo("SMTP 渠道暂不支持此操作")

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().quit()

    async def _begin(self, sender: str, recipients: Sequence[str], mail: bytes, size: int) -> _Connection:
        """A connection on which the relay waits for the mail's lines. Whatever fails here is not sent."""
        try:
            async with asyncio.timeout(ENVELOPE_TIMEOUT_S):
                if (connection := self._take_idle()) is not None:
                    try:
                        await self._envelope(connection.smtp, sender, recipients, mail, size)
                        return connection
                    except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPReadTimeoutError):
                        pass  # the relay closed what was idle: nothing was said on it, so a new one is begun
                connection = await self._connect()
                await self._envelope(connection.smtp, sender, recipients, mail, size)
                return connection
        except aiosmtplib.SMTPAuthenticationError as exc:
            error = ProviderAuthFailed if exc.code >= 500 else ProviderUnavailable
            raise error(f"SMTP: the relay refuses the login ({_reply(exc.code, exc.message)})") from exc
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as exc:
            raise ProviderUnavailable(f"SMTP: the relay cannot be used ({_cause(exc)})") from exc

    def _take_idle(self) -> _Connection | None:
        oldest = self._clock.monotonic() - IDLE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.smtp.is_connected and connection.idle_since >= oldest:
                return connection
            connection.quit()
        return None

    async def _connect(self) -> _Connection:
        relay = self._relay
        smtp = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            use_tls=relay.implicit_tls,
            start_tls=False,
            tls_context=self._tls,
            local_hostname=self._helo_name,
            timeout=self._command_timeout_s,
        )
        try:
            await smtp.connect(timeout=self._connect_timeout_s)
            await smtp.ehlo()
            if not relay.implicit_tls and smtp.supports_extension("starttls"):
                await smtp.starttls()
                await smtp.ehlo()
            elif not relay.implicit_tls and relay.user:
                raise ProviderDenied("SMTP: the relay offers no TLS, without which no password is sent")
            if relay.user:
                if not smtp.supported_auth_methods:
                    raise ProviderAuthFailed("SMTP: the relay takes no login")
                await smtp.login(relay.user, relay.password)
        except aiosmtplib.SMTPAuthenticationError:
            smtp.close()
            raise
        except aiosmtplib.SMTPResponseException as exc:
            smtp.close()
            raise _greeting_error(exc) from exc
        except BaseException:
            smtp.close()
            raise
        transport, protocol = smtp.transport, smtp.protocol
        if transport is None or protocol is None:
            raise ProviderUnavailable("SMTP: the relay closed the connection")
        writer = asyncio.StreamWriter(
            cast(asyncio.WriteTransport, transport), protocol, None, asyncio.get_running_loop()
        )
        return _Connection(smtp, writer)

    async def _envelope(
        self, smtp: aiosmtplib.SMTP, sender: str, recipients: Sequence[str], mail: bytes, size: int
    ) -> None:
        try:
            options = _mail_options(smtp, [sender, *recipients], mail, size)
            await _command(smtp, b"MAIL", b"FROM:<%s>" % sender.encode(), *options)
            for recipient in recipients:
                await _command(smtp, b"RCPT", b"TO:<%s>" % recipient.encode())
            await _command(smtp, b"DATA", expected=3)
        except BaseException:
            # Not reset and used again: a connection on which something went wrong is not worth the doubt.
            smtp.close()
            raise

    async def _hand_over(self, connection: _Connection, lines: bytes) -> str:
        """Send the lines, then the final dot, and give the relay's reply."""
        try:
            async with asyncio.timeout(DATA_TIMEOUT_S):
                for start in range(0, len(lines), _CHUNK_OCTETS):
                    connection.writer.write(lines[start : start + _CHUNK_OCTETS])
                    await connection.writer.drain()
        except (OSError, TimeoutError) as exc:
            raise ProviderUnavailable(f"SMTP: the mail could not be sent whole ({_cause(exc)})") from exc
        if not connection.smtp.is_connected:
            raise ProviderUnavailable("SMTP: the connection was lost before the mail was sent")
        try:
            reply = await connection.smtp.execute_command(b".", timeout=self._reply_timeout_s)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as exc:
            raise OutcomeUnknown(f"SMTP: the mail was sent, but no reply came ({_cause(exc)})") from exc
        if reply.code // 100 == 2:
            return _reply(reply.code, reply.message)
        if reply.code // 100 in (4, 5):
            raise _reply_error(reply.code, reply.message)
        raise OutcomeUnknown(f"SMTP: the mail was sent, but the reply is none ({_reply(reply.code, reply.message)})")


def _transparent(mail: bytes) -> bytes:
    """`mail` as lines that end in CRLF, none of which ends it (RFC 5321 4.5.2)."""
    lines = _BARE_BREAK.sub(b"\r\n", mail)
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return _LEADING_DOT.sub(b"..", lines)


def _mail_options(smtp: aiosmtplib.SMTP, addresses: Sequence[str], mail: bytes, size: int) -> list[bytes]:
    options = []
    if smtp.supports_extension("size"):
        options.append(b"SIZE=%d" % size)
    if smtp.supports_extension("8bitmime") and not mail.isascii():
        options.append(b"BODY=8BITMIME")
    end = _END_OF_HEADERS.search(mail)
    header = mail[: end.start()] if end else mail
    if not all(address.isascii() for address in addresses):
        if not smtp.supports_extension("smtputf8"):
            raise ProviderRefused("SMTP: the relay takes no addresses beyond ASCII")
        options.append(b"SMTPUTF8")
    elif not header.isascii() and smtp.supports_extension("smtputf8"):
        options.append(b"SMTPUTF8")
    return options


async def _command(smtp: aiosmtplib.SMTP, *words: bytes, expected: int = 2) -> None:
    """One command. Raises the error that a reply other than `expected`xx means."""
    try:
        reply = await smtp.execute_command(*words)
    except ValueError as exc:
        raise InvalidOutbound("SMTP: an address that no command can hold") from exc
    if reply.code // 100 != expected:
        raise _reply_error(reply.code, reply.message)


def _reply_error(code: int, text: str) -> ProviderError:
    """What a refusal means: nothing is sent, for now (4xx) or for good (5xx)."""
    words = f"SMTP: the relay says {_reply(code, text)}"
    if code == _NEEDS_LOGIN:
        return ProviderDenied(words)
    return ProviderRefused(words) if 500 <= code < 600 else ProviderUnavailable(words, tries=DEFER_TRIES)


def _greeting_error(exc: aiosmtplib.SMTPResponseException) -> ProviderError:
    """A refusal before any mail was spoken of is the account's, not the mail's."""
    words = f"SMTP: the relay says {_reply(exc.code, exc.message)}"
    return ProviderDenied(words) if 500 <= exc.code < 600 else ProviderUnavailable(words)


def _reply(code: int, text: str) -> str:
    return f"{code} {_BAD_REPLY_CHARACTERS.sub(' ', text)[:300]}".strip()


def _cause(exc: BaseException) -> str:
    """The kind of failure alone: the library's texts name host and port, and what it quotes is the relay's."""
    inner = exc.__cause__ if isinstance(exc.__cause__, OSError) else exc
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"its certificate: {inner.verify_message}"
    return type(inner).__name__
