"""A task as mail_push takes it. Source: seed 000, provider facts 1.4 and 4.4.

The seed words one failure; the texts of the others are this project's.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import MappingProxyType

from tempmail.domain.sandbox_fields import Declined, Fields, clean, is_address, json_fields, text_of

NO_TOKEN, BAD_TOKEN, NO_CREDIT, BAD_TEMPLATE_ID = -100, -101, -102, -103
BAD_TIME, BAD_CONTENT, NO_TEMPLATE, NO_RECIPIENT = -1, -3, -4, -6

TEXTS: Mapping[int, str] = MappingProxyType(
    {
        NO_TOKEN: "请在Header中传token",
        BAD_TOKEN: "token不合法",
        NO_CREDIT: "剩余邮件数不足",
        BAD_TEMPLATE_ID: "temp_id不合法",
        BAD_TIME: "时间格式不正确",
        BAD_CONTENT: "content不是合法JSON",
        NO_TEMPLATE: "无模板权限或模板不存在",
        NO_RECIPIENT: "请输入收件人邮箱!",
    }
)

_LATEST_EPOCH_S = 253_402_300_799  # 9999-12-31T23:59:59Z: there are no stamps beyond it
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Task:
    """`send_at`: epoch seconds; None: at once."""

    temp_id: int
    to: str
    variables: Mapping[str, str]
    send_at: float | None


def declined(code: int) -> Declined:
    return Declined(code, TEXTS[code])


def read_task(fields: Fields, zone: tzinfo) -> Task:
    """The task that `fields` order. Times are `zone`'s. Raises `Declined`, for what is wrong first: the template's id,
    the recipient, the time, the content."""
    temp_id = _integer(fields.get("temp_id"))
    if temp_id is None:
        raise declined(BAD_TEMPLATE_ID)
    to = text_of(fields.get("to_email"))
    if not is_address(to):
        raise declined(NO_RECIPIENT)
    send_at = _send_at(fields.get("send_time"), zone)
    return Task(temp_id, to, _variables(fields.get("content")), send_at)


def _integer(value: object) -> int | None:
    text = str(value).strip() if isinstance(value, int | str) else ""
    return int(text) if _INTEGER.fullmatch(text) else None


def _send_at(value: object, zone: tzinfo) -> float | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise declined(BAD_TIME)
    try:
        at = datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError) as exc:
        raise declined(BAD_TIME) from exc
    if at > _LATEST_EPOCH_S:
        raise declined(BAD_TIME)
    return at


def _variables(value: object) -> dict[str, str]:
    """Values are strings; others are written as JSON writes them."""
    if value is None or value == "":
        return {}
    given = json_fields(value.encode("utf-8", "replace")) if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise declined(BAD_CONTENT)
    try:
        return {clean(name): _text(each) for name, each in given.items()}
    except RecursionError as exc:
        raise declined(BAD_CONTENT) from exc


def _text(value: object) -> str:
    if isinstance(value, str):
        return clean(value)
    return "" if value is None else json.dumps(value, ensure_ascii=False)
