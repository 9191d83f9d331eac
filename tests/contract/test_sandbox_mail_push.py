"""mail_push's sandbox: templates, schedules, and what is answered, in mail_push's order and shape."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tempmail.sandbox.desk import release
from tempmail.sandbox.mail_push import MAX_BODY_BYTES, MailPush
from tempmail.services.sandbox_templates import SandboxTemplates, TemplateDraft
from tests.contract.sandbox_suite import DOMAIN, Parts, Sandbox, box, one_for_all, one_for_each

SEND = "/api/send_email_v2"
SEEDS = Path(__file__).parent.parent / "data" / "seeds"


def mail_push(parts: Parts) -> MailPush:
    parts.releases["mail_push"] = release
    return MailPush(
        parts.desk(), SandboxTemplates(parts.store.sandbox_templates, parts.store.sandboxes, clock=parts.clock)
    )


shared = one_for_all(mail_push)
sandbox = one_for_each(mail_push)


class Caller:
    """A client with a credential of its own, which checks the shape of every answer."""

    def __init__(self, sandbox: Sandbox, **asked: Any) -> None:
        self.sandbox = sandbox
        self.made = sandbox.credential(**asked)
        self.headers = {"token": self.made.values["token"]}
        self.templates = SandboxTemplates(sandbox.store.sandbox_templates, sandbox.store.sandboxes, clock=sandbox.clock)

    def __call__(self, method: str, path: str, **asked: Any) -> httpx.Response:
        answer = self.sandbox.request(method, path, **{"headers": self.headers, **asked})
        body = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert set(body) == {"status", "msg", "data"}
        if body["status"] == 1:
            assert (answer.status_code, body["msg"], set(body["data"])) == (200, "请求成功", {"task_id"})
            assert 1 <= body["data"]["task_id"] < 2**53
        else:
            assert (body["status"], set(body["data"])) == (0, {"error_code"})
        return answer

    def send(self, **changes: Any) -> httpx.Response:
        whole = {"temp_id": 1, "to_email": f"box@{DOMAIN}", "content": variables(subject="Hello", text="Hi")}
        return self("POST", SEND, json={**whole, **changes})

    def template(self, **parts: str) -> int:
        """A new template's id."""
        draft = TemplateDraft("Hi {{name}}", "welcome", "<p>Hi {{name}}</p>", "Hi {{name}}")
        return self.sandbox.run(self.templates.add(self.made.credential.id, replace(draft, **parts))).temp_id


def variables(**given: str) -> str:
    return json.dumps(given, ensure_ascii=False)


def said(answer: httpx.Response) -> tuple[int, int, str]:
    return answer.status_code, answer.json()["data"]["error_code"], answer.json()["msg"]


@pytest.fixture
def caller(shared: Sandbox) -> Caller:
    return Caller(shared)


def test_the_free_form_template_makes_the_whole_mail_of_variables(caller: Caller) -> None:
    to = box()

    caller.send(to_email=to, content=variables(subject="主题", html="<p>码 482913</p>", text="码 482913"))

    [got] = caller.sandbox.inbox(to)
    assert (got.subject, got.html.strip(), got.text.strip()) == ("主题", "<p>码 482913</p>", "码 482913")
    assert (got.from_[0].name, got.from_[0].address) == ("mail_push", "noreply@mail-push.example")


def test_variables_are_escaped_in_html_and_stand_as_they_are_elsewhere(caller: Caller) -> None:
    to = box()
    temp_id = caller.template()

    caller.send(to_email=to, temp_id=temp_id, content=variables(name='<b>"A&B"</b>'))

    [got] = caller.sandbox.inbox(to)
    assert got.html.strip() == "<p>Hi &lt;b&gt;&quot;A&amp;B&quot;&lt;/b&gt;</p>"
    assert (got.subject, got.text.strip()) == ('Hi <b>"A&B"</b>',) * 2


def test_a_variable_that_is_not_given_leaves_nothing(caller: Caller) -> None:
    to = box()
    caller.send(to_email=to, temp_id=caller.template(), content="")
    [got] = caller.sandbox.inbox(to)
    assert (got.subject, got.html.strip()) == ("Hi", "<p>Hi </p>")


def test_a_value_that_looks_like_a_place_is_not_filled_again(caller: Caller) -> None:
    to = box()
    caller.send(to_email=to, temp_id=caller.template(), content=variables(name="{{other}}", other="no"))
    [got] = caller.sandbox.inbox(to)
    assert got.subject == "Hi {{other}}"


@pytest.mark.parametrize(
    "content",
    ['{"name":"张三"}', {"name": "张三"}],
    ids=["as text, as documented", "as an object"],
)
def test_content_may_be_text_or_an_object(caller: Caller, content: object) -> None:
    to = box()
    caller.send(to_email=to, temp_id=caller.template(), content=content)
    [got] = caller.sandbox.inbox(to)
    assert got.subject == "Hi 张三"


def test_a_form_is_taken_as_json_is(caller: Caller) -> None:
    to = box()
    answer = caller("POST", SEND, data={"temp_id": "1", "to_email": to, "content": variables(subject="Form", text="x")})
    assert answer.json()["status"] == 1
    [got] = caller.sandbox.inbox(to)
    assert got.subject == "Form"


def test_the_mail_is_recorded_with_its_template_and_variables(caller: Caller) -> None:
    temp_id = caller.template()

    task = caller.send(temp_id=temp_id, content=variables(name="A")).json()["data"]["task_id"]

    kept = caller.sandbox.run(caller.sandbox.mails.mail(caller.made.credential, str(task)))
    assert kept is not None
    summary = json.loads(kept.summary)
    assert (summary["temp_id"], summary["variables"]) == (temp_id, {"name": "A"})


def test_task_ids_grow(caller: Caller) -> None:
    first, second = (caller.send().json()["data"]["task_id"] for _ in range(2))
    assert second > first


def test_what_is_wrong_is_told_in_this_order(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"points": 2})
    caller.send()
    caller.send()
    wrong: dict[str, Any] = {"temp_id": "x", "to_email": "", "send_time": "tomorrow", "content": "[1]"}

    def asked() -> tuple[int, int, str]:
        return said(caller("POST", SEND, json=wrong))

    assert said(caller("POST", SEND, headers={})) == (200, -100, "请在Header中传token")
    assert said(caller("POST", SEND, headers={"token": " "})) == (200, -100, "请在Header中传token")
    assert said(caller("POST", SEND, headers={"token": "nobody"})) == (200, -101, "token不合法")
    assert asked() == (200, -102, "剩余邮件数不足")
    sandbox.switch(caller.made, points=3)
    temp_ids: tuple[Any, ...] = ("x", "", None, 1.5, True, [], "1.0", 10**30, "٣")
    for temp_id in temp_ids:
        wrong["temp_id"] = temp_id
        assert asked() == (200, -103, "temp_id不合法")
    wrong["temp_id"] = "404"
    recipients: tuple[Any, ...] = ("", None, [], "nowhere", "a@b@c")
    for to in recipients:
        wrong["to_email"] = to
        assert asked() == (200, -6, "请输入收件人邮箱!")
    wrong["to_email"] = f"box@{DOMAIN}"
    for time in ("tomorrow", "2026-7-4 10:00:00", "2026-02-30 10:00:00", "2026-07-04T10:00:00", 5, " "):
        wrong["send_time"] = time
        assert asked() == (200, -1, "时间格式不正确")
    wrong["send_time"] = ""
    contents: tuple[Any, ...] = ("[1]", "{", "nothing", 7, [], "[" * 100_000)
    for content in contents:
        wrong["content"] = content
        assert asked() == (200, -3, "content不是合法JSON")
    wrong["content"] = "{}"
    assert asked() == (200, -4, "无模板权限或模板不存在")
    wrong["temp_id"] = "1"
    assert caller("POST", SEND, json=wrong).json()["status"] == 1
    assert asked() == (200, -102, "剩余邮件数不足")


def test_a_template_of_another_account_is_not_there(caller: Caller, shared: Sandbox) -> None:
    theirs = Caller(shared).template()
    assert said(caller.send(temp_id=theirs))[1] == -4


def test_a_body_that_is_no_json_has_no_fields(caller: Caller) -> None:
    assert said(caller("POST", SEND, content=b"{", headers=caller.headers))[1] == -103


def test_a_scheduled_mail_comes_at_its_time_in_the_accounts_zone_and_not_before(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    shanghai, berlin = box(), box()
    caller.send(to_email=shanghai, send_time="2025-11-20 20:00:10")  # noon in UTC, and ten seconds
    sandbox.switch(caller.made, time_zone="Europe/Berlin")
    caller.send(to_email=berlin, send_time="2025-11-20 13:00:20")

    sandbox.clock.advance(9)
    sandbox.release_due()
    assert not sandbox.inbox(shanghai)
    sandbox.clock.advance(1)
    sandbox.release_due()
    assert len(sandbox.inbox(shanghai)) == 1
    assert not sandbox.inbox(berlin)
    sandbox.clock.advance(10)
    sandbox.release_due()
    sandbox.release_due()
    assert len(sandbox.inbox(berlin)) == len(sandbox.inbox(shanghai)) == 1


@pytest.mark.parametrize("time", ["2020-01-01 00:00:00", "0001-01-01 00:00:00", "2025-11-20 20:00:00"])
def test_a_time_that_is_over_means_now(caller: Caller, time: str) -> None:
    to = box()
    assert caller.send(to_email=to, send_time=time).json()["status"] == 1
    assert len(caller.sandbox.inbox(to)) == 1


def test_a_time_that_is_in_no_calendar_of_utc_is_no_time(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    sandbox.switch(caller.made, time_zone="America/New_York")
    assert said(caller.send(send_time="9999-12-31 23:59:59")) == (200, -1, "时间格式不正确")
    assert caller.send(send_time="9999-12-31 18:59:59").json()["status"] == 1
    assert caller.send(send_time="0001-01-01 00:00:00").json()["status"] == 1


@pytest.mark.parametrize("depth", [900, 970, 100_000])
@pytest.mark.parametrize("is_text", [True, False])
def test_content_that_is_nested_without_end_is_no_failure_of_the_server(
    caller: Caller, depth: int, is_text: bool
) -> None:
    content = '{"subject": "s", "text": ' + "[" * depth + "]" * depth + "}"
    body = json.dumps({"temp_id": 1, "to_email": box(), "content": content if is_text else 0})
    raw = body if is_text else body.replace('"content": 0', f'"content": {content}')
    answer = caller.sandbox.request("POST", SEND, content=raw, headers={"token": caller.made.values["token"]})
    assert answer.status_code == 200
    assert answer.json()["data"].get("error_code") in (None, -3, -103)


def test_a_zone_that_nobody_knows_is_no_switch(caller: Caller) -> None:
    with pytest.raises(Exception, match="time_zone: such as 'Asia/Shanghai'"):
        caller.sandbox.switch(caller.made, time_zone="Mars/Olympus")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("429", (429, -429, "请求过于频繁")),
        ("quota", (200, -102, "剩余邮件数不足")),
        ("500", (500, -500, "系统错误")),
        ("timeout-before", (500, -500, "系统错误")),
    ],
)
@pytest.mark.parametrize("by_tag", [True, False], ids=["tag", "switch"])
def test_a_fault_is_worded_as_the_provider_would_and_takes_nothing(
    caller: Caller, fault: str, expected: tuple[int, int, str], by_tag: bool
) -> None:
    if not by_tag:
        caller.sandbox.switch(caller.made, fault=fault)
    before = caller.sandbox.total()

    answer = caller.send(to_email=f"x+fault-{fault}@{DOMAIN}" if by_tag else box())

    assert said(answer) == expected
    assert caller.sandbox.total() == before


@pytest.mark.parametrize(("method", "path", "status"), [("GET", SEND, 405), ("POST", "/api/send_email", 404)])
def test_even_an_unknown_route_answers_in_the_providers_shape(
    caller: Caller, method: str, path: str, status: int
) -> None:
    assert caller(method, path).status_code == status


@pytest.mark.parametrize(("size", "code"), [(MAX_BODY_BYTES, -103), (MAX_BODY_BYTES + 1, -413)])
def test_a_body_that_is_too_large_is_refused_in_the_providers_shape(caller: Caller, size: int, code: int) -> None:
    assert said(caller("POST", SEND, content=b" " * size))[1] == code


def test_the_tool_for_mcp_is_the_one_that_the_provider_prints(shared: Sandbox) -> None:
    printed = (SEEDS / "mail_push_mcp.txt").read_text("utf-8")

    answer = shared.request("GET", "/mcp.json")

    here = "http://server.example/sandbox/mail_push"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(printed.replace("https://mail.push.xiaocx.cc", here))
    assert answer.json()["request"]["url"] == f"{here}/api/send_email_v2"


def test_the_openapi_description_is_the_one_that_the_provider_prints(shared: Sandbox) -> None:
    printed = (SEEDS / "mail_push_openapi.txt").read_text("utf-8")

    answer = shared.request("GET", "/openapi.yaml")

    served = answer.text.replace("http://server.example/sandbox/mail_push", "https://mail.push.xiaocx.cc")
    # The documentation lost its indentation on the way.
    assert [line.strip() for line in served.splitlines()] == printed.splitlines()
    assert answer.headers["content-type"] == "application/yaml; charset=utf-8"


def test_a_host_that_is_none_is_not_written_into_a_description(shared: Sandbox) -> None:
    answer = shared.request("GET", "/mcp.json", headers={"host": 'a"b'})
    assert said(answer)[0] == 400
