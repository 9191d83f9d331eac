"""Which provider a mail goes to, by the domain of its sender. Source: freemail contract 6, extended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tempmail.domain.address import BOUNCES, ServedDomains
from tempmail.domain.outbound import Capabilities, OutboundMessage, lacking
from tempmail.errors import BadRequest

LABELS = {
    "resend": "Resend",
    "sendflare": "SendFlare",
    "cyberpersons": "Cyberpersons",
    "mail_push": "mail_push",
    "nobase": "nobase",
    "emailcar": "EmailCar",
    "smtp": "SMTP",
}
"""What the providers are called in texts for people."""

_BY_DOMAIN = ("sendflare", "resend", "cyberpersons", "mail_push", "nobase", "emailcar", "smtp")
_FOR_ALL = ("sendflare", "resend", "cyberpersons", "emailcar", "smtp")

_IN_CHINESE = {
    "from": "发件人",
    "from_name": "发件人名称",
    "reply_to": "回复地址",
    "html": "HTML 正文",
    "text": "纯文本正文",
    "headers": "自定义邮件头",
    "tags": "标签",
    "attachments": "附件",
    "cc": "抄送",
    "bcc": "密送",
    "several recipients with cc or bcc": "多个收件人同时抄送或密送",
    "raw": "原始邮件",
}


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one provider, as routing sees it.

    `domains`: sender domains that it is for (lower case, `*.example.com` for subdomains). `addresses`: senders that it
    is for by the whole address (lower case). `for_all`: also for every sender that no domain speaks of.
    """

    provider: str
    account: str
    capabilities: Capabilities
    domains: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    for_all: bool = False

    def is_for(self, sender: str, domain: str) -> bool:
        """Whether settings name the sender or its domain."""
        return sender in self.addresses or ServedDomains(self.domains).serves(domain)


def sender_domain(sender: str) -> str:
    """The domain of a sender, in lower case: what is after the last `@`, within `<>` where there are such; empty where
    there is none.

    >>> sender_domain("Shop <a@Example.com>"), sender_domain('"a@b"@example.com'), sender_domain("nobody")
    ('example.com', 'example.com', '')
    """
    start, end = sender.rfind("<"), sender.rfind(">")
    bare = sender[start + 1 : end] if 0 <= start < end else sender
    return bare.rpartition("@")[2].strip().lower() if "@" in bare else ""


def matching(accounts: Iterable[Account], sender: str) -> list[Account]:
    """The accounts that may send for `sender` (a bare address), those named for it first; in the original's order of
    providers, and among one provider's accounts as given."""
    accounts = tuple(accounts)
    sender = sender.strip().lower()
    domain = sender_domain(sender)
    named = [a for name in _BY_DOMAIN for a in accounts if a.provider == name and a.is_for(sender, domain)]
    others = [a for name in _FOR_ALL for a in accounts if a.provider == name and a.for_all and a not in named]
    return [*named, *others]


def choose(accounts: Sequence[Account], message: OutboundMessage) -> list[Account]:
    """The accounts that can carry `message`, best first, at least one.

    Raises `BadRequest`: no sender, no account for its domain, or what of the mail which provider cannot carry.
    """
    if message.raw is not None:
        return _for_raw(accounts, message)
    domain = sender_domain(message.from_addr)
    if not domain:
        raise BadRequest("发件人地址为空")
    found = matching(accounts, message.from_addr)
    if not found and message.from_addr.lower().startswith(f"{BOUNCES}@"):
        # The server itself asks a target whether it wants forwarded mail: by the way that mail would go.
        found = [account for account in accounts if account.capabilities.raw]
    if not found:
        raise BadRequest(f"未找到域名对应的发件 API Key: {domain}")
    missing = [(account, lacking(account.capabilities, message)) for account in found]
    fitting = [account for account, lacks in missing if not lacks]
    if not fitting:
        raise BadRequest(_cannot_carry(missing))
    return fitting


def _for_raw(accounts: Sequence[Account], message: OutboundMessage) -> list[Account]:
    """Whoever can carry a whole mail: its sender is ours and rewritten, or none at all, so no domain decides."""
    able = [account for account in accounts if account.capabilities.raw]
    named = [account for account in matching(able, message.from_addr) if account in able]
    if not able:
        raise BadRequest("未配置 SMTP 渠道 (SMTP_RELAY_URL)")
    return [*named, *(account for account in able if account not in named)]


def _cannot_carry(missing: Iterable[tuple[Account, tuple[str, ...]]]) -> str:
    by_provider = {account.provider: lacks for account, lacks in missing}
    return "；".join(
        f"{LABELS[provider]} 渠道不支持{'、'.join(_IN_CHINESE.get(name, name) for name in lacks)} ({', '.join(lacks)})"
        for provider, lacks in by_provider.items()
    )
