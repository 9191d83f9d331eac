"""Mail to the future over a server of `web_suite`: its worker, and the steps that many tests share."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tempmail.adapters.sql import SqlStore
from tempmail.clock import Clock, stamp
from tempmail.domain.actor import ROOT, Actor, Role
from tempmail.domain.address import ServedDomains
from tempmail.domain.capsules import FREEZE_S, LEAD_S, CapsuleFile, Recipient, Trigger, owner_key
from tempmail.metrics import Board
from tempmail.ports import Users
from tempmail.ports.capsules import CapsuleText, NewCapsule, NewSetting, StoredFile
from tempmail.services.batch import GroupCommit
from tempmail.services.capacity import Capacity, CapacityLimits
from tempmail.services.capsule_worker import CapsuleWorker
from tempmail.services.capture import Capture
from tempmail.services.extraction import Extractor
from tempmail.services.incoming import Incoming
from tempmail.services.spool_files import SpoolFiles
from tests.contract.web_suite import DOMAINS, Client, Server

CAPSULE_PASSWORD = "correct horse"
LOCAL = "friend@temp.example.com"
OUTSIDE = "friend@elsewhere.example"
DAY = 86_400


def capsule_worker(
    store: SqlStore,
    clock: Clock,
    folder: Path,
    *,
    users: Users | None = None,
    create_on_receipt: bool = True,
    spool_max_bytes: int = 1 << 30,
) -> CapsuleWorker:
    """The worker over `store`, with its large mails in `folder`."""
    metrics = Board(1).slot(0)
    capture = Capture(
        mailboxes=store.mailboxes,
        commit=GroupCommit(store.mail.add_taken, metrics),
        domains=ServedDomains(DOMAINS),
        incoming=Incoming(
            capacity=Capacity(
                folder,
                CapacityLimits(disk_min_free_bytes=0, spool_max_bytes=spool_max_bytes),
                spooled_bytes=lambda: 0,
                clock=clock,
            ),
            extractor=Extractor(store.rules, clock),
            files=SpoolFiles(folder, clock),
            clock=clock,
        ),
        clock=clock,
        metrics=metrics,
        create_on_receipt=create_on_receipt,
    )
    return CapsuleWorker(store.capsules, users or store.users, capture, clock=clock)


def iso(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def capsule_for(server: Server, actor: Actor | None, path: str) -> tuple[str, str]:
    """(mailId, id of its attachment) of a capsule of `actor`, in the state that the path is about."""
    now, owner = server.clock.now(), owner_key(actor or ROOT)
    capsules = server.real.store.capsules
    is_encrypted = path.endswith("/unlock")
    password_hash = server.run(server.passwords.hash(CAPSULE_PASSWORD)) if is_encrypted else None
    text = CapsuleText(Recipient(address=LOCAL), "To me", "Dear me", "default", is_encrypted, password_hash)
    capsule = server.run(capsules.add(NewCapsule(uuid4().hex, owner, "ann", text), limit=100, now=stamp(now)))
    file = CapsuleFile(uuid4().hex, "a.txt", "text/plain", 1)
    capsule = server.run(capsules.attach(capsule.id, StoredFile(file, b"a"), now=stamp(now)))
    if path.endswith(("/revoke", "/trigger")):
        setting = NewSetting(
            capsule_id=capsule.id,
            revision=capsule.revision,
            capsule_uuid=uuid4().hex,
            sender_address=LOCAL,
            trigger=Trigger.EVENT,
            trigger_condition="{}",
            is_outside=False,
            send_at=stamp(now + DAY),
            due=stamp(now + DAY - FREEZE_S),
            now=stamp(now - LEAD_S),
            monthly_limit=None,
            key=None,
        )
        assert server.run(capsules.set(setting, owner)) is not None
    return f"mail_{capsule.uuid}", f"attach_{file.uuid}"


@dataclass
class Future:
    """One writer, and the worker. `ann` is a user, `address` its mailbox."""

    server: Server
    worker: CapsuleWorker
    ann: Actor
    address: str

    @classmethod
    def of(cls, server: Server, folder: Path) -> "Future":
        """`folder`: where large mails are spooled."""
        ann = server.actor(Role.USER)
        return cls(server, capsule_worker(server.real.store, server.clock, folder), ann, server.own_mailbox(ann))

    @property
    def client(self) -> Client:
        """With a new session: the clock is moved by weeks."""
        return self.server.client(self.ann)

    def allow_sending(self) -> None:
        """Ann may send to outside addresses."""
        self.server.root().patch(f"/api/users/{self.ann.user_id}", json={"can_send": True})

    @property
    def now(self) -> float:
        return self.server.clock.now()

    def draft(self, client: Client | None = None, **changes: Any) -> str:
        """Write a draft; its mailId."""
        body = {"recipient": {"email": LOCAL}, "title": "To me", "content": "Dear future me"} | changes
        answer = (client or self.client).post("/api/v1/mails", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["mailId"])

    def set(self, mail: str, in_s: float = DAY, client: Client | None = None, **changes: Any) -> httpx.Response:
        headers = changes.pop("headers", {})
        body = {"mailId": mail, "sendTime": iso(self.now + in_s)} | changes
        return (client or self.client).post("/api/v1/mails/send-to-future", json=body, headers=headers)

    def pending(self, in_s: float = DAY, **changes: Any) -> str:
        """A draft that is set; its mailId."""
        mail = self.draft(**changes)
        answer = self.set(mail, in_s)
        assert answer.status_code == 200, answer.text
        return mail

    def work(self) -> None:
        """The worker, until nothing is left to be done now."""
        while self.server.run(self.worker.run_once()):
            pass

    def status(self, mail: str) -> str:
        return str(self.detail(mail)["status"])

    def detail(self, mail: str, client: Client | None = None) -> dict[str, Any]:
        data: dict[str, Any] = (client or self.client).get(f"/api/v1/mails/{mail}").json()["data"]
        return data

    def received(self, address: str) -> list[dict[str, Any]]:
        """The mails in a mailbox."""
        listed: list[dict[str, Any]] = self.server.root().get("/api/emails", params={"mailbox": address}).json()
        return listed


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and `error` of an error in the envelope."""
    body = answer.json()
    assert body["code"] == answer.status_code
    assert body["data"] is None
    return answer.status_code, body["error"]
