"""A mail as nobase takes it. Source: seed 001, provider facts 1.5 and 4.5."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from tempmail.domain.sandbox_fields import Declined, Fields, Order, clean, in_one_field, is_address, text_of

SENT, BAD_PARAMETER, BAD_TOKEN, BAD_SIGNATURE, BAD_ACCOUNT = 200, 204, 401, 402, 403
BAD_STATE, NOT_NOW, NO_CONFIGURATION = 404, 405, 407

_DIGITS = re.compile(r"[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as given. Either `token` or both `user` and `password` are not empty."""

    appid: str
    signature: str = field(repr=False)
    mail: str
    title: str
    content: str = field(repr=False)
    token: str = field(repr=False)
    user: str
    password: str = field(repr=False)

    @property
    def principal(self) -> str:
        """Whom the app sends for."""
        return self.user or self.token


@dataclass(frozen=True, slots=True)
class AppState:
    """What keeps an app from sending. `overdue_days`: since when the developer has not paid; 0: has."""

    overdue_days: int
    developer_disabled: bool
    app: str


def merged(query: Fields, body: Fields) -> Fields:
    """The parameters of both; those of the body count."""
    return {**query, **body}


def read_call(fields: Fields) -> Call:
    """Raises `Declined` for what is missing first, then for who calls."""
    given = {
        name: text_of(fields.get(name)) for name in ("appid", "signature", "mail", "title", "token", "user", "pass")
    }
    content = fields.get("content")
    given["content"] = clean(content) if isinstance(content, str) else text_of(content)
    for name in ("appid", "signature", "mail", "title", "content"):
        if not given[name].strip():
            raise missing(name)
    if given["token"] and (given["user"] or given["pass"]):
        raise Declined(BAD_PARAMETER, "接口参数错误:token与user/pass不可同时传递")
    if not given["token"] and not (given["user"] and given["pass"]):
        raise missing("pass" if given["user"] else "user" if given["pass"] else "token")
    return Call(password=given.pop("pass"), **given)


def missing(name: str) -> Declined:
    return Declined(BAD_PARAMETER, f"接口参数错误:缺少{name}")


def check_state(state: AppState) -> None:
    """Raises `Declined` where the developer, or else the app, may not send."""
    if state.overdue_days:
        raise Declined(BAD_STATE, overdue(state.overdue_days))
    if state.developer_disabled:
        raise Declined(BAD_STATE, "开发者账号已被禁用!")
    if text := _APP_STATES.get(state.app):
        raise Declined(BAD_STATE, text)


_APP_STATES: Mapping[str, str] = {"reviewing": "应用审核中,暂不可用!", "stopped": "应用已停用!"}
APP_STATES = tuple(_APP_STATES)


def overdue(days: int) -> str:
    return f"开发者账号已逾期({days}天),请缴费后重试!"


def check_user(call: Call) -> None:
    """Raises `Declined` where the account's name is not made of digits."""
    if call.user and not _DIGITS.fullmatch(call.user):
        raise Declined(BAD_ACCOUNT, "账号格式错误!仅支持数字账号!")


def read_order(call: Call, sender: str) -> Order:
    """The mail, from the one sender that the account has. A text alternative of HTML is made. Raises `Declined`."""
    if not is_address(call.mail):
        raise Declined(BAD_PARAMETER, "邮箱格式错误!")
    html, text = in_one_field(call.content)
    return Order(sender=sender, to=(call.mail,), subject=call.title, html=html, text=text)


def too_soon(wait_s: float) -> Declined:
    """Another mail of the same session after `wait_s` seconds, not before."""
    seconds = max(1, ceil(wait_s))
    return Declined(NOT_NOW, f"请求频繁:请于{seconds}秒后再添加任务!", retry_after_s=seconds)
