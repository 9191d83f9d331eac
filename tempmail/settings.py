"""Every variable of the server in one table.

The fields of `Settings` are the table: name (in capitals), aliases, default, parser, secret or not, and the sentence
that documents it. Parsing, `--help`, `tempmail config` and docs/settings.md are all read from it; where values come
from is in `setting_sources.py`.
"""
# ruff: noqa: RUF009 (each call makes the frozen row of its field, once)

import dataclasses
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tempmail import setting_sending as sending
from tempmail import setting_values as values
from tempmail.setting_sending import ForwardPrefix, Pause, ProviderKeys, SmtpRelay, TemplateVariables
from tempmail.setting_values import Bind, FolderUrl, Network, S3Url, SqliteUrl, Unfit

ACCOUNTS = "Domains and accounts"
LISTENING = "Listening"
STORAGE = "Storage"
RECEIVING = "Receiving"
SENDING = "Sending"
LIMITS = "Limits"
OPERATION = "Operation"

NOT_USED_YET = ("JWT_TOKENGUEST_PASSWORD",)
"""Variables of the original that a wrangler.toml may hold and that nothing here reads."""

# The values that the original's repository has published as JWT_TOKEN: anybody could sign in with them.
_PUBLISHED_TOKENS = frozenset({"dfvhluhdaslufhvdv", "token"})


@dataclass(frozen=True, slots=True)
class Machine:
    """What defaults depend on besides variables."""

    host_name: str
    cpus: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a default may be computed from: the machine, and the variables above it in the table, as text."""

    machine: Machine
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Variable:
    """A row of the table.

    `default`: the text that applies where nothing is given, or a function that computes it; then `default_doc` says
    what it gives. An empty text is "off" or "none".
    """

    name: str
    aliases: tuple[str, ...]
    group: str
    default: str | Callable[[Circumstances], str]
    default_doc: str
    parse: Callable[[str], object]
    doc: str
    is_secret: bool
    placeholders: frozenset[str]


def _row(
    group: str,
    default: str | Callable[[Circumstances], str],
    parse: Callable[[str], object],
    doc: str,
    *,
    aliases: tuple[str, ...] = (),
    default_doc: str | None = None,
    is_secret: bool = False,
    placeholders: frozenset[str] = frozenset(),
) -> Any:
    """A field of `Settings` that carries its row; the field's name becomes the variable's."""
    shown = default_doc if default_doc is not None else str(default)
    row = Variable("", aliases, group, default, shown, parse, doc, is_secret, placeholders)
    return field(repr=not is_secret, metadata={"row": row})


def _hostname_default(given: Circumstances) -> str:
    try:
        return values.host_name(given.machine.host_name)
    except Unfit:
        return "localhost"


def _region_default(given: Circumstances) -> str:
    return "auto" if values.is_r2_endpoint(given.texts["S3_ENDPOINT_URL"]) else "us-east-1"


def _srs_default(given: Circumstances) -> str:
    token = given.texts["JWT_TOKEN"]
    return hmac.new(token.encode(), b"tempmail srs", hashlib.sha256).hexdigest() if token else ""


def _bucket_default(given: Circumstances) -> str:
    scheme, _, rest = given.texts["OBJECTS_URL"].partition("://")
    return rest.partition("/")[0] if scheme.lower() == "s3" else "mail-eml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values that one start runs with. Secrets do not show in its repr."""

    mail_domain: tuple[str, ...] = _row(
        ACCOUNTS,
        "temp.example.com",
        values.domains,
        "Domains to take mail for, separated by commas or blanks; `*.example.com` serves every subdomain.",
    )
    admin_name: str = _row(
        ACCOUNTS, "admin", values.account_name, "Login name of the configured admin; case does not matter."
    )
    admin_password: str = _row(
        ACCOUNTS,
        "",
        values.secret,
        "Password of the configured admin; made at the first start where it is not given."
        ' `ADMIN_PASSWORD = ""` in secrets.toml turns this login off.',
        aliases=("ADMIN_PASS",),
        default_doc="random, kept in secrets.toml",
        is_secret=True,
    )
    jwt_token: str = _row(
        ACCOUNTS,
        "",
        values.secret,
        "Root token of the API, from which the key that signs sessions is derived; made at the first start where it is"
        " not given. The values that the original has published count as not set.",
        aliases=("JWT_SECRET",),
        default_doc="random, kept in secrets.toml",
        is_secret=True,
        placeholders=_PUBLISHED_TOKENS,
    )
    guest_password: str = _row(
        ACCOUNTS,
        "",
        values.secret,
        "Password of the demonstration account `guest`; empty turns it off. The original's own counts as not set.",
        is_secret=True,
        placeholders=frozenset({"guest"}),
    )
    session_expire_days: int = _row(
        ACCOUNTS, "7", values.integer(1, 3650), "Days until a login expires; the session cookie lives as long."
    )

    claim_unowned_mailboxes: bool = _row(
        ACCOUNTS,
        "false",
        values.switch,
        "Whether a user who creates an address that mail has already come to, and that nobody owns, gets it with that"
        " mail; otherwise the address counts as taken.",
    )
    mailbox_creates_per_minute: int = _row(
        ACCOUNTS,
        "60",
        values.integer(1, 1_000_000),
        "Mailboxes that one user, and one API token, may create in a minute; the highest administrator has no limit.",
    )
    capsules_per_month: int = _row(
        ACCOUNTS,
        "5",
        values.integer(0, 1_000_000),
        "Mails to the future that one user may set in a calendar month (UTC); 0: any number. Admins have no limit.",
    )
    password_time_cost: int = _row(
        ACCOUNTS, "2", values.integer(1, 100), "Passes of argon2id over its memory for each password hash."
    )
    password_memory_kib: int = _row(
        ACCOUNTS, "19456", values.integer(8, 4_194_304), "Memory in KiB that each argon2id password hash takes."
    )
    audit_days: int = _row(
        ACCOUNTS,
        "90",
        values.integer(1, 36_500),
        "Days that entries of the audit log are kept; at most 100000 of them.",
    )

    http_bind: Bind = _row(LISTENING, "127.0.0.1:8080", values.bind, "Address and port of the HTTP server.")
    smtp_bind: Bind = _row(
        LISTENING,
        "127.0.0.1:2525",
        values.bind,
        "Address and port of the SMTP server; mail from the internet comes to port 25.",
    )
    smtps_bind: Bind | None = _row(
        LISTENING,
        "",
        values.optional(values.bind),
        "Address and port for SMTP under TLS from the first byte; needs SMTP_TLS_CERT and SMTP_TLS_KEY.",
    )
    smtp_hostname: str = _row(
        LISTENING,
        _hostname_default,
        values.host_name,
        "Name that the SMTP server greets with; it should be the name in the MX record.",
        default_doc="the machine's host name",
    )
    smtp_tls_cert: Path | None = _row(
        LISTENING,
        "",
        values.optional(values.path),
        "PEM file with the certificate chain for STARTTLS; empty offers no TLS.",
    )
    smtp_tls_key: Path | None = _row(
        LISTENING, "", values.optional(values.path), "PEM file with the private key to SMTP_TLS_CERT."
    )
    proxy_protocol_from: tuple[Network, ...] = _row(
        LISTENING,
        "",
        values.networks,
        "Networks of load balancers (CIDRs) whose SMTP connections begin with a PROXY protocol header.",
    )
    trusted_proxies: tuple[Network, ...] = _row(
        LISTENING,
        "",
        values.networks,
        "Networks of reverse proxies (CIDRs) whose word on the client's address and scheme is taken over HTTP.",
    )

    data_dir: Path = _row(
        STORAGE,
        "./data",
        values.path,
        "Folder for everything that the server keeps: database, spool, objects, secrets.toml.",
    )
    database_url: SqliteUrl = _row(
        STORAGE,
        lambda given: f"sqlite:///{given.texts['DATA_DIR']}/tempmail.db",
        values.database_url,
        "Database, as `sqlite:///` and the path of its file.",
        default_doc="sqlite:///<DATA_DIR>/tempmail.db",
    )
    objects_url: FolderUrl | S3Url = _row(
        STORAGE,
        lambda given: f"file://{given.texts['DATA_DIR']}/objects",
        values.objects_url,
        "Where raw mails are kept: `file://` and a folder, or `s3://bucket/prefix` for S3, R2 and their like.",
        default_doc="file://<DATA_DIR>/objects",
    )
    r2_bucket_name: str = _row(
        STORAGE,
        _bucket_default,
        values.bucket,
        "Bucket name recorded with each message (`r2_bucket`).",
        default_doc="the bucket of OBJECTS_URL, else mail-eml",
    )
    s3_endpoint_url: str = _row(
        STORAGE,
        "",
        values.endpoint_url,
        "Root of the S3 API, such as `https://<account>.r2.cloudflarestorage.com`; empty is Amazon's.",
    )
    s3_addressing: Literal["auto", "path", "virtual"] = _row(
        STORAGE,
        "auto",
        values.choice("auto", "path", "virtual"),
        "Whether the bucket's name goes into the path or the host of S3 requests: auto, path or virtual.",
    )
    aws_region: str = _row(
        STORAGE,
        _region_default,
        values.region,
        "Region that S3 requests are signed for.",
        default_doc="auto with an R2 endpoint, else us-east-1",
    )
    aws_access_key_id: str = _row(
        STORAGE, "", values.plain, "Access key for S3; empty leaves it to the AWS SDK's own search for credentials."
    )
    aws_secret_access_key: str = _row(
        STORAGE, "", values.secret, "Secret that belongs to AWS_ACCESS_KEY_ID.", is_secret=True
    )

    create_on_receipt: bool = _row(
        RECEIVING, "true", values.switch, "Create unknown mailboxes on served domains when mail for them comes in."
    )
    smtp_capture_all: bool = _row(
        RECEIVING,
        "false",
        values.switch,
        "Take mail for any domain and keep it; for development only. Nothing is ever relayed.",
    )
    retention_days: int = _row(
        RECEIVING, "0", values.integer(0, 36500), "Days after which mails are removed; 0 keeps them."
    )

    resend_api_key: ProviderKeys = _row(
        SENDING,
        "",
        sending.provider_keys,
        "Keys of Resend: one for every sender domain, or `domain=key` pairs separated by commas, or the same as a JSON"
        " object; the domain `*` is for all others, `*.example.com` for subdomains.",
        aliases=("RESEND_TOKEN", "RESEND"),
        is_secret=True,
    )
    sendflare_api_key: ProviderKeys = _row(
        SENDING,
        "",
        sending.provider_keys,
        "Keys of SendFlare, in the same forms.",
        aliases=("SENDFLARE_TOKEN",),
        is_secret=True,
    )
    cyberpersons_api_key: ProviderKeys = _row(
        SENDING,
        "",
        sending.provider_keys,
        "Keys of Cyberpersons, in the same forms.",
        aliases=("CYBERPERSONS_API_TOKEN", "CYBERPERSONS"),
        is_secret=True,
    )
    resend_api_url: str = _row(SENDING, "https://api.resend.com", sending.api_url, "Root of Resend's API.")
    sendflare_api_url: str = _row(
        SENDING,
        "https://api.sendflare.io",
        sending.api_url,
        "Root of SendFlare's API; some accounts use `https://api.sendflare.com`.",
    )
    cyberpersons_api_url: str = _row(
        SENDING, "https://platform.cyberpersons.com/email/v1", sending.api_url, "Root of Cyberpersons' API."
    )
    mail_push_token: str = _row(
        SENDING,
        "",
        values.secret,
        "Token of a mail_push account; needs MAIL_PUSH_FROM and MAIL_PUSH_TEMPLATE.",
        is_secret=True,
    )
    mail_push_from: str = _row(
        SENDING, "", sending.sender_address, "The one address that the mail_push account sends from."
    )
    mail_push_template: int = _row(
        SENDING,
        "0",
        values.integer(0, 10**15),
        "Id (`temp_id`) of the mail_push template that mail is put into; 0 is none.",
    )
    mail_push_variables: TemplateVariables = _row(
        SENDING,
        "subject=subject,text=text",
        sending.template_variables,
        "What the template's variables for `subject`, `html` and `text` are called. Only parts that are named are"
        " sent; name `html` once the template is known to show it unescaped.",
    )
    mail_push_api_url: str = _row(
        SENDING, "https://mail.push.xiaocx.cc/api", sending.api_url, "Root of mail_push's API."
    )
    nobase_appid: str = _row(
        SENDING,
        "",
        values.plain,
        "App id of a nobase.cn account; needs NOBASE_SIGNATURE, NOBASE_FROM, and NOBASE_TOKEN or NOBASE_USER with"
        " NOBASE_PASS.",
    )
    nobase_signature: str = _row(SENDING, "", values.secret, "The app's signature.", is_secret=True)
    nobase_token: str = _row(SENDING, "", values.secret, "The account's token.", is_secret=True)
    nobase_user: str = _row(SENDING, "", values.plain, "The account's user number, in place of a token.")
    nobase_pass: str = _row(SENDING, "", values.secret, "The password that belongs to NOBASE_USER.", is_secret=True)
    nobase_from: str = _row(
        SENDING, "", sending.sender_address, "The one address that the nobase.cn account sends from."
    )
    nobase_api_url: str = _row(SENDING, "https://nobase.cn", sending.api_url, "Root of nobase.cn's API.")
    emailcar_api_user: str = _row(SENDING, "", values.plain, "User of an EmailCar account; needs EMAILCAR_API_PWD.")
    emailcar_api_pwd: str = _row(SENDING, "", values.secret, "Password of the EmailCar account.", is_secret=True)
    emailcar_domains: tuple[str, ...] = _row(
        SENDING,
        "",
        sending.some_domains,
        "Sender domains that go to EmailCar first; empty: those that nobody else is for.",
    )
    emailcar_api_url: str = _row(
        SENDING,
        "http://webapi.emailcar.net",
        sending.api_url,
        "Root of EmailCar's API, which takes the password over plain HTTP.",
    )
    smtp_relay_url: SmtpRelay | None = _row(
        SENDING,
        "",
        values.optional(sending.smtp_relay),
        "Mail server to hand mail to, as `smtp://USER:PASSWORD@HOST:587` (STARTTLS) or `smtps://…` (TLS at once);"
        " forwarding needs one.",
        is_secret=True,
    )
    smtp_relay_domains: tuple[str, ...] = _row(
        SENDING,
        "",
        sending.some_domains,
        "Sender domains that go to the mail server first; empty: those that nobody else is for.",
    )
    send_pauses: tuple[Pause, ...] = _row(
        SENDING,
        "",
        sending.pauses,
        "Seconds between two calls of a provider, where they differ from its own limits, as `resend=0.5,nobase=60`.",
    )
    resend_webhook_secret: tuple[bytes, ...] = _row(
        SENDING,
        "",
        sending.webhook_secrets,
        "Signing secret (`whsec_…`) of the Resend webhook that points to `/api/v1/hooks/resend`; several separated by"
        " commas.",
        is_secret=True,
    )
    outbox_days: int = _row(
        SENDING, "30", values.integer(1, 36_500), "Days that sent mails are kept in the outbox once they are done."
    )
    forward_rules: tuple[ForwardPrefix, ...] = _row(
        SENDING,
        "",
        sending.forward_rules,
        "Where received mail is forwarded to, by the beginning of its local part: `news=me@example.com,*=other@example"
        ".com`, or a JSON array of `prefix` and `email`. A mailbox's own target wins.",
    )
    forward_verify: bool = _row(
        SENDING, "false", values.switch, "Forward to an address only after a code that was mailed there is entered."
    )
    srs_secret: str = _row(
        SENDING,
        _srs_default,
        values.secret,
        "Key that rewritten senders of forwarded mail are signed with.",
        default_doc="derived from JWT_TOKEN",
        is_secret=True,
    )
    sandbox: bool = _row(
        SENDING,
        "true",
        values.switch,
        "Serve imitations of the providers' APIs under `/sandbox/…`, whose mail lands in mailboxes here.",
    )

    max_message_bytes: int = _row(
        LIMITS, "26214400", values.integer(1, 1_073_741_824), "Largest mail that is taken, in bytes."
    )
    max_recipients: int = _row(LIMITS, "100", values.integer(1, 10_000), "Most recipients of one mail.")
    max_connections: int = _row(
        LIMITS, "500", values.integer(1, 65_535), "Most SMTP connections at a time, over all addresses."
    )
    max_connections_per_address: int = _row(
        LIMITS, "100", values.integer(1, 65_535), "Most SMTP connections at a time from one address."
    )
    smtp_idle_timeout_s: int = _row(
        LIMITS, "300", values.integer(1, 86_400), "Seconds an SMTP client may stay silent between commands."
    )
    smtp_data_timeout_s: int = _row(
        LIMITS, "600", values.integer(1, 86_400), "Seconds an SMTP client has to send the content of one mail."
    )
    smtp_max_errors: int = _row(
        LIMITS, "10", values.integer(1, 10_000), "Failed commands after which an SMTP session is closed."
    )
    max_json_bytes: int = _row(
        LIMITS, "1048576", values.integer(1, 1_073_741_824), "Largest JSON body of an HTTP request, in bytes."
    )
    spool_max_bytes: int = _row(
        LIMITS,
        "1073741824",
        values.integer(1, 10**15),
        "Most bytes of mail that may wait for the object store; beyond that mail is deferred with 452.",
    )
    disk_min_free_bytes: int = _row(
        LIMITS,
        "67108864",
        values.integer(0, 10**15),
        "Free bytes under DATA_DIR below which mail is deferred with 452.",
    )

    smtp_workers: int = _row(
        OPERATION,
        lambda given: str(min(4, max(1, given.machine.cpus))),
        values.integer(0, 64),
        "Processes that take mail; 0 runs everything in one process.",
        default_doc="the number of CPUs, at most 4",
    )
    run_as: str = _row(
        OPERATION,
        "",
        values.user_name,
        "User to become after the ports are bound, when started as root; empty stays.",
    )
    log_level: str = _row(
        OPERATION,
        "info",
        values.choice("debug", "info", "warning", "error"),
        "Least level that is logged: debug, info, warning or error.",
    )
    log_format: str = _row(OPERATION, "logfmt", values.choice("logfmt", "json"), "Form of log lines: logfmt or json.")


def _named_row(item: dataclasses.Field[Any]) -> Variable:
    row: Variable = item.metadata["row"]
    return dataclasses.replace(row, name=item.name.upper())


VARIABLES: tuple[Variable, ...] = tuple(_named_row(item) for item in dataclasses.fields(Settings))
"""The table, in the order of the documentation."""
