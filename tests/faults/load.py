"""Mail from several clients at once, with a note of what the server said to each: what it must then hold."""

import random
import threading
import uuid
from collections import Counter
from dataclasses import dataclass
from types import TracebackType

import httpx

from tests.running import DOMAIN, PATIENCE_S, Address, Server, download, rows
from tests.smtp_client import SmtpClient

CLIENTS = 4
_BOXES = [f"box{number}@{DOMAIN}" for number in range(6)]
_PAUSE_S = 0.01
"""Between attempts while nobody listens."""

# The last ones are kept in spool files.
_SIZES = (200, 2_000, 5_000, 5_000, 20_000, 100_000, 300_000, 700_000)
_WEIGHTS = (4, 8, 8, 8, 4, 2, 1, 1)


@dataclass(frozen=True)
class SentMail:
    subject: str
    raw: bytes
    recipients: tuple[str, ...]


class Load:
    """Clients that send until the block is left, each mail once. Where a session breaks they begin another."""

    def __init__(self, server: Server, seed: int) -> None:
        self._address: Address = server.smtp
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self.acknowledged: dict[str, SentMail] = {}
        """By subject."""
        self.attempted: dict[str, SentMail] = {}
        self.broken = 0
        """Sessions that did not end well."""
        self._was_silent = False
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(seed + number),), daemon=True)
            for number in range(CLIENTS)
        ]

    def await_acknowledged(self, count: int) -> None:
        """Return when `count` mails in all have got 250. Raises AssertionError where they do not."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.acknowledged) >= count, PATIENCE_S)
        assert enough, f"{len(self.acknowledged)} of {count} mails got 250; {self.broken} sessions broke"

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 5)
            self._was_silent |= thread.is_alive()
        assert not self._was_silent, "a client got neither an answer nor the end of its session"

    def _run(self, choice: random.Random) -> None:
        while not self._stop.is_set():
            try:
                with SmtpClient(self._address, timeout_s=PATIENCE_S) as client:
                    self._converse(client, choice)
            except TimeoutError:
                self._was_silent = True
            except OSError:
                with self._changed:
                    self.broken += 1
                self._stop.wait(_PAUSE_S)

    def _converse(self, client: SmtpClient, choice: random.Random) -> None:
        while not self._stop.is_set():
            mail = _mail(choice)
            with self._changed:
                self.attempted[mail.subject] = mail
            answer = client.deliver(mail.raw, *mail.recipients)
            if answer.startswith("421"):
                raise ConnectionResetError(answer)
            if answer.startswith("250"):
                with self._changed:
                    self.acknowledged[mail.subject] = mail
                    self._changed.notify_all()


def check_kept(load: Load, client: httpx.Client) -> None:
    """Every mail that got 250 is there, once for each recipient, byte for byte. One whose 250 did not come may be
    there: then too for each recipient, once. And nothing else is there of what `load` sent."""
    found: dict[str, list[str]] = {}
    for row in rows(client):
        found.setdefault(row.subject, []).append(row.to)
        if row.subject in load.attempted:
            assert download(client, row.id) == load.attempted[row.subject].raw, f"{row} is not what was sent"
    for subject, mail in load.acknowledged.items():
        assert Counter(found.get(subject, ())) == Counter(mail.recipients), f"{subject} got 250, but is not kept so"
    for subject, mail in load.attempted.items():
        if subject in found:
            assert Counter(found[subject]) == Counter(mail.recipients), f"{subject} is kept for some, or twice"


def _mail(choice: random.Random) -> SentMail:
    subject = str(uuid.UUID(int=choice.getrandbits(128)))
    size = choice.choices(_SIZES, _WEIGHTS)[0]
    block = choice.randbytes(30).hex() + "\r\n"
    body = block * (size // len(block) + 1)
    raw = f"From: load@client.example\r\nSubject: {subject}\r\n\r\nYour code is 482913.\r\n{body}"
    recipients = choice.sample(_BOXES, choice.choice((1, 1, 1, 2, 3)))
    return SentMail(subject, raw.encode("ascii"), tuple(recipients))
