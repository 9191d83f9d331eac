"""What the demonstration world holds: made-up users, mailboxes and mails, stored through the same ports as real ones.

Source: freemail contract 2.1 (domains, users, limits, six mails an hour apart of which one has the code 123456).
"""

from importlib import resources
from uuid import uuid4

from tempmail.clock import Clock, stamp
from tempmail.domain.accounts import NewUser, UserChange
from tempmail.domain.messages import IncomingMail, Recipient
from tempmail.ports import Store
from tempmail.services.extraction import Extractor

DOMAINS = ("exa.cc", "exr.yp", "duio.ty")
MAX_USERS = 100

_MAILBOXES = 12
_FAVORITES = 1
_USERS = (NewUser("demo1", None, "user", 5), NewUser("demo2", None, "user", 8), NewUser("operator", None, "admin", 20))
_MAILBOXES_EACH = 3
_MAIL_EVERY_S = 3600


async def seed(store: Store, clock: Clock) -> None:
    """Fill an empty store. Times are relative to now."""
    now = stamp(clock.now())
    # The oldest first, so that the list, newest first, begins with demo001.
    addresses = [f"demo{n + 1:03}@{DOMAINS[n % len(DOMAINS)]}" for n in reversed(range(_MAILBOXES))]
    made = [await store.mailboxes.create(address, now=now, owner_id=None) for address in addresses]
    await store.mailboxes.set_favorite([mailbox.id for mailbox in made[-_FAVORITES:]], True)
    for n, user in enumerate(_USERS):
        added = await store.users.add(user, now=now, limit=MAX_USERS)
        for address in addresses[n * _MAILBOXES_EACH : (n + 1) * _MAILBOXES_EACH]:
            await store.users.assign(added.id, address, now=now)
        if user.role == "admin":
            await store.users.change(added.id, UserChange(can_send=1))
    extractor = Extractor(store.rules, clock)
    for address in addresses:
        await store.mail.add(await _mails(address, extractor, clock))


async def _mails(address: str, extractor: Extractor, clock: Clock) -> list[IncomingMail]:
    """The newest last, as mail comes in."""
    files = sorted(resources.files(__package__).joinpath("demo_mails").iterdir(), key=lambda file: file.name)
    mails = []
    for age, file in reversed(list(enumerate(files))):
        raw = b"To: " + address.encode() + b"\r\n" + file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        found = await extractor.read(raw, envelope_from="", recipients=(address,))
        mails.append(
            IncomingMail(
                recipients=(Recipient(address, address, address),),
                uuid=str(uuid4()),
                envelope_from=found.sender,
                sender=found.sender,
                subject=found.subject,
                preview=found.preview,
                verification_code=found.extraction.code,
                extraction=found.extraction_json(),
                attachment_count=found.attachment_count,
                received_at=stamp(clock.now() - age * _MAIL_EVERY_S),
                size_bytes=len(raw),
                body=raw,
                extraction_version=found.extraction_version,
            )
        )
    return mails
