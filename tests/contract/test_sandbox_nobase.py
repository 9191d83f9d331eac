"""nobase's sandbox: what is taken, how often, what is logged, and what is answered, in nobase's order and shape."""

import json
from asyncio import gather
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tempmail.errors import StoreFull
from tempmail.ports.sandbox_records import LogEntry
from tempmail.sandbox.nobase import Nobase
from tempmail.sandbox.surface import SMALL_BODY_BYTES
from tempmail.services.sandbox_log import KEPT, SandboxLog
from tests.contract.sandbox_suite import DOMAIN, Parts, Sandbox, box, one_for_all, one_for_each

SEND = "/api/mail/send"
TOO_OFTEN = "请求频繁:请于{}秒后再添加任务!"


def nobase(parts: Parts) -> Nobase:
    return Nobase(parts.desk(), SandboxLog(parts.store.sandbox_log, clock=parts.clock))


shared = one_for_all(nobase)
sandbox = one_for_each(nobase)


class Caller:
    """A client with a credential of its own, which checks the shape of every answer."""

    def __init__(self, sandbox: Sandbox, **asked: Any) -> None:
        self.sandbox = sandbox
        self.made = sandbox.credential(**asked)
        self.values = self.made.values

    def __call__(self, method: str, path: str = SEND, **asked: Any) -> dict[str, Any]:
        answer = self.answer(method, path, **asked)
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        return body

    def answer(self, method: str, path: str = SEND, **asked: Any) -> httpx.Response:
        answer = self.sandbox.request(method, path, **asked)
        body = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert list(body) == ["code", "msg", "data"]
        assert (body["msg"] == "success") == (body["code"] == 200)
        return answer

    def fields(self, **changes: str | None) -> dict[str, str]:
        whole = {
            "appid": self.values["appid"],
            "signature": self.values["signature"],
            "mail": f"box@{DOMAIN}",
            "title": "Hello",
            "content": "Your code is 482913",
            "token": self.values["token"],
        }
        return {name: value for name, value in {**whole, **changes}.items() if value is not None}

    def send(self, **changes: str | None) -> tuple[int, str]:
        """`cookie`: a header; all others are fields."""
        cookie = changes.pop("cookie", None)
        said = self("POST", data=self.fields(**changes), headers={"cookie": cookie} if cookie else {})
        return said["code"], said["data"]

    def log(self) -> list[LogEntry]:
        return self.sandbox.run(
            SandboxLog(self.sandbox.store.sandbox_log, clock=self.sandbox.clock).page(before=None, limit=100)
        )


@pytest.fixture
def caller(shared: Sandbox) -> Caller:
    return Caller(shared, switches={"pause_s": 0})


def test_html_gets_a_text_alternative_and_text_stays_text(caller: Caller) -> None:
    html, text = box(), box()

    assert caller.send(mail=html, content="<h1>Code</h1><p>482913</p>") == (200, "邮件发送成功")
    assert caller.send(mail=text, content="1 < 2") == (200, "邮件发送成功")

    [got] = caller.sandbox.inbox(html)
    assert (got.subject, got.html.strip()) == ("Hello", "<h1>Code</h1><p>482913</p>")
    assert got.text.split() == ["Code", "482913"]
    assert got.from_[0].address == "noreply@nobase.example"
    [got] = caller.sandbox.inbox(text)
    assert (got.text.strip(), got.html) == ("1 < 2", "")


def test_get_and_post_and_json_are_all_taken_and_the_body_counts(caller: Caller) -> None:
    to = box()
    query = urlencode(caller.fields(mail=to, title="query"))

    assert caller("GET", f"{SEND}?{query}")["code"] == 200
    assert caller("POST", f"{SEND}?{query}")["code"] == 200
    assert caller("POST", f"{SEND}?{query}", data={"title": "form"})["code"] == 200
    assert caller("POST", f"{SEND}?{query}", json={"title": "json"})["code"] == 200

    assert [got.subject for got in caller.sandbox.inbox(to)] == ["query", "query", "form", "json"]


def test_a_user_with_a_password_may_call_in_the_place_of_a_token(caller: Caller) -> None:
    login = {"token": None, "user": caller.values["user"], "pass": caller.values["pass"]}
    assert caller.values["user"].isdigit()
    assert caller.values["pass"].isalnum()
    assert caller.send(**login) == (200, "邮件发送成功")


def test_what_is_wrong_is_told_in_this_order(shared: Sandbox) -> None:
    switches = {
        "overdue_days": 3,
        "developer_disabled": True,
        "app_state": "reviewing",
        "user_disabled": True,
        "has_configuration": False,
        "rate_per_s": 1,
    }
    caller = Caller(shared, switches=switches)
    wrong: dict[str, str] = {}

    def said() -> tuple[int, str]:
        answer = caller("POST", data=wrong)
        return answer["code"], answer["data"]

    for name in ("appid", "signature", "mail", "title", "content"):
        for empty in (None, "", " "):
            wrong.pop(name, None)
            wrong |= {} if empty is None else {name: empty}
            assert said() == (204, f"接口参数错误:缺少{name}")
        wrong[name] = "nobody"
    wrong |= {"token": "t", "user": "u"}
    assert said() == (204, "接口参数错误:token与user/pass不可同时传递")
    del wrong["token"]
    assert said() == (204, "接口参数错误:缺少pass")
    wrong |= {"user": "", "pass": "p"}
    assert said() == (204, "接口参数错误:缺少user")
    wrong["pass"] = ""
    assert said() == (204, "接口参数错误:缺少token")
    wrong |= {"user": "not digits", "pass": "wrong"}
    assert said() == (404, "应用不存在!")
    wrong["appid"] = caller.values["appid"]
    assert said() == (404, "开发者账号已逾期(3天),请缴费后重试!")
    shared.switch(caller.made, overdue_days=0)
    assert said() == (404, "开发者账号已被禁用!")
    shared.switch(caller.made, developer_disabled=False)
    assert said() == (404, "应用审核中,暂不可用!")
    shared.switch(caller.made, app_state="stopped")
    assert said() == (404, "应用已停用!")
    shared.switch(caller.made, app_state="")
    assert said() == (402, "用户访问被限制:签名校验失败!")
    wrong["signature"] = caller.values["signature"]
    login = {name: wrong.pop(name) for name in ("user", "pass")}
    wrong["token"] = "wrong"
    assert said() == (401, "token无效或已过期!")
    del wrong["token"]
    wrong |= login
    assert said() == (403, "账号格式错误!仅支持数字账号!")
    wrong["user"] = "13800138000"
    assert said() == (404, "账号不存在!")
    wrong["user"] = caller.values["user"]
    assert said() == (404, "账号已被禁用!")
    shared.switch(caller.made, user_disabled=False)
    assert said() == (404, "账号或密码错误!")
    wrong["pass"] = caller.values["pass"]
    assert said() == (204, "邮箱格式错误!")
    wrong["mail"] = f"a.b+c@{DOMAIN}"
    assert said() == (407, "应用配置不存在!")
    shared.switch(caller.made, has_configuration=True)
    assert said() == (200, "邮件发送成功")
    assert said() == (405, TOO_OFTEN.format(1))  # a call too many in a second
    shared.switch(caller.made, rate_per_s=0)
    assert said() == (405, TOO_OFTEN.format(60))


def test_mails_of_one_session_are_sixty_seconds_apart(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    assert caller.send()[0] == 200

    sandbox.clock.advance(10.5)
    assert caller.send() == (405, TOO_OFTEN.format(50))
    sandbox.clock.advance(49)
    assert caller.send() == (405, TOO_OFTEN.format(1))
    sandbox.clock.advance(0.5)
    assert caller.send()[0] == 200


def test_only_mail_that_was_taken_starts_the_pause(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    assert caller.send(mail="nowhere")[0] == 204
    assert caller.send(mail=f"x+fault-500@{DOMAIN}")[0] == 405
    assert caller.send()[0] == 200


def test_of_two_calls_at_once_one_is_taken(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)

    async def both() -> list[httpx.Response]:
        return await gather(*[sandbox.http.post(SEND, data=caller.fields()) for _ in range(2)])

    assert sorted(answer.json()["code"] for answer in sandbox.run(both())) == [200, 405]
    assert sandbox.total() == 1


def test_another_session_of_the_same_app_need_not_wait(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    login = {"token": None, "user": caller.values["user"], "pass": caller.values["pass"]}

    assert caller.send()[0] == 200
    assert caller.send(**login)[0] == 200
    assert caller.send(cookie="a=b; PHPSESSID=one")[0] == 200
    assert caller.send(cookie="PHPSESSID=two; c=d")[0] == 200

    assert caller.send()[0] == 405
    assert caller.send(**login)[0] == 405
    assert caller.send(cookie="PHPSESSID=one")[0] == 405


def test_every_call_is_logged_and_no_secret_is(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    caller.send(title="taken")
    caller.send(title="too soon")
    caller.send(title="wrong", **{"token": None, "user": "13800138000", "pass": "secret-password"})
    caller.send(appid="nobody", title="unknown")
    caller("GET", SEND)

    entries = caller.log()

    found = [(entry.title, entry.code, entry.detail, entry.credential_id) for entry in reversed(entries)]
    own = caller.made.credential.id
    assert found == [
        ("taken", 200, "邮件发送成功", own),
        ("too soon", 405, TOO_OFTEN.format(60), own),
        ("wrong", 404, "账号不存在!", own),
        ("unknown", 404, "应用不存在!", None),
        ("", 204, "接口参数错误:缺少appid", None),
    ]
    assert entries[-1].mail == f"box@{DOMAIN}"
    assert entries[-1].appid == caller.values["appid"]
    assert (entries[-1].address, entries[-1].created_at) == ("127.0.0.1", sandbox.stamp_in(0))
    kept = str(sandbox.run(_dump(sandbox)))
    for secret in ("secret-password", caller.values["token"], caller.values["signature"]):
        assert secret not in kept


async def _dump(sandbox: Sandbox) -> list[object]:
    log = await sandbox.store.sandbox_log.entries(below_id=None, limit=100)
    mails = await sandbox.store.sandboxes.mails(1, limit=100)
    return [log, mails, [await sandbox.store.sandboxes.request_of(mail.id) for mail in mails]]


class FullLog:
    """Implements `ports.sandbox_records.CallLog`."""

    async def add_entry(self, entry: LogEntry, *, keep: int) -> None:
        raise StoreFull("no space left")

    async def entries(self, *, below_id: int | None, limit: int) -> list[LogEntry]:
        return []


def test_a_mail_that_was_taken_is_not_called_failed_because_it_could_not_be_logged(tmp_path: Path) -> None:
    with Sandbox(tmp_path, lambda parts: Nobase(parts.desk(), SandboxLog(FullLog(), clock=parts.clock))) as sandbox:
        assert Caller(sandbox).send() == (200, "邮件发送成功")
        assert sandbox.total() == 1


def test_calls_of_strangers_fill_the_log_no_faster_than_sixty_a_minute(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    for _ in range(61):
        caller("GET", SEND)
    assert len(caller.log()) == 60
    caller.send(mail="nowhere")
    assert caller.log()[0].credential_id == caller.made.credential.id
    sandbox.clock.advance(60)
    caller("GET", SEND)
    assert len(caller.log()) == 62


def test_who_knows_an_appid_alone_is_a_stranger_to_the_log(sandbox: Sandbox) -> None:
    """An appid is in every request, also in those by GET: it must not be enough to push all else out of the log."""
    caller = Caller(sandbox)
    for _ in range(61):
        assert caller.send(signature="guessed")[0] == 402
    assert len(caller.log()) == 60
    caller.send(token="wrong")
    assert caller.log()[0].code == 401


def test_the_log_keeps_its_newest_entries(sandbox: Sandbox) -> None:
    log = sandbox.store.sandbox_log
    entry = LogEntry(0, None, "app", "m@x.example", "t", 200, "", "192.0.2.1", "2025-11-20 12:00:00")
    for _ in range(4):
        sandbox.run(log.add_entry(entry, keep=3))
    assert [each.id for each in sandbox.run(log.entries(below_id=None, limit=10))] == [4, 3, 2]
    assert [each.id for each in sandbox.run(log.entries(below_id=4, limit=1))] == [3]
    assert KEPT == 10_000


@pytest.mark.parametrize(("wrong", "status"), [({"mail": "nowhere"}, 400), ({"signature": "no"}, 402), ({}, 200)])
def test_http_tells_the_code_where_it_is_to_be_mirrored(shared: Sandbox, wrong: dict[str, str], status: int) -> None:
    caller = Caller(shared, switches={"mirror_code": True})
    assert caller.answer("POST", data=caller.fields(**wrong)).status_code == status


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("429", (405, TOO_OFTEN.format(1))),
        ("500", (405, "邮件发送失败:SMTP服务器连接失败!")),
        ("timeout-before", (405, "邮件发送失败:SMTP服务器连接失败!")),
        ("quota", (404, "开发者账号已逾期(1天),请缴费后重试!")),
    ],
)
@pytest.mark.parametrize("by_tag", [True, False], ids=["tag", "switch"])
def test_a_fault_is_worded_as_the_provider_would_and_takes_nothing(
    caller: Caller, fault: str, expected: tuple[int, str], by_tag: bool
) -> None:
    if not by_tag:
        caller.sandbox.switch(caller.made, fault=fault)
    before = caller.sandbox.total()

    held = len(caller.sandbox.held_s)

    assert caller.send(mail=f"x+fault-{fault}@{DOMAIN}" if by_tag else box()) == expected

    assert caller.sandbox.total() == before
    assert len(caller.sandbox.held_s) == held + (fault == "timeout-before")


def test_what_was_not_taken_is_answered_as_it_is_though_answers_are_to_be_spoiled(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"fault": "html", "daily_quota": 1, "pause_s": 0})
    assert sandbox.request("POST", SEND, data=caller.fields()).headers["content-type"] == "text/html"
    assert caller.send() == (404, "开发者账号已逾期(1天),请缴费后重试!")
    sandbox.spooled_bytes = 1 << 40
    assert caller.send() == (405, "邮件发送失败:服务器繁忙,请稍后重试!")


@pytest.mark.parametrize(("method", "path", "status"), [("PUT", SEND, 405), ("GET", "/api/mail", 404)])
def test_even_an_unknown_route_answers_in_the_providers_shape(
    caller: Caller, method: str, path: str, status: int
) -> None:
    assert caller.answer(method, path).status_code == status


@pytest.mark.parametrize(
    ("size", "text"),
    [(SMALL_BODY_BYTES, "接口参数错误:缺少appid"), (SMALL_BODY_BYTES + 1, "接口参数错误:请求内容过大")],
)
def test_a_body_that_is_too_large_is_refused_in_the_providers_shape(caller: Caller, size: int, text: str) -> None:
    assert caller("POST", content=b" " * size) == {"code": 204, "msg": "fail", "data": text}


def test_hostile_values_are_declined_or_kept_but_never_a_fault(caller: Caller) -> None:
    for value in ("\x00", "\r\nBcc: x@y.example", "a" * 100_000, "%ff%fe", "=?utf-8?b?/w==?=", "<" * 50_000):
        for field in caller.fields():
            assert caller("POST", data=caller.fields(**{field: value}))["code"] in (200, 204, 401, 402, 404)
    for raw in (b"\xff\xfe", b"&" * 10_000, b"=" * 1_000, b"{", b"[]", json.dumps({"appid": []}).encode()):
        assert caller("POST", content=raw)["code"] == 204
        assert caller("POST", content=raw, headers={"content-type": "application/json"})["code"] == 204
