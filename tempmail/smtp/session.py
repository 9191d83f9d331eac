"""The SMTP dialogue: one session per connection (RFC 5321, with the extensions that EHLO names)."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from aiosmtpd.smtp import Envelope, Session

from tempmail.clock import Clock
from tempmail.domain.messages import Recipient
from tempmail.domain.smtp_path import (
    ParameterError,
    PathError,
    UnknownParameter,
    parse_forward_path,
    parse_mail_parameters,
    parse_reverse_path,
)
from tempmail.errors import Permanent, TempmailError
from tempmail.log import Log, bind_cid, new_cid
from tempmail.smtp import replies
from tempmail.smtp.connections import ConnectionTable, Refusal
from tempmail.smtp.options import Counters, SmtpOptions
from tempmail.smtp.proxy import ProxyError, ProxyHeader, is_trusted, parse_header
from tempmail.smtp.receiver import ReceivedMail, Receiver
from tempmail.smtp.replies import Reply
from tempmail.smtp.wire import LINE_LIMIT, Wire

HTTP_VERBS = frozenset(b"GET POST PUT HEAD OPTIONS CONNECT PATCH DELETE TRACE PRI".split())
"""What a browser or proxy that was led to this port says first. Nothing after it is to be taken for SMTP."""

INLINE_BYTES = 1_048_576
"""A larger mail is put together in a thread: 25 MB would hold the loop for more than 10 ms."""


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What all sessions of one listener share, made once."""

    receiver: Receiver
    options: SmtpOptions
    tls: ssl.SSLContext | None
    implicit_tls: ssl.SSLContext | None
    connections: ConnectionTable
    metrics: Counters
    clock: Clock
    log: Log
    greeting: bytes
    helo_reply: bytes
    ehlo_reply: bytes
    ehlo_reply_tls: bytes
    sessions: "set[SmtpSession]"


class MailEnvelope(Envelope):
    """The open transaction. `mail_from` is None before MAIL; the null reverse-path is ""."""

    def __init__(self) -> None:
        # Not Envelope.__init__: its lists would be made for every mail and never used.
        self.mail_from: str | None = None
        self.smtp_utf8 = False
        self.recipients: list[Recipient] = []


class SmtpSession(Wire):
    """One client's session, from its connection to its end.

    Replies to pipelined commands go out together. A reply of 5yz counts as an error; after too many the session ends.
    """

    def __init__(self, context: SessionContext, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop, context.clock, context.options.idle_timeout_s)
        self.context = context
        self.session: Session = Session(loop)
        self.envelope: MailEnvelope = MailEnvelope()
        self.task: asyncio.Task[None] | None = None
        self._cid = new_cid()
        self._peer = ""
        self._bucket: int | None = None
        self._mails = 0
        self._errors = 0
        self._is_over = False
        self._is_overrun = False

    # From connection to end.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if name else ""
        if not is_trusted(self._peer, self.context.options.proxy_protocol_from) and not self._admit():
            if self.context.implicit_tls is None:
                transport.write(b"".join(self._output))
            transport.close()
            return
        self.context.sessions.add(self)
        self.task = self.loop.create_task(self._handle_client())

    def _admit(self) -> bool:
        """Count this connection; False, and the reply said, if it is one too many."""
        admission = self.context.connections.admit(self._peer)
        if isinstance(admission, Refusal):
            self._say(_REFUSALS[admission].line)
            self.context.metrics.add("smtp_connections_total", 1, "refused")
            self.context.log.debug("connection.refused", peer=self._peer, limit=admission.value)
            return False
        self._bucket = admission
        self.session.peer = self._peer
        self.context.metrics.add("smtp_connections_total", 1, "accepted")
        return True

    async def _handle_client(self) -> None:
        try:
            with bind_cid(self._cid):
                if await self._open():
                    await self._converse()
        except Exception as error:  # noqa: BLE001 the last line of defence: whatever it is, this session alone ends
            self.context.log.error("session.failed", exc=error, peer=self._peer)
        finally:
            try:
                await self._close()
            finally:
                self.context.sessions.discard(self)
                if self._bucket is not None:
                    self.context.connections.release(self._bucket)

    async def _open(self) -> bool:
        """What comes before the greeting: the PROXY header, implicit TLS. False if the session ends here.

        Behind a trusted proxy the client is counted when its address is known.
        """
        if self._bucket is None:
            header = await self._read_proxy_header()
            if header is None:
                return False
            self._peer = header.source or self._peer
            if not self._admit():
                if self.context.implicit_tls is None:
                    await self._hang_up()
                return False
            del self._input[: header.size_bytes]
        if self.context.implicit_tls is not None:
            # The client speaks first here, and may have spoken before this coroutine ran.
            return await self._start_tls(self.context.implicit_tls, bytes(self._input))
        return True

    async def _read_proxy_header(self) -> ProxyHeader | None:
        self.deadline = self.clock.monotonic() + self._idle_timeout_s
        self._is_mute = True
        try:
            while not (self.is_eof or self._is_expired or self._is_draining):
                header = parse_header(bytes(self._input))
                if header is not None:
                    return header
                await self._wait()
        except ProxyError as error:
            self.context.log.warning("proxy.rejected", peer=self._peer, reason=str(error))
        finally:
            self._is_mute = False
        return None

    async def _converse(self) -> None:
        self._say(self.context.greeting)
        while not self._is_over:
            line = await self._read_line()
            if line is None:
                self._say_farewell()
                break
            await self._obey(line)
        await self._hang_up(linger=self._is_overrun or bool(self._input))

    def _say_farewell(self) -> None:
        if self._is_expired:
            self._say(replies.IDLE.line)
        elif self._is_draining:
            self._say(replies.SHUTTING_DOWN.line)

    def _answer(self, reply: Reply) -> None:
        """Answer a command. A 5yz counts; past the limit the session is told so and ends."""
        if reply.code >= 500:
            self._errors += 1
            if self._errors > self.context.options.max_errors:
                self._end(replies.TOO_MANY_ERRORS)
                return
        self._say(reply.line)

    def _end(self, reply: Reply) -> None:
        """Say `reply` and stop listening, though the client may be in the middle of a word."""
        self._say(reply.line)
        self._is_over = self._is_overrun = True
        self.context.log.info("session.ended", peer=self._peer, reply=reply.text)

    async def _obey(self, line: bytes) -> None:
        """Carry out one command line."""
        if len(line) > LINE_LIMIT:
            return self._misread(line, replies.LINE_TOO_LONG)
        if line[-2:] != b"\r\n":
            return self._misread(line, replies.BARE_LINE_FEED)
        try:
            text = line[:-2].decode()
        except UnicodeDecodeError:
            return self._misread(line, replies.NOT_UTF8)
        if not text.isprintable() and (fault := _control_character(text)) is not None:
            return self._misread(line, fault)
        verb, _, arg = text.partition(" ")
        method = COMMANDS.get(verb.upper())
        if method is None:
            return self._misread(line, replies.UNKNOWN_COMMAND)
        try:
            await method(self, arg)
        except Exception as error:  # noqa: BLE001 every failure has a reply; unexpected ones are logged with their cid
            self._refuse(error, self._cid)
        return None

    def _misread(self, line: bytes, reply: Reply) -> None:
        """Answer what is no command; hang up on what is HTTP."""
        words = line.split(None, 1)
        if words and words[0].upper() in HTTP_VERBS:
            self.context.log.info("session.http", peer=self._peer)
            self._input.clear()
            self._is_over = True
        else:
            self._answer(reply)

    def _refuse(self, error: Exception, cid: str) -> None:
        """Answer for `error`; log what the client is not told."""
        if not isinstance(error, TempmailError):
            self.context.log.error("session.error", exc=error, peer=self._peer)
        elif not isinstance(error, Permanent):
            # The public text alone would hide why: the cause belongs to the log.
            self.context.log.warning("session.deferred", exc=error, cause=error.__cause__, peer=self._peer)
        self._answer(replies.for_error(error, cid))

    # Commands.

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802
        self._greet(hostname, is_extended=False)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        self._greet(hostname, is_extended=True)

    def _greet(self, hostname: str, *, is_extended: bool) -> None:
        hostname = hostname.strip(" ")
        if not hostname:
            self._answer(replies.HELO_SYNTAX)
            return
        self.envelope = MailEnvelope()
        self.session.host_name = hostname
        self.session.extended_smtp = is_extended
        context = self.context
        ehlo_reply = context.ehlo_reply_tls if self.is_tls else context.ehlo_reply
        self._say(ehlo_reply if is_extended else context.helo_reply)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        session = self.session
        if session.host_name is None:
            return self._answer(replies.NEED_HELO)
        if self.envelope.mail_from is not None:
            return self._answer(replies.NESTED_MAIL)
        if not arg or arg[:5].upper() != "FROM:":
            return self._answer(replies.MAIL_SYNTAX)
        try:
            address, rest = parse_reverse_path(arg[5:])
            if rest and not session.extended_smtp:
                return self._answer(replies.UNKNOWN_PARAMETER)
            parameters = parse_mail_parameters(rest)
        except PathError as error:
            return self._answer(replies.bad_sender(str(error)))
        except ParameterError as error:
            return self._answer(replies.bad_parameter(str(error)))
        except UnknownParameter:
            return self._answer(replies.UNKNOWN_PARAMETER)
        if not parameters.smtputf8 and not address.isascii():
            return self._answer(replies.NEED_SMTPUTF8)
        if parameters.size_bytes > self.context.options.max_message_bytes:
            return self._answer(replies.TOO_LARGE)
        self.context.receiver.admit(parameters.size_bytes)
        self.envelope.mail_from = address
        self.envelope.smtp_utf8 = parameters.smtputf8
        self._say(replies.SENDER_OK.line)
        return None

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        envelope, options = self.envelope, self.context.options
        if envelope.mail_from is None:
            return self._answer(replies.NEED_MAIL if self.session.host_name is not None else replies.NEED_HELO)
        if not arg or arg[:3].upper() != "TO:":
            return self._answer(replies.RCPT_SYNTAX)
        try:
            address, rest = parse_forward_path(arg[3:], postmaster_domain=options.hostname)
        except PathError as error:
            return self._answer(replies.bad_recipient(str(error)))
        if rest:
            return self._answer(replies.UNKNOWN_PARAMETER)
        if not envelope.smtp_utf8 and not address.isascii():
            return self._answer(replies.NEED_SMTPUTF8)
        if len(envelope.recipients) >= options.max_recipients:
            return self._answer(replies.TOO_MANY_RECIPIENTS)
        envelope.recipients.append(await self.context.receiver.rcpt(address))
        self._say(replies.RECIPIENT_OK.line)
        return None

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        envelope, options = self.envelope, self.context.options
        if arg:
            return self._answer(replies.NO_ARGUMENT)
        if envelope.mail_from is None:
            return self._answer(replies.NEED_MAIL if self.session.host_name is not None else replies.NEED_HELO)
        if not envelope.recipients:
            return self._answer(replies.NO_RECIPIENTS)
        self._say(replies.START_DATA.line)
        reader = await self._read_data(max_bytes=options.max_message_bytes, timeout_s=options.data_timeout_s)
        self.envelope = MailEnvelope()
        if reader is None:
            self._is_over = True
            if self._is_expired:
                self._end(replies.DATA_TIMEOUT)
        elif reader.is_too_large:
            self.context.metrics.add("smtp_mails_total", 1, "refused")
            if reader.is_ended:
                self._answer(replies.TOO_LARGE)
            else:
                self._end(replies.ENDLESS_DATA)
        else:
            is_small = reader.size_bytes <= INLINE_BYTES
            await self._take(envelope, reader.message() if is_small else await asyncio.to_thread(reader.message))
        return None

    async def _take(self, envelope: MailEnvelope, raw: bytes) -> None:
        """Have one whole mail kept, and answer for it."""
        context = self.context
        self._mails += 1
        cid = f"{self._cid}-{self._mails}"
        mail = ReceivedMail(
            envelope_from=envelope.mail_from or "",
            recipients=tuple(envelope.recipients),
            raw=raw,
            cid=cid,
            peer=self._peer,
            helo=self.session.host_name or "",
            protocol=self._protocol(envelope),
            smtputf8=envelope.smtp_utf8,
        )
        with bind_cid(cid):
            try:
                await context.receiver.take(mail)
            except Exception as error:  # noqa: BLE001 never a 250 without a commit, never a session without a reply
                is_permanent = isinstance(error, Permanent)
                context.metrics.add("smtp_mails_total", 1, "refused" if is_permanent else "deferred")
                self._refuse(error, cid)
                return
        self._errors = 0
        context.metrics.add("smtp_mails_total", 1, "stored")
        context.metrics.add("smtp_bytes_total", len(raw))
        self._answer(replies.stored(cid))

    def _protocol(self, envelope: MailEnvelope) -> str:
        """The name of how the mail came (RFC 3848, RFC 6531 4.3)."""
        if not self.session.extended_smtp:
            return "SMTP"
        return ("UTF8SMTP" if envelope.smtp_utf8 else "ESMTP") + ("S" if self.is_tls else "")

    async def smtp_RSET(self, arg: str) -> None:  # noqa: N802
        if arg:
            return self._answer(replies.NO_ARGUMENT)
        self.envelope = MailEnvelope()
        return self._answer(replies.OK)

    async def smtp_NOOP(self, arg: str) -> None:  # noqa: ARG002, N802
        self._answer(replies.OK)

    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802
        if arg:
            return self._answer(replies.NO_ARGUMENT)
        self._is_over = True
        return self._answer(replies.BYE)

    async def smtp_HELP(self, arg: str) -> None:  # noqa: ARG002, N802
        self._answer(replies.HELP)

    async def smtp_VRFY(self, arg: str) -> None:  # noqa: N802
        self._answer(replies.CANNOT_VERIFY if arg else replies.VRFY_SYNTAX)

    async def smtp_not_offered(self, arg: str) -> None:  # noqa: ARG002
        """EXPN would tell who is here; AUTH and BDAT belong to extensions that EHLO does not name."""
        self._answer(replies.NOT_OFFERED)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        tls = self.context.tls
        if tls is None:
            return self._answer(replies.NOT_OFFERED)
        if self.is_tls:
            return self._answer(replies.TLS_ACTIVE)
        if arg:
            return self._answer(replies.NO_ARGUMENT)
        self._say(replies.START_TLS.line)
        await self._flush()
        # RFC 3207 4.2: nothing that was said in the clear counts any more.
        self.session = Session(self.loop)
        self.envelope = MailEnvelope()
        if not await self._start_tls(tls):
            self._is_over = True
            self.context.log.info("tls.failed", peer=self._peer)
        return None


_REFUSALS = {Refusal.TOTAL: replies.TOO_MANY_CONNECTIONS, Refusal.ADDRESS: replies.TOO_MANY_FROM_ADDRESS}

COMMANDS: MappingProxyType[str, Callable[[SmtpSession, str], Awaitable[None]]] = MappingProxyType(
    {
        "HELO": SmtpSession.smtp_HELO,
        "EHLO": SmtpSession.smtp_EHLO,
        "MAIL": SmtpSession.smtp_MAIL,
        "RCPT": SmtpSession.smtp_RCPT,
        "DATA": SmtpSession.smtp_DATA,
        "RSET": SmtpSession.smtp_RSET,
        "NOOP": SmtpSession.smtp_NOOP,
        "QUIT": SmtpSession.smtp_QUIT,
        "HELP": SmtpSession.smtp_HELP,
        "VRFY": SmtpSession.smtp_VRFY,
        "STARTTLS": SmtpSession.smtp_STARTTLS,
        "EXPN": SmtpSession.smtp_not_offered,
        "AUTH": SmtpSession.smtp_not_offered,
        "BDAT": SmtpSession.smtp_not_offered,
    }
)


def _control_character(text: str) -> Reply | None:
    """The reply to the control character in `text`, if there is one: not all that is unprintable is forbidden."""
    if "\r" in text:
        return replies.BARE_CARRIAGE_RETURN
    if any(character < " " or "\x7f" <= character <= "\x9f" for character in text):
        return replies.CONTROL_CHARACTER
    return None
