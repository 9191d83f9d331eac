"""What an SMTP session needs from the service that takes the mail."""

from typing import Protocol

from tempmail.domain.messages import ReceivedMail, Recipient, StoredMail


class Receiver(Protocol):
    """Decides who may get mail, and keeps it. Any other exception than those named becomes `451` with a cid."""

    async def rcpt(self, address: str) -> Recipient:
        """Accept one recipient, or raise `NotServed`, `UnknownMailbox`, `NoRoom`, `BadRequest`, `Transient`."""
        ...

    def admit(self, size_bytes: int) -> None:
        """Asked at MAIL with the size that the client announced (0: it did not). Raises `NoRoom`, `TooLarge`."""
        ...

    async def take(self, mail: ReceivedMail) -> StoredMail:
        """Keep one mail for all its recipients. Returns after the durable commit: the client is then told 250.

        Not cancelled when the client goes away.
        """
        ...


__all__ = ["ReceivedMail", "Receiver"]
