"""The people and things that the cases are about, and how they begin each case as they were."""

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any

from tempmail.clock import stamp
from tempmail.domain.actor import Actor, Role
from tempmail.services import demo
from tests.contract.web_suite import ROOT_TOKEN, Client, Server

_WINDOW_S = 61
"""Longer than any window in which calls are counted."""


class Stage:
    """One server for many cases: `reset` puts its databases back to what they were and its counters to nothing.

    Who asks: `-` nobody, `S` the configured admin, `R` and `X` the root token (in either header), `A` ada, a user with
    the role admin, `U` ann and `V` bob, users, `M` the mailbox mia, `G` a guest.

    `names` is what the cases may say after a `$`. Mailboxes, oldest first, a minute apart: `box` and `second` (ann's),
    `desk` (ada's), `bobs` (bob's), `loose` (nobody's), `mia` (may log in); `box_id` … are their ids. Mails: `old` and
    `mail` in box, `plain` in second (without code and preview), `bobs_mail` in bobs, `mia_old` and `mia_mail` in mia;
    the old ones are 25 hours old, the others at most one. `ids_fifty`: so many ids that no mail has. Users: `boss_id`,
    `ada_id`, `ann_id`, `bob_id`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server = Server(folder, demo_domains=demo.DOMAINS)
        self.names: dict[str, Any] = {}
        self.actors: dict[str, Actor] = {}
        self._tokens: dict[str, str] = {}
        self._begins_at = 0.0

    def __enter__(self) -> "Stage":
        with ExitStack() as stack:
            stack.enter_context(self.server)
            self._fill()
            for side in ("real", "demo"):
                _copy(self._database(side), self._kept(side))
            self._begins_at = self.server.clock.now()
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def reset(self) -> None:
        for side in ("real", "demo"):
            _copy(self._kept(side), self._database(side))
        self._begins_at += _WINDOW_S
        self.server.clock.advance(self._begins_at - self.server.clock.now())

    def client(self, who: str) -> Client:
        if who == "-":
            return Client(self.server)
        if who == "R":
            return self.server.root()
        if who == "X":
            return Client(self.server, {"x-admin-token": ROOT_TOKEN})
        return Client(self.server, {"cookie": f"iding-session={self._tokens[who]}"})

    def _fill(self) -> None:
        server = self.server
        ids = {"boss": server.admin_id(), "ada": server.user("ada", role=Role.ADMIN, mailbox_limit=20)}
        ids |= {"ann": server.user("ann", password="ann's password", mailbox_limit=10)}
        ids |= {"bob": server.user("bob", password="bob's password", mailbox_limit=2)}
        for name, address, owner in (
            ("box", "box@temp.example.com", "ann"),
            ("second", "second@mail.example.org", "ann"),
            ("desk", "desk@temp.example.com", "ada"),
            ("bobs", "bobs@temp.example.com", "bob"),
            ("loose", "loose@temp.example.com", None),
        ):
            self._add(name, address, server.mailbox(address, owner_id=ids[owner] if owner else None))
        self._add("mia", "mia@temp.example.com", server.login_mailbox("mia@temp.example.com"))
        for name in ("box", "mia"):
            address = self.names[name]
            then = stamp(server.clock.now() - 25 * 3600)
            self.names["old" if name == "box" else "mia_old"] = server.deliver(address, received_at=then)
        for name, mail in (("box", "mail"), ("bobs", "bobs_mail"), ("mia", "mia_mail")):
            then = stamp(server.clock.now() - 3600)
            self.names[mail] = server.deliver(self.names[name], received_at=then)
        self.names["plain"] = server.deliver(self.names["second"], verification_code=None, preview=None)
        self.names["ids_fifty"] = ",".join(map(str, range(900_000, 900_050)))
        server.run(demo.seed(server.demo.store, server.clock))
        self.names |= {f"{name}_id": user_id for name, user_id in ids.items()}
        self.actors = {
            "S": Actor(Role.STRICT_ADMIN, "boss", ids["boss"]),
            "A": Actor(Role.ADMIN, "ada", ids["ada"]),
            "U": Actor(Role.USER, "ann", ids["ann"]),
            "V": Actor(Role.USER, "bob", ids["bob"]),
            "M": Actor(
                Role.MAILBOX,
                self.names["mia"],
                mailbox_id=self.names["mia_id"],
                mailbox_address=self.names["mia"],
            ),
            "G": Actor(Role.GUEST, "guest"),
        }
        self._tokens = {who: server.token(actor) for who, actor in self.actors.items()}

    def _add(self, name: str, address: str, mailbox_id: int) -> None:
        self.names |= {name: address, f"{name}_id": mailbox_id}
        self.server.clock.advance(60)

    def _database(self, side: str) -> Path:
        return self._folder / side / "tempmail.db"

    def _kept(self, side: str) -> Path:
        return self._folder / f"{side}.kept"


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as given, closing(sqlite3.connect(target)) as written:
        given.backup(written)
