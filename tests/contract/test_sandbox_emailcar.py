"""EmailCar's sandbox: sending, lists and figures, in EmailCar's order and shape."""

import hashlib
import json
from asyncio import gather
from pathlib import Path
from typing import Any

import httpx
import pytest

from tempmail.domain.sandbox_emailcar import TOO_OFTEN, WRONG_ACCOUNT
from tempmail.sandbox.desk import MAX_CHECKS_WAITING, PASSWORD_TRIES, PASSWORD_WINDOW_S, Desk
from tempmail.sandbox.emailcar import EmailCar
from tempmail.sandbox.surface import SMALL_BODY_BYTES, Kind
from tempmail.services.sandbox_totals import SandboxTotals
from tests.contract.sandbox_suite import DOMAIN, Parts, Sandbox, box, one_for_all, one_for_each

SEND, STATS, LISTS, BALANCE = "/v1/mail/send", "/v1/mail/stats", "/v1/mail/lists", "/v1/user/balance"
OTHERS = (STATS, LISTS, BALANCE)


def emailcar(parts: Parts) -> EmailCar:
    return EmailCar(parts.desk(), SandboxTotals(parts.store.sandbox_totals))


shared = one_for_all(emailcar)
sandbox = one_for_each(emailcar)


class Caller:
    """A client with a credential of its own, which checks the shape of every answer."""

    def __init__(self, sandbox: Sandbox, *, per_s: int = 0, **asked: Any) -> None:
        self.sandbox = sandbox
        asked["switches"] = {"submissions_per_s": per_s, **asked.get("switches", {})}
        self.made = sandbox.credential(**asked)
        self.login = dict(self.made.values)

    def answer(self, path: str, **asked: Any) -> httpx.Response:
        answer = self.sandbox.request("POST", path, **asked)
        assert answer.headers["content-type"] == "application/json"
        body = answer.json()
        if body["status"] == "error":
            assert list(body) == ["msg", "status"]
        else:
            assert list(body) == ["data", "msg", "status"]
            assert (answer.status_code, body["status"]) == (200, "success")
        return answer

    def __call__(self, path: str, **fields: str) -> dict[str, Any]:
        body: dict[str, Any] = self.answer(path, data=self.login | fields).json()
        return body

    def send(self, **changes: str | None) -> dict[str, Any]:
        whole = {"from": "hi@acme.example", "fromname": "Acme", "to": f"box@{DOMAIN}", "subject": "Hi", "html": "Text"}
        return self(SEND, **{name: value for name, value in {**whole, **changes}.items() if value is not None})

    def sent(self, **changes: str) -> list[int]:
        returned = self.send(**changes)["data"]["return"]
        ids: list[int] = returned.get("ids", [returned["id"]])
        assert ids[0] == returned["id"]
        return ids

    def error(self, path: str, **fields: str) -> str:
        said = self(path, **fields)
        assert said["status"] == "error", said
        return str(said["msg"])


@pytest.fixture
def caller(shared: Sandbox) -> Caller:
    return Caller(shared)


def test_every_recipient_gets_a_mail_of_its_own_under_an_id_of_its_own(caller: Caller) -> None:
    first, second = box(), box()

    ids = caller.sent(
        to=f" {first}; {second};", html="<p>Code 482913</p>", fromname="客服, 服务", replyto="help@acme.example"
    )

    assert len(ids) == 2
    [one], [two] = caller.sandbox.inbox(first), caller.sandbox.inbox(second)
    assert ([each.address for each in one.to], [each.address for each in two.to]) == ([first], [second])
    assert (one.subject, one.html.strip(), one.from_[0].name) == ("Hi", "<p>Code 482913</p>", "客服, 服务")
    assert one.reply_to[0].address == "help@acme.example"


def test_replies_go_to_the_sender_where_nothing_else_is_said(caller: Caller) -> None:
    to = box()
    caller.sent(to=to)
    [got] = caller.sandbox.inbox(to)
    assert (got.reply_to[0].address, got.text.strip(), got.html) == ("hi@acme.example", "Text", "")


def test_ids_grow_and_are_beyond_what_a_float_holds(caller: Caller) -> None:
    ids = [*caller.sent(to=f"{box()};{box()};{box()}"), *caller.sent()]
    assert ids == sorted(set(ids))
    assert all(2**53 < each < 2**60 for each in ids)


def test_the_password_may_be_plain_or_its_md5_in_either_case(caller: Caller) -> None:
    hashed = hashlib.md5(caller.login["api_pwd"].encode()).hexdigest()
    for given in (caller.login["api_pwd"], hashed, hashed.upper()):
        assert caller(BALANCE, api_pwd=given)["status"] == "success"
    twice = hashlib.md5(hashed.encode()).hexdigest()
    assert caller.error(BALANCE, api_pwd=twice) == "用户名或密码错误"


def test_a_password_that_looks_like_an_md5_is_still_a_password(shared: Sandbox) -> None:
    caller = Caller(shared, values={"api_pwd": "0123456789abcdef0123456789abcdef"})
    assert caller(BALANCE)["status"] == "success"


def test_the_password_is_held_as_a_slow_hash(caller: Caller) -> None:
    held = str(caller.made.credential.fields)
    assert "$argon2id$" in held
    assert caller.login["api_pwd"] not in held
    assert hashlib.md5(caller.login["api_pwd"].encode()).hexdigest() not in held


@pytest.mark.parametrize("path", [SEND, *OTHERS])
@pytest.mark.parametrize(
    "wrong", [{"api_user": ""}, {"api_user": "nobody"}, {"api_pwd": ""}, {"api_pwd": "wrong"}], ids=str
)
def test_nothing_is_told_without_an_account(caller: Caller, path: str, wrong: dict[str, str]) -> None:
    assert caller.error(path, **wrong) == "用户名或密码错误"


def test_passwords_are_guessed_no_faster_than_twenty_a_minute(sandbox: Sandbox) -> None:
    caller, other = Caller(sandbox), Caller(sandbox)
    guesses = [caller.error(BALANCE, api_pwd=f"guess {number}") for number in range(PASSWORD_TRIES + 1)]
    assert guesses == [WRONG_ACCOUNT] * PASSWORD_TRIES + [TOO_OFTEN]
    assert caller.error(BALANCE) == TOO_OFTEN, "the right one tells nothing then either"
    other(BALANCE)
    sandbox.clock.advance(PASSWORD_WINDOW_S)
    caller(BALANCE)
    for number in range(PASSWORD_TRIES + 1):
        caller.error(BALANCE, api_pwd=f"another {number}")
    caller(BALANCE)  # who was let in before is not kept out by others' guesses


def test_passwords_are_checked_one_after_the_other_and_few_wait(tmp_path: Path) -> None:
    """Half of what checks passwords stays for people who log in."""
    desks: list[Desk] = []

    def make(parts: Parts) -> EmailCar:
        desks.append(parts.desk())
        return EmailCar(desks[0], SandboxTotals(parts.store.sandbox_totals))

    with Sandbox(tmp_path, make) as sandbox:
        credential = sandbox.credential().credential

        async def flood() -> list[bool | BaseException]:
            guesses = [desks[0].knows(credential, "api_pwd", f"guess {n}", address=f"192.0.2.{n}") for n in range(20)]
            return await gather(*guesses, return_exceptions=True)

        outcomes = sandbox.run(flood())

    assert outcomes[:MAX_CHECKS_WAITING] == [False] * MAX_CHECKS_WAITING
    assert {str(each) for each in outcomes[MAX_CHECKS_WAITING:]} == {Kind.BUSY}


def test_what_is_wrong_is_told_in_this_order(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, per_s=1, switches={"approved": False, "senders": "a@b.example", "points": 1})
    wrong: dict[str, str] = {"api_user": "nobody"}

    def said() -> str:
        return caller.error(SEND, **wrong)

    assert said() == "用户名或密码错误"
    del wrong["api_user"]
    assert said() == "API接口未通过审核"
    sandbox.switch(caller.made, approved=True)
    assert said() == "缺少参数:from"
    assert said() == "接口每秒钟只能提交1次"
    sandbox.switch(caller.made, submissions_per_s=0)
    for name in ("from", "fromname", "to", "subject", "html"):
        assert said() == f"缺少参数:{name}"
        wrong[name] = " "
        assert said() == f"缺少参数:{name}"
        wrong[name] = "nobody"
    assert said() == "发件人地址未登记"
    wrong["from"] = "A@B.example"
    many = [f"box{number}@{DOMAIN}" for number in range(51)]
    wrong["to"] = ";;"
    assert said() == "缺少参数:to"
    wrong["to"] = ";".join([*many[:50], "nowhere"])
    assert said() == "收件人最多50个"
    wrong["to"] = ";".join([*many[:49], "nowhere"])
    assert said() == "收件人地址格式错误"
    wrong["to"] = ";".join(many[:50])
    wrong["replyto"] = "nowhere"
    assert said() == "回复地址格式错误"
    del wrong["replyto"]
    assert said() == "剩余邮件点数不足"
    assert sandbox.total() == 0
    sandbox.switch(caller.made, points=50)
    assert len(caller(SEND, **wrong)["data"]["return"]["ids"]) == 50
    assert sandbox.total() == 50
    wrong["to"] = many[0]
    assert said() == "剩余邮件点数不足"


def test_one_submission_in_a_second_and_lists_as_often_as_anybody_likes(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, per_s=1)
    assert caller.send()["status"] == "success"
    assert caller.send()["msg"] == "接口每秒钟只能提交1次"
    for path in OTHERS:
        assert caller(path)["status"] == "success"
    sandbox.clock.advance(1)
    assert caller.send()["status"] == "success"


def test_calls_at_once_get_ids_of_their_own_and_no_more_points_than_there_are(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"points": 6})
    mail = {
        "from": "hi@acme.example",
        "fromname": "Acme",
        "to": "a@x.example;b@x.example",
        "subject": "Hi",
        "html": "Text",
    }

    async def all_at_once() -> list[httpx.Response]:
        return await gather(*[sandbox.http.post(SEND, data=caller.login | mail) for _ in range(8)])

    answers = [answer.json() for answer in sandbox.run(all_at_once())]
    taken = [each for answer in answers if answer["status"] == "success" for each in answer["data"]["return"]["ids"]]
    assert len(set(taken)) == 6
    assert {answer["msg"] for answer in answers} == {"邮件发送成功", "剩余邮件点数不足"}
    assert sandbox.total() == 6


def test_figures_count_what_became_of_the_mails(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    [bounced] = caller.sent(to=f"x+fault-bounce@{DOMAIN}")
    [delivered, *_] = caller.sent(to=f"{box()};{box()}")
    Caller(sandbox).send()

    assert caller(STATS)["data"] == {"total": {"failure": 1, "request": 3, "success": 2}}
    assert caller(STATS, send_id=str(bounced))["data"]["total"] == {"failure": 1, "request": 1, "success": 0}
    assert caller(STATS, send_id=str(delivered), start_date="1999-01-01", end_date="1999-01-01")["data"] == {
        "total": {"failure": 0, "request": 1, "success": 1}
    }
    assert caller(STATS, send_id="7")["data"]["total"]["request"] == 0


def test_days_are_those_of_the_accounts_zone_and_the_last_one_is_within(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    sandbox.clock.advance(4 * 3600 - 1)  # 23:59:59 in Shanghai
    caller.sent()
    sandbox.clock.advance(1)
    caller.sent()

    def count(start: str, end: str) -> int:
        return int(caller(STATS, start_date=start, end_date=end)["data"]["total"]["request"])

    assert count("2025-11-20", "2025-11-20") == count("2025-11-21", "2025-11-21") == 1
    assert count("2025-11-20", "2025-11-21") == count("", "2025-11-21") == count("2025-11-20", "") == 2
    assert count("2025-11-22", "") == count("", "2025-11-19") == 0
    assert caller(LISTS, end_date="2025-11-20")["data"]["0"]["send_time"] == "2025-11-20 23:59:59"


def test_a_list_has_the_documented_fields_as_text_and_nothing_else(caller: Caller) -> None:
    [mail_id] = caller.sent(fromname="客服", subject="主题")

    data = caller(LISTS, send_id=str(mail_id))["data"]

    assert data == {
        "0": {
            "failure_msg": "",
            "from": "hi@acme.example",
            "fromname": "客服",
            "guest_agent": "",
            "guest_count": "0",
            "guest_ip": "",
            "replyto": "hi@acme.example",
            "send_time": "2025-11-20 20:00:00",
            "status": "2",
            "subject": "主题",
        }
    }


def test_a_mail_that_bounced_is_listed_as_failed_with_why(caller: Caller) -> None:
    [mail_id] = caller.sent(to=f"x+fault-bounce@{DOMAIN}")
    [listed] = caller(LISTS, send_id=str(mail_id))["data"].values()
    assert (listed["status"], listed["failure_msg"]) == ("3", "收件人服务器拒收邮件")


def test_pages_are_of_twenty_and_of_forty_at_most_newest_first(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    for number in range(45):
        caller.sent(subject=str(number))

    def page(**fields: str) -> list[str]:
        data = caller(LISTS, **fields)["data"]
        assert list(data) == [str(at) for at in range(len(data))]
        return [mail["subject"] for mail in data.values()]

    newest = [str(number) for number in range(44, -1, -1)]
    assert page() == page(p="1", page_size="x") == page(p="0") == newest[:20]
    assert page(p="2") == newest[20:40]
    assert page(p="3") == newest[40:]
    assert page(page_size="41") == page(page_size="40") == newest[:40]
    assert page(page_size="39") == newest[:39]
    assert page(page_size="0") == newest[:1]
    assert caller.error(LISTS, p="4") == "没有找到数据"
    assert caller.error(LISTS, p="9" * 19) == "没有找到数据"


def test_the_documented_samples_stray_member_comes_where_it_is_asked_for(shared: Sandbox) -> None:
    caller = Caller(shared, switches={"stray_return": True})
    [mail_id] = caller.sent()
    data = caller(LISTS)["data"]
    assert data["return"] == {"id": mail_id}
    assert set(data) == {"0", "return"}


def test_a_list_without_mails_is_an_error(caller: Caller) -> None:
    assert caller.error(LISTS) == "没有找到数据"
    assert caller.error(LISTS, send_id="7") == "没有找到数据"


@pytest.mark.parametrize("path", [STATS, LISTS])
@pytest.mark.parametrize(
    "wrong",
    [{"start_date": "2025-13-01"}, {"end_date": "20251120"}, {"start_date": "tomorrow"}],
    ids=str,
)
def test_a_day_that_is_none_is_declined(caller: Caller, path: str, wrong: dict[str, str]) -> None:
    assert caller.error(path, **wrong) == "日期格式错误"


def test_an_id_that_is_none_is_declined(caller: Caller) -> None:
    assert caller.error(STATS, send_id="x") == "send_id格式错误"


def test_the_balance_falls_by_one_point_per_recipient(shared: Sandbox) -> None:
    caller = Caller(shared, switches={"points": 10})
    caller.sent(to=f"{box()};{box()};{box()}")
    assert caller(BALANCE)["data"] == {"points": {"ad": "0", "email": "7", "sms": "0"}}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("429", (200, "接口每秒钟只能提交1次")),
        ("quota", (200, "剩余邮件点数不足")),
        ("500", (500, "系统错误")),
        ("timeout-before", (500, "系统错误")),
    ],
)
@pytest.mark.parametrize("by_tag", [True, False], ids=["tag", "switch"])
def test_a_fault_is_worded_as_the_provider_would_and_takes_nothing(
    caller: Caller, fault: str, expected: tuple[int, str], by_tag: bool
) -> None:
    to = f"x+fault-{fault}@{DOMAIN}" if by_tag else box()
    if not by_tag:
        caller.sandbox.switch(caller.made, fault=fault)
    before = caller.sandbox.total()
    fields = {"from": "hi@acme.example", "fromname": "Acme", "to": f"{box()};{to}", "subject": "Hi", "html": "Text"}

    answer = caller.answer(SEND, data=caller.login | fields)

    assert (answer.status_code, answer.json()["msg"]) == expected
    assert caller.sandbox.total() == before


def test_what_was_not_taken_is_answered_as_it_is_though_answers_are_to_be_spoiled(shared: Sandbox) -> None:
    caller = Caller(shared, switches={"fault": "html", "points": 1})
    mail = {"from": "hi@acme.example", "fromname": "Acme", "to": box(), "subject": "Hi", "html": "Text"}
    assert shared.request("POST", SEND, data=caller.login | mail).headers["content-type"] == "text/html"
    assert caller.error(SEND, **mail) == "剩余邮件点数不足"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", SEND, 405), ("POST", "/v1/mail", 404)])
def test_even_an_unknown_route_answers_in_the_providers_shape(
    shared: Sandbox, method: str, path: str, status: int
) -> None:
    answer = shared.request(method, path)
    assert (answer.status_code, answer.json()["status"]) == (status, "error")


def test_the_kept_request_has_no_password(caller: Caller) -> None:
    [mail_id] = caller.sent(subject="kept")
    mails = caller.sandbox.mails
    mail = caller.sandbox.run(mails.mail(caller.made.credential, str(mail_id)))
    assert mail is not None
    kept = json.loads(caller.sandbox.run(mails.request_of(mail)))
    assert kept["subject"] == "kept"
    assert "api_pwd" not in kept


@pytest.mark.parametrize(
    ("size", "expected"),
    [(SMALL_BODY_BYTES, (200, "用户名或密码错误")), (SMALL_BODY_BYTES + 1, (413, "请求内容过大"))],
)
def test_a_body_that_is_too_large_is_refused_in_the_providers_shape(
    caller: Caller, size: int, expected: tuple[int, str]
) -> None:
    answer = caller.answer(SEND, content=b" " * size)
    assert (answer.status_code, answer.json()["msg"]) == expected


def test_hostile_values_are_declined_or_kept_but_never_a_fault(caller: Caller) -> None:
    to = box()
    for value in ("\x00", "\r\nBcc: x@y.example", "a" * 100_000, "\udcff", "a;b" * 1_000, '"<>"'):
        for field in ("api_user", "api_pwd", "from", "fromname", "to", "subject", "html", "replyto", "open"):
            text = value.encode("utf-8", "replace").decode()
            assert caller.send(**{"to": to, field: text})["status"] in ("success", "error")
        for field in ("send_id", "start_date", "end_date", "p", "page_size"):
            for path in (STATS, LISTS):
                assert caller(path, **{field: value.encode("utf-8", "replace").decode()})["msg"]
    for raw in (b"\xff", b"&" * 10_000, b"{", b"[]", b'{"api_user": []}'):
        assert caller.answer(SEND, content=raw).status_code == 200
    assert not any("x@y.example" in str(got.cc) for got in caller.sandbox.inbox(to))


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Pacific/Kiritimati", "UTC"])
def test_the_first_and_the_last_day_that_there_is_are_no_bound(sandbox: Sandbox, zone: str) -> None:
    caller = Caller(sandbox, switches={"time_zone": zone})
    caller.sent()
    span = {"start_date": "0001-01-01", "end_date": "9999-12-31"}
    assert caller(STATS, **span)["data"]["total"]["request"] == 1
    assert len(caller(LISTS, **span)["data"]) == 1
    assert caller.error(LISTS, start_date="9999-12-31") == "没有找到数据"
    assert caller.error(LISTS, end_date="0001-01-01") == "没有找到数据"
