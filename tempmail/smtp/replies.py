"""Every reply of the SMTP server, and the one table from errors to replies.

Codes: RFC 5321 4.2; enhanced codes: RFC 3463, RFC 2034 (none in the greeting, in EHLO's answer and in 354).
"""

from dataclasses import dataclass, field

from tempmail.errors import (
    BadRequest,
    ConfigError,
    Conflict,
    Forbidden,
    NoRoom,
    NotFound,
    NotServed,
    ObjectsUnavailable,
    Overloaded,
    Permanent,
    QuotaReached,
    StoreFull,
    StoreUnavailable,
    Throttled,
    TooLarge,
    Transient,
    Unauthenticated,
    UnknownMailbox,
)

MAX_TEXT = 400
"""RFC 5321 4.5.3.1.5 allows 512 octets for a reply line; the codes and a cid need room too."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One single-line reply. `line` is what goes over the wire."""

    code: int
    enhanced: str
    text: str
    line: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        words = f"{self.code} {self.enhanced} {self.text}" if self.enhanced else f"{self.code} {self.text}"
        object.__setattr__(self, "line", words.encode("ascii") + b"\r\n")


OK = Reply(250, "2.0.0", "Ok")
SENDER_OK = Reply(250, "2.1.0", "Ok")
RECIPIENT_OK = Reply(250, "2.1.5", "Ok")
BYE = Reply(221, "2.0.0", "Bye")
START_DATA = Reply(354, "", "End data with <CR><LF>.<CR><LF>")
START_TLS = Reply(220, "2.0.0", "Ready to start TLS")
HELP = Reply(214, "2.0.0", "Commands: EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP STARTTLS")
CANNOT_VERIFY = Reply(252, "2.0.0", "Cannot VRFY; send RCPT to learn whether mail would be taken")

IDLE = Reply(421, "4.4.2", "Timeout: nothing came for too long, closing")
DATA_TIMEOUT = Reply(421, "4.4.2", "Timeout: the mail took too long and was not kept, closing")
SHUTTING_DOWN = Reply(421, "4.3.2", "Server is shutting down, try again soon")
TOO_MANY_CONNECTIONS = Reply(421, "4.3.2", "Too many connections, try again later")
TOO_MANY_FROM_ADDRESS = Reply(421, "4.7.0", "Too many connections from your address")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors, closing")

TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients, send the rest in another transaction")

LINE_TOO_LONG = Reply(500, "5.5.2", "Command line too long")
BARE_LINE_FEED = Reply(500, "5.5.2", "Lines end with CRLF; this one ended with a bare LF")
BARE_CARRIAGE_RETURN = Reply(500, "5.5.2", "Lines end with CRLF; this one holds a bare CR")
CONTROL_CHARACTER = Reply(500, "5.5.2", "Control characters are not allowed in commands")
NOT_UTF8 = Reply(500, "5.5.2", "The command is not UTF-8")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "Command not recognized")
NOT_OFFERED = Reply(502, "5.5.1", "Not offered here")
TLS_ACTIVE = Reply(503, "5.5.1", "TLS is already active")
NEED_HELO = Reply(503, "5.5.1", "Say EHLO first")
NEED_MAIL = Reply(503, "5.5.1", "Say MAIL first")
NESTED_MAIL = Reply(503, "5.5.1", "A transaction is open; finish it or say RSET")
NO_RECIPIENTS = Reply(554, "5.5.1", "No valid recipients")
NO_ARGUMENT = Reply(501, "5.5.4", "This command takes no argument")
HELO_SYNTAX = Reply(501, "5.5.4", "Say who you are: EHLO host.example")
VRFY_SYNTAX = Reply(501, "5.5.4", "Syntax: VRFY <address>")
MAIL_SYNTAX = Reply(501, "5.5.4", "Syntax: MAIL FROM:<address>")
RCPT_SYNTAX = Reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Parameter not recognized")
NEED_SMTPUTF8 = Reply(553, "5.6.7", "A non-ASCII address needs SMTPUTF8 in MAIL")
TOO_LARGE = Reply(552, "5.3.4", "The mail is larger than this server takes")
ENDLESS_DATA = Reply(552, "5.3.4", "The mail is far larger than this server takes, closing")


def bad_sender(why: str) -> Reply:
    return Reply(501, "5.1.7", why)


def bad_recipient(why: str) -> Reply:
    return Reply(501, "5.1.3", why)


def bad_parameter(why: str) -> Reply:
    return Reply(501, "5.5.4", why)


def stored(cid: str) -> Reply:
    return Reply(250, "2.0.0", f"Ok: stored as {cid}")


BY_ERROR: dict[type[Exception], Reply] = {
    Exception: Reply(451, "4.3.0", "Local error, try again later"),
    ConfigError: Reply(451, "4.3.5", "The server is not configured right, try again later"),
    Transient: Reply(451, "4.3.0", "Temporary failure, try again later"),
    StoreUnavailable: Reply(451, "4.3.0", "Storage is unavailable, try again later"),
    ObjectsUnavailable: Reply(451, "4.3.0", "Storage is unavailable, try again later"),
    NoRoom: Reply(452, "4.3.1", "Out of room, try again later"),
    Overloaded: Reply(451, "4.3.2", "Busy, try again soon"),
    Throttled: Reply(450, "4.7.1", "Too much at once, try again later"),
    Permanent: Reply(554, "5.0.0", "Refused"),
    BadRequest: Reply(553, "5.1.3", "The address is not valid"),
    Unauthenticated: Reply(530, "5.7.0", "Not allowed without credentials"),
    Forbidden: Reply(550, "5.7.1", "Not allowed"),
    NotFound: Reply(550, "5.1.1", "No such mailbox"),
    Conflict: Reply(554, "5.0.0", "Refused: a conflicting change was first"),
    QuotaReached: Reply(552, "5.2.2", "The mailbox's owner has reached its limit"),
    TooLarge: TOO_LARGE,
    NotServed: Reply(550, "5.7.1", "This server takes no mail for that domain and never relays"),
    UnknownMailbox: Reply(550, "5.1.1", "No such mailbox"),
}
"""By the most special class. StoreFull stands below, beside the class that shares its reply."""
BY_ERROR[StoreFull] = BY_ERROR[NoRoom]


def for_error(error: Exception, cid: str) -> Reply:
    """What the client is told of `error`: the entry of its nearest listed ancestor.

    A `Permanent` error's own text is passed on where it fits a reply (printable ASCII). A temporary or unexpected
    one says nothing of its cause, which is in the log under `cid`.
    """
    row = next(BY_ERROR[cls] for cls in type(error).__mro__ if cls in BY_ERROR)
    if isinstance(error, Permanent):
        text = str(error)
        return Reply(row.code, row.enhanced, text) if _is_sayable(text) else row
    return Reply(row.code, row.enhanced, f"{row.text} ({cid})")


def _is_sayable(text: str) -> bool:
    return 0 < len(text) <= MAX_TEXT and text.isascii() and text.isprintable()
