"""The one place where concrete parts meet. Nobody else names an adapter."""

from collections.abc import Iterable, Mapping

from starlette.applications import Starlette
from starlette.types import ASGIApp

from tempmail import __version__
from tempmail.adapters.objects.folder import FolderObjects
from tempmail.adapters.objects.s3 import S3Objects
from tempmail.adapters.objects.s3_options import S3Options
from tempmail.adapters.sql import open_store
from tempmail.adapters.sql.data_version import DataVersion
from tempmail.clock import Clock
from tempmail.domain.address import ServedDomains
from tempmail.domain.forwarding import ForwardRules
from tempmail.domain.mime import MimeLimits
from tempmail.domain.srs import SenderRewriting
from tempmail.metrics import Board, Metrics
from tempmail.ports import Objects, Store
from tempmail.ports.outbound import Routes
from tempmail.runtime.demo import Demonstration, SpoolBodies
from tempmail.runtime.readiness import Readiness
from tempmail.runtime.sending import Outbound
from tempmail.runtime.site import SPOOL_FOLDER, Site
from tempmail.services import demo, mail
from tempmail.services.access import Access
from tempmail.services.audit import AuditTrail
from tempmail.services.batch import GroupCommit
from tempmail.services.bodies import Bodies
from tempmail.services.capacity import Capacity, CapacityLimits
from tempmail.services.capsule_requests import CapsuleOptions
from tempmail.services.capsule_worker import CapsuleWorker
from tempmail.services.capsules import CapsuleService
from tempmail.services.capture import Capture
from tempmail.services.extraction import Extractor
from tempmail.services.forwarding import ConsentOptions, ForwardConsent, Forwarder
from tempmail.services.fresh import Version
from tempmail.services.hooks import ResendHook
from tempmail.services.incoming import Incoming
from tempmail.services.ingest import Ingest, IngestOptions
from tempmail.services.mail import MailService
from tempmail.services.mailbox_admin import MailboxAdmin
from tempmail.services.mailboxes import AskTarget, MailboxService, ask_nobody
from tempmail.services.offload import Offloader
from tempmail.services.outbox_admin import OutboxAdmin
from tempmail.services.outbox_worker import OutboxWorker
from tempmail.services.passwords import PasswordOptions, Passwords
from tempmail.services.reextract import Reextraction
from tempmail.services.retention import Retention, RetentionOptions
from tempmail.services.rules import RuleService
from tempmail.services.sandbox_log import SandboxLog
from tempmail.services.sandbox_templates import SandboxTemplates
from tempmail.services.sandboxes import SandboxService
from tempmail.services.sending import NobodySends, SendService, room_for_all
from tempmail.services.sessions import SessionOptions, SessionService
from tempmail.services.spool_files import SpoolFiles
from tempmail.services.tokens import TokenService
from tempmail.services.users import MAX_USERS, UserService
from tempmail.services.verify import Verifier
from tempmail.setting_values import FolderUrl
from tempmail.settings import Settings
from tempmail.smtp.options import SmtpOptions
from tempmail.smtp.server import SmtpServer
from tempmail.web.app import WebOptions, build_app
from tempmail.web.call import WebServices, World
from tempmail.web.limits import Limits, Throttles

READING_LIMITS = MimeLimits(max_text_bytes=8 << 20)
"""A reader gets up to 8 MB of each body; at receipt 1 MB of it is searched for codes."""


async def store(settings: Settings, clock: Clock, *, readers: int) -> Store:
    """The database, which `site.prepare_storage` has brought up to date."""
    rules = ForwardRules([(rule.prefix, rule.email) for rule in settings.forward_rules])
    return await open_store(
        settings.database_url.path,
        clock=clock,
        bucket=settings.r2_bucket_name,
        readers=readers,
        migrated=True,
        forward_to=rules.target,
    )


def objects(settings: Settings) -> Objects:
    """The object store that OBJECTS_URL names. Opens no connection yet."""
    url = settings.objects_url
    if isinstance(url, FolderUrl):
        return FolderObjects(url.path)
    return S3Objects(
        S3Options(
            bucket=url.bucket,
            prefix=url.prefix,
            endpoint_url=settings.s3_endpoint_url or None,
            region=settings.aws_region,
            access_key_id=settings.aws_access_key_id or None,
            secret_access_key=settings.aws_secret_access_key or None,
            addressing=settings.s3_addressing,
        )
    )


def spool_files(settings: Settings, clock: Clock) -> SpoolFiles:
    return SpoolFiles(settings.data_dir / SPOOL_FOLDER, clock)


def capacity(settings: Settings, board: Board, clock: Clock) -> Capacity:
    limits = CapacityLimits(disk_min_free_bytes=settings.disk_min_free_bytes, spool_max_bytes=settings.spool_max_bytes)
    return Capacity(settings.data_dir, limits, spooled_bytes=lambda: board.total("spool_bytes"), clock=clock)


def extractor(opened: Store, clock: Clock) -> Extractor:
    """Without rules until its first `refresh`."""
    return Extractor(opened.rules, clock)


def _incoming(site: Site, reader: Extractor) -> Incoming:
    return Incoming(
        capacity=capacity(site.settings, site.board, site.clock),
        extractor=reader,
        files=spool_files(site.settings, site.clock),
        clock=site.clock,
    )


def smtp_server(site: Site, slot: int, opened: Store, reader: Extractor) -> tuple[SmtpServer, GroupCommit]:
    """The receiving side of one process: the server, and the group commit whose `run` must run beside it."""
    settings, metrics = site.settings, site.board.slot(slot)
    commit = GroupCommit(opened.mail.add_taken, metrics)
    ingest = Ingest(
        mailboxes=opened.mailboxes,
        commit=commit,
        domains=ServedDomains(settings.mail_domain),
        incoming=_incoming(site, reader),
        clock=site.clock,
        metrics=metrics,
        options=IngestOptions(
            max_message_bytes=settings.max_message_bytes,
            create_on_receipt=settings.create_on_receipt,
            capture_all=settings.smtp_capture_all,
        ),
        senders=_senders(settings),
    )
    options = SmtpOptions(
        hostname=settings.smtp_hostname,
        max_message_bytes=settings.max_message_bytes,
        max_recipients=settings.max_recipients,
        max_errors=settings.smtp_max_errors,
        idle_timeout_s=settings.smtp_idle_timeout_s,
        data_timeout_s=settings.smtp_data_timeout_s,
        proxy_protocol_from=settings.proxy_protocol_from,
    )
    return SmtpServer(ingest, options, site.tls, site.connection_table(slot), metrics, site.clock), commit


def _senders(settings: Settings) -> SenderRewriting:
    return SenderRewriting(settings.srs_secret or settings.jwt_token)


def forwarder(settings: Settings, opened: Store, opened_objects: Objects, clock: Clock) -> Forwarder:
    """What goes out for each received mail that is handed on."""
    return Forwarder(
        bodies(settings, opened, opened_objects, clock),
        opened.forward_targets,
        _senders(settings),
        clock=clock,
        verify=settings.forward_verify,
    )


def forward_consent(settings: Settings, opened: Store, clock: Clock) -> ForwardConsent:
    """Whether mail may be handed on to an address."""
    domains = ServedDomains(settings.mail_domain).concrete
    options = ConsentOptions(
        required=settings.forward_verify, domain=domains[0].lower() if domains else settings.smtp_hostname
    )
    return ForwardConsent(opened.forward_targets, opened.outbox, clock=clock, options=options)


def capture(site: Site, opened: Store, reader: Extractor) -> tuple[Capture, GroupCommit]:
    """What keeps mail that comes by HTTP, or from this program itself, and the group commit whose `run` must run beside
    it."""
    settings, metrics = site.settings, site.board.slot(site.web_slot)
    commit = GroupCommit(opened.mail.add_taken, metrics)
    captured = Capture(
        mailboxes=opened.mailboxes,
        commit=commit,
        domains=ServedDomains(settings.mail_domain),
        incoming=_incoming(site, reader),
        clock=site.clock,
        metrics=metrics,
        create_on_receipt=settings.create_on_receipt,
    )
    return captured, commit


def capsule_worker(opened: Store, captured: Capture, clock: Clock) -> CapsuleWorker:
    """What the clock does to mail to the future."""
    return CapsuleWorker(opened.capsules, opened.users, captured, clock=clock)


def sandboxes(
    settings: Settings, opened: Store, hasher: Passwords, clock: Clock, version: Version = lambda: None
) -> SandboxService:
    return SandboxService(
        opened.sandboxes, opened.mailboxes, ServedDomains(settings.mail_domain), hasher, clock=clock, version=version
    )


def offloader(settings: Settings, opened: Store, opened_objects: Objects, clock: Clock, metrics: Metrics) -> Offloader:
    return Offloader(
        spool=opened.spool,
        files=spool_files(settings, clock),
        objects=opened_objects,
        clock=clock,
        metrics=metrics,
    )


def bodies(settings: Settings, opened: Store, opened_objects: Objects, clock: Clock) -> Bodies:
    return Bodies(opened.spool, spool_files(settings, clock), opened_objects)


def outbox_worker(
    settings: Settings, opened: Store, opened_objects: Objects, routes: Routes, clock: Clock, metrics: Metrics
) -> OutboxWorker:
    """What sends the mails of the outbox, with the accounts of `routes`."""
    return OutboxWorker(
        outbox=opened.outbox,
        routes=routes,
        clock=clock,
        metrics=metrics,
        forwarded=forwarder(settings, opened, opened_objects, clock).message,
    )


def retention(settings: Settings, opened: Store, clock: Clock, metrics: Metrics) -> Retention:
    return Retention(
        mail=opened.mail,
        mailboxes=opened.mailboxes,
        audit=opened.audit,
        outbox=opened.outbox,
        capsules=opened.capsules,
        jobs=opened.jobs,
        clock=clock,
        metrics=metrics,
        options=RetentionOptions(
            days=settings.retention_days, audit_days=settings.audit_days, outbox_days=settings.outbox_days
        ),
    )


def reextraction(
    settings: Settings, opened: Store, opened_objects: Objects, clock: Clock, metrics: Metrics
) -> Reextraction:
    return Reextraction(
        extractions=opened.extractions,
        bodies=bodies(settings, opened, opened_objects, clock),
        extractor=extractor(opened, clock),
        jobs=opened.jobs,
        clock=clock,
        metrics=metrics,
    )


def verifier(settings: Settings, opened: Store, opened_objects: Objects, clock: Clock) -> Verifier:
    return Verifier(opened, opened_objects, spool_files(settings, clock), clock)


def data_version(settings: Settings) -> DataVersion:
    """Whether anything was committed, by any process: what lists are remembered by."""
    return DataVersion(settings.database_url.path)


def passwords(settings: Settings) -> Passwords:
    return Passwords(PasswordOptions(time_cost=settings.password_time_cost, memory_kib=settings.password_memory_kib))


def demonstration(settings: Settings, clock: Clock) -> Demonstration | None:
    """The guests' world, empty before its first `renew`; None where guests are off."""
    if not settings.guest_password:
        return None
    # Hashes of made-up users protect nothing, and must not keep a real login waiting.
    hasher = Passwords(PasswordOptions(time_cost=1, memory_kib=8, threads=1))

    def build(opened: Store, version: Version) -> World:
        return _world(opened, SpoolBodies(opened.spool), demo.DOMAINS, hasher, clock, version, max_users=demo.MAX_USERS)

    return Demonstration(clock, build)


def world(settings: Settings, opened: Store, opened_objects: Objects, hasher: Passwords, clock: Clock) -> World:
    """The real mailboxes, mail and users, for whoever remembers nothing."""
    return _real_world(settings, opened, opened_objects, hasher, clock, lambda: None)


def _real_world(
    settings: Settings,
    opened: Store,
    opened_objects: Objects,
    hasher: Passwords,
    clock: Clock,
    version: Version,
    outbound: Outbound | None = None,
) -> World:
    return _world(
        opened,
        bodies(settings, opened, opened_objects, clock),
        settings.mail_domain,
        hasher,
        clock,
        version,
        admin_name=settings.admin_name,
        claim_unowned=settings.claim_unowned_mailboxes,
        ask_target=forward_consent(settings, opened, clock).ask,
        outbound=outbound,
    )


def _world(
    opened: Store,
    bodies: mail.Bodies,
    domains: Iterable[str],
    hasher: Passwords,
    clock: Clock,
    version: Version,
    *,
    admin_name: str = "",
    claim_unowned: bool = False,
    max_users: int = MAX_USERS,
    ask_target: AskTarget = ask_nobody,
    outbound: Outbound | None = None,
) -> World:
    access = Access(opened.mail, opened.mailboxes, clock=clock)
    served = ServedDomains(domains)
    return World(
        mailboxes=MailboxService(
            opened.mailboxes,
            access,
            served,
            clock=clock,
            claim_unowned=claim_unowned,
            version=version,
            ask_target=ask_target,
        ),
        mailbox_admin=MailboxAdmin(
            opened.mailboxes, opened.mailbox_logins, access, served, hasher, clock=clock, ask_target=ask_target
        ),
        mail=MailService(opened.mail, access, bodies, clock=clock, limits=READING_LIMITS, version=version),
        users=UserService(
            opened.users, opened.mailboxes, hasher, clock=clock, admin_name=admin_name, max_users=max_users
        ),
        sending=SendService(
            opened.outbox,
            opened.sent,
            opened.send_keys,
            opened.users,
            access,
            NobodySends() if outbound is None else outbound.routes,
            NobodySends() if outbound is None else outbound.worker,
            clock=clock,
            check_room=room_for_all if outbound is None else outbound.check_room,
        ),
    )


def web_app(
    site: Site,
    opened: Store,
    opened_objects: Objects,
    version: Version,
    guests: Demonstration | None,
    outbound: Outbound,
    below: Mapping[str, ASGIApp] | None = None,
) -> Starlette:
    """The HTTP side over the real store. Lists are remembered while `version` stays what it was. `below`: see
    `build_app`."""
    settings, clock = site.settings, site.clock
    ready = Readiness(opened, capacity(settings, site.board, clock), lambda: site.board.total("smtp_workers_ready"))
    hasher = passwords(settings)
    sessions = SessionService(
        SessionOptions(
            root_token=settings.jwt_token,
            admin_name=settings.admin_name,
            admin_password=settings.admin_password,
            guest_password=settings.guest_password,
            lifetime_s=settings.session_expire_days * 86_400,
        ),
        users=opened.users,
        logins=opened.mailbox_logins,
        sessions=opened.sessions,
        passwords=hasher,
        version=version,
        clock=clock,
    )
    services = WebServices(
        sessions=sessions,
        tokens=TokenService(opened.tokens, opened.users, clock=clock, admin_name=settings.admin_name, version=version),
        audit=AuditTrail(opened.audit, clock),
        throttles=Throttles(Limits(mailbox_creates=settings.mailbox_creates_per_minute), clock=clock),
        world=_real_world(settings, opened, opened_objects, hasher, clock, version, outbound),
        demo=None if guests is None else guests.world,
        extractor=extractor(opened, clock),
        rules=RuleService(opened.rules, clock=clock),
        outbox=OutboxAdmin(opened.outbox, outbound.routes, clock=clock, nudge=outbound.worker.nudge),
        resend_hook=ResendHook(opened.outbox, settings.resend_webhook_secret, clock=clock),
        sandboxes=sandboxes(settings, opened, hasher, clock, version),
        sandbox_templates=SandboxTemplates(opened.sandbox_templates, opened.sandboxes, clock=clock),
        sandbox_log=SandboxLog(opened.sandbox_log, clock=clock),
        forward_consent=forward_consent(settings, opened, clock),
        capsules=CapsuleService(
            opened.capsules,
            opened.users,
            opened.mailboxes,
            hasher,
            clock=clock,
            domains=ServedDomains(settings.mail_domain),
            options=CapsuleOptions(per_month=settings.capsules_per_month),
            routes=outbound.routes,
        ),
        not_ready=ready.not_ready,
        metrics=site.board.slot(site.web_slot),
        metrics_page=site.board.render,
    )
    options = WebOptions(
        version=__version__,
        max_json_bytes=settings.max_json_bytes,
        trusted_proxies=tuple(map(str, settings.trusted_proxies)),
    )
    return build_app(services, options, below=below)
