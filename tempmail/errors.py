"""The one tree of errors. No SMTP or HTTP number lives here: `smtp/replies.py` and `web/problems.py` map it once each.

    TempmailError
    ├── Transient             try again later, nothing was kept
    │   ├── StoreUnavailable      the database cannot be read or written now
    │   │   └── StoreFull         … because the disk under it is full
    │   ├── ObjectsUnavailable    the object store cannot be reached, or refuses for a reason that may pass
    │   ├── NoRoom                spool or disk is nearly full: mail is refused before it is taken
    │   ├── Overloaded            a bounded queue is full
    │   └── Throttled             this caller came too often; says how long to wait
    ├── SendFailed            a mail was not sent, or cannot be: not the caller's fault
    ├── ProviderError         a sending provider; says whether the mail is certainly not sent, or may have been
    │   ├── ProviderAuthFailed    the key is wrong
    │   ├── ProviderDenied        the account may not do this: domain, right, template
    │   ├── InvalidOutbound       the provider finds the request itself wrong
    │   ├── ProviderRateLimited   too fast; says how long to wait
    │   ├── ProviderExhausted     quota or balance used up; may say until when
    │   ├── ProviderUnavailable   certainly not sent, worth another try
    │   ├── ProviderRefused       final: suppressed, rejected, blocked
    │   ├── OutcomeUnknown        it may have been sent
    │   └── CannotDo              the provider has no such call
    ├── Permanent             the same request will fail again
    │   ├── BadRequest            the caller's input is wrong; the text says what to do
    │   ├── Unauthenticated       no valid credential
    │   ├── Forbidden             the policy table says no
    │   ├── NotFound              no such mailbox, message, object
    │   ├── Conflict              lost a race, or it exists already
    │   ├── Unprocessable         well formed, but a rule of what it is about says no; names the rule
    │   ├── QuotaReached          the account has as many mailboxes as it may
    │   ├── TooLarge              over a named limit
    │   ├── NotServed             a recipient whose domain is not ours
    │   └── UnknownMailbox        a served domain, but mailboxes are not created on receipt
    └── ConfigError           settings or data directory are unusable; the command line prints it and exits with 2

Whether a failure is temporary is decided where it is known, by the class that is raised.
"""


class TempmailError(Exception):
    """Base of every error that this program raises on purpose.

    `str(error)` is a public text that helps its reader act; the cause (`__cause__`) is for the log alone.
    """


class Transient(TempmailError):
    """Try again later; nothing was kept."""


class StoreUnavailable(Transient):
    """The database cannot be read or written now."""


class StoreFull(StoreUnavailable):
    """The database cannot grow: the disk under it is full."""


class ObjectsUnavailable(Transient):
    """The object store cannot be reached, or refuses for a reason that may pass."""


class NoRoom(Transient):
    """The spool or the disk is nearly full."""


class Overloaded(Transient):
    """A bounded queue is full."""


class Throttled(Transient):
    """This caller came too often. `retry_after_s`: whole seconds until the next try can succeed, at least 1."""

    def __init__(self, text: str, *, retry_after_s: int) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Permanent(TempmailError):
    """The same request will fail again."""


class BadRequest(Permanent):
    """The caller's input is wrong."""


class Unauthenticated(Permanent):
    """No valid credential came with the request."""


class Forbidden(Permanent):
    """The policy table says no."""


class NotFound(Permanent):
    """There is no such thing, or the caller may not know of it."""


class Conflict(Permanent):
    """It exists already, or another request was first."""


class Unprocessable(Permanent):
    """Well formed, but a rule of what it is about says no. `rule`: which, for programs."""

    def __init__(self, text: str, *, rule: str = "unprocessable") -> None:
        super().__init__(text)
        self.rule = rule


class QuotaReached(Permanent):
    """The account has as many mailboxes as it may have."""


class TooLarge(Permanent):
    """Over a named limit."""


class NotServed(Permanent):
    """The recipient's domain is not served here. This server never relays."""


class UnknownMailbox(Permanent):
    """The domain is served, but mailboxes are not created on receipt and this one does not exist."""


class SendFailed(TempmailError):
    """A mail was certainly not sent, or none can be, for no fault of the caller's. `mail_uuid`: which, where it is in
    the outbox."""

    def __init__(self, text: str, *, mail_uuid: str | None = None) -> None:
        super().__init__(text)
        self.mail_uuid = mail_uuid


class ProviderError(TempmailError):
    """A call to a sending provider failed. Its text names no credential.

    `maybe_sent`: whether the mail may have been sent all the same. Source: provider facts 3, taxonomy.
    """

    maybe_sent = False


class ProviderAuthFailed(ProviderError):
    """The credential is wrong."""


class ProviderDenied(ProviderError):
    """The account may not do this: domain, right, template, approval."""


class InvalidOutbound(ProviderError):
    """The provider finds the request itself wrong: no other try can succeed."""


class ProviderRateLimited(ProviderError):
    """Too fast. `retry_after_s`: how long to wait."""

    def __init__(self, text: str, *, retry_after_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class ProviderExhausted(ProviderError):
    """Quota or balance is used up. `resets_after_s`: until when, if the provider says so."""

    def __init__(self, text: str, *, resets_after_s: float | None = None) -> None:
        super().__init__(text)
        self.resets_after_s = resets_after_s


class ProviderUnavailable(ProviderError):
    """Certainly not sent: no connection, or the provider says so. `tries`: how many are worth it in all."""

    def __init__(self, text: str, *, tries: int = 6) -> None:
        super().__init__(text)
        self.tries = tries


class ProviderRefused(ProviderError):
    """The provider will not send this mail, whatever is done: suppressed, rejected, blocked."""


class OutcomeUnknown(ProviderError):
    """The mail may have been sent. `repeat_after_s`: the provider asks to repeat the same call after this time.
    `repeatable`: whether a repeat with the same key can tell more, where the provider knows repeats."""

    maybe_sent = True

    def __init__(self, text: str, *, repeat_after_s: float | None = None, repeatable: bool = True) -> None:
        super().__init__(text)
        self.repeat_after_s = repeat_after_s
        self.repeatable = repeatable


class CannotDo(ProviderError):
    """The provider has no such call."""


class ConfigError(TempmailError):
    """Settings or the data directory are unusable. `faults` lists every one found, each a whole sentence."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
