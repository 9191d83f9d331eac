"""Mail, lists and figures as EmailCar has them. Source: seed 003, provider facts 1.6 and 4.6.

The seed words two failures; the texts of the others are this project's.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from tempmail.domain.outbound_fields import Mailbox
from tempmail.domain.sandbox import State
from tempmail.domain.sandbox_fields import Declined, Fields, Order, clean, is_address, is_html, line_of, text_of

ERROR = "error"
MAX_RECIPIENTS = 50
PAGE_SIZE = 20
MAX_PAGE_SIZE = 40
MAX_PAGE = 1_000_000

WRONG_ACCOUNT = "用户名或密码错误"
NOTHING_FOUND = "没有找到数据"
NOT_APPROVED = "API接口未通过审核"
TOO_OFTEN = "接口每秒钟只能提交1次"
NO_POINTS = "剩余邮件点数不足"

SENDING, SENT, FAILED = "1", "2", "3"

STATUS: Mapping[State, str] = MappingProxyType(
    {
        State.SCHEDULED: SENDING,
        State.DELIVERED: SENT,
        State.COMPLAINED: SENT,
        State.BOUNCED: FAILED,
        State.SUPPRESSED: FAILED,
        State.FAILED: FAILED,
        State.CANCELED: FAILED,
    }
)
"""How it names what became of a mail."""

_MD5 = re.compile(r"[0-9A-Fa-f]{32}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)


def md5_hex(password: str) -> str:
    """How callers may write the password. Says nothing of how it is kept."""
    return hashlib.md5(password.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def as_md5(offered: str) -> tuple[str, ...]:
    """What the MD5 of the password may be, if `offered` is the password or its MD5."""
    own = md5_hex(offered)
    return (offered.lower(), own) if _MD5.fullmatch(offered) else (own,)


def declined(text: str) -> Declined:
    return Declined(ERROR, text)


def read_orders(fields: Fields, senders: frozenset[str]) -> list[Order]:
    """One mail per address. `senders`: the registered ones, in lower case; none: any. Raises `Declined`."""
    for name in ("from", "fromname", "to", "subject", "html"):
        if not text_of(fields.get(name)):
            raise declined(f"缺少参数:{name}")
    sender = text_of(fields["from"])
    if not is_address(sender) or (senders and sender.lower() not in senders):
        raise declined("发件人地址未登记")
    recipients = [each.strip() for each in text_of(fields["to"]).split(";") if each.strip()]
    if not recipients:
        raise declined("缺少参数:to")
    if len(recipients) > MAX_RECIPIENTS:
        raise declined(f"收件人最多{MAX_RECIPIENTS}个")
    if not all(map(is_address, recipients)):
        raise declined("收件人地址格式错误")
    reply_to = text_of(fields.get("replyto"))
    if reply_to and not is_address(reply_to):
        raise declined("回复地址格式错误")
    content = clean(str(fields["html"]))
    html = content if is_html(content) else None
    return [
        Order(
            sender=str(Mailbox(line_of(fields["fromname"]), sender)),
            to=(recipient,),
            reply_to=(reply_to or sender,),
            subject=text_of(fields["subject"]),
            html=html,
            text=None if html else content,
        )
        for recipient in recipients
    ]


@dataclass(frozen=True, slots=True)
class Span:
    """Which mails are asked for: the one with `send_id`, or those sent from `since` until before `until` (epoch
    seconds; None: no bound)."""

    send_id: str | None = None
    since: float | None = None
    until: float | None = None


def read_span(fields: Fields, zone: ZoneInfo) -> Span:
    """Days are `zone`'s, the last one within. Raises `Declined`."""
    if send_id := text_of(fields.get("send_id")):
        if not _ID.fullmatch(send_id):
            raise declined("send_id格式错误")
        return Span(send_id=str(int(send_id)))
    start, end = _day(fields, "start_date"), _day(fields, "end_date")
    return Span(
        since=None if start is None else _midnight(start, zone),
        until=None if end is None or end == date.max else _midnight(end + timedelta(days=1), zone),
    )


def read_page(fields: Fields) -> tuple[int, int]:
    """(page from 1, mails on a page). What is no number counts as not given."""
    page = min(max(1, _number(fields, "p", 1)), MAX_PAGE)
    return page, min(max(1, _number(fields, "page_size", PAGE_SIZE)), MAX_PAGE_SIZE)


def local_time(epoch_s: float, zone: ZoneInfo) -> str:
    """As lists show times.

    >>> local_time(1_447_745_391, ZoneInfo("Asia/Shanghai"))
    '2015-11-17 15:29:51'
    """
    return datetime.fromtimestamp(epoch_s, zone).strftime("%Y-%m-%d %H:%M:%S")


def _day(fields: Fields, name: str) -> date | None:
    text = text_of(fields.get(name))
    if not text:
        return None
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise declined("日期格式错误")


def _midnight(day: date, zone: ZoneInfo) -> float:
    return max(0.0, datetime.combine(day, time(), zone).timestamp())


def _number(fields: Fields, name: str, otherwise: int) -> int:
    text = text_of(fields.get(name))
    return int(text) if _ID.fullmatch(text) else otherwise
