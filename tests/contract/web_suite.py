"""The HTTP side over a real SQLite store, driven without a socket; every answer is checked against the OpenAPI
document."""

import asyncio
import re
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tempmail.adapters.objects.folder import FolderObjects
from tempmail.adapters.sql.data_version import DataVersion
from tempmail.adapters.sql.sqlite import connect
from tempmail.adapters.sql.store import SqlStore, open_store
from tempmail.clock import FakeClock, stamp
from tempmail.domain.accounts import ApiToken, NewUser, UserChange
from tempmail.domain.actor import Actor, Role
from tempmail.domain.address import ServedDomains, alias_of
from tempmail.domain.messages import IncomingMail, Recipient
from tempmail.domain.policy import grant
from tempmail.domain.svix import sign
from tempmail.errors import NoRoom, ObjectsUnavailable
from tempmail.metrics import Board
from tempmail.runtime.sending import ProviderRoutes
from tempmail.services.access import Access
from tempmail.services.audit import AuditTrail
from tempmail.services.bodies import Bodies
from tempmail.services.capsule_requests import CapsuleOptions
from tempmail.services.capsules import CapsuleService
from tempmail.services.extraction import Extractor
from tempmail.services.forwarding import ConsentOptions, ForwardConsent
from tempmail.services.hooks import ResendHook
from tempmail.services.mail import MailService
from tempmail.services.mailbox_admin import MailboxAdmin
from tempmail.services.mailboxes import MailboxService, ask_nobody
from tempmail.services.outbox_admin import OutboxAdmin
from tempmail.services.outbox_worker import OutboxWorker
from tempmail.services.passwords import PasswordOptions, Passwords
from tempmail.services.rules import RuleService
from tempmail.services.sandbox_log import SandboxLog
from tempmail.services.sandbox_templates import SandboxTemplates, TemplateDraft
from tempmail.services.sandboxes import SandboxService
from tempmail.services.sending import NobodySends, SendService
from tempmail.services.sessions import SessionOptions, SessionService
from tempmail.services.spool_files import SpoolFiles
from tempmail.services.tokens import TokenService
from tempmail.services.users import UserService
from tempmail.web.app import WebOptions, build_app
from tempmail.web.call import WebServices, World
from tempmail.web.limits import Limits, Throttles
from tests.builders import rule_draft
from tests.contract.provider_wire import Wire, routes

T = TypeVar("T")

NOON = 1_704_110_400.0  # 2024-01-01 12:00:00
ROOT_TOKEN = "root-token-of-the-tests-0123456789"
ADMIN_NAME, ADMIN_PASSWORD = "Boss", "correct horse"
GUEST_PASSWORD = "look around"
DOMAINS = ("temp.example.com", "Mail.Example.org", "*.wild.example")
MAX_JSON_BYTES = 4096
PROXY = "192.0.2.1"
MAILBOX_CREATES = 30
CAPSULES_PER_MONTH = 5
HOOK_SECRET = b"hook-secret-of-the-tests"
SEND_WAIT_S = 20.0
"""Long: nobody waits so long where nothing is wrong, not even on a busy machine."""
FORWARD_CODE = "40917263"

RAW = (
    b"From: Sender <sender@example.com>\r\nTo: box@temp.example.com\r\nSubject: Hello\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b'--b\r\nContent-Type: multipart/alternative; boundary="c"\r\n\r\n'
    b"--c\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nYour code is 123456\r\n"
    b"--c\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Your code is <b>123456</b></p>\r\n--c--\r\n"
    b'--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="a.pdf"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n"
)


class SwitchableObjects(FolderObjects):
    """A folder that can be cut off."""

    down = False

    async def get(self, key: str) -> bytes:
        if self.down:
            raise ObjectsUnavailable("bucket secret-bucket-name cannot be reached")
        return await super().get(key)


@dataclass
class Side:
    """One world and the store under it."""

    store: SqlStore
    objects: SwitchableObjects
    version: DataVersion
    world: World


class Server:
    """A server in this process. Use as a context manager; `run` is its event loop."""

    def __init__(
        self,
        folder: Path,
        *,
        with_demo: bool = True,
        claim_unowned: bool = False,
        demo_domains: Sequence[str] = DOMAINS,
        with_providers: bool = True,
        send_wait_s: float = SEND_WAIT_S,
        hook_secrets: Sequence[bytes] = (HOOK_SECRET,),
    ) -> None:
        self.clock = FakeClock(NOON)
        self.not_ready: list[str] = []
        self.free_bytes = 1 << 40
        self._runner = asyncio.Runner()
        self._folder = folder
        self._with_demo = with_demo
        self._claim_unowned = claim_unowned
        self._demo_domains = demo_domains
        self._send_wait_s = send_wait_s
        self._hook_secrets = hook_secrets
        self.wire = Wire()
        self._routes = routes(self.wire, self.clock) if with_providers else ProviderRoutes([])
        self._board = Board(1)
        self._stop = asyncio.Event()

    def __enter__(self) -> "Server":
        with ExitStack() as stack:
            stack.enter_context(self._runner)
            self.passwords = Passwords(PasswordOptions(time_cost=1, memory_kib=8))
            stack.callback(self.passwords.close)
            self.real = self.run(self._side("real", stack))
            sending = self.run(self._sending())
            stack.callback(lambda: self.run(self._sent(sending)))
            self.demo = self.run(self._side("demo", stack))
            self.sessions = self.new_sessions()
            self.services = WebServices(
                sessions=self.sessions,
                tokens=TokenService(
                    self.real.store.tokens,
                    self.real.store.users,
                    clock=self.clock,
                    admin_name=ADMIN_NAME,
                    version=self.real.version,
                ),
                audit=AuditTrail(self.real.store.audit, self.clock),
                throttles=Throttles(Limits(mailbox_creates=MAILBOX_CREATES), clock=self.clock),
                world=self.real.world,
                demo=self.demo.world if self._with_demo else None,
                extractor=Extractor(self.real.store.rules, self.clock),
                rules=RuleService(self.real.store.rules, clock=self.clock),
                outbox=OutboxAdmin(self.real.store.outbox, self._routes, clock=self.clock, nudge=self.worker.nudge),
                resend_hook=ResendHook(self.real.store.outbox, self._hook_secrets, clock=self.clock),
                forward_consent=self._consent(self.real.store),
                sandbox_templates=SandboxTemplates(
                    self.real.store.sandbox_templates, self.real.store.sandboxes, clock=self.clock
                ),
                sandbox_log=SandboxLog(self.real.store.sandbox_log, clock=self.clock),
                sandboxes=SandboxService(
                    self.real.store.sandboxes,
                    self.real.store.mailboxes,
                    ServedDomains(DOMAINS),
                    self.passwords,
                    clock=self.clock,
                    version=self.real.version,
                ),
                capsules=CapsuleService(
                    self.real.store.capsules,
                    self.real.store.users,
                    self.real.store.mailboxes,
                    self.passwords,
                    clock=self.clock,
                    domains=ServedDomains(DOMAINS),
                    options=CapsuleOptions(per_month=CAPSULES_PER_MONTH),
                    routes=self._routes,
                ),
                not_ready=self._not_ready,
                metrics=self._board.slot(0),
                metrics_page=self._board.render,
            )
            self.app = build_app(self.services, WebOptions("0", MAX_JSON_BYTES, trusted_proxies=(PROXY,)))
            self.http = self.connect("198.51.100.7")
            stack.callback(lambda: self.run(self.http.aclose()))
            self.document: dict[str, Any] = self.run(self.http.get("/openapi.json")).json()
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def connect(self, peer: str) -> httpx.AsyncClient:
        """An HTTP client whose connections come from `peer`."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(peer, 4000))
        return httpx.AsyncClient(transport=transport, base_url="http://server.example")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def new_sessions(self, passwords: Passwords | None = None, /, **changes: str) -> SessionService:
        """Another process over the same store, or the same one after its settings changed."""
        options = {
            "admin_name": ADMIN_NAME,
            "admin_password": ADMIN_PASSWORD,
            "guest_password": GUEST_PASSWORD,
            "root_token": ROOT_TOKEN,
            **changes,
        }
        store = self.real.store
        return SessionService(
            SessionOptions(**options, lifetime_s=7 * 86400),
            users=store.users,
            logins=store.mailbox_logins,
            sessions=store.sessions,
            passwords=passwords or self.passwords,
            version=self.real.version,
            clock=self.clock,
        )

    async def _sending(self) -> asyncio.Task[None]:
        """The outbox is emptied beside the requests, as in a server; between two of them nothing moves."""
        return asyncio.create_task(self.worker.run(self._stop))

    async def _sent(self, sending: asyncio.Task[None]) -> None:
        self._stop.set()
        self.wire.release.set()
        await sending
        await self._routes.close()

    async def _not_ready(self) -> list[str]:
        return self.not_ready

    def _consent(self, store: SqlStore) -> ForwardConsent:
        """Targets must confirm; every code is `FORWARD_CODE`."""
        options = ConsentOptions(required=True, domain=DOMAINS[0])
        return ForwardConsent(
            store.forward_targets, store.outbox, clock=self.clock, options=options, new_code=lambda: FORWARD_CODE
        )

    async def _side(self, name: str, stack: ExitStack) -> Side:
        folder = self._folder / name
        folder.mkdir()
        store = await open_store(folder / "tempmail.db", clock=self.clock)
        stack.callback(lambda: self.run(store.close()))
        objects = SwitchableObjects(folder / "objects")
        stack.callback(lambda: self.run(objects.close()))
        version = DataVersion(folder / "tempmail.db")
        stack.callback(version.close)
        bodies = Bodies(store.spool, SpoolFiles(folder / "spool", self.clock), objects)
        access = Access(store.mail, store.mailboxes, clock=self.clock)
        domains = ServedDomains(self._demo_domains if name == "demo" else DOMAINS)
        ask_target = ask_nobody if name == "demo" else self._consent(store).ask
        if name == "real":
            self.worker = OutboxWorker(
                outbox=store.outbox, routes=self._routes, clock=self.clock, metrics=self._board.slot(0)
            )
        return Side(
            store,
            objects,
            version,
            World(
                MailboxService(
                    store.mailboxes,
                    access,
                    domains,
                    clock=self.clock,
                    claim_unowned=self._claim_unowned,
                    version=version,
                    ask_target=ask_target,
                ),
                MailboxAdmin(
                    store.mailboxes,
                    store.mailbox_logins,
                    access,
                    domains,
                    self.passwords,
                    clock=self.clock,
                    ask_target=ask_target,
                ),
                MailService(store.mail, access, bodies, clock=self.clock, version=version),
                UserService(store.users, store.mailboxes, self.passwords, clock=self.clock, admin_name=ADMIN_NAME),
                SendService(
                    store.outbox,
                    store.sent,
                    store.send_keys,
                    store.users,
                    access,
                    self._routes if name == "real" else NobodySends(),
                    self.worker if name == "real" else NobodySends(),
                    clock=self.clock,
                    wait_s=self._send_wait_s,
                    check_room=self._check_room,
                ),
            ),
        )

    def _check_room(self, size_bytes: int) -> None:
        if size_bytes > self.free_bytes:
            raise NoRoom("the disk is nearly full")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the real store's database holds, for columns that no port reads."""
        with closing(connect(self._folder / "real" / "tempmail.db", read_only=True)) as connection:
            return [tuple(row) for row in connection.execute(sql)]

    def deliver(self, address: str, *, side: Side | None = None, raw: bytes = RAW, **fields: Any) -> int:
        """Take one mail for `address`, as SMTP would; its id."""
        mail = IncomingMail(
            **{
                "recipients": (Recipient(address, address.lower(), alias_of(address)),),
                "uuid": uuid4().hex,
                "envelope_from": "sender@example.com",
                "sender": "sender@example.com",
                "subject": "Hello",
                "preview": "Your code is 123456",
                "verification_code": "123456",
                "extraction": None,
                "attachment_count": 1,
                "received_at": stamp(self.clock.now()),
                "size_bytes": len(raw),
                "body": raw,
                **fields,
            }
        )
        stored = self.run((side or self.real).store.mail.add([mail]))
        return stored[0].message_ids[0]

    def mailbox(self, address: str, *, owner_id: int | None = None, side: Side | None = None) -> int:
        """Create a mailbox in the store; its id."""
        made = self.run(
            (side or self.real).store.mailboxes.create(address, now=stamp(self.clock.now()), owner_id=owner_id)
        )
        return made.id

    def rule(self, **changes: Any) -> int:
        """Add an extraction rule to the store; its id."""
        draft = rule_draft(**changes)
        added = self.run(self.real.store.rules.add(draft, now=stamp(self.clock.now()), limit=100))
        return added.id

    def user(
        self,
        name: str,
        *,
        role: Role = Role.USER,
        password: str | None = None,
        mailbox_limit: int = 9999,
        side: Side | None = None,
    ) -> int:
        """Add a users row; its id."""
        password_hash = None if password is None else self.run(self.passwords.hash(password))
        user = NewUser(name, password_hash, role.wire_name, mailbox_limit)
        return self.run((side or self.real).store.users.add(user, now=stamp(self.clock.now()), limit=1000)).id

    def allow_sending(self, actor: Actor) -> None:
        """Let a user send mail."""
        if actor.user_id and actor.role is not Role.STRICT_ADMIN:
            self.run(self.real.store.users.change(actor.user_id, UserChange(can_send=1)))

    def send(self, address: str, to: str = "you@else.example", **fields: Any) -> str:
        """Send a mail from `address` as the root token may; its id. See `Wire` for what becomes of it."""
        body = {"from": address, "to": to, "subject": "Hello", "text": "Hi.", **fields}
        answer = self.root().post("/api/send", json=body)
        sent_id: str = answer.json()["id"]
        return sent_id

    def await_outcome(self, mail_id: str) -> None:
        """Wait until a mail that is due is sent, or will not be."""
        self.worker.nudge()
        self.run(self.worker.outcome(mail_id, SEND_WAIT_S))

    def sent_id(self, address: str) -> int:
        """The id of the latest record of what `address` sent."""
        latest: int = self.root().get("/api/sent", params={"from": address}).json()[0]["id"]
        return latest

    def hook(self, body: bytes, *, event_id: str = "msg_1", secret: bytes = HOOK_SECRET) -> dict[str, Any]:
        """A webhook of Resend, signed now."""
        now = str(int(self.clock.now()))
        headers = {"svix-id": event_id, "svix-timestamp": now, "svix-signature": sign(secret, event_id, now, body)}
        return {"content": body, "headers": {"content-type": "application/json", **headers}}

    def api_token(self, actor: Actor | None) -> int:
        """Add an API token of `actor`, of a new user where it has no users row; its id."""
        owner_id = (actor.user_id if actor is not None else 0) or self.user(uuid4().hex)
        token = ApiToken(0, owner_id, "CI", ("mail.*",), (), stamp(self.clock.now()), None, None)
        return self.run(self.real.store.tokens.add(token, secret_hash=uuid4().hex, limit=1000)).id

    def sandbox_credential(self, provider: str = "resend") -> int:
        """Add a credential of a provider's sandbox; its id."""
        granted = grant(Actor(Role.STRICT_ADMIN, "root"), "sandbox.manage")
        return self.run(self.services.sandboxes.create(granted, provider)).credential.id

    def sandbox_template(self) -> tuple[int, int]:
        """Add a template of mail_push's sandbox; the ids of its credential and its own."""
        credential_id = self.sandbox_credential("mail_push")
        draft = TemplateDraft("Hello {{name}}", text="Hi.")
        return credential_id, self.run(self.services.sandbox_templates.add(credential_id, draft)).temp_id

    def admin_id(self) -> int:
        """The id of the configured admin's row, which is made at its first login."""
        return self.run(self.real.store.users.ensure_admin(ADMIN_NAME, now=stamp(self.clock.now())))

    def link_to_admin(self, address: str, *, side: Side) -> None:
        """Link a mailbox to the configured admin of that side."""
        users, now = side.store.users, stamp(self.clock.now())
        admin_id = self.run(users.ensure_admin(ADMIN_NAME, now=now))
        self.run(users.assign(admin_id, address, now=now, within_limit=False))

    def login_mailbox(self, address: str, *, password: str | None = None) -> int:
        """Create a mailbox that may log in; its id. Without a password its address is the password."""
        box_id = self.mailbox(address)
        logins = self.real.store.mailbox_logins
        self.run(logins.allow([address], True, now=stamp(self.clock.now())))
        if password is not None:
            self.run(logins.set_password(box_id, self.run(self.passwords.hash(password))))
        return box_id

    def actor(self, role: Role) -> Actor:
        """A new actor of `role`, with a users row or a mailbox of its own where the role has one."""
        if role is Role.STRICT_ADMIN:
            return Actor(role, ADMIN_NAME.lower(), self.admin_id())
        if role is Role.GUEST:
            return Actor(role, "guest")
        name = uuid4().hex[:12]
        if role is Role.MAILBOX:
            address = f"{name}@temp.example.com"
            return Actor(role, address, mailbox_id=self.login_mailbox(address), mailbox_address=address)
        return Actor(role, name, self.user(name, role=role))

    def own_mailbox(self, actor: Actor) -> str:
        """The address of a new mailbox that `actor` reaches; for a mailbox login, its own."""
        if actor.mailbox_address is not None:
            return actor.mailbox_address
        address = f"{uuid4().hex[:12]}@temp.example.com"
        self.mailbox(address, owner_id=actor.owner_id, side=self.side_of(actor))
        return address

    def side_of(self, actor: Actor) -> Side:
        return self.demo if actor.role is Role.GUEST else self.real

    def client(self, actor: Actor | None = None) -> "Client":
        """A caller with a session of `actor`, minted by the session layer; None: without any credential."""
        return Client(self, {"cookie": f"iding-session={self.token(actor)}"} if actor else {})

    def token(self, actor: Actor) -> str:
        """A new session token of `actor`, as a login now would get it."""
        epoch = 0
        if actor.mailbox_address is not None:
            login = self.run(self.real.store.mailbox_logins.find(actor.mailbox_address))
            epoch = login.session_epoch if login is not None else 0
        elif actor.user_id:
            user = self.run(self.real.store.users.get(actor.user_id))
            epoch = user.session_epoch if user is not None else 0
        return self.sessions.issue(actor, epoch=epoch)

    def root(self) -> "Client":
        return Client(self, {"authorization": f"Bearer {ROOT_TOKEN}"})


@dataclass
class Client:
    """Sends requests and checks every answer against the document and the promises that hold for all answers."""

    server: Server
    headers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {**self.headers, **request.pop("headers", {})}
        response = self.server.run(self.server.http.request(method, path, headers=headers, **request))
        check_headers(response, path)
        check_document(self.server.document, method, path, response)
        return response

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self("GET", path, **request)

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self("POST", path, **request)

    def put(self, path: str, **request: Any) -> httpx.Response:
        return self("PUT", path, **request)

    def patch(self, path: str, **request: Any) -> httpx.Response:
        return self("PATCH", path, **request)

    def delete(self, path: str, **request: Any) -> httpx.Response:
        return self("DELETE", path, **request)


def told(answer: httpx.Response) -> tuple[int, Any]:
    """Status and body of an answer."""
    return answer.status_code, answer.json()


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and text of an error."""
    return answer.status_code, answer.json()["error"]


def check_headers(response: httpx.Response, path: str) -> None:
    headers = response.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert headers["permissions-policy"] == "camera=(), microphone=(), geolocation=()"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert len(headers.get_list("content-security-policy")) == 1
    assert re.fullmatch(r"[\w-]{12}", headers["x-request-id"])
    if path.startswith("/api"):
        assert headers["cache-control"] == "no-store"
    if response.status_code >= 400:
        assert headers["content-type"] == "application/json"
        if response.request.method != "HEAD":
            assert isinstance(response.json()["error"], str)


def check_document(document: Mapping[str, Any], method: str, path: str, response: httpx.Response) -> None:
    """An answer of a documented operation has a documented status and fits its schema, without a key more."""
    operation = find_operation(document, method, path)
    if operation is None:
        return
    declared = operation["responses"].get(str(response.status_code))
    assert declared is not None, f"{method} {path}: {response.status_code} is not documented: {response.text}"
    media_type = response.headers["content-type"]
    assert media_type in declared["content"], f"{method} {path}: {media_type} is not documented"
    if media_type == "application/json" and method != "HEAD":
        schema = {**_closed(declared["content"][media_type]["schema"]), "components": _closed(document["components"])}
        Draft202012Validator(schema).validate(response.json())


def find_operation(document: Mapping[str, Any], method: str, path: str) -> Mapping[str, Any] | None:
    for template, item in document["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if method.lower() in item and re.fullmatch(pattern, path.partition("?")[0]):
            found: Mapping[str, Any] = item[method.lower()]
            return found
    return None


def _closed(schema: Any) -> Any:
    """The schema with every object closed: keys that are not declared fail."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in closed else closed
